"""The service as an ASGI application: finds the route, lets in who may, answers in JSON.

Built on Starlette's router, without its middleware: what every request needs is one function here.
Not here: what routes there are (`routes`), how the process is run (`serve`).
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from starlette.routing import Route as Path
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from budget.domain.attributes import STANDARD
from budget.domain.errors import BudgetError, Forbidden, InvalidInput, NotFound
from budget.engine.callers import LOCAL
from budget.http import bodies, choosing, problems
from budget.http.calls import Call, Carried, Service
from budget.http.choosing import chosen
from budget.http.door.door import Client
from budget.http.door.protection import protection_of
from budget.http.gateway import pass_through
from budget.http.live.conversation import converse, refuse
from budget.http.live.guests import Live
from budget.http.live.sockets import checked_sockets
from budget.http.mcp import PATH as MCP
from budget.http.mcp import speak
from budget.http.problems import Reply
from budget.http.queries import parse_query
from budget.http.route import Route, check_routes
from budget.http.routes import NESTED, ROUTES

MAX_HEADER_BYTES: Final = 16 * 1024
_QUICKLY_PARSED_BYTES: Final = 64 * 1024
"""Longer bodies are parsed in a thread."""

Headers = dict[bytes, bytes]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,512}")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
_NOTHING_HERE: Final = "Nothing is here; GET /api/v1/discovery, with a key, lists what there is."
_SOCKET_HERE: Final = "WebSockets are here, /ws and /ws/budget/…: ask for an upgrade."
ELSEWHERE: Final = {
    "prompt_tokens": "input_tokens", "completion_tokens": "output_tokens",
    "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens",
    "messages": "request", "cached_tokens": "cache_read_tokens",
}  # fmt: skip
"""How others call what callers state, and what it is called here."""
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
NO_CONTENT: Final = 204
_REPLAYED: Final = (b"idempotency-replayed", b"true")


class App:
    """The application. Open for as long as its books are; it does not close them."""

    def __init__(self, service: Service, routes: Sequence[Route] = ROUTES) -> None:
        check_routes(tuple(routes))
        by_path: dict[str, dict[str, Route]] = defaultdict(dict)
        for route in routes:
            by_path[route.path][route.method] = route
        self._router = Router(
            [Path(path, _Place(service, path, taken)) for path, taken in by_path.items()],
            redirect_slashes=False,
            default=_nowhere,
        )
        self._hosts = service.hosts
        self._service = service
        self._sockets = checked_sockets()
        self._otlp = _otlp_doors(service)

    @property
    def live(self) -> Live:
        """Who follows events."""
        return self._service.live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            error = _unfit(scope, self._hosts)
            if error is not None:
                await _send(send, problems.reply_to(error))
                return
        elif scope["type"] == "websocket":
            await self._converse(scope, receive, send)
            return
        otlp = self._otlp.get(scope["path"])
        if otlp is not None:
            await otlp(scope, receive, send)
            return
        mcp, gateway = self._service.mcp, self._service.gateway
        if mcp is not None and scope["type"] == "http" and scope["path"] == MCP:
            await speak(self._service, mcp, scope, receive, send)
            return
        if gateway is not None and scope["type"] == "http":
            mount = gateway.mount(scope["raw_path"].decode("latin-1"))
            if mount is not None:
                await pass_through(self._service, gateway, mount, scope, receive, send)
                return
        await self._router(scope, receive, send)

    def start(self) -> None:
        """Begin what goes on behind answers, on the event loop that answers."""
        if self._service.gateway is not None:
            self._service.gateway.start()
        if self._service.neighbours is not None:
            self._service.neighbours.start()

    async def hang_up(self) -> None:
        """End the streams that callers follow, which would be waited for."""
        self.live.close()
        if self._service.mcp is not None:
            await self._service.mcp.close()

    async def close(self) -> None:
        """End what goes on behind answers."""
        if self._service.neighbours is not None:
            await self._service.neighbours.close()
        if self._service.gateway is not None:
            await self._service.gateway.close()

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak with who opens a WebSocket, if there is one at its path."""
        socket = self._sockets.get(scope["path"])
        error = _unfit(scope, self._hosts)
        if error is None and socket is None:
            error = self._no_socket(scope)
        if error is not None or socket is None:
            await receive()
            await refuse(send, problems.reply_to(error or problems.NoRoute("")))
            return
        await converse(self.live, self._service.door, socket, scope, receive, send)

    def _no_socket(self, scope: Scope) -> BudgetError:
        gateway = self._service.gateway
        if gateway is not None and gateway.mount(scope["raw_path"].decode("latin-1")) is not None:
            return Forbidden(
                "WebSockets are not passed on to providers: what is said there cannot be held for "
                "beforehand. Call the provider's routes over HTTP.",
                code="unmetered_route",
            )
        return problems.NoRoute("No WebSocket is here; they lie under /ws.")


