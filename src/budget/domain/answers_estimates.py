"""Answers about estimates: how many input tokens a request has at most, and what was learnt of it.

Factors are in basis points: 10,000 leaves a bound as it is. How answers look in JSON is
`wire.estimates`.
"""

from typing import Literal, NamedTuple

How = Literal["counted", "bound", "learnt"]
"""Exactly, but for what is around the texts; by the bound; by the bound with what was learnt."""

TaughtBy = Literal["own", "others", "nobody"]
"""Whose settled calls taught a factor: the caller's own key's, other keys', or nobody's yet."""


class Estimate(NamedTuple):
    """A request before its call. `bound_tokens` and `factor_bps` are None where they play no part.

    The input's cost is at the model's usual rate; the hold is what `allocate` would hold, None
    where the request sets no limit to its output. Both are None where no price is known.
    """

    provider: str | None
    model: str
    family: str
    input_tokens: int
    how: How
    bound_tokens: int | None
    factor_bps: int | None
    max_output_tokens: int | None
    at_us: int
    basis: str | None
    input_cost_nanos: int | None
    hold_nanos: int | None


class FamilyFactor(NamedTuple):
    """What was learnt of one family of models, for the key that asks.

    `own_samples` are that key's calls, `samples` those of all keys; `keys` have taught enough.
    """

    family: str
    factor_bps: int
    taught_by: TaughtBy
    own_samples: int
    samples: int
    keys: int


class Learning(NamedTuple):
    """What one act of learning did: settled calls looked at, and those that taught something."""

    looked_at: int
    learnt: int
