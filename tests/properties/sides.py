"""Two sides that carry out the same commands: the engine, and the model.

Both answer in the same plain form: allocations, usage records and policies by their number, the
first being 0; amounts as integers; what has no order as a set. So `==` is the whole comparison.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, TypeVar

from budget.domain.answers import (
    Allocation,
    BalanceView,
    Check,
    Correction,
    Receipt,
    Refusal,
)
from budget.domain.budgets import TopUp
from budget.domain.errors import (
    Conflict,
    InvalidInput,
    KeyReused,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)
from budget.domain.pricing import Rates
from budget.engine import housekeeping
from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.properties import model, steps
from tests.properties.model import DAY, NEVER, Usage

Outcome = dict[str, Any]

Told = TypeVar("Told")

MAX_ASKED_AGAIN = 20

BOOK = PriceBook(
    None,
    overrides={
        ("acme", name): Rates(
            rates.input,
            rates.output,
            rates.cache_read,
            rates.cache_write,
            rates.cache_write_1h,
            rates.reasoning,
            rates.request,
        )
        for name, rates in steps.PRICES.items()
    },
)


def patiently(ask: Callable[[], Told]) -> Told:
    """What is told in the end, of a machine too busy to answer at once: nothing was booked then."""
    for _ in range(MAX_ASKED_AGAIN):
        try:
            return ask()
        except OutcomeUnknown:
            raise
        except Unavailable:
            continue
    return ask()


class Clock:
    """The books' clock, and the steady one beside it, in microseconds."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.steady_us = 0

    def __call__(self) -> int:
        return self.now_us

    def advance(self, us: int) -> None:
        """Time passes."""
        self.now_us += us
        self.steady_us += us

    def jump(self, us: int) -> None:
        """The clock is set."""
        self.now_us += us

    def time(self) -> SimpleNamespace:
        """What stands in for the module `time` where the engine asks how much has really passed.

        A fraction and not a float, so that five minutes are five minutes.
        """
        return SimpleNamespace(monotonic=lambda: Fraction(self.steady_us, 1_000_000))


# --- The engine ----------------------------------------------------------------------------------


