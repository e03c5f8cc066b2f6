"""The server: what Budget answers to each request of the protocol, in both of its revisions.

    server = make_server(guest_of, now_us, changes)

Not here: how tools are called (`calling`), and how requests arrive (`transport`, `stdio`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from budget.domain.errors import BudgetError, InvalidInput
from budget.mcp import prompts, resources
from budget.mcp.asking import Guest
from budget.mcp.calling import Context, call_tool, unforeseen
from budget.mcp.changes import Changes
from budget.mcp.fields import Field
from budget.mcp.following import Following
from budget.mcp.tool import Tool
from budget.mcp.tools import TOOLS, find_tool
from budget.version import __version__

GuestOf = Callable[[Context], Guest]
Paged = types.PaginatedRequestParams | None

INSTRUCTIONS: Final = (
    "Budget decides what may be spent on calls to language models. Before a call: "
    "budget_allocate_budget. After it: budget_settle with what was used. A refusal (allowed: "
    "false) is final: do as its `next` says, do not call the model all the same. Money is in USD "
    "as decimal strings, amounts of tokens are whole numbers, times are UTC."
)
_JSON: Final = "application/json"
_NOT_FOUND: Final = -32002
"""The code of a resource that is not there, before the revision 2026-07-28."""
_PAGE: Final = 100
_LISTED: Final = CacheHint(ttl_ms=60_000, scope="private")
_FIXED: Final = CacheHint(ttl_ms=3_600_000, scope="public")


def make_server(guest_of: GuestOf, now_us: Callable[[], int], changes: Changes) -> Server[Any]:
    """The server. `guest_of` says who makes a request."""
    answering, following = Answering(guest_of, now_us), Following(guest_of, now_us, changes)
    server: Server[Any] = Server(
        "budget",
        version=__version__,
        title="Budget",
        description="Limits for what is spent on language models.",
        instructions=INSTRUCTIONS,
        cache_hints={
            "tools/list": _LISTED, "resources/list": CacheHint(), "prompts/list": _FIXED,
            "resources/templates/list": _FIXED, "resources/read": CacheHint(),
        },
        get_tool_input_schema=_input_schema,
        on_list_tools=answering.list_tools,
        on_call_tool=answering.call_tool,
        on_list_resources=answering.list_resources,
        on_list_resource_templates=answering.list_templates,
        on_read_resource=answering.read_resource,
        on_list_prompts=answering.list_prompts,
        on_get_prompt=answering.get_prompt,
        on_subscribe_resource=following.subscribe,
        on_unsubscribe_resource=following.unsubscribe,
        on_subscriptions_listen=following.listen,
    )  # fmt: skip
    server.middleware.append(_guarded)
    return server


async def _guarded(ctx: Context, call_next: CallNext) -> HandlerResult:
    """The last stop: of an error that nobody foresaw a client is told an id, the log the rest."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise
    except Exception as error:  # noqa: BLE001 - nobody is shown a traceback
        raise MCPError(types.INTERNAL_ERROR, unforeseen(ctx.method, error).detail) from None


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers to requests, for whoever makes them."""

    guest_of: GuestOf
    now_us: Callable[[], int]

    async def list_tools(self, ctx: Context, params: Paged) -> types.ListToolsResult:
        """The tools that the guest may use."""
        del params
        guest = self.guest_of(ctx)
        return _listed(tuple(one.name for one in TOOLS if guest.may(one.right)))

    async def call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """What a tool answers."""
        return await call_tool(self.guest_of(ctx), self.now_us(), ctx, params)

    async def list_resources(self, ctx: Context, params: Paged) -> types.ListResourcesResult:
        """What the guest may read, by pages."""
        with_cursor = {} if params is None or params.cursor is None else {"cursor": params.cursor}
        return await _resources(self.guest_of(ctx), with_cursor)

    async def list_templates(
        self, ctx: Context, params: Paged
    ) -> types.ListResourceTemplatesResult:
        """Addresses with names in them."""
        del ctx, params
        templates = [
            types.ResourceTemplate(
                name=name.lower(), title=name, uri_template=uri, description=about, mime_type=_JSON
            )
            for uri, (name, about) in resources.TEMPLATES.items()
        ]
        return types.ListResourceTemplatesResult(resource_templates=templates)

    async def read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """What lies at an address."""
        try:
            found = await resources.read(self.guest_of(ctx), params.uri, self.now_us())
        except BudgetError as error:
            raise _protocol_error(ctx, error, params.uri) from None
        text = json.dumps(found, default=str)
        content = types.TextResourceContents(uri=params.uri, mime_type=_JSON, text=text)
        return types.ReadResourceResult(contents=[content])

    async def list_prompts(self, ctx: Context, params: Paged) -> types.ListPromptsResult:
        """The prompts."""
        del ctx, params
        return types.ListPromptsResult(prompts=[_prompt(one) for one in prompts.PROMPTS])

    async def get_prompt(
        self, ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """A prompt, with the guest's figures."""
        given = dict(params.arguments or {})
        try:
            text = await prompts.write(params.name, given, self.guest_of(ctx), self.now_us())
        except BudgetError as error:
            raise _protocol_error(ctx, error) from None
        content = types.TextContent(type="text", text=text)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


