"""What Apollo sees of contexts, and predicts, read from its answers: what is odd is left out.

Shares are in basis points. Not here: when it is asked (`neighbour`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.answers_contexts import Prediction, SeenContext
from budget.domain.budgets import BPS

MOST: Final = 1000
"""So many contexts and predictions are kept at most."""
MAX_CHARS: Final = 200
_MAX_TOKENS: Final = 10**12


class Seen(NamedTuple):
    """All that was read the last time, and when; None: nothing yet."""

    read_us: int | None = None
    contexts: Mapping[str, SeenContext] = {}
    predictions: tuple[Prediction, ...] = ()

    def predictions_of(self, context_id: str) -> tuple[Prediction, ...]:
        """Those about a context."""
        return tuple(one for one in self.predictions if one.context_id == context_id)


def contexts_in(answer: Any) -> dict[str, SeenContext]:
    """The contexts of an answer, by id."""
    found = (_context(one) for one in _items(answer, "contexts"))
    return {one.context_id: one for one in found if one is not None}


def predictions_in(answer: Any) -> tuple[Prediction, ...]:
    """The predictions of an answer."""
    found = (_prediction(one) for one in _items(answer, "predictions"))
    return tuple(one for one in found if one is not None)


def _items(answer: Any, name: str) -> Iterable[Mapping[str, Any]]:
    """The objects in `data`: a list of them, or an object that has it, or has them by id."""
    told = answer.get("data") if isinstance(answer, Mapping) else None
    if isinstance(told, Mapping):
        told = told[name] if name in told else list(told.values())
    if isinstance(told, Mapping):
        told = list(told.values())
    some = told[:MOST] if isinstance(told, list) else []
    return [one for one in some if isinstance(one, Mapping)]


def _context(told: Mapping[str, Any]) -> SeenContext | None:
    context_id = _text(told.get("context_id"))
    if context_id is None:
        return None
    metrics = _object(told.get("metrics"))
    return SeenContext(
        context_id, _text(told.get("component_id")), _text(told.get("provider")),
        _text(told.get("model")), _text(told.get("task_type")),
        _count(metrics.get("input_tokens")), _count(metrics.get("output_tokens")),
        _count(metrics.get("total_tokens")), _count(metrics.get("max_tokens")),
        _share(metrics.get("token_utilization")), _text(told.get("health")),
        _share(told.get("health_score")), _text(told.get("last_updated")),
    )  # fmt: skip


def _prediction(told: Mapping[str, Any]) -> Prediction | None:
    context_id = _text(told.get("context_id"))
    if context_id is None:
        return None
    metrics = _object(told.get("predicted_metrics"))
    return Prediction(
        context_id, _text(told.get("prediction_id")), _text(told.get("predicted_health")),
        _share(told.get("predicted_health_score")), _count(metrics.get("total_tokens")),
        _share(metrics.get("token_utilization")), _share(told.get("confidence")),
        _text(told.get("prediction_timestamp") or told.get("timestamp")),
    )  # fmt: skip


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value[:MAX_CHARS] if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    """A number of tokens; Apollo may write it with a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MAX_TOKENS else None


def _share(value: Any) -> int | None:
    """A share, in basis points; a utilisation may be above all of it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * BPS) if 0 <= value <= 100 else None
