"""Facts: booking what has happened. Nothing here refuses; what goes beyond a limit is overrun.

Pure functions like those of `decide`: usage on an allocation, release, expiry, usage that nobody
reserved, and corrections -> postings and new states.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from budget.domain.allocations import Amounts, Held, Holding, Leg, State
from budget.domain.balances import Balance, Posting
from budget.domain.decide import Balances, Decided, renewed
from budget.domain.errors import Conflict

LATE_WINDOW_US = 72 * 3_600_000_000
"""Unreserved usage goes to its own window while that ended under 72 hours ago."""

FUTURE_US = 5 * 60_000_000
"""Usage up to five minutes ahead of the clock counts as now."""


_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions


class _Book:
    """The postings of one command, in the order they are to be applied."""

    __slots__ = ("_balances", "overran", "postings")

    def __init__(self, balances: Balances) -> None:
        self._balances = balances
        self.postings: list[Posting] = []
        self.overran = False

    def add(self, head_id: int, cell_us: int, spent: int, reserved: int, assumed: int) -> None:
        self.postings.append(_new(Posting, (head_id, cell_us, spent, reserved, assumed, 0)))

    def fact(self, head_id: int, cell_us: int, increase: int) -> None:
        """Spend that no hold covers: free room first, overrun beyond the limit."""
        overrun = self._balances[head_id].overrun_by(cell_us, increase)
        self.overran = self.overran or overrun > 0
        self.postings.append(_new(Posting, (head_id, cell_us, increase, 0, 0, overrun)))


def record(
    holding: Holding,
    used: Amounts,
    balances: Balances,
    *,
    usage_id: str,
    final: bool,
    now_us: int,
    parent: Holding | None = None,
) -> Decided:
    """Book what a call really used: from its hold, then its parent's, then free room, then overrun.

    Never refused and never clamped. The final record returns the rest and settles the allocation;
    on an expired or released one that is a late settlement. A cost of None moves no money.
    """
    state = holding.state
    giver = parent if parent is not None and parent.is_open else None
    giver_legs = None if giver is None else list(giver.state.legs)
    book = _Book(balances)
    late = state.status == "expired"
    legs: list[Leg] = []
    unpaid: dict[int, int] = {}
    newest: dict[int, Leg] = {}
    for leg in state.legs:  # oldest first, so usage draws on the oldest of a balance
        head_id, cell_us, held, left, from_parent = leg
        due = unpaid.get(head_id)
        if due is None:
            due = used[balances[head_id].policy.unit_index] or 0
        take = min(left, due)
        left -= take
        unpaid[head_id] = due - take
        newest[head_id] = leg
        back = left if final else 0
        if back and from_parent and giver_legs is not None:
            _give_back(book, leg, back, giver_legs, late=late)
            left = back = 0
        elif back:
            left = 0
        # Posted even when it is nothing, so that a correction finds the cell.
        less = -take - back
        account = (take, 0, less, 0) if late else (take, less, 0, 0)
        book.postings.append(_new(Posting, (head_id, cell_us, *account)))
        legs.append(_new(Leg, (head_id, cell_us, held, left, from_parent)))
    for head_id, rest in unpaid.items():
        if rest:
            _book_excess(book, newest[head_id], rest, balances[head_id], giver_legs)
    use = _new(Held, (used.usd, used.tokens, used.requests))
    rest_held = state.left.less(use)
    new = _new(
        State,
        (
            "settled" if final else state.status, state.expires_us, state.ttl_us, tuple(legs),
            state.held, rest_held.emptied() if final else rest_held, state.granted_output_tokens,
            state.records + 1, usage_id if final else state.settled_by,
        ),
    )  # fmt: skip
    states: list[tuple[Holding, State]] = []
    cap_us = None
    if giver is not None and giver_legs is not None:
        giver_left = giver.state.left.less(use.beyond(state.left))
        if final:
            giver_left = giver_left.plus(rest_held)
        giver_state = giver.state._replace(legs=tuple(giver_legs), left=giver_left)
        giver_state = renewed(giver_state, now_us)
        cap_us = giver_state.expires_us
        states.append((giver, giver_state))
    if new.status == "open":
        new = renewed(new, now_us, cap_us)
    states.append((holding, new))
    return _new(Decided, (book.postings, states, book.overran))


def _book_excess(
    book: _Book, newest: Leg, rest: int, balance: Balance, giver_legs: list[Leg] | None
) -> None:
    """Book what goes beyond a hold: on the parent's remainder, then as a fact."""
    if giver_legs is not None and newest.from_parent:
        rest = _draw_on_parent(book, newest.head_id, rest, giver_legs)
    if rest:
        cell_us = balance.start_us if balance.policy.rolling else newest.cell_us
        book.fact(newest.head_id, cell_us, rest)


def release(holding: Holding, balances: Balances, *, parent: Holding | None) -> Decided:
    """Return what is still held: reserved, or assumed after expiry."""
    if holding.state.status not in ("open", "expired"):
        raise Conflict(
            f"The allocation is {holding.state.status}; there is nothing to release.",
            code="not_open",
        )
    return _end(holding, balances, "released", parent)


def expire(holding: Holding, balances: Balances, *, parent: Holding | None) -> Decided:
    """End a hold whose time is up: kept as assumed where the policy says so, else returned.

    An envelope's own remainder always returns; only its children's holds, which ended before, are
    assumed.
    """
    return _end(holding, balances, "expired", parent)