@lru_cache(maxsize=8)
def _listed(names: tuple[str, ...]) -> types.ListToolsResult:
    """The tools under their names, then under those that they had in Tekton's Budget."""
    allowed = [one for one in TOOLS if one.name in names]
    former = [
        _described(one, one.former, f"The same as {one.name}. {one.doc}")
        for one in allowed
        if one.former is not None
    ]
    return types.ListToolsResult(
        tools=[*(_described(one, one.name, one.doc) for one in allowed), *former]
    )


def _described(one: Tool, name: str, about: str) -> types.Tool:
    return types.Tool(
        name=name,
        title=one.title,
        description=about,
        input_schema=one.asks,
        output_schema=one.tells,
        annotations=types.ToolAnnotations(
            read_only_hint=not one.changes,
            destructive_hint=False,
            idempotent_hint=one.again,
            open_world_hint=False,
        ),
    )


def _input_schema(name: str) -> Any:
    try:
        return find_tool(name).asks
    except BudgetError:
        return None


async def _resources(guest: Guest, with_cursor: dict[str, Any]) -> types.ListResourcesResult:
    """The status, and every budget that the guest may see, by pages."""
    if not guest.may("read"):
        return types.ListResourcesResult(resources=[])
    try:
        page = await guest.books.run(guest.books.acts.budgets(limit=_PAGE, **with_cursor))
    except InvalidInput as error:
        raise MCPError(types.INVALID_PARAMS, error.detail) from None
    found = [
        types.Resource(
            name=one.name, uri=resources.budget_uri(one.budget_id), mime_type=_JSON,
            description=one.description or f"The budget {one.name}, and how its limits stand.",
        )
        for one in page.items
    ]  # fmt: skip
    if not with_cursor:
        status = types.Resource(
            name="status", uri=resources.STATUS, mime_type=_JSON,
            description=resources.ABOUT_STATUS,
        )  # fmt: skip
        found.insert(0, status)
    return types.ListResourcesResult(resources=found, next_cursor=page.next_cursor)


def _prompt(one: prompts.Prompt) -> types.Prompt:
    return types.Prompt(
        name=one.name,
        title=one.name.replace("_", " ").capitalize(),
        description=one.doc,
        arguments=[
            types.PromptArgument(name=field.name, description=_told(field), required=field.required)
            for field in one.fields
        ],
    )


def _told(field: Field) -> str:
    return f"{field.about} One of: {', '.join(field.words)}." if field.words else field.about


def _protocol_error(ctx: Context, error: BudgetError, uri: str | None = None) -> MCPError:
    """An error of what is no tool: the protocol has codes for these."""
    if uri is None:
        return MCPError(types.INVALID_PARAMS, error.detail)
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    gone = error.code in ("not_found", "no_price")
    code = _NOT_FOUND if gone and not modern else types.INVALID_PARAMS
    return MCPError(code, error.detail, {"uri": uri[:512]})
