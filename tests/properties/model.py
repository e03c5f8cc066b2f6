"""A model of the ledger: the rules of the design, as plainly as they can be said.

It shares no code with `src` and keeps everything in dictionaries, slow and in the open. Amounts are
integers (nano-USD or counts), instants microseconds since 1970. It knows one caller, who may do
everything. Not here: whole calendars (`tests/domain/test_windows.py` has those; this knows hours,
days and the endless window), input that is not well formed, alerts.

Where the design leaves a choice open, the model has the engine's, and the comment says "a choice".
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NEVER = 253402300800 * SECOND
UNITS = ("usd", "tokens", "input_tokens", "output_tokens", "requests")
HELD = ("usd", "tokens", "requests")

Amounts = dict[str, int | None]
"""By unit; None where nothing was stated."""


def envelope_states(ask: "Asked", unit: str) -> bool:
    """Whether an envelope's ask states an amount in a unit."""
    if unit == "requests":
        return "requests" in ask
    if unit == "usd":
        return "usd" in ask or ("model" in ask and ("input_tokens" in ask or "tokens" in ask))
    return "tokens" in ask or "input_tokens" in ask


# --- What the ledger is told ---------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """Pico-USD per unit; a kind that is None costs what the kind it is part of costs."""

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    request: int = 0

    def nanos(self, pico: int) -> int:
        """Rounded up to a nano-USD."""
        return (pico + 999) // 1000

    def cost(self, usage: "Usage", requests: int) -> int:
        """Every token at the rate of its own kind."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        hour = write if self.cache_write_1h is None else self.cache_write_1h
        thought = self.output if self.reasoning is None else self.reasoning
        plain = usage.input - usage.read - usage.write - usage.write_1h
        return self.nanos(
            plain * self.input
            + usage.read * read
            + usage.write * write
            + usage.write_1h * hour
            + (usage.output - usage.reasoning) * self.output
            + usage.reasoning * thought
            + requests * self.request
        )

    @property
    def dearest_input(self) -> int:
        """The dearest kind of input token."""
        kinds = (self.input, self.cache_read, self.cache_write, self.cache_write_1h)
        return max(rate for rate in kinds if rate is not None)

    @property
    def dearest_output(self) -> int:
        """The dearest kind of output token."""
        return max(self.output, self.reasoning or 0)

    def estimate(self, tokens_in: int, tokens_out: int, requests: int) -> int:
        """What must be held so that no usage within the estimate costs more."""
        return self.nanos(
            tokens_in * self.dearest_input
            + tokens_out * self.dearest_output
            + requests * self.request
        )

    def for_tokens(self, tokens: int, requests: int) -> int:
        """What must be held for tokens that may be of any kind."""
        dearest = max(self.dearest_input, self.dearest_output)
        return self.nanos(tokens * dearest + requests * self.request)


@dataclass(frozen=True)
class Usage:
    """Tokens by kind; the cache's are part of input, reasoning is part of output."""

    input: int = 0
    output: int = 0
    read: int = 0
    write: int = 0
    write_1h: int = 0
    reasoning: int = 0


@dataclass
class Policy:
    """One limit. `limits` has every limit it ever had, with the instant of the change."""

    policy_id: str
    unit: str
    period: str
    limit: int
    enforcement: str = "hard_limit"
    zone: str = "UTC"
    on_expiry: str = ""
    rollover: bool = False
    headroom: Mapping[int, int] = field(default_factory=dict)
    """Percent of the limit by priority."""
    per: tuple[str, ...] = ()
    created_us: int = 0
    limits: list[tuple[int, int]] = field(default_factory=list)
    top_ups: list["TopUp"] = field(default_factory=list)
    archived: bool = False

    def __post_init__(self) -> None:
        self.on_expiry = self.on_expiry or self.default_on_expiry
        self.limits = self.limits or [(self.created_us, self.limit)]

    @property
    def hard(self) -> bool:
        """Whether it refuses."""
        return self.enforcement == "hard_limit"

    @property
    def default_on_expiry(self) -> str:
        """What happens at expiry unless it was said."""
        return "assume" if self.hard else "release"

    @property
    def rolling_us(self) -> int:
        """The length of a rolling period, 0 for the others."""
        if not self.period.startswith("rolling:"):
            return 0
        number, letter = self.period[8:-1], self.period[-1]
        return int(number) * {"s": SECOND, "m": 60 * SECOND, "h": HOUR, "d": DAY}[letter]


@dataclass(frozen=True)
class TopUp:
    """A raise, on one partition or (None) on all: for the window of `at_us`, or until a date."""

    partition: str | None
    amount: int
    at_us: int
    until_us: int | None


