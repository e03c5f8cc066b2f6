"""Messages: the tools as Tekton's components call them over plain HTTP, without the protocol.

A call names a tool and its arguments; a message has a type, and what a tool answers is its reply.
Not here: the routes (`http.bridge`).
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from budget.domain.errors import BudgetError, InvalidInput, NotFound
from budget.domain.json_schemas import Schema
from budget.domain.windows import to_rfc3339
from budget.mcp.asking import Guest
from budget.mcp.fields import read_arguments
from budget.mcp.tool import Tool, prepared
from budget.mcp.tools import TOOLS, find_tool

SENDER: Final = "budget"
_ERROR: Final = "budget.error"

REPLIES: Final[Mapping[str, tuple[str, str]]] = {
    "budget.allocate_tokens": ("AllocateBudget", "budget.allocation_response"),
    "budget.check_budget": ("CheckBudget", "budget.check_response"),
    "budget.record_usage": ("RecordUsage", "budget.usage_response"),
    "budget.get_budget_status": ("GetBudgetStatus", "budget.status_response"),
    "budget.get_model_recommendations": (
        "GetModelRecommendations", "budget.recommendations_response",
    ),
    "budget.route_with_budget_awareness": (
        "RouteWithBudgetAwareness", "budget.routing_response",
    ),
    "budget.get_usage_analytics": ("GetUsageAnalytics", "budget.analytics_response"),
}  # fmt: skip
"""By the type of a message: the tool that is called, and the type of the reply."""

CAPABILITIES: Final = (
    ("budget_management", "resource", "Limits of tokens and money that hold: allocate, record."),
    ("model_recommendations", "optimization", "Cheaper models, and which a call should go to."),
    ("budget_analytics", "analytics", "What was used, by whom, and where that leads."),
)

_AS_SENDER: Final = ("apollo", "rhetor")
"""Who asks of the status of budgets as the component that it is."""
_CONTEXT: Final = ("context_id", "component", "task_type", "user_id")
_MOST_CHARS: Final = 256


# --- Shapes --------------------------------------------------------------------------------------


class BridgeCallAsk(TypedDict, total=False):
    """A call of a tool; each field has the names that callers give it."""

    tool_name: str
    tool: str
    arguments: Mapping[str, Any]
    parameters: Mapping[str, Any]
    context: Mapping[str, Any]


class BridgeArgumentsAsk(TypedDict, total=False):
    """The arguments of a tool."""

    arguments: Mapping[str, Any]
    parameters: Mapping[str, Any]
    context: Mapping[str, Any]


class BridgeMessageAsk(TypedDict, total=False):
    """A message to Budget."""

    message_id: str
    sender: str
    message_type: str
    timestamp: str
    payload: Mapping[str, Any]
    reply_to: str
    timeout: Any


class BridgeCalledShape(TypedDict):
    """What a tool answered; `text` says the same in a few words."""

    status: str
    success: bool
    tool: str
    result: dict[str, Any]
    text: str
    error: str | None


class BridgeReplyShape(TypedDict):
    """The reply to a message, whose id is `request_id`."""

    message_id: str
    sender: str
    message_type: str
    timestamp: str
    payload: dict[str, Any]
    request_id: str | None
    status: str
    error: str | None


class BridgeToolShape(TypedDict):
    """A tool: its names, the right that it needs, and the schemas of what it takes and answers."""

    name: str
    former_name: str | None
    description: str
    right: str
    schema: dict[str, Any]
    output_schema: dict[str, Any]


class BridgeToolsShape(TypedDict):
    """Every tool there is."""

    tools: list[BridgeToolShape]
    count: int


class BridgeCapabilityShape(TypedDict):
    """What Budget can do for other components."""

    name: str
    modality: str
    description: str


class BridgeCapabilitiesShape(TypedDict):
    """Everything that Budget can do."""

    capabilities: list[BridgeCapabilityShape]
    count: int


# --- Telling -------------------------------------------------------------------------------------


def tools() -> BridgeToolsShape:
    """Every tool."""
    told = [_tool(one) for one in TOOLS]
    return {"tools": told, "count": len(told)}


def _tool(one: Tool) -> BridgeToolShape:
    schema: Schema = one.asks
    return {
        "name": one.name,
        "former_name": one.former,
        "description": one.doc,
        "right": one.right,
        "schema": schema,
        "output_schema": one.tells,
    }


def capabilities() -> BridgeCapabilitiesShape:
    """Everything that Budget can do."""
    told: list[BridgeCapabilityShape] = [
        {"name": name, "modality": modality, "description": about}
        for name, modality, about in CAPABILITIES
    ]
    return {"capabilities": told, "count": len(told)}


# --- Calling -------------------------------------------------------------------------------------


def tool_named(ask: Mapping[str, Any]) -> str:
    """The name of the tool that a body calls."""
    name = _either(ask, "tool_name", "tool")
    if not isinstance(name, str) or not name:
        raise InvalidInput("tool_name", "is required: the name of a tool.")
    return name


async def execute(
    guest: Guest, name: str, ask: Mapping[str, Any], now_us: int
) -> BridgeCalledShape:
    """Call a tool. What the `context` says counts where the arguments do not say it."""
    tool = find_tool(name)
    given, context = _given(ask)
    body, text = await _called(tool, guest, _with(tool, given, context), now_us)
    return _success(tool.name, body, text)


def answered_by_itself(
    name: str, ask: Mapping[str, Any], body: Mapping[str, Any], text: str
) -> BridgeCalledShape:
    """The answer to a call of a tool that takes no arguments, and is answered without a tool."""
    read_arguments((), _given(ask)[0])
    return _success(name, body, text)


def _given(ask: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The arguments and the context of a call."""
    given = _object(_either(ask, "arguments", "parameters"), "arguments")
    return given, _object(ask.get("context"), "context")


