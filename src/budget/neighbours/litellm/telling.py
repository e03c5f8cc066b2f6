"""Telling: what the client of a LiteLLM proxy sees when Budget stopped its call.

Not here: the same on our own HTTP (`http.problems`), whose statuses and words these are.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain import wire
from budget.domain.errors import (
    BudgetError,
    BudgetRefused,
    Forbidden,
    InvalidInput,
    Unauthorized,
    Unavailable,
)

_REFUSED: Final = 402
_SOON: Final = 429
_UNAVAILABLE: Final = 503
_STATUSES: Final[tuple[tuple[type[BudgetError], int], ...]] = (
    (InvalidInput, 422),
    # That our key is wrong or may not is trouble of the proxy, not of its client.
    (Unauthorized, _UNAVAILABLE),
    (Forbidden, 403),
    (Unavailable, _UNAVAILABLE),
)
_STEPS: Final = 10


class Problem(NamedTuple):
    """A problem on its way to the client: the status, the body, and headers."""

    status: int
    told: dict[str, Any]
    headers: dict[str, str]


def problem_in(error: BaseException) -> Problem | None:
    """What Budget said, if it is what ended the call."""
    one: BaseException | None = error
    for _ in range(_STEPS):
        if one is None:
            return None
        if isinstance(one, BudgetError):
            return _problem(one)
        one = one.__cause__ or one.__context__
    return None


def _problem(error: BudgetError) -> Problem:
    if isinstance(error, BudgetRefused):
        refusal = error.refusal
        soon = refusal.resets_us is not None and refusal.every[0].soon
        return _told(_SOON if soon else _REFUSED, refusal.code, dict(wire.refusal(refusal)))
    status = next((one for kind, one in _STATUSES if isinstance(error, kind)), _UNAVAILABLE)
    more: dict[str, Any] = {"detail": error.detail}
    if isinstance(error, InvalidInput):
        more |= {"field": error.field, "allowed": list(error.allowed)}
    if isinstance(error, Unavailable):
        more["retry_after_seconds"] = error.retry_after_seconds
    return _told(status, error.code, more)


def _told(status: int, code: str, more: Mapping[str, Any]) -> Problem:
    told = {
        "type": f"urn:budget:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        **more,
        "code": code,
        "message": more["detail"],
    }
    retry = more.get("retry_after_seconds")
    waits = status in (_SOON, _UNAVAILABLE) and isinstance(retry, int)
    return Problem(status, told, {"Retry-After": str(retry)} if waits else {})
