"""Problems read: each error of the service as the exception that the books themselves raise.

Not here: refusals, which are values (`reading.refusals`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    KeyReused,
    NotFound,
    OutcomeUnknown,
    Unauthorized,
    Unavailable,
)


def error_of(status: int, problem: Mapping[str, Any]) -> BudgetError:
    """The exception of a problem: by its code where that tells more, else by its status."""
    code, detail = str(problem.get("code", "error")), str(problem.get("detail", ""))
    if code == OutcomeUnknown.code:
        return OutcomeUnknown(detail)
    if code == KeyReused.code:
        return KeyReused(detail)
    make = _BY_STATUS.get(status)
    error = BudgetError(detail) if make is None else make(detail, problem)
    error.code = code
    return error


def _invalid(detail: str, problem: Mapping[str, Any]) -> BudgetError:
    field = problem.get("field")
    if not isinstance(field, str):
        return BudgetError(detail)
    error = InvalidInput(field, "")
    error.allowed = tuple(str(one) for one in problem.get("allowed") or ())
    error.args = (detail,)
    error.detail = detail
    return error


def _unavailable(detail: str, problem: Mapping[str, Any]) -> BudgetError:
    seconds = problem.get("retry_after_seconds")
    return Unavailable(detail, retry_after_seconds=seconds if isinstance(seconds, int) else 1)


_BY_STATUS: Final[Mapping[int, Callable[[str, Mapping[str, Any]], BudgetError]]] = {
    401: lambda detail, _: Unauthorized(detail),
    403: lambda detail, _: Forbidden(detail),
    404: lambda detail, _: NotFound("thing", "", detail),
    409: lambda detail, _: Conflict(detail),
    413: _invalid,
    422: _invalid,
    429: _unavailable,
    502: _unavailable,
    503: _unavailable,
    504: _unavailable,
}
