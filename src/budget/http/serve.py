"""Serving: opens the books, makes the admin's key if there is none, answers until told to stop.

    serve(Settings.read(), on_start=print)

Libraries are imported when the service starts, so that commands may ask `service_address` cheaply.
Not here: what is answered (`app`), and what is printed (`cli`).
"""

import ipaddress
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine.addresses import remove_address, service_address, write_address
from budget.engine.door_settings import DEFAULT_DOOR, DoorSettings
from budget.engine.settings import Settings, shown

if TYPE_CHECKING:
    from asyncio import Protocol
    from types import FrameType

    from uvicorn import Server

    from budget.engine.budget import AsyncBudget
    from budget.engine.jobs import Books
    from budget.gateway.gateway import Assigned
    from budget.gateway.rules import Rules
    from budget.gateway.upstreams import Upstream
    from budget.http.app import App
    from budget.http.live.guests import Limits
    from budget.http.observing import Observer
    from budget.mcp.transport import Transport
    from budget.neighbours.neighbour import Neighbour

__all__ = ["Started", "serve", "service_address"]

DRAIN_SECONDS: Final = 30
LAST_CALLERS_SECONDS: Final = 0.05
LAST_CALLS_SECONDS: Final = 0.2
"""How long callers are still let in after the signal, and then their requests read: what was sent
before it may be under way."""
BACKLOG: Final = 2048
KEEP_ALIVE_SECONDS: Final = 75
SWITCH_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Started:
    """What to tell whoever started the service.

    `key_file` holds the admin's key; None when the books have keys but this user's file holds none:
    a further one is made by starting with `new_admin_key`. `curl` is a first call to try.
    """

    url: str
    target: str
    key_file: Path | None
    curl: str


