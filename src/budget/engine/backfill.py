"""Backfill: what a policy counts in when it begins with the past rather than at zero.

The usage of its current window is posted, and every open or assumed allocation that matches gets a
further leg for its remainder. It is a change of limit, not a fact: nothing is refused and no
overrun is booked. Runs in the exclusive transaction of a catalogue change, so nobody else spends
meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, literal_column, or_, select, tuple_

from budget.domain.allocations import Holding, Leg, State, amounts_of
from budget.domain.attributes import partition_of, scope_matches
from budget.domain.balances import Balance, Posting
from budget.domain.budgets import Budget, Policy
from budget.domain.decide import Decided
from budget.domain.usage import Usage
from budget.domain.windows import bucket_start_us, oldest_live_bucket_us, window_at
from budget.engine.batch import Batch
from budget.engine.rows import decode_attributes, usage_from_row
from budget.storage import schema
from budget.storage.unit import Row, Unit

PAGE: Final = 10_000
"""Usage records read at a time: a long history needs no more memory than a short one."""
POSTINGS_PER_ENTRY: Final = 1_000

_usage = schema.usage.c
_held = schema.allocations.c

_USAGE_PAGE: Final = (
    select(
        _usage.occurred_us, _usage.id, _usage.attributes, _usage.cost_nanos,
        _usage.input_tokens, _usage.output_tokens, _usage.requests,
    )
    .where(
        tuple_(_usage.occurred_us, _usage.id)
        > tuple_(bindparam("after_us", type_=_usage.occurred_us.type), bindparam("after_id"))
    )
    .order_by(_usage.occurred_us, _usage.id)
    .limit(PAGE)
)  # fmt: skip

# Written out, so that SQLite takes the index of the open ones.
_OPEN: Final = select(_held.id, _held.attributes, _held.parent_id).where(
    _held.status == literal_column("'open'")
)
_ASSUMED: Final = select(_held.id, _held.attributes, _held.parent_id).where(
    _held.status == literal_column("'expired'"),
    or_(_held.usd_left > 0, _held.tokens_left > 0, _held.requests_left > 0, _held.records > 0),
)
"""Those that hold something still; of used ones only their legs tell, see `_holds`."""
_TOKENS_RECORDED: Final = (
    select(_usage.allocation_id, func.sum(_usage.input_tokens), func.sum(_usage.output_tokens))
    .where(
        _usage.reverses.is_(None),
        _usage.replaces.is_(None),
    )
    .group_by(_usage.allocation_id)
)
"""Corrections are left out: they neither restore nor draw on a hold."""


class _Past(NamedTuple):
    """What a policy's current windows have used: by partition, then by bucket (None: by window)."""

    by_partition: dict[str, dict[int | None, int]]
    records: int


def backfill(batch: Batch, budget: Budget, policies: Sequence[Policy], actor: str) -> None:
    """Count the past into new policies of a budget, with an entry for each (more if it is long).

    `batch.catalogue` must have them already, and no allocation or balance may have been loaded.
    """
    pasts = _pasts(batch, budget, policies)
    holdings = _load_holdings(batch, budget)
    for policy in policies:
        for partition in pasts[policy.policy_id].by_partition:
            batch.needs.pairs[policy.policy_id, partition] = None
        for holding in holdings:
            if scope_matches(budget.scope, holding.terms.attributes):
                batch.needs.pairs[policy.policy_id, _partition(policy, holding)] = None
    batch.load_balances()
    tokens = _tokens_recorded(batch.unit, holdings)
    for policy in policies:
        book = _Book()
        past = pasts[policy.policy_id]
        for partition, cells in past.by_partition.items():
            balance = batch.by_pair[policy.policy_id, partition]
            for bucket_us, amount in cells.items():
                cell_us = balance.start_us if bucket_us is None else bucket_us
                book.post(balance.id, cell_us, spent=max(0, amount))
        _hold(batch, budget, policy, holdings, tokens, book)
        detail = {"records": past.records, "allocations": len(book.states)}
        _enter(batch, policy, book, detail, actor)


class _Book:
    """What one policy's backfill posts, merged by cell, and the new states of allocations."""

    __slots__ = ("_sums", "states")

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], list[int]] = {}
        self.states: dict[str, tuple[Holding, State]] = {}

    def post(
        self, head_id: int, cell_us: int, *, spent: int = 0, reserved: int = 0, assumed: int = 0
    ) -> None:
        sums = self._sums.setdefault((head_id, cell_us), [0, 0, 0])
        for at, amount in enumerate((spent, reserved, assumed)):
            sums[at] += amount

    def add_leg(self, holding: Holding, leg: Leg) -> None:
        """Give an allocation a further leg, and post what it holds."""
        if holding.is_open:
            self.post(leg.head_id, leg.cell_us, reserved=leg.left)
        else:
            self.post(leg.head_id, leg.cell_us, assumed=leg.left)
        _, state = self.states.get(holding.terms.allocation_id, (holding, holding.state))
        state = state._replace(legs=(*state.legs, leg))
        self.states[holding.terms.allocation_id] = (holding, state)

    def postings(self) -> Iterator[Posting]:
        for (head_id, cell_us), (spent, reserved, assumed) in self._sums.items():
            yield Posting(head_id, cell_us, spent, reserved, assumed)


