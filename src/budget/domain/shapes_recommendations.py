"""Shapes of recommendations of models in JSON."""

from typing import TypedDict


class RecommendationShape(TypedDict):
    """A model that will do. Prices are USD per million tokens at the size of the call."""

    provider: str
    model: str
    estimated_cost: str
    savings: str | None
    savings_percent: str | None
    input_price: str
    output_price: str
    input_cost_per_token: str
    output_cost_per_token: str
    is_known: bool


class RecommendationsShape(TypedDict):
    """Models for a call of a size, the cheapest first; `current` is what they are compared with.

    `best_match` is the cheapest of which all is known that the call needs; `alternatives` are the
    others.
    """

    context_size: int
    output_size: int
    current_provider: str | None
    current_model: str | None
    current_cost: str | None
    current: RecommendationShape | None
    items: list[RecommendationShape]
    best_match: RecommendationShape | None
    alternatives: list[RecommendationShape]