def serve(
    settings: Settings,
    *,
    on_start: Callable[[Started], None],
    behind_proxy: bool = False,
    new_admin_key: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; then stop accepting, answer what came before, close the books.

    InvalidInput for a host that others can reach, unless `behind_proxy` says that something else
    keeps the traffic private, and for a price file with a mistake. Unavailable when the port is
    taken or the database cannot be had.
    """
    listener = listen(settings.host, settings.port, behind_proxy=behind_proxy)
    try:
        _serve_on(listener, settings, on_start, behind_proxy, new_admin_key)
    finally:
        listener.close()


def _serve_on(
    listener: socket.socket,
    settings: Settings,
    on_start: Callable[[Started], None],
    behind_proxy: bool,
    new_admin_key: bool,
) -> None:
    from budget.engine import key_file
    from budget.engine.alerts.watching import watcher
    from budget.engine.calibrating import learner
    from budget.engine.channels.notifier import Notifier
    from budget.engine.jobs import Books
    from budget.engine.key_uses import KeyUses
    from budget.engine.keys import ensure_admin_key
    from budget.engine.price_book.refresh import PriceRefresh
    from budget.engine.sealing import sealer
    from budget.gateway.mock import with_mock
    from budget.gateway.rules import read_rules
    from budget.gateway.upstreams import read_upstreams
    from budget.http import logs
    from budget.http.memory import kept_small
    from budget.http.observing import Observer
    from budget.http.tracing import exporting_tracer

    logs.configure()
    _warn_of_unknown(os.environ)
    # The writer's thread waits for the interpreter's lock whenever it comes back from the database;
    # at the default of 5 ms, under load, twice as long as at this.
    sys.setswitchinterval(SWITCH_SECONDS)
    known, rules = read_upstreams(os.environ), read_rules(os.environ)
    port = listener.getsockname()[1]
    url = url_of(settings.host, port)
    instance = secrets.token_hex(8)
    tracer = exporting_tracer() if settings.traces else None
    with ExitStack() as opened:  # what is opened last is closed first
        opened.enter_context(kept_small())
        upstreams = opened.enter_context(with_mock(known, os.environ))
        books = opened.enter_context(
            closing(
                Books.open(
                    settings.target,
                    price_settings=settings.price_settings,
                    channel_settings=settings.channels,
                )
            )
        )
        observer = Observer(instance, access=settings.access_log, tracer=tracer)
        opened.enter_context(closing(observer))
        refresh = opened.enter_context(closing(PriceRefresh(books)))
        opened.enter_context(closing(learner(books)))
        opened.enter_context(closing(sealer(books)))
        opened.enter_context(closing(watcher(books)))
        uses = opened.enter_context(closing(KeyUses(books)))
        notifier = opened.enter_context(closing(Notifier(books)))
        refresh.start()
        notifier.start()
        key_path = ensure_admin_key(books, settings.config_dir, settings.target, anew=new_admin_key)
        if key_path is not None:
            key_file.note_url(settings.config_dir, settings.target, url)
        app = make_app(
            books,
            port=port,
            instance=instance,
            hosts=None if behind_proxy else _hosts(settings.host),
            refusal_status=settings.refusal_status,
            url=settings.door.public_url or url,
            door=settings.door,
            proxied=behind_proxy,
            observer=observer,
            used=uses.note,
            docs=not behind_proxy if settings.docs is None else settings.docs,
            process={**shown(settings), "behind_proxy": behind_proxy},
            upstreams=upstreams,
            rules=rules,
            env=os.environ,
        )

        def announce() -> None:
            write_address(settings.target, url, instance)
            on_start(Started(url, settings.target, key_path, _curl(url, key_path)))

        opened.callback(remove_address, settings.target, instance)
        make_server(app, announce, tls=settings.door.tls).run(sockets=[listener])


def _warn_of_unknown(env: Mapping[str, str]) -> None:
    """Log which variables are none of ours; what they were to do is not done."""
    import structlog

    from budget.engine.setting_names import unknown_settings

    log = structlog.get_logger("budget.http")
    for name, nearest in unknown_settings(env):
        log.warning(f"{name} is no setting, so nobody reads it", nearest=nearest)


def make_app(
    books: "Books",
    *,
    port: int | None = None,
    instance: str = "",
    hosts: frozenset[str] | None = None,
    refusal_status: int | None = None,
    url: str = "",
    door: DoorSettings = DEFAULT_DOOR,
    proxied: bool = False,
    observer: "Observer | None" = None,
    used: "Callable[[str], None] | None" = None,
    docs: bool = True,
    process: "Mapping[str, Any] | None" = None,
    limits: "Limits | None" = None,
    upstreams: "Mapping[str, Upstream] | None" = None,
    rules: "Rules | None" = None,
    env: "Mapping[str, str] | None" = None,
) -> "App":
    """The application over open books. `proxied`: the last proxy says who is at the other end.

    `used` is told of keys that are used. `limits` are those of who follows events. `upstreams` are
    those of the gateway, under these `rules`; None: there is none. `env` names its neighbours.
    """
    from budget.engine.budget import AsyncBudget
    from budget.engine.keys import Keyring
    from budget.gateway.gateway import Gateway
    from budget.gateway.rules import NO_RULES
    from budget.http.app import App
    from budget.http.auth import Gate
    from budget.http.calls import Pulse, Service
    from budget.http.door.door import Door
    from budget.http.door.issuer import Issuer
    from budget.http.door.visits import Visits
    from budget.http.live.guests import DEFAULT_LIMITS, Live
    from budget.http.observing import Observer
    from budget.neighbours.company import Company
    from budget.neighbours.known import Setup, read_neighbours

    budget = AsyncBudget(books)
    gate = Gate(Keyring.of(books.database), used)
    visits = Visits.of(books.database)
    issuer = None if door.oidc is None else Issuer(door.oidc, f"{url}/login/oidc/callback")
    entrance = Door(gate, visits, door, issuer=issuer, proxied=proxied)
    live = Live(books, entrance, limits or DEFAULT_LIMITS)
    neighbours = read_neighbours(Setup(env or {}, budget, url, port or 0, instance))
    service = Service(
        budget, Pulse(budget), instance, entrance, observer or Observer(instance), live, port,
        hosts, refusal_status, url, docs, process or {},
        gateway=None if upstreams is None else Gateway(
            budget, upstreams, rules or NO_RULES, _assigned(neighbours)
        ),
        mcp=_speaking(budget, neighbours),
        neighbours=Company(neighbours),
    )  # fmt: skip
    return App(service)


def _assigned(neighbours: "Iterable[Neighbour]") -> "Assigned | None":
    """Which models Rhetor has assigned, if Budget is in touch with it."""
    for one in neighbours:
        if one.name == "rhetor":
            from budget.neighbours.rhetor.rhetor import Rhetor

            assert isinstance(one, Rhetor)
            return one.assigned
    return None


def _speaking(budget: "AsyncBudget", neighbours: "Iterable[Neighbour]") -> "Transport | None":
    """MCP, unless it is off; as a neighbour it is told who comes."""
    from budget.http.mcp import MAX_BODY_BYTES
    from budget.mcp.transport import Transport
    from budget.neighbours.mcp import Clients

    clients = next((one for one in neighbours if isinstance(one, Clients)), None)
    if clients is None:
        return None
    return Transport(budget.books.database.now_us, MAX_BODY_BYTES, clients.came)


def make_server(
    app: "App",
    on_start: Callable[[], None] | None = None,
    *,
    tls: bool = False,
    http: "type[Protocol] | None" = None,
    last_seconds: tuple[float, float] = (LAST_CALLERS_SECONDS, LAST_CALLS_SECONDS),
) -> "Server":
    """The server for an application; `should_exit` stops it, in whichever thread it runs.

    `on_start` is called once it answers, and signals are heard. `tls`: with a proxy before it that
    speaks TLS. `http` is a connection, in place of the usual one. `last_seconds` are waited before
    it stops, for callers and then for their requests that are under way.
    """
    import asyncio
    import gc

    import uvicorn

    from budget.http.door.patience import PatientProtocol
    from budget.http.door.protection import HSTS
    from budget.http.live.protocol import MAX_MESSAGE_BYTES, LiveProtocol

    class Draining(uvicorn.Server):
        """Ends with success when a signal asks it to; a second Ctrl-C does not wait for callers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not look at it again
            app.start()
            if on_start is not None:
                on_start()

        def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
            del frame
            if self.should_exit and sig == signal.SIGINT:
                self.force_exit = True
            self.should_exit = True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Let nobody in, read what was on its way, tell callers to connect anew; stop."""
            await asyncio.sleep(last_seconds[0])
            for listening in (*self.servers, *(sockets or ())):
                listening.close()
            state = self.server_state
            state.default_headers = [*state.default_headers, (b"connection", b"close")]
            await asyncio.sleep(last_seconds[1])
            await app.hang_up()
            await super().shutdown(sockets)
            await app.close()

    config = uvicorn.Config(
        app,
        loop="auto",
        http=http or PatientProtocol,
        headers=[HSTS] if tls else [],
        ws=LiveProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return Draining(config)


# --- Where it listens ----------------------------------------------------------------------------


def listen(host: str, port: int, *, behind_proxy: bool = False) -> socket.socket:
    """A socket on an address of this machine alone, or on any if that is said to be safe."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise InvalidInput("host", f"{host[:80]!r} is no address of this machine.") from error
    family, _, _, _, address = found[0]
    if not behind_proxy and not ipaddress.ip_address(address[0]).is_loopback:
        raise InvalidInput(
            "host",
            f"{host} can be reached from other machines, and keys would travel in the clear. "
            "Listen on 127.0.0.1, or put a proxy with TLS before the service and say so with "
            "--insecure-behind-proxy.",
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # a port in TIME_WAIT may be used again
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Cannot listen on {host} port {port}: {error.strerror}. Is Budget running already? "
            "Choose another port with --port.",
            code="port_taken",
        ) from error
    listener.setblocking(False)
    return listener


def url_of(host: str, port: int) -> str:
    """The address to call a service by that listens on a host; on any, this machine's own."""
    if host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _hosts(host: str) -> frozenset[str]:
    """The names by which a service for this machine alone may be called.

    Others are refused: a page in a browser could make one of its own lead here.
    """
    named = f"[{host}]" if ":" in host else host.lower()
    return frozenset({"localhost", "127.0.0.1", "[::1]", named})


def _curl(url: str, key_path: Path | None) -> str:
    key = "bud_..." if key_path is None else "$(budget key)"
    return f'curl -H "Authorization: Bearer {key}" {url}/api/v1/status'
