"""Contexts: when one is used up at its pace, how much of its holds it uses, and what would help.

Functions over the calls of a context, oldest first. Not here: where calls come from
(`engine.contexts`), and sizes that are learnt of many contexts (`sizes`).
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from budget.domain.answers_contexts import Exhaustion, Hint, Use
from budget.domain.budgets import BPS, Unit
from budget.domain.money import ceil_div

FEWEST_USES: Final = 2
"""With fewer calls there is no pace."""
FEWEST_FOR_GROWTH: Final = 6
"""With fewer calls it is not told how they grow: three and three are compared."""
NEAR_BPS: Final = 8_000
"""From this share on a window, or a limit, is near."""
GROWN_BPS: Final = 15_000
"""From this ratio on the input of calls has grown."""
WASTEFUL_BPS: Final = 5_000
"""Below this share of what is held, holds are too large."""
FEWEST_FOR_WASTE: Final = 5
HORIZON_US: Final = 10 * 366 * 86_400_000_000
"""What ends later than in ten years has no end that is told."""


class Halves(NamedTuple):
    """Means of the older and of the newer half of calls, in tokens; of an odd number the middle one
    is in neither.
    """

    before_input: int
    after_input: int
    before_output: int
    after_output: int
    apart: int
    """How many calls lie between the middles of both."""


class Level(NamedTuple):
    """Something of which so much is used, with a limit."""

    unit: Unit
    limit: int
    used: int

    @property
    def left(self) -> int:
        """What is left; never below zero."""
        return max(0, self.limit - self.used)


def efficiency_bps(used_tokens: int, allocated_tokens: int) -> int | None:
    """How much of what was allocated was used; above 10,000: more than that. None: nothing was."""
    return used_tokens * BPS // allocated_tokens if allocated_tokens > 0 else None


def amount_of(use: Use, unit: Unit) -> int:
    """What a call adds to a limit; nothing to one in money while it has no cost."""
    match unit:
        case "usd":
            return use.cost_nanos or 0
        case "input_tokens":
            return use.input_tokens
        case "output_tokens":
            return use.output_tokens
        case "requests":
            return 1
        case _:
            return use.input_tokens + use.output_tokens


def limit_exhaustion(
    uses: Sequence[Use], level: Level, now_us: int, policy_id: str, budget: str
) -> Exhaustion:
    """When a limit of the context is used up, if it goes on as in these calls.

    Calls like the mean of them fit `left // mean` times. The pace is what came after the first of
    them, over the time from the first until now: so it slows while nothing comes.
    """
    amounts = [amount_of(use, level.unit) for use in uses]
    total, left = sum(amounts), level.left
    calls_left = left * len(uses) // total if uses and total > 0 else None
    at_us = now_us if left == 0 else None
    if left and len(uses) >= FEWEST_USES:
        paced, span_us = total - amounts[0], now_us - uses[0].at_us
        if paced > 0 and span_us > 0:
            at_us = _told(now_us + ceil_div(left * span_us, paced), now_us)
    return Exhaustion(
        "limit", level.unit, level.limit, level.used, left,
        0 if left == 0 else calls_left, at_us, policy_id, budget,
    )  # fmt: skip


def window_exhaustion(uses: Sequence[Use], window_tokens: int, now_us: int) -> Exhaustion | None:
    """When the model's window is full, if calls go on to grow as these did; None without calls.

    What the newest call read and wrote is what the next one begins with. The growth from call to
    call is how far the means of both halves lie apart, over the calls between.
    """
    if not uses:
        return None
    fill = _size(uses[-1])
    left = max(0, window_tokens - fill)
    calls_left, at_us = (0, now_us) if left == 0 else (None, None)
    halves = halves_of(uses)
    if left and halves is not None:
        grown = halves.after_input + halves.after_output
        grown -= halves.before_input + halves.before_output
        if grown > 0:
            calls_left = left * halves.apart // grown
            reached_us = now_us + calls_left * (now_us - uses[0].at_us) // (len(uses) - 1)
            at_us = _told(reached_us, now_us)
    return Exhaustion("window", "tokens", window_tokens, fill, left, calls_left, at_us)


def halves_of(uses: Sequence[Use]) -> Halves | None:
    """The means of both halves; None for too few calls to compare."""
    if len(uses) < FEWEST_FOR_GROWTH:
        return None
    half = len(uses) // 2
    before, after = uses[:half], uses[-half:]

    def mean(some: Sequence[Use], of: Callable[[Use], int]) -> int:
        return sum(map(of, some)) // half

    return Halves(
        mean(before, _input), mean(after, _input), mean(before, _output), mean(after, _output),
        len(uses) - half,
    )  # fmt: skip


def _told(at_us: int, now_us: int) -> int | None:
    """An instant, unless it lies too far ahead to mean anything."""
    return at_us if at_us - now_us <= HORIZON_US else None


# --- Hints ---------------------------------------------------------------------------------------


class Held(NamedTuple):
    """What a context's settled calls were allocated, and what they used of it."""

    calls: int
    allocated_tokens: int
    used_tokens: int


