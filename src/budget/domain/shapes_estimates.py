"""Shapes of estimates: how answers about requests before their calls look in JSON.

Factors are decimal strings: "0.4200" of the bound.
"""

from typing import TypedDict


class EstimateShape(TypedDict):
    """A request before its call; null where a figure plays no part, or no price is known.

    `how` is counted, bound or learnt. `hold` is what an allocation would hold.
    """

    provider: str | None
    model: str
    family: str
    input_tokens: int
    how: str
    bound_tokens: int | None
    factor: str | None
    max_output_tokens: int | None
    at: str
    basis: str | None
    input_cost: str | None
    hold: str | None


class FamilyFactorShape(TypedDict):
    """What was learnt of one family of models, for the key that asks.

    `taught_by` is own, others or nobody; `own_samples` are calls of that key, `samples` of all,
    `keys` those that have taught enough.
    """

    family: str
    factor: str
    taught_by: str
    own_samples: int
    samples: int
    keys: int


class FactorsShape(TypedDict):
    """What was learnt of each family that calls have taught about."""

    items: list[FamilyFactorShape]