@dataclass
class Budget:
    """Who is limited: `scope` by attribute a list of values, of which one may end in a star."""

    scope: Mapping[str, tuple[str, ...]]
    per: tuple[str, ...]
    policies: list[Policy]
    unpriced: str | Rates | None = None
    archived: bool = False

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a call with these attributes falls under it."""
        return all(
            any(_alike(wanted, attributes.get(key)) for wanted in values)
            for key, values in self.scope.items()
        )

    @property
    def live(self) -> list[Policy]:
        """The policies in force."""
        return [] if self.archived else [p for p in self.policies if not p.archived]

    @property
    def unpriced_rule(self) -> str | Rates:
        """What to do with a model of unknown price."""
        if self.unpriced is not None:
            return self.unpriced
        return "refuse" if any(p.hard and p.unit == "usd" for p in self.live) else "allow"


def _alike(wanted: str, value: str | None) -> bool:
    if value is None:
        return False
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


# --- What the ledger keeps -----------------------------------------------------------------------


@dataclass
class Cell:
    """One balance: that of a window, or of one bucket of a rolling policy."""

    spent: int = 0
    reserved: int = 0
    assumed: int = 0
    overrun: int = 0
    carry: int = 0


@dataclass
class Head:
    """One (policy, partition): its cells by their start, and the latest time it has seen."""

    policy: Policy
    partition: str
    last_us: int = -NEVER
    cells: dict[int, Cell] = field(default_factory=dict)

    def now(self, now_us: int) -> int:
        """Windows never re-open: time does not go back here."""
        return max(now_us, self.last_us)

    def window(self, at_us: int) -> tuple[int, int]:
        """[start, end) of the window (rolling: of the bucket) at an instant."""
        policy = self.policy
        if policy.rolling_us:
            width = -(-policy.rolling_us // 60)
            return at_us // width * width, at_us // width * width + width
        if policy.period == "hourly":  # zones here are whole hours off UTC
            return at_us // HOUR * HOUR, at_us // HOUR * HOUR + HOUR
        if policy.period == "minute":
            return at_us // (60 * SECOND) * 60 * SECOND, (at_us // (60 * SECOND) + 1) * 60 * SECOND
        if policy.period == "daily" or '"session":null' in self.partition:
            return day_of(at_us, policy.zone)
        return 0, NEVER  # total, and per_session of a session

    def live(self, now_us: int) -> list[Cell]:
        """The cells that count now: the current window, or the current bucket and 60 before it."""
        start, end = self.window(self.now(now_us))
        if not self.policy.rolling_us:
            return [self.cells[start]] if start in self.cells else []
        return [c for at, c in self.cells.items() if start - 60 * (end - start) <= at <= start]

    def total(self, cell_us: int, now_us: int) -> int:
        """Spent, reserved and assumed, in a window or in all buckets that count."""
        if self.policy.rolling_us:
            cells = self.live(now_us)
        else:
            cells = [self.cells[cell_us]] if cell_us in self.cells else []
        return sum(cell.spent + cell.reserved + cell.assumed for cell in cells)

    def counts(self, cell_us: int, now_us: int) -> bool:
        """Whether a posting to this cell still shows (a bucket that has left does not)."""
        if not self.policy.rolling_us:
            return True
        start, end = self.window(self.now(now_us))
        return cell_us >= start - 60 * (end - start)

    def limit(self, cell_us: int, now_us: int) -> int:
        """The limit in force for a cell: with top-ups, and with what the window before left."""
        carry = 0
        if not self.policy.rolling_us:
            current = self.window(self.now(now_us))[0] == cell_us
            carry = self.carry(cell_us) if current else 0
            carry = self.cells[cell_us].carry if cell_us in self.cells else carry
        return self.base(cell_us, now_us) + self.topped_up(cell_us, now_us) + carry

    def base(self, cell_us: int, now_us: int) -> int:
        """The limit of now, or for a window that has ended, of its end."""
        policy = self.policy
        end = self.window(cell_us)[1]
        if policy.rolling_us or end > self.now(now_us):
            return policy.limit
        before = [limit for since, limit in policy.limits if since < end]
        return before[-1] if before else policy.limits[0][1]

    def topped_up(self, cell_us: int, now_us: int) -> int:
        """The raises that count for a cell."""
        total = 0
        for top_up in self.policy.top_ups:
            if top_up.partition not in (None, self.partition):
                continue
            if self.policy.rolling_us:
                until = top_up.until_us or top_up.at_us + self.policy.rolling_us  # a choice
                counts = top_up.at_us <= self.now(now_us) < until
            else:
                # A choice: the window of the clock, also where the balance is ahead of it.
                first = self.window(top_up.at_us)[0]
                counts = cell_us == first or first < cell_us < (top_up.until_us or 0)
            total += top_up.amount if counts else 0
        return total

    def carry(self, cell_us: int) -> int:
        """What a window that opens gets from the one just before it."""
        policy = self.policy
        if not policy.rollover or cell_us <= policy.created_us:
            return 0
        before = self.window(cell_us - 1)[0]
        unused = self.base(before, cell_us) + self.topped_up(before, cell_us)
        return min(max(0, unused - self.total(before, cell_us)), policy.limit)

    def touch(self, now_us: int) -> None:
        """Something is about to be posted here: time moves on, and the window of now opens.

        A choice: it opens also when what is posted belongs to a window before.
        """
        self.last_us = self.now(now_us)
        start_us = self.window(self.last_us)[0]
        if start_us not in self.cells:
            self.cells[start_us] = Cell(carry=self.carry(start_us))

    def open(self, cell_us: int) -> Cell:
        """The cell; one that opens only when it has passed carries nothing (a choice)."""
        return self.cells.setdefault(cell_us, Cell())


def day_of(at_us: int, zone: str) -> tuple[int, int]:
    """[first instant, last) of the civil day, found by halving and not by arithmetic on dates."""
    where = ZoneInfo(zone)

    def date(instant_us: int) -> int:
        return datetime.fromtimestamp(instant_us // SECOND, UTC).astimezone(where).toordinal()

    def first_of(day: int) -> int:
        low, high = at_us // SECOND - 3 * 86400, at_us // SECOND + 3 * 86400
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if date(middle * SECOND) >= day else (middle, high)
        return high * SECOND

    return first_of(date(at_us)), first_of(date(at_us) + 1)


@dataclass
class Leg:
    """A hold on one cell of one balance; `left` is what of it is still held."""

    head: Head
    cell_us: int
    left: int
    from_parent: bool = False

    @property
    def cell(self) -> Cell:
        """The balance it is a part of."""
        return self.head.cells[self.cell_us]


@dataclass
class Record:
    """A usage record: what was used, where it was posted."""

    usage_id: str
    allocation_id: str | None
    usage: Usage
    requests: int
    cost: int | None
    rates: Rates | None
    postings: list[tuple[Head, int, int]]
    flags: frozenset[str]
    payload: object
    attributes: Mapping[str, str] = field(default_factory=dict)
    occurred_us: int = 0
    reversed: bool = False
    reverses: bool = False

    @property
    def heads(self) -> list[Head]:
        """The balances it was posted to, each once."""
        return list({id(head): head for head, _, _ in self.postings}.values())


@dataclass
class Allocation:
    """A hold for one call, or for an envelope of calls."""

    allocation_id: str
    attributes: Mapping[str, str]
    rates: Rates | None
    ttl_us: int
    expires_us: int
    legs: list[Leg]
    first: Amounts
    held: Amounts
    left: Amounts
    payload: object
    envelope: bool = False
    parent: "Allocation | None" = None
    priority: int = 5
    granted: int | None = None
    first_granted: int | None = None
    input_tokens: int | None = None
    status: str = "open"
    records: list[Record] = field(default_factory=list)
    settled_by: Record | None = None
    children: list["Allocation"] = field(default_factory=list)

    @property
    def heads(self) -> list[Head]:
        """The balances it holds on, each once."""
        return list({id(leg.head): leg.head for leg in self.legs}.values())

    def legs_on(self, head: Head) -> list[Leg]:
        """Its legs on one (policy, partition), the oldest first."""
        return [leg for leg in self.legs if leg.head is head]


# --- What the ledger answers ---------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One limit that refuses."""

    policy_id: str
    partition: str
    limit: int
    spent: int
    reserved: int
    assumed: int
    requested: int
    shortfall: int
    resets_us: int | None


