"""Refusing: what a caller is told whose call may not go, for every provider's shape of errors.

Not here: the shapes (`formats`), and whether a call may go (`domain.decide`).
"""

from typing import NamedTuple

from budget.domain import wire
from budget.domain.answers import Refusal
from budget.domain.errors import BudgetError, InvalidInput
from budget.gateway.formats.format import Notice
from budget.gateway.labels import Header, balance_labels
from budget.gateway.sending import Failed

PAYMENT_REQUIRED = 402
TOO_MANY_REQUESTS = 429


def refusal_notice(refusal: Refusal, status: int | None) -> Notice:
    """The notice of a refusal; its status by the limit that refuses, unless one is given."""
    told = dict(wire.refusal(refusal))
    words = refusal.detail
    if refusal.advice:
        words = f"{words} {refusal.advice}"
    return Notice(status or _status_of(refusal), refusal.code, words, told)


class Beyond(NamedTuple):
    """An answer is longer than its caller allowed: the upstream keeps to no limit."""

    most_tokens: int


def cut_notice(why: Refusal | Beyond, status: int | None, output_tokens: int) -> Notice:
    """The notice of an answer that is cut after so many tokens."""
    if isinstance(why, Beyond):
        words = f"The upstream does not keep to the {why.most_tokens} output tokens it was allowed."
        notice = Notice(200, "cut", words, {"code": "beyond_limit", "detail": words})
    else:
        notice = refusal_notice(why, status)
    return notice._replace(
        code="cut", message=f"Cut here. {notice.message}", output_tokens=output_tokens
    )


def _status_of(refusal: Refusal) -> int:
    """429 when the limit that resets last does so soon, else 402: SDKs try 429 again themselves."""
    if refusal.resets_us is None or not refusal.every[0].soon:
        return PAYMENT_REQUIRED
    return TOO_MANY_REQUESTS


def refusal_headers(refusal: Refusal, notice: Notice) -> list[Header]:
    """The headers of a refusal: the limit that refuses, and whether to try again."""
    found: list[Header] = [(b"content-type", b"application/json")]
    if refusal.lines:
        found += balance_labels(refusal.lines[0].balance)
    retry = notice.told.get("retry_after_seconds")
    if notice.status == TOO_MANY_REQUESTS and isinstance(retry, int):
        found.append((b"retry-after", str(retry).encode()))
    else:
        found.append((b"x-should-retry", b"false"))
    return found


def error_notice(error: BudgetError, status: int) -> Notice:
    """The notice of an error of ours; what a caller wrote wrongly is 400, as providers say it."""
    field = {"field": error.field} if isinstance(error, InvalidInput) else {}
    return Notice(400 if status == 422 else status, error.code, error.detail, field)


def failure_notice(error: Failed, upstream: str) -> Notice:
    """The notice of an upstream that did not answer, or of books that could not be had."""
    if error.phase == "booking":
        return Notice(503, "unavailable", f"Cut here, for no more can be held. {error.detail}")
    status = 504 if error.timed_out else 502
    code = "upstream_timeout" if error.timed_out else "upstream_unreachable"
    return Notice(status, code, f"{upstream}: {error.detail}.")
