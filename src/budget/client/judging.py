"""Judging: what an answer is: a value, a refusal, an error, or not Budget's at all."""

from typing import Any, Final, TypeVar

import msgspec

from budget.client.problems import error_of
from budget.client.reading.refusals import refusal
from budget.client.request import Request
from budget.domain.errors import BudgetError, BudgetRefused, Unavailable

T = TypeVar("T")

NOT_BUDGET: Final = "not_budget"
_NOTHING: Final = object()


def judged(request: Request[T], url: str, status: int, content: bytes) -> T:
    """The value of an answer, or the error that it tells of."""
    try:
        told: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = _NOTHING
    try:
        if 200 <= status < 300 and isinstance(told, dict):
            return request.read(told)
        if status >= 400 and isinstance(told, dict) and isinstance(told.get("code"), str):
            if "refused_by" not in told:
                raise error_of(status, told)
            refused: Any = refusal(told)
            if not request.refusable:
                raise BudgetRefused(refused)
            return refused  # type: ignore[no-any-return]
    except BudgetError as error:
        raise error from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise foreign(url, status) from None
    raise foreign(url, status)


def foreign(url: str, status: int) -> Unavailable:
    """An answer that Budget does not give."""
    return Unavailable(
        f"{url} answered {status}, and not as Budget does. Is the address right, and does nothing "
        "stand between?",
        code=NOT_BUDGET,
    )