class _Place:
    """One path: its routes by method."""

    def __init__(self, service: Service, path: str, routes: dict[str, Route]) -> None:
        self._service = service
        self._path = path
        self._routes = dict(routes)
        if "GET" in routes:
            self._routes["HEAD"] = routes["GET"]
        self._allowed = (*self._routes, "OPTIONS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await _send(
                send, Reply(204, b"", headers=((b"allow", ", ".join(self._allowed).encode()),))
            )
            return
        observer = self._service.observer
        seen = observer.begin(scope, self._path)
        try:
            reply = await self._told(scope, receive)
        except bodies.ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the last stop: nobody is shown a traceback
            reply = problems.reply_to_unforeseen(error)
        observer.end(seen, scope, self._path, reply)
        await _send(
            send,
            reply._replace(headers=(*reply.headers, seen.header)),
            receive,
            bodiless=scope["method"] == "HEAD",
        )

    async def _told(self, scope: Scope, receive: Receive) -> Reply:
        try:
            return await self._reply(scope, receive)
        except BudgetError as error:
            return problems.reply_to(error, self._service.status_of_refusals)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        method = scope["method"]
        route = self._routes.get(method)
        if route is None:
            raise problems.MethodNotAllowed(method, self._allowed)
        headers: Headers = dict(scope["headers"])
        carried = await self._admitted(route, method, headers, scope.get("client"))
        ids = tuple(_checked_id(name, text) for name, text in scope["path_params"].items())
        query = parse_query(scope["query_string"], route.query)
        fields = query.pop("fields", None)
        choice = None if fields is None else choosing.choice_of(route, fields)
        ask = {} if method in _BODILESS else await _ask(route, headers, receive)
        visitor = carried.visitor
        caller = LOCAL if visitor is None else visitor.key.caller
        scope["budget.actor"] = caller.actor
        answered = await route.handle(Call(self._service, caller, ids, ask, query, carried))
        if isinstance(answered, Reply):
            return answered
        return Reply(
            route.status,
            bodies.encode(answered.body if choice is None else chosen(answered.body, choice)),
            headers=(*answered.headers, _REPLAYED) if answered.replayed else answered.headers,
        )

    async def _admitted(
        self, route: Route, method: str, headers: Headers, client: Client
    ) -> Carried:
        """Who calls; Unauthorized, TooMany or Forbidden unless the route is open to all."""
        if route.scope == "open":
            return Carried(headers, client)
        visitor = await self._service.door.admit(method, headers, client)
        if not visitor.key.allows(route.scope):
            raise Forbidden(f"This key lacks the right `{route.scope}`; use one that has it.")
        return Carried(headers, client, visitor)


def _otlp_doors(service: Service) -> Mapping[str, ASGIApp]:
    """What answers at the paths of OTLP; nothing, and nothing loaded, where it is off."""
    if service.neighbours is None or service.neighbours.get("otlp") is None:
        return {}
    from budget.http.otlp import doors

    return doors(service)


def _checked_id(name: str, text: str) -> str:
    """An id, or a name, from the path; what cannot be one is nowhere to be found."""
    form = _ID if name.endswith("_id") else _NAME
    if not form.fullmatch(text):
        raise NotFound(name.removesuffix("_id").replace("usage", "usage record"), text[:80])
    return text


