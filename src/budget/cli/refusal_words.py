"""A refusal for people: which limits refuse, with their numbers, and what would help.

Not here: why a limit refuses (`domain.decide`); refusals of the past (`refusals`).
"""

from typing import Final

from budget.cli.balance_words import partition_words
from budget.cli.face import Face
from budget.cli.lists import moment
from budget.cli.tables import Column, Row, show
from budget.domain.answers import HiddenLine, Refusal, RefusalLine
from budget.domain.wire.parts import amount

OVER_LIMIT: Final = "over_limit"
_LINES: Final = (
    Column("Refused by", folds=True),
    Column("Partition", optional=True, folds=True),
    Column("Period"),
    Column("Unit"),
    Column("Limit", "amount"),
    Column("Spent", "amount"),
    Column("Reserved", "amount", optional=True),
    Column("Assumed", "amount", optional=True),
    Column("Requested", "amount"),
    Column("Shortfall", "amount"),
    Column("Resets", rank=1),
)


def show_refusal(face: Face, refusal: Refusal) -> None:
    """Print a refusal whole: the sentence, every limit that refuses, what would help."""
    face.print(f"Refused: {refusal.detail}")
    if refusal.every and refusal.code == OVER_LIMIT:
        face.print()
        show(face, _LINES, [_row(line, face) for line in refusal.every])
    helps = ways_out(refusal)
    if helps:
        face.print()
    for sentence in helps:
        face.print(sentence)


def ways_out(refusal: Refusal) -> list[str]:
    """What would help, each as a sentence that can be followed."""
    told = [_raise(line) for line in refusal.lines if refusal.code == OVER_LIMIT]
    if refusal.code == "envelope_exhausted" and refusal.parent_id is not None:
        told.append(f"The envelope {refusal.parent_id} is spent; the next one must be larger.")
    if refusal.code == "model_unpriced" and refusal.model is not None:
        told.append(
            f"Set a price: `budget prices set {refusal.model} --input 1 --output 2 --reason WHY`; "
            "or let the budget allow it: `budget budgets edit BUDGET --unpriced allow`."
        )
    if refusal.cheaper:
        told.append(f"These models would have fitted: {', '.join(refusal.cheaper)}.")
    if refusal.advice:
        told.append(refusal.advice)
    return told


def _raise(line: RefusalLine) -> str:
    policy = line.balance.policy
    missing = amount(line.shortfall, policy.unit)
    return (
        f"To raise the {policy.period.text} limit of {line.balance.budget!r} by the shortfall: "
        f"`budget budgets top-up {policy.budget_id} {missing} --policy-id {policy.policy_id} "
        "--reason WHY`; to ask for that: `request` in place of `top-up`."
    )


def _row(line: RefusalLine | HiddenLine, face: Face) -> Row:
    resets = moment(face, line.resets_us, "no reset helps")
    if isinstance(line, HiddenLine):
        return Row(("(another limit)", "", "", line.unit, *[""] * 6, resets), "over")
    view = line.balance
    unit = view.policy.unit
    figures = (
        view.limit, view.spent, view.reserved, view.assumed, line.requested, line.shortfall,
    )  # fmt: skip
    return Row(
        (
            view.budget,
            partition_words(view.partition),
            view.policy.period.text,
            unit,
            *(str(amount(figure, unit)) for figure in figures),
            resets,
        ),
        "over",
    )
