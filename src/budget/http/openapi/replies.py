"""Replies: answers that no one shape of `domain` tells: pages of a kind of thing, text, pages of
HTML, and what the service says of itself.

Not here: problems (`problems`), and answers that a route names (`schemas`).
"""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from budget.domain import (
    shapes,
    shapes_alerts,
    shapes_audit,
    shapes_channels,
    shapes_contexts,
    shapes_keys,
    shapes_prices,
    shapes_requests,
    shapes_sessions,
    shapes_usage,
)
from budget.http.openapi.schemas import Components, Schema


class StatusShape(TypedDict):
    """How every balance stands that calls with the attributes meet."""

    at: str
    attributes: dict[str, str]
    balances: list[shapes.BalanceShape]


class RootShape(TypedDict):
    """What this is."""

    component: str
    description: str
    version: str
    status: str


class ReadyShape(TypedDict):
    """Calls would be answered."""

    ready: bool
    component: str
    version: str


class HealthDatabaseShape(TypedDict):
    """What the database is, whether it answers, and what it was told about disks."""

    engine: str
    library: str
    reachable: bool
    durable: bool | None
    settings: dict[str, str]


class HealthWriterShape(TypedDict):
    """How the ledger's writer is."""

    alive: bool
    writing: bool
    queue_depth: int
    expiry_paused: bool


class HealthGatewayShape(TypedDict):
    """To how many upstreams the gateway leads, for how many it has a key, and how many it leaves
    alone because they failed again and again.
    """

    upstreams: int
    with_key: int
    left_out: int


class HealthShape(TypedDict):
    """How the service is: healthy, degraded or unhealthy."""

    status: str
    component: str
    version: str
    timestamp: str
    port: int | None
    instance: str
    database: HealthDatabaseShape
    writer: HealthWriterShape
    queue_depth: int
    uptime_seconds: int
    gateway: HealthGatewayShape | None
    neighbours: dict[str, str]


SHAPES: Final[Mapping[str, type]] = {
    "get_status": StatusShape, "get_status_short": StatusShape, "get_root": RootShape,
    "get_health": HealthShape, "get_ready": ReadyShape,
}  # fmt: skip
"""The shapes of answers that are made where they are told, by operation."""

ITEMS: Final[Mapping[str, type]] = {
    "get_allocations": shapes.AllocationShape,
    "get_usage": shapes.UsageRecordShape,
    "get_usage_records": shapes.UsageRecordShape,
    "get_contexts": shapes_contexts.ContextShape,
    "get_budgets": shapes.BudgetShape,
    "get_budget_policies": shapes.PolicyShape,
    "get_budget_allocations": shapes.AllocationShape,
    "get_budget_summary": shapes_usage.StandingShape,
    "get_reports_summary_short": shapes_usage.StandingShape,
    "get_policies": shapes.PolicyShape,
    "get_policy_top_ups": shapes.TopUpShape,
    "get_policy_balances": shapes.BalanceShape,
    "get_events": shapes.EventShape,
    "get_audit": shapes_audit.AuditRecordShape,
    "get_prices": shapes_prices.PriceShape,
    "get_providers_prices_short": shapes_prices.PriceShape,
    "get_prices_history": shapes_prices.PricePeriodShape,
    "get_prices_sources": shapes_prices.PriceSourceShape,
    "get_prices_updates": shapes_prices.PriceUpdateShape,
    "get_sessions": shapes_sessions.SessionShape,
    "get_channels": shapes_channels.ChannelShape,
    "get_channel_deliveries": shapes_channels.DeliveryShape,
    "get_keys": shapes_keys.KeyShape,
    "get_alerts": shapes_alerts.AlertShape,
    "get_requests": shapes_requests.TopUpRequestShape,
    "get_budget_requests": shapes_requests.TopUpRequestShape,
}
"""What the pages of a list have, by operation."""


def _text(media: str, description: str) -> Schema:
    return {"description": description, "content": {media: {"schema": {"type": "string"}}}}


def _to(where: str) -> Schema:
    location = {"Location": {"schema": {"type": "string"}}}
    return {"description": where, "headers": location}


_PAGE: Final = "text/html; charset=utf-8"
_LOGIN: Final[Mapping[str, Schema]] = {
    "401": _text(_PAGE, "A page that says why not."),
    "403": _text(_PAGE, "A page that says why not."),
    "429": _text(_PAGE, "A page that says to wait."),
    "503": _text(_PAGE, "A page that says that the issuer does not answer."),
}
_DESCRIPTION: Final[Schema] = {
    "description": "The description.",
    "content": {"application/json": {"schema": {
        "type": "object", "required": ["openapi", "info", "paths", "components"],
    }}},
}  # fmt: skip
REPLIES: Final[Mapping[str, Mapping[str, Schema]]] = {
    "get_metrics": {
        "200": _text("text/plain; version=0.0.4; charset=utf-8", "Figures for Prometheus."),
    },
    "get_events_stream": {"200": _text("text/event-stream", "Events, as long as you listen.")},
    "get_openapi_json": {"200": _DESCRIPTION},
    "get_docs_openapi_json": {"200": _DESCRIPTION},
    "get_docs": {"200": _text(_PAGE, "The page.")},
    "get_doc": {
        "200": {
            "description": "The file.",
            "content": {
                media: {"schema": {"type": "string"}}
                for media in (
                    "text/javascript; charset=utf-8",
                    "text/css; charset=utf-8",
                    "image/svg+xml",
                )
            },
        },
    },
    "get_login": {"200": _text(_PAGE, "A page with a button."), **_LOGIN},
    "post_login": {"303": _to("Logged in, and sent on."), **_LOGIN},
    "get_login_oidc": {"302": _to("Sent to the issuer."), **_LOGIN},
    "get_login_oidc_callback": {"200": _text(_PAGE, "Logged in, and led on."), **_LOGIN},
}
"""Answers that are no JSON, by operation and status."""


def page_of(operation: str, components: Components) -> Schema:
    """The schema of one page of a list."""
    shape = ITEMS.get(operation)
    items: Schema = {} if shape is None else components.answer(shape)
    return {
        "type": "object",
        "description": "One page of a list; `next_cursor` is null on the last one.",
        "properties": {
            "items": {"type": "array", "items": items},
            "next_cursor": {"type": ["string", "null"]},
        },
        "required": ["items", "next_cursor"],
        "additionalProperties": False,
    }


def answer_of(operation: str, shape: Any, components: Components) -> Schema:
    """The schema of an answer in JSON."""
    shape = SHAPES.get(operation, shape)
    if shape is None:
        return {}
    if shape is shapes.PageShape:
        return page_of(operation, components)
    if shape is shapes.CheckShape:
        return {"anyOf": [components.answer(shape), _refused(components)]}
    return components.answer(shape)


def _refused(components: Components) -> Schema:
    """A check that refuses: the refusal, and `allowed: false`."""
    components.answer(shapes.RefusalShape)
    refusal = components.schemas["Refusal"]
    told = {
        **refusal,
        "properties": {"allowed": {"const": False}, **refusal["properties"]},
        "required": ["allowed", *refusal["required"]],
    }
    return components.put("RefusedCheck", told)
