"""Exit codes: an error ends a command with the same number here and from a service."""

import pytest

from budget.cli.exits import Answered, exit_code
from budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unauthorized,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Conflict("no"), 409, 1),
        (BudgetError("no"), 500, 1),
        (InvalidInput("x", "no"), 422, 2),
        (InvalidInput("x", "no"), 400, 2),
        (Unauthorized("no"), 401, 3),
        (Forbidden("no"), 403, 3),
        (NotFound("budget", "b"), 404, 4),
        (Unavailable("no"), 503, 5),
        (OutcomeUnknown("no"), 503, 5),
    ],
)
def test_an_error_has_one_number_wherever_it_comes_from(
    error: BudgetError, status: int, code: int
) -> None:
    assert exit_code(error) == code
    assert exit_code(Answered(status, "no", "x")) == code


@pytest.mark.parametrize(("status", "code"), [(402, 3), (429, 3), (405, 4), (502, 5), (504, 5)])
def test_what_only_a_service_answers_has_its_number_too(status: int, code: int) -> None:
    assert exit_code(Answered(status, "no", "x")) == code
