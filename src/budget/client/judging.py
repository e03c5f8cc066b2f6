"""Judging: what an answer is: a value, a refusal, an error, or not Budget's at all.

Not here: which answers are asked for again (`retrying`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from budget.client.mistakes import foreign, nowhere, unauthorized
from budget.client.problems import error_of
from budget.client.reading.refusals import refusal
from budget.client.request import Request
from budget.client.sending import Address
from budget.domain.errors import (
    BudgetError,
    BudgetRefused,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unauthorized,
    Unavailable,
)

T = TypeVar("T")

NOT_BUDGET: Final = "not_budget"
NO_ROUTE: Final = "no_route"
_REFUSALS: Final = b'"refused_by"'
_UNSURE: Final = f'"{OutcomeUnknown.code}"'.encode()


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def retry_after_seconds(self) -> float | None:
        """How long to wait, where that is told as a number."""
        told = self.headers.get("retry-after", "")
        return float(told) if told.isascii() and told.isdigit() and len(told) < 10 else None

    @property
    def refuses(self) -> bool:
        """Whether a limit refuses, so that asking again is no use now."""
        return _REFUSALS in self.content

    @property
    def unsure(self) -> bool:
        """Whether the service itself does not know what became of it."""
        return _UNSURE in self.content


def judged(request: Request[T], address: Address, answer: Answer) -> T:
    """The value of an answer, or the error that it tells of."""
    status = answer.status
    error: BudgetError | None = None
    try:
        told: Any = msgspec.json.decode(answer.content)
        if 200 <= status < 300:
            return request.read(told)
        if status >= 400 and isinstance(told["code"], str):
            if "refused_by" not in told:
                error = error_of(status, told)
            elif request.refusable:
                return refusal(told)  # type: ignore[return-value]
            else:
                error = BudgetRefused(refusal(told))
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError, InvalidInput):
        pass  # it is JSON of somebody else, or none
    if isinstance(error, Unauthorized):
        error = Unauthorized(unauthorized(address))
    elif error is not None and error.code == NO_ROUTE:
        error = NotFound("route", request.path, nowhere(address.url))
        error.code = NO_ROUTE
    moved_to = answer.headers.get("location") if 300 <= status < 400 else None
    raise error or Unavailable(foreign(address.url, status, moved_to), code=NOT_BUDGET)
