"""The bill of a program that was run with an envelope: its calls, by model, and what is left."""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from budget.cli.face import Face
from budget.cli.lists import gather
from budget.cli.tables import counted
from budget.domain.allocations import Held
from budget.domain.money import format_usd

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books


class Line(NamedTuple):
    """What calls of one model used."""

    calls: int = 0
    tokens: int = 0
    cost_nanos: int = 0
    unpriced: int = 0

    def plus(self, other: "Line") -> "Line":
        """Both together."""
        return Line._make(a + b for a, b in zip(self, other, strict=True))


class Bill(NamedTuple):
    """What was used by model, and what is left of the envelope."""

    lines: dict[str, Line]
    left: Held


def make(books: "Books", allocation_id: str) -> Bill:
    """The bill of an envelope as it stands."""
    lines: dict[str, Line] = defaultdict(Line)
    children = gather(lambda most, at: books.allocations(
        parent_id=allocation_id, limit=most, cursor=at))  # fmt: skip
    envelope = books.allocation(allocation_id)
    for call_id in (allocation_id, *(one.allocation_id for one in children.items)):
        used = gather(lambda most, at, id=call_id: books.usage_records(  # type: ignore[misc]
            allocation_id=id, limit=most, cursor=at))  # fmt: skip
        for record in used.items:
            usage = record.usage
            lines[record.model or "(no model)"] = lines[record.model or "(no model)"].plus(
                Line(
                    usage.requests,
                    usage.input_tokens + usage.output_tokens,
                    record.cost_nanos or 0,
                    int(record.cost_nanos is None),
                )
            )
    return Bill(dict(lines), envelope.remaining)


def tell(face: Face, bill: Bill) -> None:
    """Print the bill beside what the program printed."""
    total = Line()
    for model, line in sorted(bill.lines.items(), key=lambda one: -one[1].cost_nanos):
        total = total.plus(line)
        if len(bill.lines) > 1:
            face.note(f"budget: {model}: {_words(line)}")
    usd, tokens, _ = bill.left
    left = [f"{format_usd(usd)} USD"] if usd is not None else []
    left += [f"{tokens:,} tokens"] if tokens is not None else []
    face.note(f"budget: {_words(total)}; {' and '.join(left)} left.")


def _words(line: Line) -> str:
    unpriced = f", {line.unpriced:,} without a price" if line.unpriced else ""
    return (
        f"{counted(line.calls, 'call')}, {counted(line.tokens, 'token')}, "
        f"{format_usd(line.cost_nanos)} USD{unpriced}"
    )
