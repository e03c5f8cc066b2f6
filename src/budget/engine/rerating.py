"""Re-rating: what past usage costs under the book in force now, or another, and booking that.

Each record is priced at its own time, in its own price context, with its own units. What is booked
is a reversal and a replacement for each record that costs something else (`acts.correcting`), in a
transaction of its own. So a run that was interrupted is simply run again: what costs what it should
stays as it is. Not here: reading the records (`past`).
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from budget.domain.answers_rating import RatedBasis, RatedModel, Rerated, Rerating
from budget.domain.asks_prices import RerateAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    OutcomeUnknown,
    Unavailable,
)
from budget.domain.money import MAX_HOLD_NANOS, format_usd
from budget.domain.pricing import Rates, cost_nanos, unpriced_units
from budget.engine.books import Books
from budget.engine.callers import Caller, require_unbound
from budget.engine.commands import Correct
from budget.engine.fields import only_fields, parse_flag, parse_reason, request_hash
from budget.engine.ids import new_id
from budget.engine.ledger import Ledger
from budget.engine.past import PastRecord, Progress, Wanted, pages, wanted
from budget.engine.price_book.reports import book_of
from budget.prices.book import PriceBook

MAX_LARGEST: Final = 20
MAX_GROUPS: Final = 1000
"""How many models (bases) are told by name; what is beyond is told as one, without a name."""
MAX_FAILURES: Final = 20
AT_ONCE: Final = 64
"""How many corrections wait in the queue together: calls that spend go between them."""

_FIELDS: Final = frozenset(RerateAsk.__annotations__)


class Rerate(NamedTuple):
    """Which records to price again, by the prices of which snapshot (None: those in force).

    With a `reason` what differs is booked; None: only to look.
    """

    wanted: Wanted
    basis: str | None = None
    reason: str | None = None


def parse_rerate(ask: Mapping[str, Any], caller: Caller, now_us: int) -> Rerate:
    """What a caller wrote, checked: only who manages may apply, and who applies says why.

    It is about all usage, so no business of who is bound to attributes.
    """
    require_unbound(caller)
    only_fields(ask, _FIELDS)
    if ask.get("since") is None:
        raise InvalidInput("since", "is required: the time from which on usage is re-rated.")
    chosen = wanted(ask, now_us)
    basis = None if ask.get("basis") is None else parse_value(ask["basis"], "basis")
    if not parse_flag(ask, "apply"):
        if ask.get("reason") is not None:
            raise InvalidInput("reason", "says why differences are booked; give apply with it.")
        return Rerate(chosen, basis)
    if not caller.manage:
        raise Forbidden("This key may not correct usage; use one with the right `manage`.")
    return Rerate(chosen, basis, parse_reason(ask.get("reason")))


def rerate(
    books: Books,
    asked: Rerate,
    caller: Caller,
    book: PriceBook | None = None,
    progress: Progress | None = None,
) -> Rerating:
    """Price the records again and, if that was asked, book what differs, page by page.

    At the prices of `book`, else of the snapshot named, else of now. NotFound for no snapshot.
    An error on the way leaves what was booked before it; running it again goes on from there.
    """
    if book is None:
        book = books.prices if asked.basis is None else book_of(books, asked.basis)
    tally = _Tally()
    for records in pages(books.database, asked.wanted, progress):
        changed = tally.rate(records, book)
        if asked.reason is not None:
            _book(books.ledger, changed, asked.reason, caller, tally)
    return tally.answer(book.basis, asked)


# --- Rating --------------------------------------------------------------------------------------


class _Changed(NamedTuple):
    """A record that costs something else at these rates."""

    record: PastRecord
    rates: Rates
    cost_nanos: int


def rates_of(record: PastRecord, book: PriceBook) -> Rates | None:
    """The rates of a record under a book; None where it leaves unpriced what has a cost booked."""
    if record.model is None:
        return None
    rates = book.lookup(record.provider, record.model, record.priced_us, record.context)
    if rates is None or record.cost_nanos is None:
        return rates
    unpriced = unpriced_units(rates, record.usage.units)
    if unpriced:
        before = () if record.rates is None else unpriced_units(record.rates, record.usage.units)
        if not set(unpriced) <= set(before):
            return None
    return rates


class _Group:
    """Sums of some records."""

    __slots__ = ("changed", "new_nanos", "old_nanos", "records", "unpriced")

    def __init__(self) -> None:
        self.records = self.changed = self.unpriced = self.old_nanos = self.new_nanos = 0

    def add(self, old_nanos: int, new_nanos: int, *, changed: bool, unpriced: bool) -> None:
        self.records += 1
        self.changed += changed
        self.unpriced += unpriced
        self.old_nanos += old_nanos
        self.new_nanos += new_nanos


_Pair = tuple[str | None, str | None]


class _Tally:
    """What a re-rating has found so far; no larger for more records."""

    def __init__(self) -> None:
        self.all = _Group()
        self.models: dict[_Pair, _Group] = {}
        self.bases: dict[_Pair, _Group] = {}
        self.largest: list[tuple[int, str, Rerated]] = []
        self.booked = 0
        self.corrected_meanwhile = 0
        self.failed = 0
        self.failures: list[tuple[str, str]] = []

    def rate(self, records: Sequence[PastRecord], book: PriceBook) -> list[_Changed]:
        """Price some records, and count them; those that cost something else."""
        found = []
        for record in records:
            rates = rates_of(record, book)
            cost = record.cost_nanos if rates is None else cost_nanos(rates, record.usage)
            changed = cost != record.cost_nanos
            unpriced = rates is None and any(record.usage)  # nothing at all is free
            old_basis = None if record.rates is None else record.rates.basis
            new_basis = rates.basis if rates is not None and changed else old_basis
            groups = (
                self.all,
                _group(self.models, (record.provider, record.model)),
                _group(self.bases, (old_basis, new_basis)),
            )
            for group in groups:
                group.add(record.cost_nanos or 0, cost or 0, changed=changed, unpriced=unpriced)
            if changed and rates is not None and cost is not None:
                found.append(_Changed(record, rates, cost))
                self._tell(record, cost, old_basis, rates.basis)
        return found

    def _tell(self, record: PastRecord, cost: int, old_basis: str | None, new_basis: str) -> None:
        """Keep a difference if it is one of the largest."""
        size = abs(cost - (record.cost_nanos or 0))
        if len(self.largest) == MAX_LARGEST and size <= self.largest[0][0]:
            return
        rerated = Rerated(
            record.usage_id, record.occurred_us, record.provider, record.model,
            record.cost_nanos, cost, old_basis, new_basis,
        )  # fmt: skip
        add = heapq.heappush if len(self.largest) < MAX_LARGEST else heapq.heapreplace
        add(self.largest, (size, record.usage_id, rerated))

    def fail(self, usage_id: str, why: str) -> None:
        """Note a record that could not be corrected."""
        self.failed += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append((usage_id, why))

    def answer(self, basis: str, asked: Rerate) -> Rerating:
        """What was found, the largest differences first."""
        whole = self.all
        return Rerating(
            basis=basis,
            since_us=asked.wanted.since_us,
            until_us=asked.wanted.until_us,
            examined=whole.records,
            unchanged=whole.records - whole.changed - whole.unpriced,
            changed=whole.changed,
            unpriced=whole.unpriced,
            old_nanos=whole.old_nanos,
            new_nanos=whole.new_nanos,
            models=tuple(
                RatedModel(
                    *names, own.records, own.changed, own.unpriced, own.old_nanos, own.new_nanos
                )
                for names, own in _by_difference(self.models)
            ),
            bases=tuple(
                RatedBasis(*names, own.records, own.changed, own.old_nanos, own.new_nanos)
                for names, own in _by_difference(self.bases)
            ),
            largest=tuple(rerated for _, _, rerated in sorted(self.largest, reverse=True)),
            applied=asked.reason is not None,
            booked=self.booked,
            corrected_meanwhile=self.corrected_meanwhile,
            failed=self.failed,
            failures=tuple(self.failures),
        )


def _group(groups: dict[_Pair, _Group], names: _Pair) -> _Group:
    """The group of these names; that without a name once there are too many."""
    if names not in groups and len(groups) >= MAX_GROUPS:
        names = (None, None)
    return groups.setdefault(names, _Group())


def _by_difference(groups: Mapping[_Pair, _Group]) -> Iterable[tuple[_Pair, _Group]]:
    """Those that differ most first, then those with the most records, then by name."""
    return sorted(
        groups.items(),
        key=lambda item: (
            -abs(item[1].new_nanos - item[1].old_nanos),
            -item[1].records,
            tuple(map(str, item[0])),
        ),
    )


# --- Booking -------------------------------------------------------------------------------------


def _book(
    ledger: Ledger, changed: Sequence[_Changed], reason: str, caller: Caller, tally: _Tally
) -> None:
    """Correct records that cost something else, some at a time."""
    fit = []
    for one in changed:
        if one.cost_nanos > MAX_HOLD_NANOS:
            most = format_usd(MAX_HOLD_NANOS)
            tally.fail(one.record.usage_id, f"would cost more than the {most} USD of one record.")
        else:
            fit.append(one)
    for at in range(0, len(fit), AT_ONCE):
        commands = [_correction(one, reason, caller) for one in fit[at : at + AT_ONCE]]
        _submit(ledger, commands, tally)


def _correction(one: _Changed, reason: str, caller: Caller) -> Correct:
    usage_id = one.record.usage_id
    return Correct(
        actor=caller.actor,
        key=None,
        request_hash=request_hash({"reason": reason}, usage_id, one.rates.basis),
        manage=caller.manage,
        usage_id=usage_id,
        reversal_id=new_id("use"),
        replacement_id=new_id("use"),
        replacement=one.record.usage,
        reported_cost_nanos=None,
        reason=reason,
        rates=one.rates,
    )


def _submit(ledger: Ledger, commands: Sequence[Correct], tally: _Tally) -> None:
    """Have the ledger carry out some corrections, and count how they went."""
    try:
        answers = ledger.do_all(commands)
    except Unavailable as error:
        raise _interrupted(error, tally.booked) from error
    stopped: BudgetError | None = None
    for command, answer in zip(commands, answers, strict=True):
        if isinstance(answer, Conflict):
            tally.corrected_meanwhile += 1
        elif isinstance(answer, InvalidInput):
            tally.fail(command.usage_id, answer.detail)
        elif isinstance(answer, BudgetError):
            stopped = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            tally.booked += 1
    if stopped is not None:
        raise _interrupted(stopped, tally.booked)


def _interrupted(error: BudgetError, booked: int) -> BudgetError:
    """The error that ended a run, with what it has done until then."""
    kind = OutcomeUnknown if isinstance(error, OutcomeUnknown) else Unavailable
    return kind(
        f"{error.detail} {booked} records were re-rated until then. Run it again to go on: what "
        "is re-rated is not booked twice.",
        code=error.code,
    )