def _enter(batch: Batch, policy: Policy, book: _Book, detail: dict[str, int], actor: str) -> None:
    """Apply a backfill, and tell of it in entries that are not too long."""
    postings = book.postings()
    states = list(book.states.values())
    some = list(islice(postings, POSTINGS_PER_ENTRY))
    while some or states or detail:
        legs = batch.apply(Decided(some, states))
        batch.enter(
            "backfilled", actor, legs, detail,
            budget_id=policy.budget_id, policy_id=policy.policy_id,
        )  # fmt: skip
        states, detail = [], {}
        some = list(islice(postings, POSTINGS_PER_ENTRY))


def _partition(policy: Policy, holding: Holding) -> str:
    return partition_of(policy.partition_by, holding.terms.attributes)


# --- What was used -------------------------------------------------------------------------------


def _pasts(batch: Batch, budget: Budget, policies: Sequence[Policy]) -> dict[str, _Past]:
    """What the current window of each policy has used, in the units of each."""
    sums: list[dict[str, dict[int | None, int]]] = [defaultdict(dict) for _ in policies]
    counts = [0] * len(policies)
    since_us = min(_since_us(policy, None, batch.now_us) for policy in policies)
    for occurred_us, _, text, cost, input_tokens, output_tokens, requests in _usage_since(
        batch.unit, since_us
    ):
        attributes = decode_attributes(text)
        if not scope_matches(budget.scope, attributes):
            continue
        amounts = amounts_of(Usage(input_tokens, output_tokens, requests=requests), cost)
        for at, policy in enumerate(policies):
            amount = amounts[policy.unit_index]
            partition = partition_of(policy.partition_by, attributes)
            if amount is None or occurred_us < _since_us(policy, partition, batch.now_us):
                continue
            counts[at] += 1
            cells = sums[at][partition]
            bucket_us = _bucket_us(policy, occurred_us, batch.now_us)
            cells[bucket_us] = cells.get(bucket_us, 0) + amount
    return {policy.policy_id: _Past(sums[at], counts[at]) for at, policy in enumerate(policies)}


def _usage_since(unit: Unit, since_us: int) -> Iterator[Row]:
    after: tuple[int, str] = (since_us, "")
    while True:
        page = unit.execute(_USAGE_PAGE, {"after_us": after[0], "after_id": after[1]})
        yield from page
        if len(page) < PAGE:
            return
        after = (page[-1][0], page[-1][1])


def _since_us(policy: Policy, partition: str | None, now_us: int) -> int:
    """When the current window of a partition began; None: of the first to begin."""
    if policy.rolling:
        return oldest_live_bucket_us(policy.calendar.period, now_us)
    if partition is None:
        return window_at(policy.calendar, now_us).start_us
    return policy.window_of(partition, now_us).start_us


def _bucket_us(policy: Policy, occurred_us: int, now_us: int) -> int | None:
    """The rolling bucket that usage counts in; what came from ahead of the clock counts as now."""
    if not policy.rolling:
        return None
    return bucket_start_us(policy.calendar.period, min(occurred_us, now_us))


_entry = schema.entries.c
_BACKFILLS: Final = (  # the kind written out, so that their own index is taken
    select(_entry.id, _entry.at_us, _entry.policy_id)
    .where(
        _entry.kind == literal_column("'backfilled'"),
        _entry.id > bindparam("after_id", type_=_entry.id.type),
    )
    .order_by(_entry.id)
)