def _success(name: str, body: Mapping[str, Any], text: str) -> BridgeCalledShape:
    return {
        "status": "success",
        "success": True,
        "tool": name,
        "result": dict(body),
        "text": text,
        "error": None,
    }


async def reply(guest: Guest, ask: Mapping[str, Any], now_us: int) -> BridgeReplyShape:
    """Answer a message. What is wrong with its payload the reply says; Forbidden without the right
    that its tool needs, InvalidInput for what is no message.
    """
    sender, kind = _line(ask, "sender"), _line(ask, "message_type")
    message_id, _, _ = (
        None if ask.get(name) is None else _line(ask, name)
        for name in ("message_id", "timestamp", "reply_to")
    )
    payload = _object(ask.get("payload"), "payload")
    if kind not in REPLIES:
        known = ", ".join(REPLIES)
        detail = f"message_type: {kind[:80]!r} is not known. Known: {known}."
        return _reply(_ERROR, message_id, now_us, error=detail)
    name, told_as = REPLIES[kind]
    tool = find_tool(name)
    try:
        body, _ = await _called(tool, guest, _as_sender(tool, payload, sender), now_us)
    except (InvalidInput, NotFound) as error:
        return _reply(told_as, message_id, now_us, error=error.detail, payload=_wrong(error))
    return _reply(told_as, message_id, now_us, payload=body)


async def _called(
    tool: Tool, guest: Guest, given: Mapping[str, Any], now_us: int
) -> tuple[dict[str, Any], str]:
    told = await tool.run(prepared(tool, guest, given, now_us))
    return dict(told.body), told.text


def _as_sender(tool: Tool, payload: Mapping[str, Any], sender: str) -> Mapping[str, Any]:
    """The payload, of the component that sends it; others than some ask for the status of all."""
    component = sender.lower()
    if tool.changes or tool.right == "spend" or component in _AS_SENDER:
        return _with(tool, payload, {"component": component})
    return payload


def _with(tool: Tool, given: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with what the context says of who calls."""
    taken = {field.name for field in tool.fields}
    more: dict[str, Any] = {
        name: context[name]
        for name in _CONTEXT
        if name in context and name in taken and name not in given and _camel(name) not in given
    }
    return {**given, **more}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _reply(
    kind: str,
    message_id: str | None,
    now_us: int,
    *,
    payload: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> BridgeReplyShape:
    return {
        "message_id": f"msg_{secrets.token_hex(16)}",
        "sender": SENDER,
        "message_type": kind,
        "timestamp": to_rfc3339(now_us),
        "payload": dict(payload or {}),
        "request_id": message_id,
        "status": "success" if error is None else "error",
        "error": error,
    }


def _wrong(error: BudgetError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "detail": error.detail}
    if isinstance(error, InvalidInput):
        told |= {"field": error.field, "allowed": list(error.allowed)}
    return told


def _either(ask: Mapping[str, Any], name: str, other: str) -> Any:
    """A field that has two names."""
    if ask.get(name) is not None and ask.get(other) is not None:
        raise InvalidInput(name, f"is given twice, as {other} too.")
    return ask.get(other) if ask.get(name) is None else ask[name]


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(field, "must be an object.")
    return value


def _line(ask: Mapping[str, Any], name: str) -> str:
    value = ask.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_CHARS:
        raise InvalidInput(name, f"is required: a text of at most {_MOST_CHARS} characters.")
    return value