def _end(
    holding: Holding,
    balances: Balances,
    status: Literal["released", "expired"],
    parent: Holding | None,
) -> Decided:
    book = _Book(balances)
    giver = parent if parent is not None and parent.is_open else None
    giver_legs = None if giver is None else list(giver.state.legs)
    state, returned = _ended(book, holding, balances, status, giver_legs)
    states: list[tuple[Holding, State]] = []
    if giver is not None and giver_legs is not None:
        left = giver.state.left.plus(returned)
        states.append((giver, giver.state._replace(legs=tuple(giver_legs), left=left)))
    states.append((holding, state))
    return Decided(book.postings, states)


def _ended(
    book: _Book,
    holding: Holding,
    balances: Balances,
    status: Literal["released", "expired"],
    giver_legs: list[Leg] | None,
) -> tuple[State, Held]:
    """A hold's state when it is released or expires, and what of it goes back to an open parent."""
    state = holding.state
    was_expired = state.status == "expired"
    expiring = status == "expired" and not holding.terms.envelope
    assumed: set[str] = set()
    legs = []
    for leg in state.legs:
        left = leg.left
        policy = balances[leg.head_id].policy
        if left and expiring and policy.on_expiry == "assume":
            book.add(leg.head_id, leg.cell_us, 0, -left, left)
            assumed.add("tokens" if policy.unit.endswith("_tokens") else policy.unit)
        elif left:
            _give_back(book, leg, left, giver_legs, late=was_expired)
            left = 0
        legs.append(leg._replace(left=left))
    # A unit is kept where a leg in it is assumed, and goes back where none is.
    kept = Held(
        *(
            left if left is None or unit in assumed else 0
            for unit, left in zip(Held._fields, state.left, strict=True)
        )
    )
    state = state._replace(status=status, legs=tuple(legs), left=kept)
    return state, holding.state.left.less(kept)


def _move(book: _Book, leg: Leg, amount: int, *, spent: int, late: bool) -> None:
    """Take an amount out of a leg's account (assumed once it expired)."""
    if late:
        book.add(leg.head_id, leg.cell_us, spent, 0, -amount)
    else:
        book.add(leg.head_id, leg.cell_us, spent, -amount, 0)


def _give_back(
    book: _Book, leg: Leg, left: int, giver_legs: list[Leg] | None, *, late: bool
) -> None:
    """Return what a leg still holds: to the open parent it came from, else to the balance."""
    if not leg.from_parent or giver_legs is None:
        _move(book, leg, left, spent=0, late=late)
        return
    for at, own in enumerate(giver_legs):
        if own.head_id == leg.head_id and own.cell_us == leg.cell_us:
            giver_legs[at] = own._replace(left=own.left + left)
            break
    if late:
        book.add(leg.head_id, leg.cell_us, 0, left, -left)


def _draw_on_parent(book: _Book, head_id: int, rest: int, giver_legs: list[Leg]) -> int:
    """Pay a child's excess out of its parent's remainder; what is still unpaid."""
    for at, own in enumerate(giver_legs):
        if own.head_id == head_id and own.left and rest:
            take = min(own.left, rest)
            rest -= take
            giver_legs[at] = own._replace(left=own.left - take)
            book.add(head_id, own.cell_us, take, -take, 0)
    return rest


class Place(NamedTuple):
    """Where unreserved usage is booked in one balance; None: in none, since its bucket has left,
    or its window is over (`prior_period`) and it is told as history.
    """

    cell_us: int | None
    prior_period: bool = False


def cell_of(
    balance: Balance, occurred_us: int | None, now_us: int, *, history: bool = False
) -> Place:
    """The cell that usage of `occurred_us` (None: now) belongs to, once nothing was held for it.

    What came ahead of the clock counts as now. The balance's own now may be later than `now_us`,
    when the clock has gone back: its window never re-opens. Of a window long over, usage counts in
    that of now; `history` in none.
    """
    if occurred_us is None or occurred_us >= now_us:
        return Place(balance.start_us)
    policy = balance.policy
    if policy.rolling:
        bucket_us = occurred_us - occurred_us % policy.bucket_us
        bucket_us = min(bucket_us, balance.start_us)
        return Place(bucket_us if balance.is_live(bucket_us) else None)
    if balance.start_us <= occurred_us:
        return Place(balance.start_us)
    window = policy.window_of(balance.partition, occurred_us)
    if window.end_us > now_us - LATE_WINDOW_US:
        return Place(window.start_us)
    return Place(None if history else balance.start_us, prior_period=True)


def report(used: Amounts, places: Iterable[tuple[Balance, Place]], balances: Balances) -> Decided:
    """Book usage that nobody reserved, on every balance it matches."""
    book = _Book(balances)
    for balance, place in places:
        amount = used[balance.policy.unit_index] or 0
        if place.cell_us is not None:
            book.fact(balance.id, place.cell_us, amount)
    return Decided(book.postings, [], book.overran)


def correct(
    booked: Mapping[int, Sequence[tuple[int, int]]],
    replacement: Amounts,
    balances: Balances,
) -> Decided:
    """Reverse a record and book its replacement, on the cells the record was booked on.

    `booked` gives, by head, what the record spent in each cell (cell_us, spent), oldest first. The
    replacement fills those cells in the same order; what it has more goes to the last one.
    """
    book = _Book(balances)
    for head_id, cells in booked.items():
        rest = replacement[balances[head_id].policy.unit_index] or 0
        for at, (cell_us, spent) in enumerate(cells):
            share = rest if at == len(cells) - 1 else min(rest, spent)
            rest -= share
            if share > spent:
                book.fact(head_id, cell_us, share - spent)
            elif share < spent:
                book.add(head_id, cell_us, share - spent, 0, 0)
    return Decided(book.postings, [], book.overran)
