"""The report of a replay, for people. Not here: the figures themselves (`outcome`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from budget.cli.driver import Refused, Tally
from budget.cli.face import Face
from budget.cli.outcome import Outcome, PolicyOutcome, nine_places, percentile_ms
from budget.cli.status import mood, partition_text, resets_text
from budget.cli.tables import Column, Row, counted, show

COLUMNS: Final = (
    Column("Budget", folds=True),
    Column("Partition", optional=True, folds=True),
    Column("Period"),
    Column("Unit"),
    Column("Spent", "amount"),
    Column("Limit", "amount"),
    Column("Left", "amount", rank=1),
    Column("Refused", "amount"),
    Column("Overshoot", "amount"),
)
MAX_BALANCES: Final = 20
"""A budget split by session or user may have thousands: only the fullest are shown."""


def report(face: Face, tally: Tally, outcome: Outcome | None, session: str) -> None:
    """Print what a run came to; without an outcome, what was seen of it from here."""
    decided = tally.admitted + tally.refused
    rate = f"{decided / tally.seconds:,.0f}" if tally.seconds else "0"
    face.print(f"{counted(decided, 'call')} in {tally.seconds:.1f} s: {rate} calls/s")
    face.print(f"admitted  {tally.admitted:,}")
    face.print(f"refused   {tally.refused:,}")
    if tally.retried:
        face.print(f"sent again, after no answer or a 503: {tally.retried:,}")
    if tally.released:
        face.print(f"released without being made: {tally.released:,}")
    if tally.open_ids:
        face.print(f"perhaps still held, for 15 minutes at most: {len(tally.open_ids):,}")
    if tally.unanswered_ids:
        face.print(f"settled without an answer, so perhaps booked: {len(tally.unanswered_ids):,}")
    face.print()
    if outcome is not None:
        _show_policies(face, outcome.policies)
    for refused in tally.refusals.values():
        face.print(_first_refusal(refused, pretty=face.pretty))
    if tally.refusals:
        face.print()
    _say_verdicts(face, tally, outcome)
    for act, took in (("allocate", tally.allocate_seconds), ("settle  ", tally.settle_seconds)):
        p50, p99 = percentile_ms(took, 0.50), percentile_ms(took, 0.99)
        if p50 is not None and p99 is not None:
            face.print(f"{act}  p50 {p50:.2f} ms  p99 {p99:.2f} ms")
    face.note(f"Booked under session {session}.")


def _show_policies(face: Face, policies: Sequence[PolicyOutcome]) -> None:
    if not policies:
        face.print("No limit applies to these calls; nothing was held. Set one first.")
        return
    fullest = sorted(
        policies, key=lambda policy: float(policy.balance["used_fraction"] or 0), reverse=True
    )
    if len(policies) > MAX_BALANCES:
        policies = fullest[:MAX_BALANCES]
    show(face, COLUMNS, [_row(policy) for policy in policies])
    if len(fullest) > len(policies):
        face.print(f"and {counted(len(fullest) - len(policies), 'emptier balance')}")
    face.print()


def _row(policy: PolicyOutcome) -> Row:
    balance = policy.balance
    over = nine_places(policy.overshoot) if balance["unit"] == "usd" else str(policy.overshoot)
    return Row(
        (
            balance["budget"],
            partition_text(balance["partition"]),
            balance["period"],
            balance["unit"],
            str(balance["spent"]),
            str(balance["limit"]),
            str(balance["remaining"]),
            str(policy.refused),
            over if policy.overshoot else "0",
        ),
        "over" if policy.overshoot else mood(balance),
    )


def _first_refusal(refused: Refused, *, pretty: bool) -> str:
    first = refused.first
    calls = counted(refused.calls, "call")
    if first.get("policy") is None:
        return f"{first['code']}: {calls}. The first, line {refused.line}: {first['detail']}"
    resets = first.get("resets_at")
    assumed = "" if first["assumed"] in (0, "0.00") else f", {first['assumed']} assumed"
    return (
        f"{first['budget']}, {first['policy']}, refused {calls}. The first, line {refused.line}, "
        f"asked for {first['requested']} {_unit(first)} with {first['spent']} spent{assumed} and "
        f"{first['reserved']} held of {first['limit']}: {first['shortfall']} too much. "
        + (f"Resets {resets_text(resets, pretty=pretty)}." if resets else "It never resets.")
    )


def _unit(line: Mapping[str, Any]) -> str:
    return "USD" if line["unit"] == "usd" else str(line["unit"]).replace("_", " ")


def _say_verdicts(face: Face, tally: Tally, outcome: Outcome | None) -> None:
    face.print(f"true cost of what was settled  {nine_places(tally.true_nanos)} USD")
    books = "could not be asked, so nothing was compared"
    if outcome is not None:
        verdict = "agree to the nano-USD" if outcome.agrees else "DIFFER"
        books = f"{nine_places(outcome.books_nanos)} USD  {verdict}"
    face.print(f"the service's books            {books}")
    if outcome is not None and outcome.books_calls != tally.settled:
        settled = counted(tally.settled, "call")
        face.print(f"settled {settled}, but the books have {outcome.books_calls:,}")
    for line, ours, theirs in tally.differing[:3]:
        shown = ["no price" if nanos is None else nine_places(nanos) for nanos in (ours, theirs)]
        face.print(f"line {line}: {shown[0]} by its prices, {shown[1]} in its books")
    if tally.unpriced:
        face.print(f"calls of models without a known price: {tally.unpriced:,}")
    if outcome is not None:
        over = "none" if not outcome.overshoots else "A HARD LIMIT WAS EXCEEDED"
        face.print(f"overshoot of hard limits       {over}")