@dataclass(frozen=True)
class Refused:
    """No, and why."""

    code: str
    lines: frozenset[Line] = frozenset()
    unit: str | None = None
    due: tuple[Head, ...] = ()


@dataclass(frozen=True)
class Fault:
    """An error: the name of its class."""

    name: Literal["NotFound", "Conflict", "KeyReused", "InvalidInput"]


@dataclass(frozen=True)
class Placed:
    """Yes: held, or extended (`replayed`: some time ago)."""

    allocation: Allocation
    replayed: bool = False
    agreed: tuple[dict[str, int | None], int | None] | None = None
    """What was held and granted when this was answered first: without later extensions."""


@dataclass(frozen=True)
class Booked:
    """Usage is in the books."""

    record: Record
    allocation: Allocation | None = None
    replayed: bool = False


@dataclass(frozen=True)
class Corrected:
    """A reversal is in the books, and its replacement if there is one."""

    corrected: Record
    reversal: Record
    replacement: Record | None
    replayed: bool = False


@dataclass(frozen=True)
class _Wish:
    """An amount wanted on a balance, of the envelope's hold there or of the balance itself."""

    head: Head
    cell_us: int
    amount: int
    from_parent: bool = False


Asked = Mapping[str, Any]
"""What a caller says: the fields of the facade, but amounts in nano-USD and usage as `Usage`."""

Answer = Placed | Booked | Corrected | Refused | Fault


