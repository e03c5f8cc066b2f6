"""Calling: a tool called by a client of the protocol, and its answer, error or question.

Bad input, a lack of rights and what is not there are answers that say so, so that a model can mend
its call; a refusal is an answer like any other. Not here: the other requests (`server`).
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from budget.domain.errors import BudgetError, InvalidInput, NotFound, Unavailable
from budget.mcp.asking import Guest, Told, Unasked, Word
from budget.mcp.tool import prepared
from budget.mcp.tools import find_tool

Context = ServerRequestContext[Any, Any]

_APPROVE: Final = "approve"
_FORM: Final[types.ElicitRequestedSchema] = {
    "type": "object",
    "properties": {_APPROVE: {"type": "boolean", "title": "Approve", "default": False}},
    "required": [_APPROVE],
}

log = logging.getLogger("budget.mcp")


async def call_tool(
    guest: Guest, now_us: int, ctx: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    """What a tool answers; a protocol error only for a tool that does not exist."""
    try:
        tool = find_tool(params.name)
    except NotFound as error:
        raise MCPError(types.INVALID_PARAMS, error.detail) from None
    try:
        call = prepared(tool, guest, params.arguments or {}, now_us)
        told = await tool.run(
            call._replace(person=_asker(ctx, params), earlier=params.request_state)
        )
    except Unasked as question:
        return types.InputRequiredResult(
            input_requests={_APPROVE: _form(question.message)}, request_state=question.state
        )
    except BudgetError as error:
        return wrong(error)
    except Exception as error:  # noqa: BLE001 - the last stop: no model is shown a traceback
        return wrong(unforeseen(tool.name, error))
    return right(told)


def unforeseen(what: str, error: Exception) -> BudgetError:
    """What is told of an error that nobody foresaw: an id, under which the log tells all."""
    trace_id = secrets.token_hex(8)
    log.error("unforeseen, %s, in %s", trace_id, what, exc_info=error)
    detail = f"Something went wrong that should not; the log tells of it as {trace_id}."
    return BudgetError(detail, code="internal_error")


def right(told: Told) -> types.CallToolResult:
    """An answer: its words for a model, and the same as JSON."""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=told.text)], structured_content=dict(told.body)
    )


def wrong(error: BudgetError) -> types.CallToolResult:
    """An error that a model can mend: what is wrong, with which argument, and what would do."""
    told: dict[str, Any] = {"code": error.code, "detail": error.detail}
    if isinstance(error, InvalidInput):
        told |= {"field": error.field, "allowed": list(error.allowed)}
    if isinstance(error, Unavailable):
        told["retry_after_seconds"] = error.retry_after_seconds
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=error.detail)],
        structured_content={"error": told},
        is_error=True,
    )


# --- Asking a person -----------------------------------------------------------------------------


def _asker(
    ctx: Context, params: types.CallToolRequestParams
) -> Callable[[str, str], Awaitable[Word]]:
    """How whoever sits before the client is asked."""

    async def asked(message: str, state: str) -> Word:
        if not _can_ask(ctx):
            return "unasked"
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return await _asked_now(ctx, message)
        answer = (params.input_responses or {}).get(_APPROVE)
        if not isinstance(answer, types.ElicitResult) or params.request_state != state:
            raise Unasked(message, state)
        return _word(answer)

    return asked


async def _asked_now(ctx: Context, message: str) -> Word:
    """Ask within the call, as revisions before 2026-07-28 do."""
    try:
        answer = await ctx.session.elicit_form(message, _FORM, ctx.request_id)
    except MCPError:
        return "unasked"
    return _word(answer)


def _can_ask(ctx: Context) -> bool:
    able = ctx.session.client_capabilities
    asks = None if able is None else able.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)


def _word(answer: types.ElicitResult) -> Word:
    """What was said: only a yes that is said in so many words is one."""
    if answer.action == "decline":
        return "no"
    agreed = (answer.content or {}).get(_APPROVE) if answer.action == "accept" else None
    return "yes" if agreed is True else "no" if agreed is False else "unasked"


def _form(message: str) -> types.ElicitRequest:
    return types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=message, requested_schema=_FORM)
    )
