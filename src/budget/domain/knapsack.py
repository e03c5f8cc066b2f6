"""The knapsack: of several tasks, each of which may be done in one of several ways or not at all,
the choice that is worth most within limits.

Exact: a search that keeps, task by task, what no other choice is better than in every respect, and
drops what cannot lead to anything better than is known already. Where there would be too many, the
least promising are let go, and the answer says how much they might have been worth at most. Only
integers. Not here: tasks, models and prices (`engine.planning`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

MOST_STEPS: Final = 150_000
"""About how many choices a search looks at before it lets go of some: a second's work."""
MOST_COMPARED: Final = 192
"""In how many figures a choice is compared with others, where there are several limits."""


class Way(NamedTuple):
    """One way to do a task: what it is worth, what it costs, and what it takes of which limit."""

    value: int
    cost_nanos: int
    takes: Mapping[int, int]


class Wanted(NamedTuple):
    """A task: all with a higher priority count more than any of a lower one."""

    priority: int
    ways: Sequence[Way]


Rooms = Sequence[Mapping[int, int]]
"""What is left of each limit for every priority there is: no less for a higher one."""


class Found(NamedTuple):
    """The way of each task, None: not done. What is worth how much, by priority; `at_most`: what no
    choice can exceed, in the order of priorities, the highest first. `is_best`: none is better.
    """

    ways: tuple[int | None, ...]
    values: Mapping[int, int]
    at_most: Mapping[int, int]
    is_best: bool


