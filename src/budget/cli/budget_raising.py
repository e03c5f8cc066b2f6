"""`budget budgets top-up`, `request`, `requests`, `approve` and `reject`: more, for a while.

Not here: changing a limit for good (`budget_making`, `limits`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli.balance_words import partition_words
from budget.cli.books import open_budget
from budget.cli.budget_words import limit_words
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page, spoken
from budget.cli.naming import budget_names, find_budget, find_policy
from budget.cli.tables import Column, Row, show
from budget.cli.typed import (
    parse_amount,
    parse_partition,
    parse_seconds,
    parse_until,
    typed_as,
)
from budget.domain import wire
from budget.domain.answers_requests import STATUSES, TopUpRequest
from budget.domain.asks_budgets import ApproveAsk, RequestAsk
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import InvalidInput
from budget.domain.windows import MAX_US
from budget.domain.wire.parts import amount as in_json
from budget.domain.wire.parts import amount_text
from budget.domain.wire.requests import changed_top_up_request, top_up_request

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

_TYPED: Final = {
    "amount": "AMOUNT", "reason": "--reason", "until": "--until", "partition": "--partition",
    "policy_id": "--policy-id", "expires_in_seconds": "--expires", "note": "--note",
}  # fmt: skip
_REQUESTS: Final = (
    Column("Request"),
    Column("Asked", rank=4),
    Column("Status"),
    Column("Amount", "amount"),
    Column("Unit"),
    Column("Budget", folds=True),
    Column("Partition", optional=True, folds=True, rank=2),
    Column("Until", optional=True, rank=3),
    Column("By", rank=5),
    Column("Reason", folds=True),
    Column("Decision", optional=True, folds=True, rank=6),
)
_MOODS: Final = {"pending": "warn"}

Words = Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Which:
    """Which of a budget's limits is meant.

    Parameters
    ----------
    period:
        Which of the budget's limits: that of this period.
    unit:
        Which of the budget's limits: that of this unit.
    policy_id:
        Which of the budget's limits, by its id.
    """

    period: str | None = None
    unit: str | None = None
    policy_id: str | None = None


_ANY: Final = Which()


def top_up(
    budget: str,
    amount: str,
    /,
    *,
    reason: str | None = None,
    until: str | None = None,
    partition: Words = (),
    which: Which = _ANY,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Raise a limit for now, or until a date; the books tell who did, and why.

    Parameters
    ----------
    budget:
        Its id, or its name where no other budget has it.
    amount:
        How much more: USD such as 12.50, or a whole number for the other units.
    reason:
        Why; kept with the top-up. Required.
    until:
        For every period that begins before this day or time; for the present one unless given.
    partition:
        For whom alone, where the budget is split, such as user=ann; user= is calls without one.
    """
    why = _reason(reason)
    with open_budget(face) as books, typed_as(**_TYPED):
        of = find_budget(books, budget)
        policy = _limit_of(books, of, which)
        made = books.top_up(
            policy.policy_id,
            amount=parse_amount(amount, policy.unit, "AMOUNT"),
            reason=why,
            until=None if until is None else parse_until(until),
            partition=parse_partition(partition) if partition else None,
        )
    if face.json:
        face.print_json(wire.made_top_up(made, policy.unit))
        return 0
    whom = "" if made.partition is None else f", for {partition_words(made.partition)}"
    ends = _ends(made.until_us, policy)
    face.print(
        f"Raised {limit_words(policy)} of {of.name!r} by "
        f"{amount_text(made.amount, policy.unit)}{whom}, {ends}."
    )
    return 0


