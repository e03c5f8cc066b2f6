"""Problems: what an operation may answer that is not what was asked for, as OpenAPI tells it.

Not here: how an error becomes a problem (`http.problems`).
"""

from collections.abc import Mapping
from typing import Final

from budget.domain.shapes import RefusalShape
from budget.http.openapi.schemas import Components, Schema
from budget.http.route import Route

MEDIA: Final = "application/problem+json"

CODES: Final[Mapping[int, tuple[str, ...]]] = {
    400: ("malformed_request",),
    401: ("unauthorized",),
    402: ("over_limit", "envelope_exhausted", "model_unpriced"),
    403: ("forbidden", "priority_not_allowed", "own_request", "cross_site"),
    404: ("not_found", "no_route"),
    405: ("method_not_allowed",),
    408: ("headers_too_slow", "body_too_slow"),
    409: (
        "conflict", "already_settled", "not_open", "parent_not_open", "already_corrected",
        "is_reversal", "id_taken", "archived", "too_many_policies", "too_many_children",
        "too_many_channels", "decided", "ended", "prices_given", "outdated", "no_key", "no_session",
        "request_decided", "request_expired", "too_many_pending", "key_revoked", "key_expired",
        "last_admin_key", "rotation_underway",
    ),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    421: ("host_not_allowed",),
    422: ("invalid_input", "idempotency_key_reused", "amount_required", "balance_overflow",
          "other_scope", "ambiguous", "extra_missing"),
    429: ("rate_limited", "too_many_attempts", "too_many_connections", "over_limit",
          "envelope_exhausted", "model_unpriced"),
    431: ("headers_too_large",),
    500: ("internal_error",),
    503: ("unavailable", "queue_full", "not_ready", "outcome_unknown", "neighbour_failed"),
}  # fmt: skip
"""The codes that a problem of a status may have."""

WORDS: Final[Mapping[int, str]] = {
    400: "This is no HTTP request.",
    401: "No key, or one that is not valid.",
    402: "Refused: a limit does not allow it. `refused_by` lists every limit that refuses.",
    403: "The key is good but does not allow this.",
    404: "There is no such thing, or the caller may not see it.",
    405: "The path does not take this method; `Allow` lists those it does.",
    408: "The request did not arrive in time.",
    409: "The state of the thing does not allow it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    421: "The request was meant for another host.",
    422: "A field breaks a rule: `field` names it, `allowed` lists what would do.",
    429: "Too often, or refused by a limit that resets soon: wait for `Retry-After`.",
    431: "The headers are too large.",
    500: "Nobody foresaw this; `trace_id` finds it in the log.",
    503: "Nothing was booked (`outcome_unknown`: it may have been); ask again, with the same key.",
}

REFUSING: Final = frozenset({"AllocationAsk", "ExtendAsk"})
"""Asks of acts that a limit may refuse."""
_BODIED: Final = ("POST", "PUT", "PATCH")


_TOLD: Final[Mapping[str, Schema]] = {
    "type": {"type": "string", "examples": ["urn:budget:problem:not_found"]},
    "title": {"type": "string"},
    "status": {"type": "integer"},
    "detail": {"type": "string", "description": "One sentence for people."},
    "code": {"type": "string", "description": "A word for programs."},
}
_MORE: Final[Mapping[int, Schema]] = {
    422: {"field": {"type": "string"},
          "allowed": {"type": "array", "items": {"type": "string"}}},
    429: {"retry_after_seconds": {"type": ["integer", "null"]}},
    500: {"trace_id": {"type": "string"}},
    503: {"retry_after_seconds": {"type": "integer"}},
}  # fmt: skip


def responses(components: Components) -> Schema:
    """The responses that operations refer to, by name."""
    components.answer(RefusalShape)
    return {f"Problem{status}": _response(status, components) for status in CODES}


def of(route: Route) -> Schema:
    """The problems that a route may answer, by status."""
    statuses = [421, 422, 431, 500, 503]
    if route.scope != "open":
        statuses += [401, 403, 429]
    if route.method in _BODIED:
        statuses += [408, 413, 415]
        if route.scope != "open":
            statuses += [404, 409]
    if route.method == "DELETE":
        statuses += [404, 409]
    if "{" in route.path:
        statuses += [405]  # where another route has a word
    if "{" in route.path or route.path.startswith("/api/v1/prices/"):
        statuses += [404]
    if "budget_id" in route.query:
        statuses += [404]
    if route.path.startswith("/login/oidc"):
        statuses += [404]  # where nobody logs in so
    if route.ask.__name__ in REFUSING and not route.path.endswith("/check"):
        statuses += [402]
    return {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted(set(statuses))
    }


def _response(status: int, components: Components) -> Schema:
    properties = {**_TOLD, **_MORE.get(status, {})}
    required = list(_TOLD)
    if status == 402:
        refusal = components.schemas["Refusal"]
        properties = {**refusal["properties"], **properties}
        required = [*required, *(name for name in refusal["required"] if name not in _TOLD)]
    properties["status"] = {"const": status}
    properties["code"] = {"enum": list(CODES[status])}
    schema = {"type": "object", "properties": properties, "required": required}
    response: Schema = {
        "description": WORDS[status],
        "content": {MEDIA: {"schema": schema}},
    }
    if status in (429, 503):
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        }
    return response
