"""History priced again, read: re-ratings, what-ifs and coverage."""

from collections.abc import Mapping
from typing import Any, Final

from budget.client.reading.parts import nanos, nanos_or_none, us
from budget.domain.answers_prices import STATUSES
from budget.domain.answers_rating import (
    UNPRICED,
    Coverage,
    DayTotal,
    Exchange,
    RatedBasis,
    RatedModel,
    Rerated,
    Rerating,
    Seen,
    SeenModel,
    WhatIf,
)

_MIDNIGHT: Final = "T00:00:00Z"


def rerating(shape: Mapping[str, Any]) -> Rerating:
    """What usage costs under a book, and what was booked of it."""
    return Rerating(
        basis=shape["basis"],
        since_us=us(shape["since"]),
        until_us=us(shape["until"]),
        examined=shape["examined"],
        unchanged=shape["unchanged"],
        changed=shape["changed"],
        unpriced=shape["unpriced"],
        old_nanos=nanos(shape["old_cost"]),
        new_nanos=nanos(shape["new_cost"]),
        models=tuple(
            RatedModel(
                one["provider"], one["model"], one["records"], one["changed"], one["unpriced"],
                nanos(one["old_cost"]), nanos(one["new_cost"]),
            )
            for one in shape["models"]
        ),
        bases=tuple(
            RatedBasis(
                one["old_basis"], one["new_basis"], one["records"], one["changed"],
                nanos(one["old_cost"]), nanos(one["new_cost"]),
            )
            for one in shape["bases"]
        ),
        largest=tuple(_rerated(one) for one in shape["largest"]),
        applied=shape["applied"],
        booked=shape["booked"],
        corrected_meanwhile=shape["corrected_meanwhile"],
        failed=shape["failed"],
        failures=tuple((one["usage_id"], one["detail"]) for one in shape["failures"]),
    )  # fmt: skip


def _rerated(shape: Mapping[str, Any]) -> Rerated:
    return Rerated(
        shape["usage_id"], us(shape["occurred_at"]), shape["provider"], shape["model"],
        nanos_or_none(shape["old_cost"]), nanos(shape["new_cost"]), shape["old_basis"],
        shape["new_basis"],
    )  # fmt: skip


def what_if(shape: Mapping[str, Any]) -> WhatIf:
    """What history would cost with models exchanged."""
    return WhatIf(
        basis=shape["basis"],
        since_us=us(shape["since"]),
        until_us=us(shape["until"]),
        at_now=shape["at_now"],
        records=shape["records"],
        unpriced=shape["unpriced"],
        old_nanos=nanos(shape["old_cost"]),
        new_nanos=nanos(shape["new_cost"]),
        others=shape["others"],
        others_nanos=nanos(shape["others_cost"]),
        exchanges=tuple(_exchange(one) for one in shape["exchanges"]),
        days=tuple(
            DayTotal(
                day_us(one["day"]), one["records"], nanos(one["old_cost"]), nanos(one["new_cost"])
            )
            for one in shape["days"]
        ),
    )


def _exchange(shape: Mapping[str, Any]) -> Exchange:
    return Exchange(
        shape["model"], shape["instead"], shape["provider"], shape["priced_model"],
        shape["records"], shape["unpriced"], nanos(shape["old_cost"]), nanos(shape["new_cost"]),
        shape["context_window"], shape["over_context_window"], shape["max_output_tokens"],
        shape["over_max_output"], shape["retired"], tuple(shape["unpriced_units"]),
    )  # fmt: skip


def day_us(day: str) -> int:
    """The start of a UTC day."""
    return us(day + _MIDNIGHT)


def coverage(shape: Mapping[str, Any]) -> Coverage:
    """How much of what was seen has a price, and how sure that is."""
    return Coverage(
        us(shape["since"]), us(shape["until"]), shape["basis"], _seen(shape["total"]),
        {status: _seen(shape[status]) for status in (*STATUSES, UNPRICED)},
        shape["without_cost"], tuple(_seen_model(one) for one in shape["uncovered"]),
    )  # fmt: skip


def _seen(shape: Mapping[str, Any]) -> Seen:
    return Seen(shape["models"], shape["calls"], shape["tokens"], nanos(shape["cost"]))


def _seen_model(shape: Mapping[str, Any]) -> SeenModel:
    return SeenModel(
        shape["provider"], shape["model"], shape["status"], shape["calls"], shape["tokens"],
        nanos(shape["cost"]), shape["without_cost"], us(shape["last_seen"]),
    )  # fmt: skip
