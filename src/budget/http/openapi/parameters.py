"""Parameters: the query of an operation, each with what it may be.

Not here: how a query is read (`http.queries`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args, get_type_hints, is_typeddict

from budget.domain import alerts, events
from budget.domain import answers_alerts as alert_answers
from budget.domain.allocations import Status
from budget.domain.answers_channels import STATUSES as DELIVERY_STATUSES
from budget.domain.attributes import CAMEL_CASE, STANDARD
from budget.domain.shapes import PageShape
from budget.http import queries
from budget.http.openapi.fields import FIELDS, ID, SEVERAL, TIME, line, one_of, whole
from budget.http.openapi.replies import ITEMS
from budget.http.openapi.schemas import Schema
from budget.http.queries import CALLED, MAX_VALUE_CHARS, Attributed, Filtered
from budget.http.route import Route

_TEXT: Final[Schema] = {
    "type": "string", "pattern": f"^[^\\x00-\\x1f\\x7f]{{1,{MAX_VALUE_CHARS}}}$",
}  # fmt: skip
_FLAG: Final = one_of(("true", "false", "1", "0"))
_KINDS: Final[Mapping[Any, Schema]] = {
    queries.text: _TEXT,
    queries.count: whole(0, 999_999_999),
    queries.flag: _FLAG,
}
_NAMED: Final[Mapping[str, tuple[Schema, str]]] = {
    "limit": (whole(1, 1000), "How many at most; 100 unless said."),
    "cursor": (_TEXT, "The `next_cursor` of the page before; opaque."),
    "after": (_TEXT, "The `cursor` of the event after which to go on; opaque."),
    "since": (TIME, "From this time on."),
    "until": (TIME, "Before this time."),
    "start_date": (TIME, "The same as `since`."),
    "end_date": (TIME, "The same as `until`."),
    "start_time": (TIME, "The same as `since`."),
    "end_time": (TIME, "The same as `until`."),
    "at": (TIME, "At this time; now unless said."),
    "group_by": (SEVERAL, "Up to 8 attributes, with commas between."),
    "enforcement": (FIELDS["enforcement"], "How strict it is."),
    "period": (FIELDS["period"], "Of which period."),
    "timezone": ({**FIELDS["timezone"], **_TEXT}, "IANA name of a time zone; UTC unless said."),
    "search": (line(256), "Any part of the name."),
    **{name: (line(256), "") for name in STANDARD},
    "sort": (_TEXT, "By what; with - before it from the greatest down."),
    "fields": (_TEXT, "Only these fields of the answer: names with commas, dots for inner ones."),
}
_PRICED: Final = one_of(("verified", "unverified", "conflict", "own"))
_DECIDED: Final = one_of(("pending", "approved", "rejected", "withdrawn", "expired"))


def _several(words: Iterable[str]) -> Schema:
    """Words with commas between."""
    one = f"(?:{'|'.join(sorted(words))})"
    return {"type": "string", "pattern": f"^{one}(?:,{one}){{0,9}}$"}


_IN: Final[Mapping[tuple[str, str], Schema]] = {
    ("/api/v1/allocations", "status"): one_of(get_args(Status)),
    ("/api/v1/prices", "status"): _PRICED,
    ("/api/providers/prices", "status"): _PRICED,
    ("/api/v1/prices/updates", "status"): one_of(
        ("applied", "quarantined", "accepted", "rejected", "withdrawn")
    ),
    ("/api/v1/channels/{channel_id}/deliveries", "status"): one_of(DELIVERY_STATUSES),
    ("/api/v1/alerts", "status"): one_of(alert_answers.STATUSES),
    ("/api/v1/alerts", "kind"): one_of(alerts.KINDS),
    ("/api/v1/alerts", "severity"): one_of(alerts.SEVERITIES),
    ("/api/v1/alerts", "type"): one_of(dict.fromkeys((*alerts.TYPES, *alerts.KINDS))),
    **{
        (f"/api/v1/events{path}", name): {"type": "string", "pattern": ID}
        for path in ("", "/stream")
        for name in ("budget_id", "allocation_id")
    },
    ("/api/v1/events/stream", "topics"): _several(events.TOPICS),
    ("/api/v1/events/stream", "kinds"): _several(events.KINDS),
    ("/api/v1/events", "topic"): one_of(events.TOPICS),
    ("/api/v1/events", "kind"): one_of(sorted(events.KINDS)),
    ("/api/v1/audit", "kind"): one_of(sorted(events.AUDITED_KINDS)),
    ("/api/v1/requests", "status"): _DECIDED,
    ("/api/v1/budgets/{budget_id}/requests", "status"): _DECIDED,
    ("/api/v1/verify", "anchor"): {"type": "string", "pattern": "^[1-9][0-9]{0,14}:[0-9a-f]{64}$"},
}
"""What a parameter may be on one path."""
REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "/api/v1/prices/current": frozenset({"model"}),
    "/api/v1/prices/compare": frozenset({"model"}),
}


_ANY: Final = "Any attributes, each as a parameter: team=search&tag.env=prod."
_EITHER: Final = " One that comes more than once has any of the values: team=search&team=ads."


def query_of(route: Route, operation: str, examples: Mapping[str, Any]) -> list[Schema]:
    """The parameters of a route's query; where any attributes may come, those are one."""
    shape = ITEMS.get(operation) if route.answer is PageShape else route.answer
    required = REQUIRED.get(route.path, frozenset()) if route.method == "GET" else frozenset()
    told = []
    for name, read in route.query.items():
        schema, words = _NAMED.get(name, (None, ""))
        if name == "fields":
            schema = _fields_of(shape)
        schema = _IN.get((route.path, name)) or getattr(read, "schema", None) or schema
        parameter: Schema = {
            "name": name, "in": "query", "schema": schema or _KINDS.get(read, _TEXT),
        }  # fmt: skip
        if words:
            parameter["description"] = words
        if name in required:
            parameter["required"] = True
        if name in examples:
            parameter["example"] = examples[name]
        told.append(parameter)
    if isinstance(route.query, Attributed):
        told.append(_attributes(route.query, examples))
    return told


def _fields_of(shape: Any) -> Schema:
    """Names of fields of the answer, with commas between; a dot leads into an inner one."""
    if not is_typeddict(shape):
        return _TEXT
    names = "|".join(get_type_hints(shape))
    one = f"(?:{names})(?:\\.[A-Za-z0-9_.-]+)?"
    return {"type": "string", "pattern": f"^{one}(?:,{one}){{0,9}}$"}


def _attributes(taken: Attributed, examples: Mapping[str, Any]) -> Schema:
    """Any attributes, each a parameter of its own: `team=search&tag.env=prod`."""
    names = [name for name in (*STANDARD, *CAMEL_CASE, *CALLED) if name not in taken]
    pattern = f"^(?:{'|'.join(names)}|tag\\.[A-Za-z0-9_.-]{{1,64}})$"
    parameter: Schema = {
        "name": "attributes",
        "in": "query",
        "description": _ANY + (_EITHER if isinstance(taken, Filtered) else ""),
        "style": "form",
        "explode": True,
        "schema": {
            "type": "object",
            "propertyNames": {"type": "string", "pattern": pattern},
            "additionalProperties": line(256),
        },
    }
    given = {name: value for name, value in examples.items() if name in names}
    return {**parameter, "example": given} if given else parameter
