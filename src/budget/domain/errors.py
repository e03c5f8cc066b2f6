"""The one tree of errors: what a caller could not foresee, said so that it can be mended.

Not here: refusals (a refusal is a value, see `allocations`), and no HTTP status, exit code or MCP
code: each face maps the classes below in one table of its own.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budget.domain.answers import Refusal


class BudgetError(Exception):
    """Root of every error Budget raises on purpose.

    `code` is a stable word for programs, `detail` one sentence for people that says what to do
    next.
    """

    code: str = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class InvalidInput(BudgetError):
    """The input breaks a rule: `field` is its dotted path, `allowed` lists what would do."""

    code = "invalid_input"

    def __init__(
        self, field: str, detail: str, allowed: Iterable[str] = (), *, code: str | None = None
    ) -> None:
        self.field = field
        self.allowed = tuple(allowed)
        listed = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        super().__init__(f"{field}: {detail}{listed}", code=code)


class NotFound(BudgetError):
    """Nothing of that kind has that id (or the caller may not see it)."""

    code = "not_found"

    def __init__(self, kind: str, id: str, detail: str | None = None) -> None:
        self.kind = kind
        self.id = id
        super().__init__(detail or f"There is no {kind} {id!r}.")


class Conflict(BudgetError):
    """The state of the thing does not allow the act; `code` says which rule."""

    code = "conflict"


class KeyReused(BudgetError):
    """An idempotency key, or a chosen id, came again with another payload."""

    code = "idempotency_key_reused"


class Unauthorized(BudgetError):
    """No key, or one that is unknown, expired or revoked."""

    code = "unauthorized"


class Forbidden(BudgetError):
    """The key is good, but does not allow this act."""

    code = "forbidden"


class Unavailable(BudgetError):
    """Budget cannot answer now; nothing was written, the same call may be sent again."""

    code = "unavailable"

    def __init__(
        self, detail: str, *, retry_after_seconds: int = 1, code: str | None = None
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail, code=code)


class OutcomeUnknown(Unavailable):
    """COMMIT itself failed: the act may or may not stand. Send it again with the same key."""

    code = "outcome_unknown"


class BudgetRefused(BudgetError):
    """A refusal, raised by the faces that promise an allocation (`hold`, `track`, `limited`)."""

    code = "budget_refused"

    def __init__(self, refusal: "Refusal") -> None:
        self.refusal = refusal
        super().__init__(refusal.detail)
