"""`budget simulate`: limits tried on the calls of the past. Nothing is booked."""

import time
from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.balance_words import partition_words
from budget.cli.books import open_budget
from budget.cli.dates import span
from budget.cli.face import Face
from budget.cli.naming import find_budget
from budget.cli.sparks import spark
from budget.cli.tables import Column, Row, counted, show
from budget.cli.typed import parse_amount, parse_pairs, typed_as
from budget.domain import wire
from budget.domain.answers_trials import Counted, Simulation, TriedCall, TriedLimit
from budget.domain.attributes import parse_key
from budget.domain.budgets import BPS
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.policy_terms import parse_unit
from budget.domain.windows import parse_period, to_rfc3339
from budget.domain.wire.trials import simulation

_HINDERED: Final = (
    Column("Calls", "amount"),
    Column("Refused", "amount"),
    Column("Cost of these", "amount"),
    Column("Over", "amount", optional=True),
    Column("Cost USD", "amount", rank=1),
)
_LIMITS: Final = (
    Column("Limit", folds=True),
    *_HINDERED[:4],
    Column("Fullest %", "amount"),
    Column("On", rank=2),
)
_DAYS: Final = (Column("Day"), *_HINDERED)
_GROUPS: Final = (Column("Who", folds=True), *_HINDERED)


def simulate(
    *,
    limit: Annotated[tuple[str, ...], Parameter(metavar="AMOUNT/PERIOD")] = (),
    unit: str | None = None,
    scope: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    per: tuple[str, ...] = (),
    hard: bool = False,
    budget: str | None = None,
    since: Annotated[str | None, Parameter(name=("--from", "--since"))] = None,
    until: Annotated[str | None, Parameter(name=("--to", "--until"))] = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Try limits on the calls of the past; nothing is booked.

    Parameters
    ----------
    limit:
        A limit to try, such as 50/daily; may be given several times. Without any, the limits in
        force are tried.
    unit:
        What it limits: usd unless given, tokens, input_tokens, output_tokens or requests.
    scope:
        Only for calls with this attribute, such as team=search; may be given several times.
    per:
        A limit for each value of this attribute, such as user; may be given several times.
    hard:
        What goes beyond is refused, and so not spent; without it, it is counted.
    budget:
        Try the limits of this budget: its id or its name.
    since:
        From when on: a day (midnight UTC), a time such as 2026-11-25T12:00:00Z, or 7d: so
        long ago; 30 days before the end unless given.
    until:
        Until when, itself left out; now unless given.
    """
    ask: dict[str, Any] = dict(span(since, until))
    if limit:
        ask |= {
            "policies": [_parse_limit(text, unit or "usd", hard=hard) for text in limit],
            "scope": parse_pairs(scope, "--scope"),
            "per": [parse_key(key, "--per") for key in per],
        }
        if budget is not None:
            raise InvalidInput("--budget", "names limits that are in force; leave out --limit.")
    elif scope or per or hard or unit is not None:
        raise InvalidInput("--limit", "is needed: which limit to try, such as 50/daily.")
    told = _run(face, ask, budget)
    if face.json:
        face.print_json(simulation(told))
    else:
        _show(face, told)
    return exits.OK


def _parse_limit(text: str, unit: str, *, hard: bool) -> dict[str, Any]:
    amount, slash, period = text.partition("/")
    if not slash:
        raise InvalidInput(
            "--limit", f"{text[:80]!r} is not an amount and a period, such as 50/daily."
        )
    named = parse_unit(unit, "--unit")
    return {
        "unit": named,
        "limit": parse_amount(amount, named, "--limit"),
        "period": parse_period(period.strip(), "--limit").text,
        "enforcement": "hard_limit" if hard else "warn",
    }


def _run(face: Face, ask: dict[str, Any], budget: str | None) -> Simulation:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Trying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with face.progress(*columns) as progress, open_budget(face) as books:
        bar = progress.add_task("", total=None)
        if budget is not None:
            ask["budget_id"] = find_budget(books, budget, "--budget").budget_id
        began = time.monotonic()
        with typed_as(policies="--limit", scope="--scope", per="--per", budget_id="--budget"):
            told = books.simulate(
                **ask,
                progress=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        took = time.monotonic() - began
    if took > 1:
        face.note(f"{told.total.calls:,} calls, {told.total.calls / took:,.0f} a second.")
    return told


def _show(face: Face, told: Simulation) -> None:
    total = told.total
    since, until = to_rfc3339(told.since_us)[:16], to_rfc3339(told.until_us)[:16]
    face.print(f"{counted(total.calls, 'call')} from {since}Z to {until}Z.")
    if told.limits:
        show(face, _LIMITS, [_limit_row(one) for one in told.limits])
    days = [one for one in told.days if one.counted.refused or one.counted.over]
    if days:
        show(face, _DAYS, [_row(to_rfc3339(one.day_us)[:10], one.counted) for one in days])
        if face.pretty:
            hindered = [one.counted.refused + one.counted.over for one in told.days]
            face.print(f"By day  {spark(hindered, 31)}")
        show(face, _GROUPS, [_row(f"{one.key}={one.value}", one.counted) for one in told.groups])
    if told.first is not None:
        face.print(_first_text(told.first, told.limits))
    face.print(_sum_text(total, bool(told.limits)))


def _limit_row(one: TriedLimit) -> Row:
    full = one.fullest
    policy = one.policy
    name = (
        f"{one.budget}: {wire.amount_text(one.limit, policy.unit)} {policy.period.text} "
        f"({policy.enforcement})"
    )
    used = "-" if full is None or not full.limit else _percent(full.used * BPS // full.limit)
    mood = "over" if one.counted.refused else "warn" if one.counted.over else ""
    sums = _cells(one.counted)[:4]
    return Row((name, *sums, used, "" if full is None else to_rfc3339(full.at_us)[:16]), mood)


def _percent(bps: int) -> str:
    return f"{bps // 100}.{bps % 100 // 10}"


def _row(name: str, sums: Counted) -> Row:
    return Row((name, *_cells(sums)), "over" if sums.refused else "")


def _cells(sums: Counted) -> tuple[str, ...]:
    return (
        str(sums.calls),
        str(sums.refused),
        format_usd(sums.refused_nanos),
        str(sums.over),
        format_usd(sums.cost_nanos),
    )


def _first_text(first: TriedCall, limits: tuple[TriedLimit, ...]) -> str:
    unit = next(one.policy.unit for one in limits if one.policy.policy_id == first.policy_id)
    who = " ".join(
        f"{key}={value}" for key, value in first.attributes.items() if key in ("user", "team",
        "component", "model")
    )  # fmt: skip
    split = partition_words(first.partition)
    return (
        f"The first refusal: {to_rfc3339(first.at_us)}, {first.call_id}"
        f"{f' ({who})' if who else ''}, asked {wire.amount_text(first.requested, unit)}; spent "
        f"{wire.amount_text(first.spent, unit)} and held {wire.amount_text(first.reserved, unit)} "
        f"of {wire.amount_text(first.limit, unit)}{f' for {split}' if split else ''}."
    )


def _sum_text(total: Counted, any_limit: bool) -> str:
    if not any_limit:
        return "There is no limit to try. --limit 50/daily tries one."
    if total.refused:
        return (
            f"{counted(total.refused, 'call')} would have been refused, which cost "
            f"{format_usd(total.refused_nanos)} of {format_usd(total.cost_nanos)} USD."
        )
    if total.over:
        return (
            f"{counted(total.over, 'call')} would have gone beyond it, refused by nothing; --hard "
            "tries what refusing them would save."
        )
    return "Nothing would have been refused, nor gone beyond."