def counted(
    batch: Batch, records: Sequence[Row], posted: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """What backfills have counted of a usage record: (head_id, cell_us, spent).

    `records` are its row and those of its replacements so far, the oldest first; `posted` is what
    their own entries have. A policy that has ended counts if a correction has reached it before.
    """
    attributes = decode_attributes(records[0][6])
    reached = {head_id for head_id, _, _ in posted}
    found: dict[str, tuple[int, int, int]] = {}
    for entry_id, at_us, policy_id in batch.unit.execute(_BACKFILLS, {"after_id": records[0][2]}):
        policy = batch.catalogue.policies[policy_id]
        partition = partition_of(policy.partition_by, attributes)
        occurred_us = records[0][5]
        if policy_id in found or occurred_us < _since_us(policy, partition, at_us):
            continue
        scope = batch.catalogue.budgets[policy.budget_id].scope
        head_id = _head_id(batch, policy_id, partition)
        in_force = policy.archived_us is None and scope_matches(scope, attributes)
        if head_id is None or not (in_force or head_id in reached):
            continue
        cell_us = _bucket_us(policy, occurred_us, at_us)
        if cell_us is None:
            cell_us = policy.window_of(partition, at_us).start_us
        known = usage_from_row([record for record in records if record[2] < entry_id][-1])
        amount = amounts_of(known.usage, known.cost_nanos)[policy.unit_index] or 0
        found[policy_id] = (head_id, cell_us, amount)
    return list(found.values())


def _head_id(batch: Batch, policy_id: str, partition: str) -> int | None:
    heads = schema.heads.c
    named = select(heads.id).where(heads.policy_id == policy_id, heads.partition == partition)
    found = batch.unit.execute(named)
    return found[0][0] if found else None


# --- What is held --------------------------------------------------------------------------------


def _load_holdings(batch: Batch, budget: Budget) -> list[Holding]:
    """Lock the open and assumed allocations that match, and those whose envelope does."""
    rows = [*batch.unit.execute(_OPEN), *batch.unit.execute(_ASSUMED)]
    matching = {row[0] for row in rows if scope_matches(budget.scope, decode_attributes(row[1]))}
    batch.needs.allocations.update(matching)
    batch.needs.allocations.update(row[0] for row in rows if row[2] in matching)
    batch.load_allocations()
    return [holding for holding in batch.holdings.values() if _holds(holding)]


def _holds(holding: Holding) -> bool:
    """Whether a hold is open or assumed. All its tokens may be used, and some of a kind left."""
    state = holding.state
    return holding.is_open or (state.status == "expired" and any(leg.left for leg in state.legs))


def _hold(
    batch: Batch,
    budget: Budget,
    policy: Policy,
    holdings: Sequence[Holding],
    tokens: dict[str, tuple[int, int]],
    book: _Book,
) -> None:
    """Give each matching allocation a leg; a call in an envelope that has one takes it from it."""
    left = {
        holding.terms.allocation_id: _remainder(holding, policy, tokens) for holding in holdings
    }
    taken: dict[str, int] = defaultdict(int)
    for holding in holdings:
        if holding.is_open and holding.terms.parent_id is not None:
            taken[holding.terms.parent_id] += left[holding.terms.allocation_id] or 0
    envelopes: dict[str, Balance] = {}
    for holding in holdings:
        id_ = holding.terms.allocation_id
        rest = left[id_]
        if not holding.terms.envelope or rest is None or not policy.holds_envelopes:
            continue
        balance = _balance(batch, budget, policy, holding)
        if balance is not None:
            envelopes[id_] = balance
            book.add_leg(holding, Leg(balance.id, balance.start_us, rest + taken[id_], rest))
    for holding in holdings:
        if holding.terms.envelope:
            continue
        rest = left[holding.terms.allocation_id] or 0
        parents = envelopes.get(holding.terms.parent_id or "")
        if parents is not None:
            book.add_leg(holding, Leg(parents.id, parents.start_us, rest, rest, 1))
        balance = _balance(batch, budget, policy, holding)
        if balance is not None and balance is not parents:
            book.add_leg(holding, Leg(balance.id, balance.start_us, rest, rest))


def _balance(batch: Batch, budget: Budget, policy: Policy, holding: Holding) -> Balance | None:
    if not scope_matches(budget.scope, holding.terms.attributes):
        return None
    return batch.by_pair[policy.policy_id, _partition(policy, holding)]


def _remainder(holding: Holding, policy: Policy, tokens: dict[str, tuple[int, int]]) -> int | None:
    """What an allocation still holds in the policy's unit; None where it states no amount in it.

    Of input and of output tokens it is what the estimate, or the whole of a token hold, has left
    after the records; an envelope's calls may ask for either, so it keeps all of its tokens for
    both.
    """
    state, terms = holding.state, holding.terms
    if policy.unit == "usd":
        return state.left.usd
    if policy.unit == "tokens":
        return state.left.tokens
    if policy.unit == "requests":
        return state.left.requests
    if state.held.tokens is None or state.left.tokens is None:
        return None
    if terms.envelope:
        return state.left.tokens
    input_used, output_used = tokens.get(terms.allocation_id, (0, 0))
    if policy.unit == "input_tokens":
        return max(0, state.held.tokens - (state.granted_output_tokens or 0) - input_used)
    return max(0, state.held.tokens - (terms.input_tokens or 0) - output_used)


def _tokens_recorded(unit: Unit, holdings: Sequence[Holding]) -> dict[str, tuple[int, int]]:
    """The input and output tokens recorded so far, by allocation."""
    ids = [holding.terms.allocation_id for holding in holdings if holding.state.records]
    recorded: dict[str, tuple[int, int]] = {}
    for start in range(0, len(ids), 500):
        some = _TOKENS_RECORDED.where(_usage.allocation_id.in_(ids[start : start + 500]))
        for id_, input_tokens, output_tokens in unit.execute(some):
            recorded[id_] = (int(input_tokens), int(output_tokens))
    return recorded
