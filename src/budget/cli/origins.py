"""What an alert came from, for people: who spent what before it, and the way to the greatest.

Not here: the command (`explain`), and how it is worked out (`engine.origins`).
"""

from collections.abc import Sequence
from typing import Final

from budget.cli.face import Face
from budget.cli.lists import moment
from budget.cli.tables import Column, Row, one_line, show
from budget.domain.answers_origins import Graphed, Origin, Spender, Waypoint
from budget.domain.money import format_usd
from budget.domain.wire.alerts import alert as alert_in_json
from budget.domain.wire.parts import amount, amount_text

PREFIX: Final = "alert_"
"""What ids of alerts begin with."""
_SPENDERS: Final = (
    Column("By"),
    Column("Value", folds=True),
    Column("Amount", "amount"),
    Column("Share", "amount"),
    Column("Requests", "amount", rank=2),
    Column("Cost", "amount", rank=1),
)


def show_origin(face: Face, told: Origin) -> None:
    """Print it."""
    face.print(one_line(alert_in_json(told.alert)["message"]))
    if told.window is None:
        face.print("No calls are behind it.")
        return
    since, until = moment(face, told.window.start_us), moment(face, told.alert.at_us)
    face.print(
        f"From {since} to {until} {told.requests:,} requests used "
        f"{amount_text(told.amount, told.unit)}{_cost(told)}."
    )
    rows = [_row(key, one, told.unit) for key, some in told.by.items() for one in some]
    if rows:
        show(face, _SPENDERS, rows)
    face.print(f"Way: {_way(told.path)}")
    if told.graph is not None:
        face.print(_graph(told.graph))


def _cost(told: Origin) -> str:
    return "" if told.unit == "usd" else f", {format_usd(told.cost_nanos)} USD"


def _row(key: str, one: Spender, unit: str) -> Row:
    whole, rest = divmod(one.share_bps, 100)
    return Row(
        (
            key, one.value or "(none)", str(amount(one.amount, unit)), f"{whole}.{rest:02d}%",
            f"{one.requests:,}", format_usd(one.cost_nanos),
        )
    )  # fmt: skip


def _way(path: Sequence[Waypoint]) -> str:
    return one_line(" - ".join(f"{one.entity_type} {one.name}" for one in path))


def _graph(graph: Graphed) -> str:
    if graph.agrees:
        return f"The graph of {graph.source} leads to the same."
    return f"The graph of {graph.source} does not lead there: {one_line(graph.note)}"
