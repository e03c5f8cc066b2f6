"""Exit codes: which error ends a command with which number, and the one sentence it leaves."""

from typing import Final

from budget.domain.errors import (
    BudgetError,
    BudgetRefused,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthorized,
    Unavailable,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
NOT_FOUND: Final = 4
UNAVAILABLE: Final = 5
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""

_BY_CLASS: Final = (
    (InvalidInput, USAGE),
    (BudgetRefused, REFUSED),
    (Unauthorized, REFUSED),
    (Forbidden, REFUSED),
    (NotFound, NOT_FOUND),
    (Unavailable, UNAVAILABLE),
)
_BY_STATUS: Final = {
    400: USAGE,
    401: REFUSED,
    402: REFUSED,
    403: REFUSED,
    404: NOT_FOUND,
    405: NOT_FOUND,
    422: USAGE,
    429: REFUSED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


class Answered(BudgetError):
    """The service said no: its sentence and its status."""

    def __init__(self, status: int, detail: str, code: str) -> None:
        super().__init__(detail, code=code)
        self.status = status


def exit_code(error: BudgetError) -> int:
    """The number a command ends with when this error stops it."""
    if isinstance(error, Answered):
        return _BY_STATUS.get(error.status, FAILED)
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    return FAILED