def best(tasks: Sequence[Wanted], rooms: Rooms, most_steps: int = MOST_STEPS) -> Found:
    """The choice that is worth most: of the highest priority first, then of the next; of choices
    that are worth the same, one that costs least. What is chosen fits in that order of priorities.
    """
    scale = _scale(tasks)
    ways: list[int | None] = [None] * len(tasks)
    gain, at_most = 0, 0
    for part in _parts(tasks, rooms, scale):
        found = _Search(part, rooms, most_steps * len(part.tasks) // len(tasks)).run()
        gain += found.gain
        at_most += max(found.gain, found.lost)
        for task, way in zip(part.tasks, found.ways, strict=True):
            ways[task.number] = way
    values = scale.values_of(gain)
    return Found(tuple(ways), values, scale.values_of(at_most), at_most == gain)


class _Scale(NamedTuple):
    """How value, of every priority, and cost are one number, which is greater for what is better.

    `weights`: by priority, the highest first; `span_nanos`: more than all can cost.
    """

    weights: Mapping[int, int]
    span_nanos: int

    def gain(self, priority: int, way: Way) -> int:
        return way.value * self.weights[priority] * self.span_nanos - way.cost_nanos

    def values_of(self, gain: int) -> dict[int, int]:
        """The value by priority of a gain, or the most that goes with it."""
        left = -(-gain // self.span_nanos)
        values = {}
        for priority, weight in self.weights.items():
            values[priority], left = divmod(left, weight)
        return values


def _scale(tasks: Sequence[Wanted]) -> _Scale:
    most = dict.fromkeys(sorted({task.priority for task in tasks}), 0)
    span_nanos = 1
    for task in tasks:
        most[task.priority] += max((way.value for way in task.ways), default=0)
        span_nanos += max((way.cost_nanos for way in task.ways), default=0)
    weights, weight = {}, 1
    for priority, value in most.items():
        weights[priority] = weight
        weight *= value + 1
    return _Scale(dict(reversed(weights.items())), span_nanos)


class _Option(NamedTuple):
    """A way as the search sees it: its number among the ways, its gain, and (limit, amount)."""

    number: int
    gain: int
    takes: tuple[tuple[int, int], ...]


class _Task(NamedTuple):
    number: int
    priority: int
    options: tuple[_Option, ...]


class _Part(NamedTuple):
    """Tasks that share limits, the highest priority first, and the limits that may bind."""

    tasks: tuple[_Task, ...]
    limits: tuple[int, ...]


def _parts(tasks: Sequence[Wanted], rooms: Rooms, scale: _Scale) -> Iterable[_Part]:
    """The tasks in parts that have no limit in common, so that each can be searched by itself."""
    binding = _binding(tasks, rooms)
    of: dict[int, int] = {}

    def root(limit: int) -> int:
        while of.setdefault(limit, limit) != limit:
            limit = of[limit]
        return limit

    met = [
        sorted({limit for way in task.ways for limit in way.takes if limit in binding})
        for task in tasks
    ]
    for limits in met:
        for limit in limits[1:]:
            of[root(limit)] = root(limits[0])
    parts: dict[int, list[int]] = {}
    for number, limits in enumerate(met):
        parts.setdefault(root(limits[0]) if limits else -1 - number, []).append(number)
    for numbers in parts.values():
        within = tuple(sorted({limit for number in numbers for limit in met[number]}))
        yield _Part(_ordered(tasks, numbers, within, scale), within)


def _binding(tasks: Sequence[Wanted], rooms: Rooms) -> set[int]:
    """The limits that do not have room for everything."""
    most: dict[int, int] = {}
    least: dict[int, int] = {}
    for task in tasks:
        for limit in {limit for way in task.ways for limit in way.takes}:
            taken = max(way.takes.get(limit, 0) for way in task.ways)
            most[limit] = most.get(limit, 0) + taken
            room = rooms[limit][task.priority]
            least[limit] = min(least.get(limit, room), room)
    return {limit for limit, taken in most.items() if taken > least[limit]}


def _ordered(
    tasks: Sequence[Wanted], numbers: Iterable[int], limits: tuple[int, ...], scale: _Scale
) -> tuple[_Task, ...]:
    found = []
    for number in numbers:
        task = tasks[number]
        options = [
            _Option(
                place,
                scale.gain(task.priority, way),
                tuple((limits.index(one), taken) for one, taken in way.takes.items()
                      if taken and one in limits),
            )
            for place, way in enumerate(task.ways)
        ]  # fmt: skip
        found.append(_Task(number, task.priority, _undominated(options)))
    # Within a priority, the surest go first: what is known early lets more be dropped.
    return tuple(sorted(found, key=lambda task: (-task.priority, -_density(task), task.number)))


def _density(task: _Task) -> Fraction:
    return max(
        (Fraction(one.gain, 1 + sum(taken for _, taken in one.takes)) for one in task.options),
        default=Fraction(0),
    )


def _undominated(options: Iterable[_Option]) -> tuple[_Option, ...]:
    """Those than which no other gains as much and takes no more of anything."""
    kept: list[_Option] = []
    for option in sorted(options, key=lambda one: (-one.gain, one.takes, one.number)):
        takes = dict(option.takes)
        if not any(
            all(taken <= takes.get(limit, 0) for limit, taken in other.takes) for other in kept
        ):
            kept.append(option)
    return tuple(kept)


@dataclass(slots=True)
class _Bound:
    """The most that tasks can gain under one limit alone, were parts of a step allowed.

    `sure`: what is gained without it; then steps, the best for their amount first, added up.
    """

    sure: int = 0
    amounts: list[int] = field(default_factory=list)
    gains: list[int] = field(default_factory=list)

    def within(self, room: int) -> int:
        at = bisect_right(self.amounts, room)
        before = self.amounts[at - 1] if at else 0
        gain = self.gains[at - 1] if at else 0
        if at < len(self.amounts):
            step, amount = self.gains[at] - gain, self.amounts[at] - before
            gain += step * (room - before) // amount
        return self.sure + gain


Step = tuple[int, int]
"""More of a limit, and what it gains."""


def _steps(options: Iterable[_Option], limit: int) -> tuple[int, list[Step]]:
    """What a task gains without a limit, and by steps with it, each less for its amount."""
    points = sorted((dict(one.takes).get(limit, 0), one.gain) for one in options)
    hull = [(0, 0)]
    for amount, gain in points:
        if gain <= hull[-1][1]:
            continue
        if hull[-1][0] == amount:
            hull.pop()
        while len(hull) > 1 and not _falls(hull[-2], hull[-1], (amount, gain)):
            hull.pop()
        hull.append((amount, gain))
    return hull[0][1], [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(hull)]


def _falls(one: Step, two: Step, three: Step) -> bool:
    """Whether the way from the first point to the second is steeper than that to the third."""
    before = (two[1] - one[1]) * (three[0] - two[0])
    return before > (three[1] - two[1]) * (two[0] - one[0])


def _bounds(tasks: Sequence[_Task], limit: int) -> list[_Bound]:
    """The bound of one limit for what is left at each task, the last one of nothing."""
    each = [_steps(task.options, limit) for task in tasks]
    every = [(step, place) for place, (_, steps) in enumerate(each) for step in steps]
    every.sort(key=lambda one: Fraction(one[0][1], one[0][0]), reverse=True)
    ranks: dict[int, list[int]] = {}
    for rank, (_, place) in enumerate(every):
        ranks.setdefault(place, []).append(rank)
    bounds, sure, taken = [_Bound()], 0, list[int]()
    for place in reversed(range(len(tasks))):
        sure += each[place][0]
        last = bounds[-1]
        if place in ranks:
            taken = sorted((*taken, *ranks[place]))
            amounts = list(accumulate(every[rank][0][0] for rank in taken))
            gains = list(accumulate(every[rank][0][1] for rank in taken))
            bounds.append(_Bound(sure, amounts, gains))
        else:
            bounds.append(_Bound(sure, last.amounts, last.gains))
    return bounds[::-1]


class _State(NamedTuple):
    """A choice so far: its gain, the most it may lead to, what it took, and how it was made."""

    gain: int
    at_most: int
    used: tuple[int, ...]
    way: int | None
    before: "_State | None"


class _Result(NamedTuple):
    gain: int
    lost: int
    ways: tuple[int | None, ...]


class _Search:
    """The search of one part. `lost` is the most that what was let go of might have gained."""

    def __init__(self, part: _Part, rooms: Rooms, most_steps: int) -> None:
        self._tasks = part.tasks
        self._rooms = [
            tuple(rooms[limit][task.priority] for limit in part.limits) for task in part.tasks
        ]
        self._bounds = [_bounds(part.tasks, at) for at in range(len(part.limits))]
        options = sum(1 + len(task.options) for task in part.tasks)
        self._most_kept = max(16, most_steps // max(1, options))
        self._most_compared = MOST_COMPARED // max(1, len(part.limits))
        self._best = _State(0, 0, (0,) * len(part.limits), None, None)
        self._best_depth = 0
        self._lost = 0
        # How often it is seen where the best choice so far would lead, which takes as many steps.
        self._stride = 1 + len(part.tasks) * options // max(1, most_steps)

    def run(self) -> _Result:
        states = [self._best]
        for depth in range(len(self._tasks)):
            states = self._kept(self._next(states, depth))
            if states and depth % self._stride == 0:
                self._complete(max(states, key=lambda one: one.at_most), depth + 1)
        return _Result(self._best.gain, self._lost, self._ways())

    def _next(self, states: Iterable[_State], depth: int) -> list[_State]:
        """What each choice may become with one more task, if it may yet be the best."""
        found = []
        for state in states:
            for option in (None, *self._tasks[depth].options):
                after = self._step(state, option, depth)
                if after is None or after.at_most <= self._best.gain:
                    continue
                found.append(after)
                if after.gain > self._best.gain:
                    self._best, self._best_depth = after, depth + 1
        return [one for one in found if one.at_most > self._best.gain]

    def _step(self, state: _State, option: _Option | None, depth: int) -> _State | None:
        rooms, used, gain, way = self._rooms[depth], state.used, state.gain, None
        if option is not None:
            taken = list(used)
            for at, amount in option.takes:
                taken[at] += amount
                if taken[at] > rooms[at]:
                    return None
            used, gain, way = tuple(taken), gain + option.gain, option.number
        at_most = gain + self._more(used, depth + 1)
        return _State(gain, at_most, used, way, state)

    def _more(self, used: tuple[int, ...], depth: int) -> int:
        """The most that the tasks from here on can gain."""
        if depth == len(self._tasks):
            return 0
        rooms = self._rooms[depth]
        if not used:
            return sum(task.options[0].gain for task in self._tasks[depth:] if task.options)
        return min(
            bounds[depth].within(max(0, room - one))
            for bounds, room, one in zip(self._bounds, rooms, used, strict=True)
        )

    def _kept(self, states: list[_State]) -> list[_State]:
        """Those than which no other is better, and of these no more than can be kept."""
        states.sort(key=lambda one: (-one.gain, one.used))
        kept: list[_State] = []
        least: int | None = None
        for state in states:
            if len(state.used) == 1:
                if least is not None and state.used[0] >= least:
                    continue
                least = state.used[0]
            elif any(_takes_no_more(other, state) for other in kept[: self._most_compared]):
                continue
            kept.append(state)
        if len(kept) > self._most_kept:
            kept.sort(key=lambda one: -one.at_most)
            self._lost = max(self._lost, kept[self._most_kept].at_most)
            del kept[self._most_kept :]
        return kept

    def _complete(self, state: _State, depth: int) -> None:
        """See where a choice leads if each further task takes the best that fits."""
        for further in range(depth, len(self._tasks)):
            steps = (self._step(state, one, further) for one in self._tasks[further].options)
            state = next(filter(None, steps), None) or state._replace(way=None, before=state)
        if state.gain > self._best.gain:
            self._best, self._best_depth = state, len(self._tasks)

    def _ways(self) -> tuple[int | None, ...]:
        ways: list[int | None] = [None] * len(self._tasks)
        state: _State | None = self._best
        for depth in reversed(range(self._best_depth)):
            assert state is not None
            ways[depth], state = state.way, state.before
        return tuple(ways)


def _takes_no_more(one: _State, other: _State) -> bool:
    return all(mine <= others for mine, others in zip(one.used, other.used, strict=True))