def request(
    budget: str,
    amount: str,
    /,
    *,
    reason: str | None = None,
    until: str | None = None,
    partition: Words = (),
    which: Which = _ANY,
    expires: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Ask for more: somebody with the right to manage budgets grants or declines it.

    Parameters
    ----------
    budget:
        Its id, or its name where no other budget has it.
    amount:
        How much more: USD such as 12.50, or a whole number for the other units.
    reason:
        Why. Required.
    until:
        For every period that begins before this day or time; for that of the grant unless given.
    partition:
        For whom alone, where the budget is split, such as user=ann; user= is calls without one.
    expires:
        How long it waits for a decision, such as 2d; a week unless given.
    """
    asked: RequestAsk = {"reason": _reason(reason)}
    if until is not None:
        asked["until"] = parse_until(until)
    if partition:
        asked["partition"] = parse_partition(partition)
    if expires is not None:
        asked["expires_in_seconds"] = parse_seconds(expires, "--expires")
    with open_budget(face) as books, typed_as(**_TYPED):
        of = find_budget(books, budget)
        policy = _limit_of(books, of, which)
        asked["policy_id"] = policy.policy_id
        asked["amount"] = parse_amount(amount, policy.unit, "AMOUNT")
        made = books.make_request(of.budget_id, **asked)
    if face.json:
        face.print_json(changed_top_up_request(made))
    elif face.quiet:
        face.print(made.request_id)
    else:
        face.print(
            f"Asked for {amount_text(made.amount, made.unit)} more of {of.name!r} "
            f"({limit_words(policy)}): {made.request_id} waits for a decision until "
            f"{spoken(made.expires_us)}."
        )
        face.note(f"`budget budgets approve {made.request_id}` grants it.")
    return 0


def _limit_of(books: "Books", budget: Budget, which: Which) -> Policy:
    """The limit named; where none is, the only one that refuses, else the only one."""
    hard = [policy for policy in budget.live_policies if policy.hard]
    if which == _ANY and len(hard) == 1:
        return hard[0]
    return find_policy(
        books, budget.budget_id, period=which.period, unit=which.unit, policy_id=which.policy_id
    )


def requests(
    *,
    budget: str | None = None,
    status: str = "pending",
    limit: int = 100,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List what was asked for: what waits for a decision, unless asked for others.

    Parameters
    ----------
    budget:
        Only of this budget: its id or its name.
    status:
        pending, approved, rejected, withdrawn, expired or all.
    limit:
        How many to show at most.
    """
    if status not in (*STATUSES, "all"):
        raise InvalidInput("--status", f"{status[:80]!r} is not known.", (*STATUSES, "all"))
    wanted = None if status == "all" else status
    with open_budget(face) as books:
        of = None if budget is None else find_budget(books, budget, "--budget").budget_id
        page = gather(
            lambda most, at: books.requests(status=wanted, budget_id=of, limit=most, cursor=at),
            limit,
        )
        names = {} if face.json else budget_names(books, (one.budget_id for one in page.items))
    if face.json:
        print_page(face, page, top_up_request)
    elif page.items:
        show(face, _REQUESTS, [_request_row(one, names, face) for one in page.items])
        note_rest(face, page)
    elif status == "pending":
        face.note("Nothing waits for a decision. --status all shows what was asked for before.")
    else:
        face.note("No request to show.")
    return 0


def approve(
    request_id: str,
    /,
    *,
    amount: str | None = None,
    until: str | None = None,
    note: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Grant what was asked for, or less. What one asked for oneself another must grant.

    Parameters
    ----------
    request_id:
        Its id, as `budget budgets requests` shows it.
    amount:
        Less than was asked for.
    until:
        Until when, in place of what was asked for: a day or a time.
    note:
        A word on why.
    """
    asked: ApproveAsk = {}
    if until is not None:
        asked["until"] = parse_until(until)
    if note is not None:
        asked["note"] = note
    with open_budget(face) as books, typed_as(**{**_TYPED, "amount": "--amount"}):
        if amount is not None:
            unit = books.request(request_id).unit
            asked["amount"] = parse_amount(amount, unit, "--amount")
        done = books.approve_request(request_id, **asked)
        name = books.budget(done.budget_id).name
    if face.json:
        face.print_json(changed_top_up_request(done))
        return 0
    granted = done.amount if done.granted is None else done.granted
    less = f" of {amount_text(done.amount, done.unit)} asked for" if granted < done.amount else ""
    until_us = done.granted_until_us
    ends = "for ever" if until_us is None or until_us >= MAX_US else f"until {spoken(until_us)}"
    face.print(f"Granted {amount_text(granted, done.unit)}{less} to {name!r}, {ends}.")
    return 0


def reject(
    request_id: str,
    /,
    *,
    reason: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Decline what was asked for.

    Parameters
    ----------
    request_id:
        Its id, as `budget budgets requests` shows it.
    reason:
        Why; whoever asked reads it. Required.
    """
    why = _reason(reason)
    with open_budget(face) as books, typed_as(**_TYPED):
        done = books.reject_request(request_id, reason=why)
    if face.json:
        face.print_json(changed_top_up_request(done))
    else:
        face.print(f"Declined {done.request_id}: {amount_text(done.amount, done.unit)} more.")
    return 0


def _reason(text: str | None) -> str:
    if text is None or not text.strip():
        raise InvalidInput("--reason", "is required: say why, in a few words.")
    return text


def _ends(until_us: int, policy: Policy) -> str:
    if until_us >= MAX_US:
        return "for ever"
    until = spoken(until_us)
    return f"until {until}" if policy.rolling else f"for windows that begin before {until}"


def _request_row(one: TopUpRequest, names: dict[str, str], face: Face) -> Row:
    partition = "" if one.partition is None else partition_words(one.partition)
    decision = one.decision or ""
    if one.granted is not None and one.granted != one.amount:
        decision = f"{in_json(one.granted, one.unit)} {decision}".strip()
    return Row(
        (
            one.request_id,
            moment(face, one.created_us),
            one.status,
            str(in_json(one.amount, one.unit)),
            one.unit,
            names.get(one.budget_id, one.budget_id),
            partition,
            moment(face, one.until_us),
            one.actor,
            one.reason,
            decision,
        ),
        _MOODS.get(one.status, ""),
    )