async def _ask(route: Route, headers: Headers, receive: Receive) -> dict[str, Any]:
    """The fields of the body in our spelling, and the idempotency key of the header among them."""
    fields = route.fields
    ask = bodies.in_snake_case(await _parsed(headers, receive, fields), fields)
    for name, value in ask.items():
        if name not in fields:
            detail = f"is not a field here{_meant(name, fields)}."
            raise InvalidInput(name[:80], detail, sorted(fields))
        if name in NESTED:
            ask[name] = _nested(name, value)
    key = headers.get(b"idempotency-key")
    if key is not None and "idempotency_key" in fields:
        text = key.decode("latin-1")
        if ask.setdefault("idempotency_key", text) != text:
            raise InvalidInput("idempotency_key", "differs from the header Idempotency-Key.")
    return ask


def _meant(name: str, fields: frozenset[str]) -> str:
    """What a name was perhaps meant to be: an attribute, or a field that has another name here."""
    if "attributes" in fields and name in STANDARD:
        return "; put it into attributes"
    other = ELSEWHERE.get(name)
    return f"; perhaps it is {other}" if other in fields else ""


async def _parsed(headers: Headers, receive: Receive, fields: frozenset[str]) -> dict[str, Any]:
    """The body as an object. One that may carry a request to a model may be longer and deeper, one
    of many records longer.
    """
    may_carry = "request" in fields
    long = may_carry or "records" in fields
    most = bodies.MAX_REQUEST_BYTES if long else bodies.MAX_BODY_BYTES
    body = await bodies.read_body(receive, headers, most)
    if body:
        bodies.check_media_type(headers)
    depth = bodies.MAX_REQUEST_DEPTH if may_carry else bodies.MAX_DEPTH
    if len(body) <= _QUICKLY_PARSED_BYTES:
        ask = bodies.parse_object(body, depth)
    else:
        ask = await asyncio.to_thread(bodies.parse_object, body, depth)
    if not may_carry:
        return ask
    if len(body) > bodies.MAX_BODY_BYTES and "request" not in ask:
        raise bodies.too_large(bodies.MAX_BODY_BYTES)
    for name, value in ask.items():
        if name != "request":
            bodies.check_depth(value, bodies.MAX_DEPTH - 1)
    return ask


def _nested(name: str, value: Any) -> Any:
    """Objects within the body whose field names are ours, and within those, in our spelling."""
    return _spelled(NESTED[name], name, value)


def _spelled(fields: frozenset[str], path: str, value: Any) -> Any:
    if isinstance(value, list):
        return [
            _spelled(fields, f"{path}[{at}]", one) if isinstance(one, dict) else one
            for at, one in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    ours = bodies.in_snake_case(value, fields, f"{path}.")
    for name in ours.keys() & NESTED.keys() & fields:
        ours[name] = _spelled(NESTED[name], f"{path}.{name}", ours[name])
    return ours


def _unfit(scope: Scope, hosts: frozenset[str] | None) -> BudgetError | None:
    """What is wrong with a request before anybody looks at what it wants."""
    total_bytes = len(scope["path"]) + len(scope["query_string"])
    host = b""
    named = 0
    for name, value in scope["headers"]:
        total_bytes += len(name) + len(value)
        if name == b"host":
            host = value
            named += 1
    if total_bytes > MAX_HEADER_BYTES:
        return problems.HeadersTooLarge(f"Headers may have at most {MAX_HEADER_BYTES} bytes.")
    if named > 1 or (hosts is not None and _host_name(host) not in hosts):
        return problems.HostNotAllowed("The Host header does not name this service.")
    return None


@lru_cache(64)
def _host_name(host: bytes) -> str:
    """The name in a Host header, in lower case and without the port; empty if it is none."""
    matched = _HOST.fullmatch(host.decode("latin-1").lower())
    return "" if matched is None else matched[1]


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    del receive
    if scope["type"] == "http":
        socket = scope["path"].startswith("/ws")
        error = problems.NoRoute(_SOCKET_HERE if socket else _NOTHING_HERE)
        await _send(send, problems.reply_to(error), bodiless=scope["method"] == "HEAD")


async def _send(
    send: Send, reply: Reply, receive: Receive | None = None, *, bodiless: bool = False
) -> None:
    headers = [*protection_of(reply), *reply.headers]
    if reply.body or reply.stream:
        headers.append((b"content-type", reply.media_type))
    if reply.status != NO_CONTENT and not reply.stream:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.stream and receive and not bodiless:
        await reply.stream(send, receive)
        return
    await send({"type": "http.response.body", "body": b"" if bodiless else reply.body})
