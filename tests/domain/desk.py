"""A desk: balances side by side, and calls held on and charged to them, with no database.

It does for the domain what a batch of the ledger does: brings the balances to now, hands them to
`decide` and `facts`, and applies what these decide.
"""

from datetime import datetime
from typing import Any, Final

from budget.domain import decide, facts
from budget.domain.allocations import Amounts, Held, Holding, State, Terms
from budget.domain.balances import Balance, Cell, Posting
from budget.domain.budgets import Policy, TopUp
from budget.domain.decide import Decided, Refused
from budget.domain.policy_terms import parse_policy

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
TTL: Final = 15 * MINUTE

Figures = tuple[int, int, int]
"""Spent, reserved, assumed."""


def us(text: str) -> int:
    """An instant in UTC: "2026-05-15 12:00"."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND


NOON: Final = us("2026-05-15 12:00")
"""A Friday."""
MIDNIGHT: Final = us("2026-05-16 00:00")


def policy(
    unit: str = "tokens",
    period: str = "daily",
    limit: int = 100,
    *,
    created_us: int = us("2026-05-01 00:00"),
    **more: Any,
) -> Policy:
    """A hard limit of 100 tokens a day, unless said otherwise."""
    written = {"unit": unit, "period": period, "limit": limit, **more}
    return parse_policy(
        written, policy_id=f"{unit}-{period}", budget_id="b", per=(), now_us=created_us
    )


def top_up(amount: int, at_us: int, until_us: int, partition: str | None = None) -> TopUp:
    """A raise of a limit."""
    return TopUp("top", "p", partition, amount, at_us, until_us, "ann", "release day")


def amounts(**stated: int) -> tuple[Amounts, Held]:
    """What is stated, in every unit; `tokens` count in full as input and as output too."""
    tokens = stated.get("tokens")
    wanted = Amounts(
        stated.get("usd"),
        tokens,
        stated.get("input_tokens", tokens),
        stated.get("output_tokens", tokens),
        stated.get("requests"),
    )
    return wanted, Held(wanted.usd, wanted.tokens, wanted.requests)


class Desk:
    """Balances of policies, by name, at a time that is moved by hand."""

    def __init__(self, *, now_us: int = NOON, **policies: Policy) -> None:
        self.now_us = now_us
        self.names = {name: at for at, name in enumerate(policies)}
        self.balances = {
            at: Balance(at, policy, "{}") for at, policy in enumerate(policies.values())
        }
        self.move_to(now_us)

    def move_to(self, now_us: int) -> None:
        """Let it be another time."""
        self.now_us = now_us
        for balance in self.balances.values():
            balance.open(now_us)

    def balance(self, name: str) -> Balance:
        """The balance of that name."""
        return self.balances[self.names[name]]

    def figures(self, name: str) -> Figures:
        """What a balance shows now."""
        balance = self.balance(name)
        return balance.spent, balance.reserved, balance.assumed

    def closed(self, name: str, at_us: int) -> Cell:
        """The closed window (the bucket) of a balance that an instant lies in."""
        balance = self.balance(name)
        if balance.policy.rolling:
            return balance.cells[at_us - at_us % balance.policy.bucket_us]
        return balance.cells[balance.policy.window_of("{}", at_us).start_us]

    # --- Acts ------------------------------------------------------------------------------------

    def place(
        self,
        *,
        on: tuple[str, ...] = (),
        priority: int = 5,
        ttl_us: int = TTL,
        parent: Holding | None = None,
        envelope: bool = False,
        **stated: int,
    ) -> Holding:
        """A hold that must be admitted; on the balances named, or on all."""
        decision = self.ask(
            on=on, priority=priority, ttl_us=ttl_us, parent=parent, envelope=envelope, **stated
        )
        assert not isinstance(decision, Refused), decision
        state, postings, parent_state = decision
        holding = Holding(terms(priority, envelope, parent), state)
        self.apply(Decided(postings, []))
        if parent is not None and parent_state is not None:
            parent.state = parent_state
        return holding

    def refused(self, **asked: Any) -> Refused:
        """The refusal of a hold that must not be admitted."""
        decision = self.ask(**asked)
        assert isinstance(decision, Refused), decision
        return decision

    def ask(
        self,
        *,
        on: tuple[str, ...] = (),
        priority: int = 5,
        ttl_us: int = TTL,
        parent: Holding | None = None,
        envelope: bool = False,
        **stated: int,
    ) -> tuple[State, list[Posting], State | None] | Refused:
        """What `decide.place` says; nothing is changed."""
        wanted, held = amounts(**stated)
        met = [self.balance(name) for name in on or self.names]
        if envelope:
            met = [balance for balance in met if balance.policy.holds_envelopes]
        return decide.place(
            wanted, held, met, priority=priority, ttl_us=ttl_us, now_us=self.now_us,
            parent=parent, by_head=self.balances,
        )  # fmt: skip

    def extend(
        self, holding: Holding, *, parent: Holding | None = None, ttl_us: int | None = None,
        more_output_tokens: int | None = None, **stated: int,
    ) -> Decided | Refused:  # fmt: skip
        """More time or money; a refusal changes nothing."""
        more, more_held = amounts(**{"usd": 0, "tokens": 0, "requests": 0, **stated})
        decision = decide.extend(
            holding, more, more_held, self.balances,
            ttl_us=ttl_us, now_us=self.now_us, parent=parent,
            more_output_tokens=more_output_tokens,
        )  # fmt: skip
        if isinstance(decision, Decided):
            self.apply(decision)
        return decision

    def record(
        self, holding: Holding, *, final: bool = False, parent: Holding | None = None, **used: int
    ) -> Decided:
        """Usage on a hold."""
        decided = facts.record(
            holding, amounts(**used)[0], self.balances, usage_id="use", final=final,
            now_us=self.now_us, parent=parent,
        )  # fmt: skip
        self.apply(decided)
        return decided

    def settle(self, holding: Holding, *, parent: Holding | None = None, **used: int) -> Decided:
        """The final usage on a hold."""
        return self.record(holding, final=True, parent=parent, **used)

    def release(self, holding: Holding, *, parent: Holding | None = None) -> None:
        """Return the rest of a hold."""
        self.apply(facts.release(holding, self.balances, parent=parent))

    def expire(self, holding: Holding, *, parent: Holding | None = None) -> None:
        """End a hold whose time is up."""
        self.apply(facts.expire(holding, self.balances, parent=parent))

    def report(self, *, occurred_us: int | None = None, **used: int) -> Decided:
        """Usage that nobody reserved, on every balance; closed windows are there when asked for."""
        places = []
        for balance in self.balances.values():
            place = facts.cell_of(balance, occurred_us, self.now_us)
            if place.cell_us is not None and not balance.policy.rolling:
                window = balance.policy.window_of("{}", place.cell_us)
                if place.cell_us != balance.start_us:
                    balance.cells.setdefault(place.cell_us, Cell(end_us=window.end_us))
            places.append((balance, place))
        decided = facts.report(amounts(**used)[0], places, self.balances)
        self.apply(decided)
        return decided

    def correct(self, name: str, booked: list[tuple[int, int]], **used: int) -> Decided:
        """Reverse what a record spent on one balance, by cell, and book other usage instead."""
        decided = facts.correct({self.names[name]: booked}, amounts(**used)[0], self.balances)
        self.apply(decided)
        return decided

    def apply(self, decided: Decided) -> None:
        """Post, and take the new states over."""
        for posting in decided.postings:
            self.balances[posting.head_id].post(posting)
        for holding, state in decided.states:
            holding.state = state


def terms(priority: int = 5, envelope: bool = False, parent: Holding | None = None) -> Terms:
    """Terms of which only these matter to decisions."""
    return Terms(
        allocation_id="run" if envelope else "call", actor="ann", placed_us=NOON, attributes={},
        provider=None, model=None, priority=priority, envelope=envelope,
        parent_id=None if parent is None else parent.terms.allocation_id, rates=None,
        first=Held(), first_granted_output_tokens=None, input_tokens=None, request_hash="",
        metadata="{}", attributes_json="{}",
    )  # fmt: skip


def left(holding: Holding) -> list[int]:
    """What each leg of a hold still holds, in order."""
    return [leg.left for leg in holding.state.legs]
