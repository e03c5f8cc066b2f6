"""What a caller may write to try limits on the past, and to have a decision explained, as types."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class SimulateAsk(TypedDict, total=False):
    """What `simulate` takes: limits to try on calls of [since, until).

    `policies` are as a budget has them, for calls of the `scope`, split `per` attributes. Without
    them the limits in force are tried, or those of a `budget_id`.
    """

    since: str
    until: str
    policies: Sequence[Mapping[str, Any]]
    scope: Mapping[str, Any]
    per: str | Sequence[str]
    budget_id: str
