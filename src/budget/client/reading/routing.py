"""Which model a call should go to, read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import nanos_or_none, us
from budget.client.reading.refusals import refusal
from budget.domain.answers_routing import Considered, Routing


def routing(shape: Mapping[str, Any]) -> Routing:
    """The model, why it is that one, and what else was considered."""
    return Routing(
        shape["allowed"], shape["reason"], shape["why"], shape["provider"], shape["model"],
        shape["tier"], nanos_or_none(shape["estimated_cost"]), shape["original_provider"],
        shape["original_model"], nanos_or_none(shape["original_cost"]), shape["input_tokens"],
        shape["max_output_tokens"], tuple(shape["warnings"]),
        tuple(_considered(one) for one in shape["considered"]), us(shape["at"]),
        None if shape["refusal"] is None else refusal(shape["refusal"]),
    )  # fmt: skip


def _considered(shape: Mapping[str, Any]) -> Considered:
    return Considered(
        shape["provider"], shape["model"], shape["tier"], shape["step"],
        nanos_or_none(shape["estimated_cost"]), shape["fits"], shape["why"],
    )  # fmt: skip