def hints_of(
    uses: Sequence[Use],
    exhaustions: Sequence[Exhaustion],
    held: Held,
    million_input_nanos: int | None = None,
) -> tuple[Hint, ...]:
    """What would help a context, with figures. `million_input_nanos` is what a million of its input
    tokens cost.
    """
    found = [_near(one) for one in exhaustions]
    found += [_growing(uses, million_input_nanos), _wasteful(held)]
    return tuple(hint for hint in found if hint is not None)


def _near(one: Exhaustion) -> Hint | None:
    if one.used * BPS < one.limit * NEAR_BPS:
        return None
    if one.of == "limit" and not one.left:
        return Hint(
            "limit", f"The limit of the context that {one.budget!r} sets is used up: raise it."
        )
    share = percent(one.used * BPS // one.limit) if one.limit else "all"
    if one.of == "window":
        room = _calls(one.calls_left)
        return Hint(
            "window",
            f"The newest call filled {share} of the model's window of {one.limit:,} tokens{room}: "
            "compress the context, or begin another.",
        )
    unit = one.unit.replace("_", " ")
    if one.unit == "usd":
        return Hint(
            "limit", f"{share} of the limit of the context is spent{_calls(one.calls_left)}."
        )
    return Hint(
        "limit",
        f"{share} of the context's limit of {one.limit:,} {unit} is used, {one.left:,} are left"
        f"{_calls(one.calls_left)}: compress it, or raise the limit.",
    )


def _growing(uses: Sequence[Use], million_input_nanos: int | None) -> Hint | None:
    """Calls read more and more, and write no more for it."""
    halves = halves_of(uses)
    if halves is None:
        return None
    before, after = halves.before_input, halves.after_input
    was, now = max(1, halves.before_output), max(1, halves.after_output)
    if after * BPS < before * GROWN_BPS or after * was <= before * now or after == 0:
        return None
    saved = after - before
    nanos = None if million_input_nanos is None else saved * million_input_nanos // 1_000_000
    return Hint(
        "input_growth",
        f"Calls read {after:,} tokens on average, {before:,} before, and write "
        f"{halves.after_output:,}, {halves.before_output:,} before: their input grows faster than "
        f"their output. Compressed to what it was, each call would read {saved:,} tokens less.",
        saved, nanos,
    )  # fmt: skip


def _wasteful(held: Held) -> Hint | None:
    share = efficiency_bps(held.used_tokens, held.allocated_tokens)
    if share is None or share >= WASTEFUL_BPS or held.calls < FEWEST_FOR_WASTE:
        return None
    return Hint(
        "size",
        f"Calls used {percent(share)} of the tokens that were held for them: hold less, so that "
        "others find room.",
        (held.allocated_tokens - held.used_tokens) // held.calls,
    )


def percent(bps: int) -> str:
    """A share as people read it."""
    whole, hundredths = divmod(bps, 100)
    return f"{whole}.{hundredths:02d}".rstrip("0").rstrip(".") + "%"


def _calls(left: int | None) -> str:
    if left is None:
        return ""
    return f", about {left:,} more {'call fits' if left == 1 else 'calls fit'}"


def _size(use: Use) -> int:
    return use.input_tokens + use.output_tokens


def _input(use: Use) -> int:
    return use.input_tokens


def _output(use: Use) -> int:
    return use.output_tokens