class EngineSide:
    """The engine, through its facade, on a database that is there already."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self.opened: list[Budget] = []
        self.budget = self._open()
        self.allocations: list[str] = []
        self.envelopes: list[int] = []
        self.records: list[str] = []
        self.policies: list[str] = []

    def _open(self) -> Budget:
        vars(housekeeping)["time"] = self.clock.time()
        self.opened.append(Budget.open(self.url, clock=self.clock, prices=BOOK, sweep=False))
        return self.opened[-1]

    def close(self) -> None:
        """Close everything, also what was left lying; once closed, do nothing."""
        while self.opened:
            self.opened.pop().close()
        vars(housekeeping)["time"] = time

    def create(self, new: steps.NewBudget) -> None:
        """Create a budget."""
        made = patiently(
            lambda: self.budget.create_budget(
                name=f"budget {len(self.policies)}",
                scope={key: list(values) for key, values in new.scope},
                per=list(new.per),
                **_given(policies=[_policy_json(policy) for policy in new.policies]),
                **_given(unpriced=_unpriced_json(new.unpriced)),
            )
        )
        self.policies.extend(policy.policy_id for policy in made.policies)

    def do(self, command: steps.Command) -> Outcome:
        """Carry out a command; errors that a caller can make are outcomes too."""
        vars(housekeeping)["time"] = self.clock.time()
        try:
            return patiently(lambda: self._do(command))
        except (InvalidInput, NotFound, Conflict, KeyReused) as error:
            return {"did": type(error).__name__}

    def _do(self, command: steps.Command) -> Outcome:
        step, budget = command.step, self.budget
        match step:
            case steps.Place():
                return self._placed(command, step)
            case steps.Record():
                return self._answer(
                    budget.record(
                        self._allocation(command),
                        final=step.final,
                        **_usage_json(step.usage),
                        **_given(
                            requests=step.requests,
                            usage_id=f"u{command.serial}" if step.chosen else None,
                        ),
                        **_marks(command, step.keyed),
                    )
                )
            case steps.Release():
                return self._answer(
                    budget.release(
                        self._allocation(command),
                        reason="other" if command.other else "done",
                        idempotency_key=f"k{command.serial}" if step.keyed else None,
                    )
                )
            case steps.Extend():
                ask = {**step.ask, **({"requests": 7} if command.other else {})}
                key = _given(idempotency_key=f"k{command.serial}" if step.keyed else None)
                return self._answer(
                    budget.extend(self._allocation(command), **_ask_json(ask), **key)
                )
            case steps.Report():
                return self._answer(
                    budget.record_usage(
                        **_ask_json(step.ask),
                        **_usage_json(step.usage),
                        **_given(
                            usage_id=f"u{command.serial}" if step.chosen else None,
                            occurred_at=_ago(command, step.ago_us),
                            history=True if step.history else None,
                        ),
                        **_marks(command, step.keyed),
                    )
                )
            case steps.Correct():
                return self._corrected(command, step)
            case steps.Sweep():
                return {"did": "swept", "expired": budget.sweep() > 0}
            case steps.TopUp():
                return self._topped_up(command, step)
            case _:
                self._change(command)
                return {"did": "changed"}

    def _placed(self, command: steps.Command, step: steps.Place) -> Outcome:
        ask = _ask_json(step.ask)
        if step.parent is not None:
            ask["parent_id"] = self._allocation(command)
        if step.chosen:
            ask["allocation_id"] = f"a{command.serial}"
        ask |= _marks(command, step.keyed)
        if step.dry:
            return self._answer(self.budget.check(**ask))
        return self._answer(self.budget.allocate(**ask))

    def _corrected(self, command: steps.Command, step: steps.Correct) -> Outcome:
        replacement: dict[str, int] | None = None
        if step.replacement is not None:
            replacement = {**_usage_json(step.replacement), **_given(requests=step.requests)}
        target = "none" if command.target is None else self.records[command.target]
        return self._answer(
            self.budget.correct(
                target,
                reason="other" if command.other else "wrong",
                replacement=replacement,
                idempotency_key=f"k{command.serial}" if step.keyed else None,
            )
        )

    def _topped_up(self, command: steps.Command, step: steps.TopUp) -> Outcome:
        policy_id = self.policies[command.target or 0]
        policy = self.budget.policy(policy_id)
        partition: dict[str, str | None] | None = None
        if step.attributes is not None:
            partition = {key: step.attributes.get(key) for key in policy.partition_by}
        made: TopUp = self.budget.top_up(
            policy_id,
            amount=_usd(step.amount) if policy.unit == "usd" else step.amount,
            reason="more",
            **_given(
                until=None if step.until_us is None else _rfc3339(self.clock() + step.until_us)
            ),
            **_given(partition=partition),
        )
        return {"did": "topped up", "amount": made.amount, "partition": made.partition}

    def _change(self, command: steps.Command) -> None:
        step, budget = command.step, self.budget
        match step:
            case steps.SetLimit():
                policy_id = self.policies[command.target or 0]
                usd = budget.policy(policy_id).unit == "usd"
                budget.change_policy(policy_id, limit=_usd(step.limit) if usd else step.limit)
            case steps.SetEnforcement():
                budget.change_policy(
                    self.policies[command.target or 0], enforcement=step.enforcement
                )
            case steps.Archive():
                budget.archive_policy(self.policies[command.target or 0])
            case steps.Advance():
                self.clock.advance(step.us)
            case steps.Jump():
                self.clock.jump(step.us)
            case steps.Reopen(crash=True):
                self.budget = self._open()
            case steps.Reopen():
                self.opened.pop().close()
                self.budget = self._open()
            case _:
                raise AssertionError(step)

    def _allocation(self, command: steps.Command) -> str:
        return "none" if command.target is None else self.allocations[command.target]

    # --- Answers -----------------------------------------------------------------------------

    def _answer(self, answer: object) -> Outcome:
        match answer:
            case Allocation():
                if answer.allocation_id not in self.allocations:
                    if answer.envelope:
                        self.envelopes.append(len(self.allocations))
                    self.allocations.append(answer.allocation_id)
                return {
                    "did": "placed",
                    "allocation": self.allocations.index(answer.allocation_id),
                    "replayed": answer.replayed,
                    "status": answer.status,
                    "held": tuple(answer.reserved),
                    "left": tuple(answer.remaining),
                    "granted": answer.granted_output_tokens,
                    "expires_us": answer.expires_us,
                    "legs": self._views(answer.legs),
                }
            case Check():
                return {
                    "did": "checked",
                    "reserved": tuple(answer.reserved),
                    "granted": answer.granted_output_tokens,
                }
            case Refusal():
                return {
                    "did": "refused",
                    "code": answer.code,
                    "unit": answer.unit,
                    "lines": frozenset(
                        (
                            self.policies.index(line.balance.policy.policy_id),
                            line.balance.partition,
                            line.balance.limit,
                            line.balance.spent,
                            line.balance.reserved,
                            line.balance.assumed,
                            line.requested,
                            line.shortfall,
                            None if line.balance.policy.rolling else line.resets_us,
                        )
                        for line in (answer.lines if answer.code == "over_limit" else ())
                    ),
                }
            case Receipt():
                if answer.usage_id not in self.records:
                    self.records.append(answer.usage_id)
                return {
                    "did": "booked",
                    "record": self.records.index(answer.usage_id),
                    "replayed": answer.replayed,
                    "cost": answer.cost_nanos,
                    "flags": frozenset(answer.flags),
                    "status": answer.status,
                    "expires_us": answer.expires_us,
                    "left": answer.remaining and tuple(answer.remaining),
                    "balances": self._views(answer.balances),
                }
            case Correction():
                new = answer.reversal_id not in self.records
                if new:
                    self.records.append(answer.reversal_id)
                    if answer.replacement_id is not None:
                        self.records.append(answer.replacement_id)
                return {
                    "did": "corrected",
                    "replayed": answer.replayed,
                    "cost": answer.cost_nanos,
                }
            case _:
                raise AssertionError(answer)

    def _views(self, views: Iterable[BalanceView]) -> frozenset[tuple[Any, ...]]:
        return frozenset(
            (
                self.policies.index(view.policy.policy_id),
                view.partition,
                None
                if view.policy.rolling or view.window.end_us >= NEVER
                else view.window.start_us,
                view.limit,
                view.spent,
                view.reserved,
                view.assumed,
                view.overrun,
            )
            for view in views
        )

    def status(self, attributes: Mapping[str, str]) -> frozenset[tuple[Any, ...]]:
        """Every balance that calls with these attributes meet."""
        return self._views(self.budget.status(**attributes))

    # --- What lies in the database -----------------------------------------------------------

    def rows(self) -> "Rows":
        """The books as they lie in a SQLite file, read past the engine."""
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"))
        try:
            return read_rows(connection.execute, self)
        finally:
            connection.close()


class Rows(dict[str, Any]):
    """Balances by (policy, partition, cell), allocations by number."""


def read_rows(execute: Callable[[str], Iterable[tuple[Any, ...]]], side: EngineSide) -> Rows:
    """Balances and allocations out of the tables, in the plain form."""
    heads: dict[int, tuple[int, str]] = {}
    cells: dict[tuple[int, str, int], tuple[int, ...]] = {}
    for (
        head_id,
        policy_id,
        partition,
        start,
        end,
        spent,
        reserved,
        assumed,
        overrun,
        buckets,
    ) in execute(
        "SELECT id, policy_id, partition, start_us, end_us, spent, reserved, assumed, overrun, "
        "buckets FROM heads"
    ):
        heads[head_id] = side.policies.index(policy_id), partition
        packed = json.loads(buckets)
        if packed or end == 0:
            for bucket, figures in packed.items():
                cells[*heads[head_id], int(bucket)] = tuple(figures)
        else:
            cells[*heads[head_id], 0 if end >= NEVER else start] = spent, reserved, assumed, overrun
    for head_id, start, spent, reserved, assumed, overrun in execute(
        "SELECT head_id, start_us, spent, reserved, assumed, overrun FROM windows"
    ):
        cells[*heads[head_id], start] = spent, reserved, assumed, overrun
    allocations = {}
    for allocation_id, status, expires_us, usd, tokens, requests, legs in execute(
        "SELECT id, status, expires_us, usd_left, tokens_left, requests_left, legs FROM allocations"
    ):
        held = sorted((*heads[leg[0]], leg[1], leg[3]) for leg in json.loads(legs) if leg[3])
        number = side.allocations.index(allocation_id)
        allocations[number] = status, expires_us, (usd, tokens, requests), held
    return Rows(cells=cells, allocations=allocations)


def _policy_json(policy: steps.NewPolicy) -> dict[str, Any]:
    return {
        "unit": policy.unit,
        "period": policy.period,
        "limit": _usd(policy.limit) if policy.unit == "usd" else policy.limit,
        "enforcement": policy.enforcement,
        "timezone": policy.zone,
        "rollover": "unused" if policy.rollover else "none",
        "reserved_for_priority": {key: f"{percent}%" for key, percent in policy.headroom},
        **_given(on_expiry=policy.on_expiry),
    }


def _unpriced_json(rule: str | model.Rates | None) -> object:
    if not isinstance(rule, model.Rates):
        return rule
    # Pico-USD per token are micro-USD per million tokens.
    return {"input": str(Decimal(rule.input) / 10**6), "output": str(Decimal(rule.output) / 10**6)}


def _ask_json(ask: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(ask)
    if "usd" in given:
        given["usd"] = _usd(given["usd"])
    if "model" in given:
        given["provider"] = "acme"
    return given


def _usage_json(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.read,
        "cache_write_tokens": usage.write,
        "cache_write_1h_tokens": usage.write_1h,
        "reasoning_tokens": usage.reasoning,
    }


def _marks(command: steps.Command, keyed: bool) -> dict[str, Any]:
    key = f"k{command.serial}" if keyed else None
    return _given(idempotency_key=key, metadata={"is": "another"} if command.other else None)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _usd(nanos: int) -> str:
    return f"{Decimal(nanos) / 10**9:f}"


def _ago(command: steps.Command, ago_us: int | None) -> str | None:
    return None if ago_us is None else _rfc3339(command.at_us - ago_us)


def _rfc3339(at_us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.isoformat().replace("+00:00", "Z")


# --- The model -----------------------------------------------------------------------------------


class ModelSide:
    """The model, on a clock of its own that moves alike."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ledger = model.Ledger(steps.PRICES)
        self.allocations: list[model.Allocation] = []
        self.envelopes: list[int] = []
        self.records: list[model.Record] = []
        self.policies: list[model.Policy] = []

    def create(self, new: steps.NewBudget) -> None:
        """Create a budget."""
        policies = [
            model.Policy(
                str(number),
                policy.unit,
                policy.period,
                policy.limit,
                policy.enforcement,
                policy.zone,
                policy.on_expiry or "",
                policy.rollover,
                dict(policy.headroom),
                created_us=self.clock(),
            )
            for number, policy in enumerate(new.policies, len(self.policies))
        ]
        name = f"budget {len(self.policies)}"
        self.policies.extend(policies)
        budget = model.Budget(dict(new.scope), new.per, policies, new.unpriced)
        self.ledger.create_budget(name, budget)

    def do(self, command: steps.Command) -> Outcome:
        """Carry out a command."""
        now_us, ledger, step = self.clock(), self.ledger, command.step
        keyed = getattr(step, "keyed", False)
        ask: dict[str, Any] = {"key": f"k{command.serial}"} if keyed else {}
        if command.other:
            ask["other"] = True
        if isinstance(step, steps.Place | steps.Record | steps.Release | steps.Extend
                      | steps.Report | steps.Correct | steps.Sweep):  # fmt: skip
            ledger.batch(now_us, self.clock.steady_us)
        target = "none" if command.target is None else command.target
        held = "none"
        if isinstance(step, steps.Record | steps.Release | steps.Extend | steps.Place):
            held = "none" if target == "none" else self.allocations[int(target)].allocation_id
        match step:
            case steps.Place():
                return self._placed(command, step, ask, held)
            case steps.Record():
                ask |= {"usage": step.usage, "final": step.final}
                ask |= _given(
                    requests=step.requests, usage_id=f"u{command.serial}" if step.chosen else None
                )
                return self._answer(ledger.record(now_us, held, ask, self._usage_id()))
            case steps.Release():
                return self._answer(ledger.release(now_us, held, ask))
            case steps.Extend():
                ask |= {**step.ask, **({"requests": 7} if command.other else {})}
                return self._answer(ledger.extend(now_us, held, ask))
            case steps.Report():
                ask |= {**step.ask, "usage": step.usage, "history": step.history}
                if step.ago_us is not None:
                    ask["occurred_us"] = command.at_us - step.ago_us
                if step.chosen:
                    ask["usage_id"] = f"u{command.serial}"
                return self._answer(ledger.report(now_us, ask, self._usage_id()))
            case steps.Correct():
                ask |= _given(replacement=step.replacement, requests=step.requests)
                record = "none" if target == "none" else self.records[int(target)].usage_id
                new_ids = f"{self._usage_id()}-", self._usage_id()
                return self._answer(ledger.correct(now_us, record, ask, new_ids))
            case steps.Sweep():
                return {"did": "swept", "expired": bool(ledger.sweep(now_us))}
            case steps.SetLimit() | steps.SetEnforcement() | steps.TopUp() if self.policies[
                command.target or 0
            ].archived:
                return {"did": "Conflict"}
            case steps.TopUp():
                policy = self.policies[command.target or 0]
                partition = None
                if step.attributes is not None:
                    partition = model.partition_of(policy.per, step.attributes)
                until_us = None if step.until_us is None else now_us + step.until_us
                ledger.top_up(now_us, policy.policy_id, step.amount, until_us, partition)
                return {"did": "topped up", "amount": step.amount, "partition": partition}
            case _:
                self._change(command)
                return {"did": "changed"}

    def _placed(
        self, command: steps.Command, step: steps.Place, ask: dict[str, Any], held: str
    ) -> Outcome:
        ask |= step.ask
        if step.parent is not None:
            ask["parent_id"] = held
        if step.chosen:
            ask["allocation_id"] = f"a{command.serial}"
        if step.dry:
            answer = self.ledger.check(self.clock(), ask)
            if isinstance(answer, model.Placed):
                return {
                    "did": "checked",
                    "reserved": _held(answer.allocation.first),
                    "granted": answer.allocation.granted,
                }
            return self._answer(answer)
        return self._answer(self.ledger.place(self.clock(), ask, f"alloc{len(self.allocations)}"))

    def _usage_id(self) -> str:
        return f"use{len(self.records)}"

    def _change(self, command: steps.Command) -> None:
        step, target = command.step, str(command.target)
        match step:
            case steps.SetLimit():
                self.ledger.set_limit(self.clock(), target, step.limit)
            case steps.SetEnforcement():
                self.ledger.set_enforcement(target, step.enforcement)
            case steps.Archive():
                self.ledger.archive_policy(target)
            case steps.Advance():
                self.clock.advance(step.us)
            case steps.Jump():
                self.clock.jump(step.us)
            case steps.Reopen():
                self.ledger.restart()
            case _:
                raise AssertionError(step)

    # --- Answers -----------------------------------------------------------------------------

    def _answer(self, answer: model.Answer) -> Outcome:
        match answer:
            case model.Fault():
                return {"did": answer.name}
            case model.Refused():
                return {
                    "did": "refused",
                    "code": answer.code,
                    "unit": answer.unit,
                    "lines": frozenset(
                        (
                            int(line.policy_id), line.partition, line.limit, line.spent,
                            line.reserved, line.assumed, line.requested, line.shortfall,
                            None if self.policies[int(line.policy_id)].rolling_us
                            else line.resets_us,
                        )
                        for line in answer.lines
                    ),
                }  # fmt: skip
            case model.Placed():
                held = answer.allocation
                if not any(held is known for known in self.allocations):
                    if held.envelope:
                        self.envelopes.append(len(self.allocations))
                    self.allocations.append(held)
                return {
                    "did": "placed",
                    "allocation": self._number(held, self.allocations),
                    "replayed": answer.replayed,
                    "status": held.status,
                    "held": _held(answer.agreed[0] if answer.agreed else held.held),
                    "left": _held(held.left),
                    "granted": answer.agreed[1] if answer.agreed else held.granted,
                    "expires_us": held.expires_us,
                    "legs": self._views((leg.head, leg.cell_us) for leg in held.legs),
                }
            case model.Booked():
                if not any(answer.record is known for known in self.records):
                    self.records.append(answer.record)
                allocation = answer.allocation
                return {
                    "did": "booked",
                    "record": self._number(answer.record, self.records),
                    "replayed": answer.replayed,
                    "cost": answer.record.cost,
                    "flags": answer.record.flags,
                    "status": allocation and allocation.status,
                    "expires_us": allocation and allocation.expires_us,
                    "left": allocation and _held(allocation.left),
                    "balances": self._views(
                        [(leg.head, leg.cell_us) for leg in allocation.legs]
                        if allocation
                        else self._current(answer.record.attributes)
                    ),
                }
            case model.Corrected():
                if not answer.replayed:
                    self.records.append(answer.reversal)
                    if answer.replacement is not None:
                        self.records.append(answer.replacement)
                return {
                    "did": "corrected",
                    "replayed": answer.replayed,
                    "cost": answer.replacement and answer.replacement.cost,
                }

    @staticmethod
    def _number(one: object, among: Iterable[object]) -> int:
        return next(number for number, other in enumerate(among) if other is one)

    def _views(self, places: Iterable[tuple[model.Head, int]]) -> frozenset[tuple[Any, ...]]:
        return frozenset(self.view(head, cell_us) for head, cell_us in places)

    def view(self, head: model.Head, cell_us: int) -> tuple[Any, ...]:
        """One balance: of a window, or of all buckets that count now."""
        now_us, policy = self.clock(), head.policy
        cells = head.live(now_us) if policy.rolling_us else [head.cells.get(cell_us, model.Cell())]
        endless = policy.rolling_us or head.window(cell_us)[1] == NEVER
        return (
            int(policy.policy_id),
            head.partition,
            None if endless else cell_us,
            head.limit(cell_us, now_us),
            sum(cell.spent for cell in cells),
            sum(cell.reserved for cell in cells),
            sum(cell.assumed for cell in cells),
            sum(cell.overrun for cell in cells),
        )

    def status(self) -> frozenset[tuple[Any, ...]]:
        """Every balance of a policy in force, in its current window."""
        heads = [head for head in self.ledger.heads.values() if not head.policy.archived]
        return self._views((head, head.window(head.now(self.clock()))[0]) for head in heads)

    def _current(self, attributes: Mapping[str, str]) -> list[tuple[model.Head, int]]:
        heads = self.ledger.matching(attributes)
        return [(head, head.window(head.now(self.clock()))[0]) for head in heads]

    def rows(self) -> Rows:
        """All balances and allocations."""
        cells = {
            (int(head.policy.policy_id), head.partition, cell_us): (
                cell.spent, cell.reserved, cell.assumed, cell.overrun,
            )
            for head in self.ledger.heads.values()
            for cell_us, cell in head.cells.items()
        }  # fmt: skip
        allocations = {
            number: (
                held.status,
                held.expires_us,
                _held(held.left),
                sorted(
                    (int(leg.head.policy.policy_id), leg.head.partition, leg.cell_us, leg.left)
                    for leg in held.legs
                    if leg.left
                ),
            )
            for number, held in enumerate(self.allocations)
        }
        return Rows(cells=cells, allocations=allocations)

    def shows(self, policy: int, partition: str, cell_us: int) -> bool:
        """Whether a cell counts: buckets that have left need not be kept."""
        head = self.ledger.heads.get((str(policy), partition))
        return head is None or head.counts(cell_us, self.clock())


def _held(amounts: model.Amounts) -> tuple[int | None, ...]:
    return tuple(amounts[unit] for unit in model.HELD)


def comparable(rows: Rows, model_side: ModelSide) -> Rows:
    """Rows without what may be there or not: cells of nothing, buckets that have left."""
    cells = {
        place: figures
        for place, figures in rows["cells"].items()
        if any(figures) and model_side.shows(*place)
    }
    return Rows(cells=cells, allocations=rows["allocations"])


__all__ = ["DAY", "Clock", "EngineSide", "ModelSide", "comparable"]
