"""A batch: the working set of one transaction, from locks and loads to the rows it writes.

The ledger gives it commands; `acts` says what each needs and carries it out on this working set;
nothing outlives the transaction. Not here: queueing, retries and answering (`ledger`), rules
(`domain`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from budget.domain.allocations import Holding
from budget.domain.answers import BalanceView
from budget.domain.balances import Balance, Cell, Posting
from budget.domain.cursors import MAX_ENTRIES_PER_BATCH, pack
from budget.domain.decide import Decided
from budget.domain.usage import Usage
from budget.engine import rows, views
from budget.engine.catalogue import Catalogue, Match
from budget.engine.commands import Command
from budget.engine.raising import Raising
from budget.storage.errors import Broken
from budget.storage.unit import Begun, Changes, Row, Unit

EntryLeg = tuple[int, int, int, int, int, int, int, int | None]
"""(head_id, cell_us, spent, reserved, assumed, overrun, version of the balance, limit | None)."""

Booked = dict[int, list[tuple[int, int]]]
"""What a usage record has spent: (cell_us, spent) by head, in the order it was booked."""


class RefusedBy(NamedTuple):
    """Who refused a command: a policy's partition, or (policy_id "") an envelope by its id.

    `balance` is that whose limit had no room; None where it was not for want of room.
    """

    policy_id: str
    subject: str
    actor: str
    detail: dict[str, object]
    balance: Balance | None = None


FIRST_AMOUNTS: Final = "|"
"""In what a key refers to: the ids that its command made, this, and amounts it answered with."""

_NO_SUMS: Final = [0] * 9
_MAKES_USAGE: Final = frozenset({"record", "record_usage", "correct"})


class SetAside(Exception):
    """Decide this command again in the next batch, after the holds that are due were swept."""


@dataclass(slots=True)
class Needs:
    """What commands need loaded, gathered before anything is."""

    keys: list[Row] = field(default_factory=list)
    allocations: set[str] = field(default_factory=set)
    ending: set[str] = field(default_factory=set)
    settling: set[str] = field(default_factory=set)
    usage: set[str] = field(default_factory=set)
    pairs: dict[tuple[str, str], None] = field(default_factory=dict)
    heads: set[int] = field(default_factory=set)
    windows: set[tuple[int, int]] = field(default_factory=set)


class Batch:
    """Everything one transaction has locked, loaded and changed."""

    def __init__(self, unit: Unit, begun: Begun, catalogue: Catalogue, now_us: int) -> None:
        self.unit = unit
        self.catalogue = catalogue
        self.now_us = now_us
        self.begun = begun
        self.changes = Changes()
        self.needs = Needs()
        self.keys: dict[tuple[str, str, str], tuple[str, str, int]] = {}
        self.holdings: dict[str, Holding] = {}
        self.children: dict[str, list[Holding]] = {}
        self.balances: dict[int, Balance] = {}
        self.by_pair: dict[tuple[str, str], Balance] = {}
        self.usage: dict[str, Row] = {}
        self.settling: dict[str, Row] = {}
        self.reversed: dict[str, str] = {}
        self.correcting: dict[str, Booked] = {}
        self.refused: list[RefusedBy] = []
        self.may_set_aside = True
        self.swept_in_part = False
        self._versions: dict[int, int] = {}
        self._new_heads: list[int] = []
        self._touched: dict[str, Holding] = {}
        self._first_entry_id = pack(begun.epoch, begun.xid, 0)
        self._rollups: dict[tuple[int, str], list[int]] = {}
        self._series: dict[str, Row] = {}
        self._due: bool | None = None
        self._matched: dict[int, list[Balance]] = {}
        self._matches: list[Match] = []
        self.raising = Raising(now_us)
        self._keys_taken: set[tuple[str, str, str]] = set()

    # --- Loading ---------------------------------------------------------------------------------

    def load_keys(self) -> None:
        """Lock the idempotency keys, and learn which were used before."""
        if not self.needs.keys:
            return
        for actor, act, key, request_hash, ref, at_us in self.unit.claim(self.needs.keys):
            self.keys[actor, act, key] = (request_hash, ref, at_us)
            wanted = self.needs.usage if act in _MAKES_USAGE else self.needs.allocations
            wanted.update(ref.partition(FIRST_AMOUNTS)[0].split())

    def load_allocations(self) -> None:
        """Lock the allocations named, their parents, and the open children of those that end."""
        needs = self.needs
        if needs.allocations:
            loaded = self.unit.allocations(sorted(needs.allocations), sorted(needs.ending))
            for row in loaded:
                holding = rows.holding_from_row(row)
                self.holdings[holding.terms.allocation_id] = holding
                parent_id = holding.terms.parent_id
                if parent_id is not None:
                    self.children.setdefault(parent_id, []).append(holding)
                needs.heads.update([leg[0] for leg in holding.state.legs])
        if needs.usage:
            for row in self.unit.usage(sorted(needs.usage)):
                self.usage[row[0]] = row
        settled = [id_ for id_ in needs.settling if self._is_settled(id_)]
        if settled:
            for row in self.unit.settling_usage(sorted(settled)):
                self.settling[row[1]] = row

    def _is_settled(self, allocation_id: str) -> bool:
        holding = self.holdings.get(allocation_id)
        return holding is not None and holding.state.status == "settled"

    def load_balances(self) -> None:
        """Create what heads are missing, lock all by id, open them at now, load closed windows."""
        needs = self.needs
        if not needs.pairs and not needs.heads:
            return
        loaded, self._new_heads = self.unit.heads(list(needs.pairs), sorted(needs.heads))
        for row in loaded:
            policy = self.catalogue.policies[row[1]]
            balance = rows.balance_from_row(row, policy)
            self._versions[balance.id] = balance.version
            balance.open(self.now_us)
            self.balances[balance.id] = balance
            self.by_pair[row[1], row[2]] = balance
        for holding in self.holdings.values():
            for leg in holding.state.legs:
                self.want_window(leg.head_id, leg.cell_us)
        self.load_windows()

    def want_window(self, head_id: int, cell_us: int) -> None:
        """Note a closed window to be loaded, if it is one."""
        balance = self.balances[head_id]
        if (
            not balance.policy.rolling
            and cell_us != balance.start_us
            and cell_us not in balance.cells
        ):
            self.needs.windows.add((head_id, cell_us))

    def load_windows(self) -> None:
        """Load the closed windows noted. One that has no row yet starts at nothing."""
        wanted = self.needs.windows
        if not wanted:
            return
        for row in self.unit.windows(sorted(wanted)):
            head_id, start_us, end_us, spent, reserved, assumed, overrun, carry = row
            self.balances[head_id].cells[start_us] = Cell(
                spent, reserved, assumed, overrun, end_us, carry
            )
        for head_id, start_us in wanted:
            balance = self.balances[head_id]
            if start_us not in balance.cells:
                balance.cells[start_us] = views.closed_cell(balance, start_us)
        wanted.clear()

    def balances_of(self, match: Match) -> list[Balance]:
        """The balances of a match, in its order; SetAside if one was not foreseen when loading."""
        balances = self._matched.get(id(match))
        if balances is None:
            balances = self._matched[id(match)] = self.balances_by(match.pairs)
            self._matches.append(match)  # alive as long as its id names it
        return balances

    def balances_by(self, pairs: Iterable[tuple[str, str]]) -> list[Balance]:
        """The balances of these policies and partitions; SetAside if one was not foreseen."""
        try:
            return [self.by_pair[pair] for pair in pairs]
        except KeyError:
            raise SetAside from None

    def set_aside_if_due(self) -> None:
        """Raise SetAside, once for a command, if any open hold's time is up."""
        if not self.may_set_aside:
            return
        if self._due is None:
            self._due = bool(self.unit.due(self.now_us, 1))
        if self._due:
            raise SetAside

    # --- Changing --------------------------------------------------------------------------------

    def next_entry_id(self) -> int:
        """The id that the next entry will get."""
        number = len(self.changes.entries)
        if number >= MAX_ENTRIES_PER_BATCH:
            raise Broken("the batch has more entries than one transaction can number")
        return self._first_entry_id + number

    def apply(self, decided: Decided, *, admission: bool = False) -> list[EntryLeg]:
        """Post a decision to the balances and take over its states; the legs for its entry."""
        legs: list[EntryLeg] = []
        balances = self.balances
        for posting in decided.postings:
            head_id, cell_us, spent, reserved, assumed, overrun = posting
            balance = balances[head_id]
            before = balance.spent + balance.assumed
            version = balance.post(posting)
            limit = balance.limit if admission and balance.policy.hard else None
            legs.append((head_id, cell_us, spent, reserved, assumed, overrun, version, limit))
            if cell_us != balance.start_us and not balance.policy.rolling:
                self._watch(balance, posting, balance.crossed_in(posting))
            elif balance.spent + balance.assumed >= balance.watched_from or overrun or assumed > 0:
                self._watch(balance, posting, balance.crossed(before))
        for holding, state in decided.states:
            holding.state = state
            self._touched[holding.terms.allocation_id] = holding
        return legs

    def _watch(self, balance: Balance, posting: Posting, crossed: Iterable[str]) -> None:
        for kind in crossed:
            self.alert(kind, balance, posting.cell_us)
        if posting.overrun:
            self.alert("overrun", balance, posting.cell_us)
        if posting.assumed > 0:
            self.alert("assumed", balance, posting.cell_us)

    def alert(
        self, kind: str, balance: Balance, cell_us: int | None = None, *, soon_us: int = 0
    ) -> None:
        """Raise an alert, once for each policy, partition, window and kind.

        The window is that of `cell_us`, which may have closed; None: the open one. Of a rolling
        policy it is a period's length of the clock. `soon_us` is told by `exhausted_soon`.
        """
        self.raising.of_balance(self.catalogue, kind, balance, cell_us, soon_us)

    def alert_subject(self, kind: str, subject: str, detail: Mapping[str, object]) -> None:
        """Raise an alert that is about no policy, once for each subject, kind and UTC day."""
        self.raising.of_subject(self.catalogue, kind, subject, detail)

    def add_holding(self, holding: Holding) -> None:
        """Take a new holding into the working set."""
        self.holdings[holding.terms.allocation_id] = holding
        self._touched[holding.terms.allocation_id] = holding
        if holding.terms.parent_id is not None:
            self.children.setdefault(holding.terms.parent_id, []).append(holding)

    def enter(
        self,
        kind: str,
        actor: str,
        legs: Sequence[EntryLeg],
        detail: object,
        *,
        allocation_id: str | None = None,
        usage_id: str | None = None,
        budget_id: str | None = None,
        policy_id: str | None = None,
    ) -> int:
        """Write one entry of the journal; its id."""
        entry_id = self.next_entry_id()
        self.changes.entries.append(
            (
                entry_id, self.now_us, kind, actor, allocation_id, usage_id, budget_id, policy_id,
                rows.to_json(legs), rows.to_json(detail) if detail else "{}",
            )
        )  # fmt: skip
        return entry_id

    def take_key(self, command: Command, ref: str) -> None:
        """Remember an accepted command's idempotency key."""
        if command.key is None:
            return
        name = (command.actor, command.act, command.key)
        self.keys[name] = (command.request_hash, ref, self.now_us)
        self._keys_taken.add(name)
        self.changes.keys.append((*name, command.request_hash, ref, self.now_us))

    def roll_up(
        self,
        attributes_json: str,
        occurred_us: int,
        usage: Usage,
        cost_nanos: int | None,
        sign: int,
    ) -> None:
        """Add a usage record to its hour and its day; `sign` is -1 for a reversal."""
        series = rows.series_of(attributes_json)
        self._series[series[0]] = series
        hour_us = occurred_us - occurred_us % rows.HOUR_US
        sums = self._rollups.get((hour_us, series[0]))
        if sums is None:
            sums = self._rollups[hour_us, series[0]] = [0] * 9
        sums[0] += sign
        sums[1] += usage.requests
        sums[2] += usage.input_tokens
        sums[3] += usage.output_tokens
        sums[4] += usage.cache_read_tokens
        sums[5] += usage.cache_write_tokens + usage.cache_write_1h_tokens
        sums[6] += usage.reasoning_tokens
        if cost_nanos is None:
            sums[8] += sign
        else:
            sums[7] += cost_nanos

    def _rollup_rows(self) -> list[Row]:
        if not self._rollups:
            return []
        days: dict[tuple[int, str], list[int]] = {}
        for (hour_us, series_id), sums in self._rollups.items():
            name = (hour_us - hour_us % rows.DAY_US, series_id)
            before = days.get(name, _NO_SUMS)
            days[name] = [had + more for had, more in zip(before, sums, strict=True)]
        return [
            *(("hour", *name, *sums) for name, sums in self._rollups.items()),
            *(("day", *name, *sums) for name, sums in days.items()),
        ]

    # --- Viewing ---------------------------------------------------------------------------------

    def view(self, balance: Balance) -> BalanceView:
        """A balance as it stands, in its open window."""
        return views.view(balance, self.catalogue.budgets)

    def views(self, holding: Holding) -> tuple[BalanceView, ...]:
        """The balances an allocation's legs lie on, each cell once."""
        return views.views_of(holding.state.legs, self.balances, self.catalogue.budgets)

    # --- Writing ---------------------------------------------------------------------------------

    def write(self, claimed: Iterable[Row]) -> bool:
        """Write all rows; False when there is nothing to write."""
        changes = self.changes
        for holding in self._touched.values():
            if holding.new:
                changes.placed.append(rows.placed_row(holding, self.now_us))
            else:
                changes.moved.append(rows.moved_row(holding, self.now_us))
        for balance in self.balances.values():
            if not balance.changed:
                continue
            changes.heads.append(rows.head_row(balance, self._versions[balance.id]))
            if not balance.policy.rolling:
                for start_us, cell in balance.cells.items():
                    if cell.changed:
                        changes.windows.append(rows.window_row(balance, start_us))
        changes.heads_unused.extend(
            head_id for head_id in self._new_heads if not self.balances[head_id].changed
        )
        changes.keys_unused.extend(
            row
            for row in claimed
            if (row[0], row[1], row[2]) not in self._keys_taken
            and (row[0], row[1], row[2]) not in self.keys
        )
        changes.series.extend(self._series.values())
        changes.rollups.extend(self._rollup_rows())
        changes.alerts, changes.alert_entries = self.raising.numbered(
            self._first_entry_id, len(changes.entries)
        )
        something = bool(changes.entries or changes.heads_unused or changes.keys_unused)
        if something or changes.alerts:
            self.unit.write(changes)
            return True
        return False
