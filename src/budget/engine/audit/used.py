"""Used: every usage record against the entry that booked it, its price, and its reversal.

I8: an entry moves `spent` by exactly what its records used, on every balance, and no other entry
moves it. I9: usage that nobody reserved is booked on every policy it met. I15: a record is reversed
at most once, by its exact opposite. I19: a cost is the record's own tokens at its own rates,
rounded up.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import LABEL_STYLE_TABLENAME_PLUS_COL, Connection, select

from budget.engine.audit.findings import Findings, stream
from budget.engine.audit.history import Policy
from budget.engine.audit.matching import Matching
from budget.engine.audit.replay import BACKFILL, Head, Leg
from budget.storage import schema

_HISTORY_US: Final = 72 * 3_600_000_000
"""A window that ended so long before usage was told takes none."""

RECORDING: Final = frozenset({"recorded", "settled", "reported", "corrected"})

_COUNTS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "requests",
)  # fmt: skip


class Record(NamedTuple):
    """What of a usage record is checked."""

    entry_id: int
    id: str
    allocation_id: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    requests: int
    units: str
    cost_nanos: int | None
    reported_cost_nanos: int | None
    rates: str | None
    attributes: str
    reverses: str | None
    replaces: str | None
    flags: str
    recorded_us: int
    occurred_us: int


_u: Final = schema.usage.c
_RECORDS: Final = select(*(_u[name] for name in Record._fields)).order_by(_u.entry_id, _u.id)


class Used:
    """The usage records, read along with the entries that booked them."""

    def __init__(
        self,
        connection: Connection,
        heads: Mapping[int, Head],
        matching: Matching,
        findings: Findings,
    ) -> None:
        self._connection = connection
        self._matching = matching
        self._heads = heads
        self._findings = findings
        self._records = map(Record._make, stream(connection, _RECORDS))
        self._next: Record | None = next(self._records, None)
        corrected = select(_u.reverses).where(_u.reverses.is_not(None))
        self._corrected: set[str | None] = set(connection.scalars(corrected))
        self._booked_on: dict[str | None, set[int]] = {}
        self.records = 0

    def take(
        self,
        entry_id: int,
        kind: str,
        allocation_id: str | None,
        usage_id: str | None,
        legs: Sequence[Leg],
    ) -> None:
        """Hold the records of one entry against its legs."""
        rows: list[Record] = []
        if self._next is not None and self._next.entry_id <= entry_id:
            rows = self._records_of(entry_id)
        if kind not in RECORDING:
            if rows:
                self._findings.add(
                    "I8", rows[0].id, f"entry {entry_id} that booked it is of kind {kind}"
                )
            if kind != BACKFILL:
                for leg in legs:
                    if leg[2]:
                        self._findings.add(
                            "I8", f"entry {entry_id}", f"spent {leg[2]} without a usage record"
                        )
            return
        if kind == "corrected":
            self._check_correction(entry_id, usage_id, rows, legs)
            return
        if len(rows) != 1 or rows[0].id != usage_id or rows[0].allocation_id != allocation_id:
            booked = ", ".join(row.id for row in rows) or "none"
            self._findings.add(
                "I8", f"entry {entry_id}", f"should have booked {usage_id}; it booked {booked}"
            )
            return
        self._check_spent(entry_id, legs, _amounts(rows[0]))
        if kind == "reported":
            self._check_matched(entry_id, rows[0], {leg[0] for leg in legs})
        if usage_id in self._corrected:
            self._booked_on[usage_id] = {leg[0] for leg in legs}

    def finish(self) -> None:
        """The journal has been read: what records are left were booked by no entry."""
        while self._next is not None:
            self._tell_orphan(self._next)
            self._advance(self._next)

    def _records_of(self, entry_id: int) -> list[Record]:
        rows = []
        while self._next is not None and self._next.entry_id <= entry_id:
            if self._next.entry_id == entry_id:
                rows.append(self._next)
            else:
                self._tell_orphan(self._next)
            self._advance(self._next)
        return rows

    def _advance(self, done: Record) -> None:
        self._check_price(done)
        self.records += 1
        self._next = next(self._records, None)

    def _tell_orphan(self, record: Record) -> None:
        self._findings.add("I8", record.id, f"no entry {record.entry_id} has booked it")

    # --- I8 --------------------------------------------------------------------------------------

    def _check_spent(self, entry_id: int, legs: Sequence[Leg], amounts: Sequence[int]) -> None:
        spent: dict[int, int] = {}
        for leg in legs:
            spent[leg[0]] = spent.get(leg[0], 0) + leg[2]
        for head_id, moved in spent.items():
            head = self._heads.get(head_id)
            if head is not None and moved != amounts[head.policy.unit]:
                self._findings.add(
                    "I8",
                    head.name,
                    f"entry {entry_id} spent {moved}, its usage is {amounts[head.policy.unit]}",
                )

    def _check_matched(self, entry_id: int, record: Record, booked_on: set[int]) -> None:
        """Usage nobody reserved is booked on all balances it met, save in buckets long left and,
        of history, in windows that were over.
        """
        met = self._matching.met(record.attributes, entry_id)
        history = "history" in record.flags.split()
        for policy, head_id in met.policies:
            if head_id in booked_on or policy.rolling:
                continue
            if not (history and _is_over(policy, record)):
                self._findings.add("I9", record.id, f"was booked without policy {policy.policy_id}")
        for head_id in booked_on - met.head_ids:
            self._findings.add(
                "I9", record.id, f"was booked on head {head_id}, which it did not meet"
            )

    def _check_correction(
        self, entry_id: int, usage_id: str | None, rows: list[Record], legs: Sequence[Leg]
    ) -> None:
        """A reversal and perhaps a replacement: what they come to, on every balance once booked."""
        reversals = [row for row in rows if row.reverses == usage_id]
        replacements = [row for row in rows if row.replaces == usage_id]
        if len(reversals) != 1 or len(replacements) > 1 or len(rows) > 1 + len(replacements):
            self._findings.add(
                "I8",
                f"entry {entry_id}",
                f"should have reversed {usage_id} once and replaced it at most once",
            )
            return
        net = [sum(column) for column in zip(*map(_amounts, rows), strict=True)]
        booked_on = self._booked_on.pop(usage_id, None)
        if booked_on is None:  # of another process, whose transaction began after the correction's
            booked_on = self._read_booked_on(usage_id)
        still = [(head_id, 0, 0, 0, 0, 0, 0, None) for head_id in booked_on]
        self._check_spent(entry_id, [*legs, *still], net)
        for row in replacements:
            if row.id in self._corrected:
                self._booked_on[row.id] = booked_on

    def _read_booked_on(self, usage_id: str | None) -> set[int]:
        """The balances that a record was booked on: those of the first one it stands for."""
        while usage_id is not None:
            of_record = select(_u.entry_id, _u.replaces).where(_u.id == usage_id)
            found = self._connection.execute(of_record).one_or_none()
            if found is None:
                return set()
            if found.replaces is None:
                entries = schema.entries.c
                legs = self._connection.scalar(
                    select(entries.legs).where(entries.id == found.entry_id)
                )
                return {leg[0] for leg in json.loads(legs or "[]")}
            usage_id = found.replaces
        return set()

    # --- I19 -------------------------------------------------------------------------------------

    def _check_price(self, row: Record) -> None:
        cost = row.cost_nanos
        if row.reverses is not None:
            return  # the opposite of a cost, which may round the other way: see I15
        if row.rates is None:
            free = cost == 0 and not any(row[3:10]) and row.units == "{}"
            if cost is not None and cost != row.reported_cost_nanos and not free:
                self._findings.add("I19", row.id, f"costs {cost}, but has no rates")
            return
        ours = cost_of(row.rates, row[3:10], row.units)
        if cost != ours:
            self._findings.add("I19", row.id, f"costs {cost}, its tokens at its rates {ours}")


def _is_over(policy: Policy, record: Record) -> bool:
    """Whether the window that usage occurred in had ended long before it was told."""
    window = policy.window(record.attributes, record.occurred_us)
    return window.end_us <= record.recorded_us - _HISTORY_US


def _amounts(row: Record) -> tuple[int, int, int, int, int]:
    """usd, tokens, input tokens, output tokens, requests."""
    return (
        row.cost_nanos or 0,
        row.input_tokens + row.output_tokens,
        row.input_tokens,
        row.output_tokens,
        row.requests,
    )


def cost_of(rates: str, counts: Sequence[int], units: str = "{}") -> int:
    """The cost in nano-USD of counts in the order of `_COUNTS`: each kind of token at its own rate.

    Rates are pico-USD, flat or [[from input tokens, rate], ...]. A kind without a rate costs what
    the kind it is a part of costs; an hour's cache write first what a short one costs. Of `units`,
    JSON, parts of tokens are taken out of what they are parts of.
    """
    input_tokens, output_tokens, read, write, write_1h, reasoning, requests = counts
    prices = _prices(rates)
    if not isinstance(prices[0], int):
        prices = [_of_tier(price, input_tokens) for price in prices]
    per_input, per_output, per_read, per_write, per_write_1h, per_thought, per_request = prices
    pico: int = requests * per_request
    plain, made, cached = input_tokens - read - write - write_1h, output_tokens - reasoning, read
    own = dict(json.loads(rates).get("u", ())) if units != "{}" else {}
    for name, count in json.loads(units).items() if own else ():
        if name not in own:
            continue
        price = own[name] if isinstance(own[name], int) else _of_tier(own[name], input_tokens)
        pico += count * price
        if name.startswith("cache_read_"):
            cached -= count
        elif name.startswith("input_"):
            plain -= count
        elif name.startswith("output_"):
            made -= count
    pico += plain * per_input + cached * per_read
    pico += write * per_write + write_1h * per_write_1h
    pico += made * per_output + reasoning * per_thought
    nanos, rest = divmod(pico, 1000)
    return nanos + (1 if rest else 0)


@lru_cache(maxsize=4096)
def _prices(text: str) -> list[Any]:
    """A price for each of the counts (requests last): all flat, or all in tiers."""
    given = json.loads(text)

    def first(*codes: str) -> Any:
        return next((given[code] for code in codes if given.get(code) is not None), 0)

    prices = [
        first("i"), first("o"), first("r", "i"), first("w", "i"), first("h", "w", "i"),
        first("t", "o"), first("q"),
    ]  # fmt: skip
    if all(isinstance(price, int) for price in prices):
        return prices
    return [[[0, price]] if isinstance(price, int) else price for price in prices]


def _of_tier(tiers: list[list[int]], input_tokens: int) -> int:
    return max(tier for tier in tiers if tier[0] <= input_tokens)[1]


# --- I15 -----------------------------------------------------------------------------------------


def check_reversals(connection: Connection, findings: Findings) -> None:
    """Every reversal is the exact opposite of a record, which has no other."""
    reversal, original = schema.usage.alias("reversal"), schema.usage.alias("original")
    pairs = (
        select(reversal, original)
        .join(original, original.c.id == reversal.c.reverses, isouter=True)
        .where(reversal.c.reverses.is_not(None))
        .order_by(reversal.c.reverses, reversal.c.id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    )
    last = None
    for row in stream(connection, pairs):
        of = row.reversal_reverses
        if of == last:
            findings.add("I15", of, f"was reversed again, by {row.reversal_id}")
        last = of
        if row.original_id is None:
            findings.add("I15", row.reversal_id, f"reverses {of}, which is not there")
            continue
        differing = list(_not_negated(row))
        if differing:
            findings.add("I15", row.reversal_id, f"does not negate {of} in {', '.join(differing)}")


_KEPT: Final = (
    "allocation_id", "occurred_us", "attributes", "provider", "model", "price_context",
)  # fmt: skip


def _not_negated(row: Any) -> Iterator[str]:
    for name in (*_COUNTS, "cost_nanos"):
        back, forth = getattr(row, f"reversal_{name}"), getattr(row, f"original_{name}")
        if back != (None if forth is None else -forth):
            yield name
    back, forth = json.loads(row.reversal_units), json.loads(row.original_units)
    if back != {name: -count for name, count in forth.items()}:
        yield "units"
    for name in _KEPT:
        if getattr(row, f"reversal_{name}") != getattr(row, f"original_{name}"):
            yield name