class Ledger:
    """The books of one service, and its clock's guard."""

    def __init__(self, prices: Mapping[str, Rates]) -> None:
        self.prices = prices
        self.budgets: dict[str, Budget] = {}
        self.heads: dict[tuple[str, str], Head] = {}
        self.allocations: dict[str, Allocation] = {}
        self.records: dict[str, Record] = {}
        self.corrections: dict[str, Corrected] = {}
        self.keys: dict[tuple[str, str], tuple[object, str, int]] = {}
        self.extended: dict[str, tuple[Amounts, int | None]] = {}
        self._last: tuple[int, int] | None = None
        self._paused_at: int | None = None

    # --- Time --------------------------------------------------------------------------------

    def batch(self, now_us: int, steady_us: int) -> None:
        """Something is to be decided: a clock that ran ahead of the steady one is no clock."""
        if (
            self._last is not None
            and now_us - self._last[0] - (steady_us - self._last[1]) > 300 * SECOND
        ):
            self._paused_at = steady_us
        self._last = now_us, steady_us
        if self._paused_at is not None and steady_us - self._paused_at >= 300 * SECOND:
            self._paused_at = None

    def restart(self) -> None:
        """Downtime is not a jump."""
        self._last = self._paused_at = None

    # --- Budgets -----------------------------------------------------------------------------

    def create_budget(self, budget_id: str, budget: Budget) -> None:
        """A budget, its policies' ids chosen by the caller."""
        self.budgets[budget_id] = budget
        for policy in budget.policies:
            session = {"session"} if policy.period == "per_session" else set()
            policy.per = tuple(sorted({*budget.per, *session}))

    def policy(self, policy_id: str) -> Policy:
        """One policy."""
        return next(
            p for b in self.budgets.values() for p in b.policies if p.policy_id == policy_id
        )

    def set_limit(self, now_us: int, policy_id: str, limit: int) -> None:
        """From now on."""
        policy = self.policy(policy_id)
        policy.limit = limit
        policy.limits.append((max(now_us, policy.limits[-1][0]), limit))

    def set_enforcement(self, policy_id: str, enforcement: str) -> None:
        """From now on; what happens at expiry follows where it was the default (a choice)."""
        policy = self.policy(policy_id)
        default = policy.on_expiry == policy.default_on_expiry
        policy.enforcement = enforcement
        if default:
            policy.on_expiry = policy.default_on_expiry

    def archive_policy(self, policy_id: str) -> None:
        """Out of force; what is held on it stays."""
        self.policy(policy_id).archived = True

    def top_up(
        self, now_us: int, policy_id: str, amount: int, until_us: int | None, partition: str | None
    ) -> None:
        """A raise of the limit."""
        policy = self.policy(policy_id)
        policy.top_ups.append(TopUp(partition, amount, now_us, until_us))

    def head(self, policy: Policy, partition: str) -> Head:
        """The head of a (policy, partition), made on first sight."""
        key = policy.policy_id, partition
        if key not in self.heads:
            self.heads[key] = Head(policy, partition)
        return self.heads[key]

    def matching(self, attributes: Mapping[str, str]) -> list[Head]:
        """The balances that a call with these attributes meets."""
        return [
            self.head(policy, partition_of(policy.per, attributes))
            for budget in self.budgets.values()
            if budget.matches(attributes)
            for policy in budget.live
        ]

    # --- Keys --------------------------------------------------------------------------------

    def _known(self, act: str, ask: Asked, chosen: object) -> str | Fault | None:
        """The id of what this very command made before; KeyReused when it is another command."""
        payload = {name: value for name, value in ask.items() if name != "key"}
        if (kept := self.keys.get((act, ask.get("key", "")))) is not None:
            return kept[1] if kept[0] == payload else Fault("KeyReused")
        made: Allocation | Record | None = None
        if act == "allocate":
            made = self.allocations.get(str(chosen))
        elif chosen is not None:
            made = self.records.get(str(chosen))
        if made is None:
            return None
        return str(chosen) if made.payload == payload else Fault("KeyReused")

    def _keep(self, now_us: int, act: str, ask: Asked, ref: str) -> object:
        payload = {name: value for name, value in ask.items() if name != "key"}
        if ask.get("key"):
            self.keys[act, ask["key"]] = payload, ref, now_us
        return payload

    # --- Placing -----------------------------------------------------------------------------

    def place(self, now_us: int, ask: Asked, new_id: str = "") -> Answer:
        """Hold an estimate or stated amounts on every matching policy, or on none."""
        known = self._known("allocate", ask, ask.get("allocation_id"))
        if isinstance(known, Fault):
            return known
        if known is not None:
            held = self.allocations[known]
            return Placed(held, replayed=True, agreed=(held.first, held.first_granted))
        answer = self._placed(now_us, ask, new_id)
        if isinstance(answer, Refused) and self._expired_for(now_us, answer):
            answer = self._placed(now_us, ask, new_id)
        if isinstance(answer, Placed):
            held = answer.allocation
            held.payload = self._keep(now_us, "allocate", ask, held.allocation_id)
        return answer

    def check(self, now_us: int, ask: Asked) -> Answer:
        """What `place` would say; a refusal has what is due swept first, as `place` does."""
        asked = {**ask, "allocation_id": None, "key": ""}
        answer = copy.deepcopy(self)._placed(now_us, asked, "")
        if isinstance(answer, Refused) and self._expired_for(now_us, answer):
            answer = copy.deepcopy(self)._placed(now_us, asked, "")
        return answer

    def _placed(self, now_us: int, ask: Asked, new_id: str) -> Answer:
        parent = None
        if ask.get("parent_id") is not None:
            parent = self.allocations.get(ask["parent_id"])
            if parent is None:
                return Fault("NotFound")
            if not parent.envelope:
                return Fault("InvalidInput")
            if parent.status != "open":
                return Fault("Conflict")
            inherited = {**parent.attributes, **ask.get("attributes", {})}  # a choice
            ask = {**ask, "attributes": inherited}
        heads = self._heads(ask, parent)
        rates, refused = self._rates(ask)
        if refused:
            return Refused("model_unpriced")
        most = ask.get("max_output_tokens", 0)
        grants = [most]
        if ask.get("fit"):
            grants = list(range(most, min(most, ask.get("min_output_tokens", 16)) - 1, -1))
        answer: Answer | None = None
        for granted in grants:
            amounts = self._amounts(ask, rates, granted)
            for unit in HELD if parent is not None else ():
                assert parent is not None
                left, amount = parent.left[unit], amounts[unit]
                if left is not None:
                    if amount is None:
                        return Fault("InvalidInput")  # a choice: an envelope limits what it states
                    if amount > left:
                        break
            else:
                if any(
                    h.policy.hard and amounts[h.policy.unit] is None
                    for h in heads
                    if not parent or h not in parent.heads
                ):
                    return Fault("InvalidInput")
            wishes = self._wishes(now_us, heads, amounts, parent)
            answer = self._refusal(now_us, wishes, amounts, parent, ask.get("priority", 5))
            if answer is None:
                return self._hold(now_us, ask, new_id, parent, rates, amounts, granted, wishes)
        assert answer is not None
        return answer

    def _heads(self, ask: Asked, parent: Allocation | None) -> list[Head]:
        matching = self.matching(ask.get("attributes", {}))
        if ask.get("envelope"):
            return [
                head
                for head in matching
                if not head.policy.rolling_us
                and head.policy.period != "minute"
                and (head.policy.hard or envelope_states(ask, head.policy.unit))
            ]
        if parent is None:
            return matching
        return parent.heads + [head for head in matching if head not in parent.heads]

    def _rates(self, ask: Asked) -> tuple[Rates | None, bool]:
        """The basis, and whether a model of unknown price is refused."""
        model = ask.get("model")
        if model is None or model in self.prices:
            return self.prices.get(model) if model else None, False
        attributes = ask.get("attributes", {})
        rules = [b.unpriced_rule for b in self.budgets.values() if b.live and b.matches(attributes)]
        if "refuse" in rules:
            return None, True
        stated = [rule for rule in rules if isinstance(rule, Rates)]
        return (stated[0] if stated else None), False

    def _amounts(self, ask: Asked, rates: Rates | None, granted: int) -> Amounts:
        lone = "input_tokens" in ask or not ask.get("envelope")
        requests = ask.get("requests", 1 if lone else None)
        unknown = 0 if ask.get("model") and rates is None else None  # allowed without a price
        if "input_tokens" in ask:
            given = ask["input_tokens"]
            usd = unknown if rates is None else rates.estimate(given, granted, requests or 0)
            return _amounts(usd, given + granted, given, granted, requests)
        tokens, usd = ask.get("tokens"), ask.get("usd")
        if usd is None and tokens is not None:
            usd = unknown if rates is None else rates.for_tokens(tokens, requests or 0)
        return _amounts(usd, tokens, tokens, tokens, requests)

    def _wishes(
        self, now_us: int, heads: list[Head], amounts: Amounts, parent: Allocation | None
    ) -> list[_Wish]:
        """What each leg is to hold: on the envelope's legs first, the oldest first."""
        wishes = []
        for head in heads:
            left = amounts[head.policy.unit] or 0
            theirs = parent.legs_on(head) if parent else []
            for leg in theirs:
                take = min(left, leg.left)
                if take or leg is theirs[-1]:
                    wishes.append(_Wish(head, leg.cell_us, take, from_parent=True))
                left -= take
            if not theirs or (left and head.policy.hard):
                wishes.append(_Wish(head, head.window(head.now(now_us))[0], left))
        return wishes

    def _refusal(
        self,
        now_us: int,
        wishes: list[_Wish],
        amounts: Amounts,
        parent: Allocation | None,
        priority: int,
    ) -> Refused | None:
        """Who says no. An envelope that lacks something says it alone."""
        if parent is not None:
            for unit in HELD:
                left = parent.left[unit]
                if left is not None and (amounts[unit] or 0) > left:
                    return Refused("envelope_exhausted", unit=unit, due=tuple(parent.heads))
            for wish in wishes:
                held_by_parent = wish.head in parent.heads and not wish.from_parent
                if held_by_parent and wish.head.policy.hard and wish.amount:
                    unit = wish.head.policy.unit
                    return Refused("envelope_exhausted", unit=unit, due=(wish.head,))
        lines, heads = [], []
        for wish in wishes:
            head, policy = wish.head, wish.head.policy
            if wish.from_parent or not policy.hard or not wish.amount:
                continue
            limit = head.limit(wish.cell_us, now_us)
            kept = max((pct for key, pct in policy.headroom.items() if key > priority), default=0)
            kept = -(-policy.limit * kept // 100)
            room = limit - kept - head.total(wish.cell_us, now_us)
            if wish.amount > room:
                cells = head.live(now_us)
                end = head.window(wish.cell_us)[1]
                ahead = policy.limit + head.topped_up(end, now_us) + head.carry(end)
                lines.append(
                    Line(
                        policy.policy_id,
                        head.partition,
                        limit,
                        sum(cell.spent for cell in cells),
                        sum(cell.reserved for cell in cells),
                        sum(cell.assumed for cell in cells),
                        wish.amount,
                        wish.amount - max(0, room),  # a choice
                        None if end == NEVER or wish.amount > ahead - kept else end,
                    )
                )
                heads.append(head)
        return Refused("over_limit", frozenset(lines), due=tuple(heads)) if lines else None

    def _hold(
        self,
        now_us: int,
        ask: Asked,
        new_id: str,
        parent: Allocation | None,
        rates: Rates | None,
        amounts: Amounts,
        granted: int,
        wishes: list[_Wish],
    ) -> Placed:
        allocation_id = ask.get("allocation_id") or new_id
        ttl_us = ask.get("ttl_seconds", 900) * SECOND
        allocation = Allocation(
            allocation_id,
            dict(ask.get("attributes", {})),
            rates,
            ttl_us,
            now_us + ttl_us,
            [],
            {unit: amounts[unit] for unit in HELD},
            {unit: amounts[unit] for unit in HELD},
            {unit: amounts[unit] for unit in HELD},
            None,
            envelope=ask.get("envelope", False),
            parent=parent,
            priority=ask.get("priority", 5),
            granted=granted if "input_tokens" in ask else None,
            first_granted=granted if "input_tokens" in ask else None,
            input_tokens=ask.get("input_tokens"),
        )
        if parent is not None:
            parent.children.append(allocation)
        self._take(now_us, allocation, wishes, amounts)
        self._renew(now_us, allocation)
        self.allocations[allocation_id] = allocation
        return Placed(allocation)

    def _take(
        self, now_us: int, allocation: Allocation, wishes: list[_Wish], amounts: Amounts
    ) -> None:
        """Add the legs, out of the balances' free room or of the envelope's hold."""
        parent = allocation.parent
        for wish in wishes:
            head = wish.head
            if wish.from_parent:
                assert parent is not None
                next(
                    g for g in parent.legs_on(head) if g.cell_us == wish.cell_us
                ).left -= wish.amount
            else:
                head.touch(now_us)
                head.open(wish.cell_us).reserved += wish.amount
            theirs = parent is not None and head in parent.heads
            legs = [g for g in allocation.legs_on(head) if g.cell_us == wish.cell_us]
            if legs:
                legs[-1].left += wish.amount
            else:
                allocation.legs.append(Leg(head, wish.cell_us, wish.amount, theirs))
        if parent is not None:
            _less(parent.left, amounts)

    def _renew(self, now_us: int, allocation: Allocation) -> None:
        """More time for an open allocation, and first for its envelope, which ends no sooner."""
        parent = allocation.parent
        if parent is not None and parent.status == "open":
            parent.expires_us = max(parent.expires_us, now_us + parent.ttl_us)
        if allocation.status != "open":
            return
        allocation.expires_us = max(allocation.expires_us, now_us + allocation.ttl_us)
        if parent is not None and parent.status == "open":
            allocation.expires_us = min(allocation.expires_us, parent.expires_us)

    # --- Extending ---------------------------------------------------------------------------

    def extend(self, now_us: int, allocation_id: str, ask: Asked) -> Answer:
        """More time, more money, or both."""
        ask = {**ask, "": allocation_id}
        known = self._known("extend", ask, None)
        if isinstance(known, Fault):
            return known
        if known is not None:
            agreed = self.extended[ask["key"]]
            return Placed(self.allocations[known], replayed=True, agreed=agreed)
        allocation = self.allocations.get(allocation_id)
        if allocation is None:
            return Fault("NotFound")
        if allocation.status != "open" or (
            allocation.parent and allocation.parent.status != "open"
        ):
            return Fault("Conflict")
        answer = self._extended(now_us, allocation, ask)
        if isinstance(answer, Refused) and self._expired_for(now_us, answer):
            if allocation.status != "open":
                return Fault("Conflict")
            answer = self._extended(now_us, allocation, ask)
        return answer

    def _extended(self, now_us: int, allocation: Allocation, ask: Asked) -> Answer:
        rates = allocation.rates
        more = ask.get("max_output_tokens")
        if more is not None:
            usd = None if rates is None else rates.estimate(0, more, ask.get("requests", 0))
            amounts = _amounts(usd, more, 0, more, ask.get("requests"))
        else:
            tokens, usd = ask.get("tokens"), ask.get("usd")
            if usd is None and rates is not None:
                usd = rates.for_tokens(tokens or 0, ask.get("requests", 0))
            amounts = _amounts(usd, tokens, tokens, tokens, ask.get("requests"))
        for unit in HELD:
            if allocation.envelope and allocation.held[unit] is None and amounts[unit]:
                return Fault("InvalidInput")  # a choice: it would suddenly limit the calls
        wishes = [
            wish
            for wish in self._wishes(now_us, allocation.heads, amounts, allocation.parent)
            if wish.amount
        ]
        refusal = self._refusal(now_us, wishes, amounts, allocation.parent, allocation.priority)
        if refusal is not None:
            return refusal
        self._keep(now_us, "extend", ask, allocation.allocation_id)
        self._take(now_us, allocation, wishes, amounts)
        for unit in HELD:
            if amounts[unit]:
                allocation.left[unit] = (allocation.left[unit] or 0) + (amounts[unit] or 0)
                allocation.held[unit] = (allocation.held[unit] or 0) + (amounts[unit] or 0)
        if more is not None:
            allocation.granted = (allocation.granted or 0) + more
        if "ttl_seconds" in ask:
            allocation.ttl_us = ask["ttl_seconds"] * SECOND
        self._renew(now_us, allocation)
        if ask.get("key"):
            self.extended[ask["key"]] = dict(allocation.held), allocation.granted
        return Placed(allocation)

    # --- Booking -----------------------------------------------------------------------------

    def record(self, now_us: int, allocation_id: str, ask: Asked, new_id: str = "") -> Answer:
        """Book what a call used: out of its hold, then of its envelope's, then of free room."""
        ask = {**ask, "": allocation_id}
        known = self._known("record", ask, ask.get("usage_id"))
        if isinstance(known, Fault):
            return known
        if known is not None:
            record = self.records[known]
            return Booked(record, self.allocations[record.allocation_id or ""], replayed=True)
        allocation = self.allocations.get(allocation_id)
        if allocation is None:
            return Fault("NotFound")
        settled = allocation.settled_by
        if settled is not None:
            same = ask["usage"] == settled.usage and ask.get("requests") in (None, settled.requests)
            return Booked(settled, allocation, replayed=True) if same else Fault("Conflict")
        usage: Usage = ask["usage"]
        requests = ask.get("requests", 0 if allocation.records else 1)
        cost = _cost(allocation.rates, usage, requests)
        flags = {"late"} if allocation.status in ("released", "expired") else set()
        if cost is None:
            flags.add("unpriced")
        amounts = _amounts(cost, usage.input + usage.output, usage.input, usage.output, requests)
        postings = []
        for head in allocation.heads:
            postings += self._draw(now_us, allocation, head, amounts[head.policy.unit] or 0, flags)
        usage_id = ask.get("usage_id") or new_id
        record = Record(
            usage_id,
            allocation_id,
            usage,
            requests,
            cost,
            allocation.rates,
            postings,
            frozenset(flags),
            self._keep(now_us, "record", ask, usage_id),
            allocation.attributes,
            min(ask.get("occurred_us", now_us), now_us),
        )
        self.records[usage_id] = record
        allocation.records.append(record)
        self._use(allocation, amounts)
        if ask.get("final", True):
            for child in allocation.children:
                self._expire(now_us, child)
            allocation.settled_by = record
            self._return(now_us, allocation, "settled")
        self._renew(now_us, allocation)
        return Booked(record, allocation)

    def _draw(
        self, now_us: int, allocation: Allocation, head: Head, amount: int, flags: set[str]
    ) -> list[tuple[Head, int, int]]:
        """Move an amount to `spent` on one balance; where it went."""
        head.touch(now_us)
        postings = []
        parent = allocation.parent
        sources = allocation.legs_on(head)
        if parent is not None and parent.status == "open":
            sources = sources + parent.legs_on(head)
        for leg in sources:
            take = min(amount, leg.left)
            own = any(leg is one for one in allocation.legs)
            if take or own:
                if allocation.status == "expired" and own:
                    leg.cell.assumed -= take
                else:
                    leg.cell.reserved -= take
                leg.left -= take
                leg.cell.spent += take
                postings.append((head, leg.cell_us, take))
                amount -= take
        if amount:
            cell_us = allocation.legs_on(head)[-1].cell_us
            if head.policy.rolling_us:
                cell_us = head.window(head.now(now_us))[0]
            if self._post(now_us, head, cell_us, amount):
                flags.add("overrun")
            postings.append((head, cell_us, amount))
        return postings

    def _post(self, now_us: int, head: Head, cell_us: int, increase: int) -> bool:
        """Post a fact that nothing was held for; whether it overran a hard limit."""
        cell = head.open(cell_us)
        cell.spent += increase
        if not head.policy.hard or not head.counts(cell_us, now_us):
            return False
        beyond = head.total(cell_us, now_us) - head.limit(cell_us, now_us)
        grown = max(0, min(increase, beyond))
        cell.overrun += grown
        return grown > 0

    def _use(self, allocation: Allocation, amounts: Amounts) -> None:
        """What the allocation as a whole, and then its envelope, has left."""
        parent = allocation.parent
        beyond: Amounts = {}
        for unit in HELD:
            left = allocation.left[unit]
            beyond[unit] = max(0, (amounts[unit] or 0) - (left or 0))
        _less(allocation.left, amounts)
        if parent is not None and parent.status == "open":
            _less(parent.left, beyond)

    # --- Ending ------------------------------------------------------------------------------

    def release(self, now_us: int, allocation_id: str, ask: Asked) -> Answer:
        """The rest returns."""
        ask = {**ask, "": allocation_id}
        known = self._known("release", ask, None)
        if isinstance(known, Fault):
            return known
        if known is not None:
            return Placed(self.allocations[known], replayed=True)
        allocation = self.allocations.get(allocation_id)
        if allocation is None:
            return Fault("NotFound")
        if allocation.status == "released":
            return Placed(allocation, replayed=True)
        if allocation.status == "settled":
            return Fault("Conflict")
        self._keep(now_us, "release", ask, allocation_id)
        for child in allocation.children:
            self._expire(now_us, child)
        self._return(now_us, allocation, "released")
        return Placed(allocation)

    def _return(self, now_us: int, allocation: Allocation, status: str) -> None:
        """What is still held goes back to the open envelope it came from, else to the balances."""
        for leg in allocation.legs:
            self._return_leg(now_us, allocation, leg)
        self._return_held(allocation, allocation.left)
        allocation.status = status

    def _return_leg(self, now_us: int, allocation: Allocation, leg: Leg) -> None:
        parent = allocation.parent
        late = allocation.status == "expired"
        to_parent = leg.from_parent and parent is not None and parent.status == "open"
        if leg.left and (late or not to_parent):
            leg.head.touch(now_us)
        if late:
            leg.cell.assumed -= leg.left
        else:
            leg.cell.reserved -= leg.left
        if to_parent:
            assert parent is not None
            leg.cell.reserved += leg.left
            next(g for g in parent.legs_on(leg.head) if g.cell_us == leg.cell_us).left += leg.left
        leg.left = 0

    def _return_held(self, allocation: Allocation, amounts: Amounts) -> None:
        parent = allocation.parent
        if parent is not None and parent.status == "open":
            _more(parent.left, amounts)
        for unit, amount in amounts.items():
            allocation.left[unit] = None if amount is None else 0

    def sweep(self, now_us: int) -> list[Allocation]:
        """Expire every hold that is due."""
        due = [
            a for a in self.allocations.values() if a.status == "open" and a.expires_us <= now_us
        ]
        for allocation in due:
            self._expire(now_us, allocation)
        return due

    def _expired_for(self, now_us: int, refused: Refused) -> bool:
        """Before a refusal what is due is swept; whether that changed anything.

        A choice: all that is due, also on balances that do not refuse. Such a sweep is also when
        keys of more than 30 days ago are forgotten.
        """
        counted = refused.code != "model_unpriced" and self._paused_at is None
        if not counted or not self.sweep(now_us):
            return False
        kept_from_us = now_us - 30 * DAY
        self.keys = {name: kept for name, kept in self.keys.items() if kept[2] >= kept_from_us}
        return True

    def _expire(self, now_us: int, allocation: Allocation) -> None:
        """Hard limits assume that the call was made; an envelope is not a call."""
        if allocation.status != "open":
            return
        for child in allocation.children:
            self._expire(now_us, child)
        assumed = set()
        for leg in allocation.legs:
            if leg.head.policy.on_expiry == "assume" and not allocation.envelope:
                leg.cell.reserved -= leg.left
                leg.cell.assumed += leg.left
                if leg.left:
                    leg.head.touch(now_us)
                    unit = leg.head.policy.unit
                    assumed.add("tokens" if unit.endswith("_tokens") else unit)  # a choice
            else:
                self._return_leg(now_us, allocation, leg)
        gone: Amounts = {u: n for u, n in allocation.left.items() if u not in assumed}
        self._return_held(allocation, gone)
        allocation.status = "expired"

    # --- Usage that nobody reserved, and corrections -----------------------------------------

    def report(self, now_us: int, ask: Asked, new_id: str = "") -> Answer:
        """Book usage in the windows in which it occurred, if they ended under 72 hours ago."""
        known = self._known("record_usage", ask, ask.get("usage_id"))
        if isinstance(known, Fault):
            return known
        if known is not None:
            return Booked(self.records[known], replayed=True)
        occurred_us = ask.get("occurred_us", now_us)
        if occurred_us > now_us + 300 * SECOND:
            return Fault("InvalidInput")
        attributes = ask.get("attributes", {})
        rates, _ = self._rates(ask)
        usage: Usage = ask["usage"]
        requests = ask.get("requests", 1)
        cost = _cost(rates, usage, requests)
        amounts = _amounts(cost, usage.input + usage.output, usage.input, usage.output, requests)
        flags = {"unreserved"} if cost is not None else {"unreserved", "unpriced"}
        postings = []
        for head in self.matching(attributes):
            now_here = head.now(now_us)
            cell_us, end = head.window(min(occurred_us, now_here))
            if occurred_us >= now_us or cell_us > now_here:
                cell_us = head.window(now_here)[0]
            elif head.policy.rolling_us:
                if not head.counts(cell_us, now_us):
                    continue
            elif (
                cell_us < head.window(now_here)[0] and end + 72 * HOUR <= now_us
            ):  # a choice: not now_here
                if ask.get("history"):
                    flags.add("history")
                    continue
                cell_us = head.window(now_here)[0]
                flags.add("prior_period")
            head.touch(now_us)
            amount = amounts[head.policy.unit] or 0
            if self._post(now_us, head, cell_us, amount):
                flags.add("overrun")
            postings.append((head, cell_us, amount))
        usage_id = ask.get("usage_id") or new_id
        self.records[usage_id] = Record(
            usage_id,
            None,
            usage,
            requests,
            cost,
            rates,
            postings,
            frozenset(flags),
            self._keep(now_us, "record_usage", ask, usage_id),
            attributes,
            min(occurred_us, now_us),
        )
        return Booked(self.records[usage_id])

    def correct(
        self, now_us: int, usage_id: str, ask: Asked, new_ids: tuple[str, str] = ("", "")
    ) -> Answer:
        """Reverse a record, once, where it was booked; and book a replacement in its place."""
        ask = {**ask, "": usage_id}
        known = self._known("correct", ask, None)
        if isinstance(known, Fault):
            return known
        if known is not None:
            return replace(self.corrections[known], replayed=True)
        record = self.records.get(usage_id)
        if record is None:
            return Fault("NotFound")
        if record.reversed or record.reverses:
            return Fault("Conflict")
        record.reversed = True
        self._keep(now_us, "correct", ask, new_ids[0])
        replacement = None
        amounts = _amounts(0, 0, 0, 0, 0)
        usage: Usage | None = ask.get("replacement")
        requests, cost = 0, None
        if usage is not None:
            requests = ask.get("requests", record.requests)
            cost = _cost(record.rates, usage, requests)
            amounts = _amounts(
                cost, usage.input + usage.output, usage.input, usage.output, requests
            )
        postings = []
        for head in record.heads:
            old: dict[int, int] = {}
            for one, cell_us, spent in record.postings:
                if one is head:
                    old[cell_us] = old.get(cell_us, 0) + spent
            postings += self._reposted(
                now_us, head, list(old.items()), amounts[head.policy.unit] or 0
            )
        reversal = Record(
            new_ids[0], record.allocation_id, record.usage, -record.requests, record.cost,
            record.rates, [], frozenset(), None, record.attributes, record.occurred_us,
            reverses=True,
        )  # fmt: skip
        self.records[new_ids[0]] = reversal
        if usage is not None:
            replacement = Record(
                new_ids[1], record.allocation_id, usage, requests, cost, record.rates, postings,
                frozenset(), None, record.attributes, record.occurred_us,
            )  # fmt: skip
            self.records[new_ids[1]] = replacement
        self.corrections[new_ids[0]] = Corrected(record, reversal, replacement)
        return self.corrections[new_ids[0]]

    def _reposted(
        self, now_us: int, head: Head, old: list[tuple[int, int]], amount: int
    ) -> list[tuple[Head, int, int]]:
        """The new amount in the windows of the old one, in their order; more goes to the last."""
        postings = []
        for number, (cell_us, was) in enumerate(old, 1):
            take = amount if number == len(old) else min(amount, was)
            amount -= take
            if take != was:
                head.touch(now_us)
            if take > was:
                self._post(now_us, head, cell_us, take - was)
            else:
                head.cells[cell_us].spent -= was - take
            postings.append((head, cell_us, take))
        return postings


def partition_of(per: tuple[str, ...], attributes: Mapping[str, str]) -> str:
    """The name of a partition: what its calls have in common, missing attributes as null."""
    return json.dumps({key: attributes.get(key) for key in per}, separators=(",", ":"))


def _cost(rates: Rates | None, usage: "Usage", requests: int) -> int | None:
    """What usage costs; without a price only nothing is known to cost nothing."""
    if rates is not None:
        return rates.cost(usage, requests)
    return None if usage.input or usage.output or requests else 0


def _amounts(
    usd: int | None,
    tokens: int | None,
    input_tokens: int | None,
    output_tokens: int | None,
    requests: int | None,
) -> Amounts:
    return dict(zip(UNITS, (usd, tokens, input_tokens, output_tokens, requests), strict=True))


def _less(left: Amounts, used: Amounts) -> None:
    for unit in HELD:
        before = left[unit]
        if before is not None:
            left[unit] = max(0, before - (used.get(unit) or 0))


def _more(left: Amounts, added: Amounts) -> None:
    for unit in HELD:
        before = left[unit]
        if before is not None:
            left[unit] = before + (added.get(unit) or 0)
