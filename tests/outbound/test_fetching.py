"""Fetching from local servers that serve feeds, and from bad ones."""

import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import trustme

from budget.domain.errors import InvalidInput, Unavailable
from budget.outbound.fetching import Fetched, Limits, fetch
from budget.outbound.guard import Allow

FEED = json.dumps(
    {
        "gpt-4o": {
            "litellm_provider": "openai",
            "mode": "chat",
            "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05,
            "max_input_tokens": 128000,
        },
        "claude-sonnet-4-5": {
            "litellm_provider": "anthropic",
            "input_cost_per_token": 3e-06,
            "output_cost_per_token": 1.5e-05,
        },
    }
).encode()

SECRET = b"internal-secret-4711"
"""Stands in what bad servers send; no message may repeat it."""

LIMITS = Limits(body_bytes=100_000, total_seconds=5)
SHORT = Limits(body_bytes=100_000, total_seconds=0.5)

Script = Callable[[socket.socket], None]


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Script:
    """Send one whole answer, of the length given or else its own."""
    told = len(body) if length is None else length
    return raw(status, *headers, f"Content-Length: {told}", body=body)


def raw(status: str, *headers: str, body: bytes = b"") -> Script:
    """Send just this and close."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""])
    return lambda connection: connection.sendall(head.encode("latin-1") + body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endless(head: bytes, piece: bytes, pause_seconds: float = 0) -> Script:
    """Send a head, then a piece again and again until the other side has gone."""

    def run(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(pause_seconds)

    return run


def silence(connection: socket.socket) -> None:
    """Say nothing until the other side has gone."""
    connection.recv(1)


@dataclass
class Server:
    """Plays the script; notes what was asked, and by which name TLS was begun."""

    script: Script
    port: int = 0
    requests: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    played: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/prices.json"

    @property
    def allow(self) -> Allow:
        return Allow(origins=frozenset({f"http://127.0.0.1:{self.port}"}))

    def get(self, limits: Limits = LIMITS, **since: str) -> Fetched:
        return fetch(self.url, allow=self.allow, limits=limits, **since)  # type: ignore[arg-type]


@contextlib.contextmanager
def serving(
    script: Script, tls: ssl.SSLContext | None = None, hello: bytes = b"\r\n\r\n"
) -> Iterator[Server]:
    """A server on 127.0.0.1 with one thread a connection; all end with the block.

    The script is played once `hello` has come.
    """
    server = Server(script)
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    threads: list[threading.Thread] = []

    def play(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            connection.settimeout(10)
            if tls is not None:
                connection = stack.enter_context(tls.wrap_socket(connection, server_side=True))
            request = b""
            while hello not in request:
                came = connection.recv(65536)
                if not came:
                    return
                request += came
            server.requests.append(request.decode("latin-1"))
            try:
                server.script(connection)
            finally:
                server.played += 1

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=play, args=(listener.accept()[0],))
                threads.append(thread)
                thread.start()

    if tls is not None:
        tls.sni_callback = lambda _, name, __: server.names.append(name)
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listener.close()
        for thread in threads:
            thread.join()


def refused(server: Server, limits: Limits = LIMITS) -> str:
    """What a fetch that must fail says, which holds nothing of what the server sent."""
    with pytest.raises(Unavailable) as failed:
        server.get(limits)
    assert failed.value.retry_after_seconds == 60
    assert SECRET.decode() not in failed.value.detail
    assert failed.value.__cause__ is None or SECRET.decode() not in repr(failed.value.__cause__)
    return failed.value.detail


# Good servers.


def test_a_feed_comes_as_it_is_with_what_tells_its_version() -> None:
    headers = ('ETag: W/"abc-1"', "Last-Modified: Wed, 01 Jul 2026 07:28:00 GMT")
    with serving(answer(FEED, *headers)) as server:
        fetched = server.get()
    assert fetched == Fetched(FEED, 'W/"abc-1"', "Wed, 01 Jul 2026 07:28:00 GMT")
    assert "gpt-4o" not in repr(fetched)
    head = server.requests[0].lower().split("\r\n")
    assert head[0] == "get /prices.json http/1.1"
    assert f"host: 127.0.0.1:{server.port}" in head
    assert "connection: close" in head
    assert not any(line.startswith(("cookie", "authorization", "if-")) for line in head)


@pytest.mark.parametrize(
    "script",
    [
        raw("200 OK", "Transfer-Encoding: chunked", body=chunk(FEED) + chunk(b"")),
        raw(
            "200 OK",
            "Transfer-Encoding: chunked",
            body=b"".join(chunk(FEED[at : at + 7]) for at in range(0, len(FEED), 7)) + chunk(b""),
        ),
        answer(gzip.compress(FEED), "Content-Encoding: gzip"),
        raw("200 OK", "Content-Encoding: GZIP", body=gzip.compress(FEED)),
        raw(
            "200 OK",
            "Content-Encoding: gzip",
            "Transfer-Encoding: chunked",
            body=b"".join(chunk(bytes([each])) for each in gzip.compress(FEED)) + chunk(b""),
        ),
        raw("100 Continue", "", "HTTP/1.1 200 OK", f"Content-Length: {len(FEED)}", body=FEED),
    ],
    ids=["chunked", "small chunks", "gzip", "gzip to the end", "gzip in bytes", "after a 100"],
)
def test_a_feed_may_come_in_chunks_and_compressed(script: Script) -> None:
    with serving(script) as server:
        assert server.get() == Fetched(FEED, None, None)


def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    for headers, sent in (((), bytes), (("Content-Encoding: gzip",), gzip.compress)):
        with serving(answer(sent(b"x" * 100_000), *headers)) as server:
            assert server.get().body == b"x" * 100_000
        with serving(answer(sent(b"x" * 100_001), *headers)) as server:
            assert refused(server) == "127.0.0.1 sent more than 100000 bytes."


def test_what_was_not_modified_is_not_sent_again() -> None:
    with serving(raw("304 Not Modified", 'ETag: "2"')) as server:
        fetched = server.get(etag='"1"', last_modified="Wed, 01 Jul 2026 07:28:00 GMT")
    assert fetched == Fetched(b"", '"2"', "Wed, 01 Jul 2026 07:28:00 GMT", not_modified=True)
    assert '\r\nIf-None-Match: "1"\r\n' in server.requests[0]
    assert "\r\nIf-Modified-Since: Wed, 01 Jul 2026 07:28:00 GMT\r\n" in server.requests[0]


def test_not_modified_without_being_asked_is_no_answer() -> None:
    with serving(raw("304 Not Modified")) as server:
        assert refused(server) == "127.0.0.1 answered with status 304."


def test_an_odd_etag_is_neither_kept_nor_sent() -> None:
    for etag in ('"' + "x" * 512 + '"', '"\xe9"', '"\ta"'):
        with serving(answer(FEED, f"ETag: {etag}")) as server:
            assert server.get().etag is None
    with serving(answer(FEED)) as server:
        assert server.get(etag='"a"\r\nX-Injected: 1').body == FEED
    assert "Injected" not in server.requests[0]


# Where it connects.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_https_goes_to_the_address_looked_up_and_keeps_the_name(authority: trustme.CA) -> None:
    asked: list[tuple[str, int]] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["192.168.77.77"]

    with serving(answer(FEED), certified(authority, "feeds.example.com")) as server:
        origin = f"https://feeds.example.com:{server.port}"
        fetched = fetch(
            f"{origin}/v1?x=1",
            allow=Allow(origins=frozenset({origin})),
            resolve=rebinding,
            tls=trusting(authority),
        )
    assert fetched.body == FEED
    assert asked == [("feeds.example.com", server.port)]
    assert server.names == ["feeds.example.com"]
    assert f"\r\nHost: feeds.example.com:{server.port}\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("another name", "The certificate of feeds.example.com is not good: Hostname mismatch"),
        ("another authority", "The certificate of feeds.example.com is not good: unable to get"),
        ("no TLS", "feeds.example.com could not be spoken to over TLS."),
    ],
)
def test_https_that_proves_nothing_gets_no_request(
    authority: trustme.CA, fault: str, told: str
) -> None:
    name = "evil.example.com" if fault == "another name" else "feeds.example.com"
    trusted = trustme.CA() if fault == "another authority" else authority
    with contextlib.ExitStack() as stack:
        if fault == "no TLS":
            server = stack.enter_context(serving(answer(FEED), hello=b"\x16"))
        else:
            server = stack.enter_context(serving(answer(FEED), certified(authority, name)))
        origin = f"https://feeds.example.com:{server.port}"
        with pytest.raises(Unavailable) as failed:
            fetch(
                origin,
                allow=Allow(origins=frozenset({origin})),
                resolve=lambda *_: ["127.0.0.1"],
                tls=trusting(trusted),
                limits=LIMITS,
            )
    assert not any("GET" in request for request in server.requests)
    assert failed.value.detail.startswith(told)


def test_an_address_that_refuses_is_followed_by_the_next() -> None:
    with serving(answer(FEED)) as server:
        origin = f"http://mirror.lan:{server.port}"
        fetched = fetch(
            origin,
            allow=Allow(origins=frozenset({origin})),
            resolve=lambda *_: ["127.0.0.2", "127.0.0.1"],
            limits=LIMITS,
        )
    assert fetched.body == FEED


def test_the_resolver_of_the_machine_knows_localhost() -> None:
    with serving(answer(FEED)) as server:
        origin = f"http://localhost:{server.port}"
        allow = Allow(origins=frozenset({origin}))
        assert fetch(origin, allow=allow, limits=LIMITS).body == FEED


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with serving(silence) as server:
        pass
    assert refused(server) == "127.0.0.1 could not be reached."


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer(b"{}")) as proxy, serving(answer(FEED)) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert server.get().body == FEED
    assert proxy.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_only_its_host_is_told(status: int) -> None:
    with serving(answer(b'{"a": 1}')) as inside:
        location = f"Location: http://localhost:{inside.port}/{SECRET.decode()}"
        with serving(answer(SECRET, location, status=f"{status} Found")) as server:
            assert refused(server) == (
                "127.0.0.1 redirects to localhost. Redirects are not followed: name the new URL."
            )
    assert inside.requests == []


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://raw.example.com/x#y", "raw.example.com"),
        ("//raw.example.com/x", "raw.example.com"),
        ("/elsewhere", "another path"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        ("http://2852039166/", "somewhere odd"),
        ("https://a@127.0.0.1/", "somewhere odd"),
        ("file:///etc/passwd", "somewhere odd"),
        (f"https://{SECRET.decode()}_/", "somewhere odd"),
        ("", "another path"),
        (None, "nowhere"),
    ],
)
def test_a_redirect_tells_a_host_that_can_be_read_or_none(location: str | None, told: str) -> None:
    headers = [] if location is None else [f"Location: {location}"]
    with serving(answer(b"", *headers, status="302 Found")) as server:
        assert f"redirects to {told}. " in refused(server)


# Bad servers.


@pytest.mark.parametrize("status", ["500 Internal Server Error", "404 Not Found", "204 No Content"])
def test_another_status_is_told_without_the_body(status: str) -> None:
    with serving(raw(status, "Connection: close", body=SECRET)) as server:
        assert refused(server) == f"127.0.0.1 answered with status {status[:3]}."


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def bomb() -> bytes:
    """Twenty million zeros, in some twenty thousand bytes."""
    return gzip.compress(bytes(20_000_000))


@pytest.mark.parametrize(
    "script",
    [
        endless(CHUNKED, chunk(SECRET * 1000)),
        answer(SECRET, length=100_001),
        answer(SECRET, length=10**19),
        endless(CHUNKED, b"1;" + b"x" * 4000 + b"\r\nx\r\n"),
        endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100),
        answer(bomb(), "Content-Encoding: gzip"),
        endless(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), chunk(bomb())),
    ],
    ids=["body", "length", "vast length", "chunk extensions", "hints", "bomb", "bombs"],
)
def test_too_much_is_cut(script: Script) -> None:
    with serving(script) as server:
        assert refused(server) == "127.0.0.1 sent more than 100000 bytes."


def test_a_bomb_does_not_unfold_in_memory() -> None:
    with serving(answer(bomb(), "Content-Encoding: gzip")) as server:
        tracemalloc.start()
        try:
            refused(server)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak_bytes < 5_000_000  # the body would have 20,000,000


@pytest.mark.parametrize(
    "script",
    [
        silence,
        endless(CHUNKED, chunk(b"x"), 0.05),
        endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05),
        endless(b"", b"H", 0.6),
        endless(CHUNKED + b"5;", b"x", 0.05),
    ],
    ids=["silence", "body", "headers", "status line", "chunk extension"],
)
def test_what_drips_is_cut_at_the_end_of_the_time(script: Script) -> None:
    with serving(script) as server:
        began = time.monotonic()
        assert refused(server, SHORT) == "127.0.0.1 had not answered in full after 0.5 s."
        assert 0.4 < time.monotonic() - began < 4
    assert server.played == 1  # the connection was closed, so the server's thread ended


def test_tls_that_never_gets_done_is_cut_at_the_end_of_the_time(authority: trustme.CA) -> None:
    # `serving` without TLS waits for a request, and the client for a handshake.
    with serving(silence) as server:
        origin = f"https://feeds.example.com:{server.port}"
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"after 0\.5 s"):
            fetch(
                origin,
                allow=Allow(origins=frozenset({origin})),
                resolve=lambda *_: ["127.0.0.1"],
                tls=trusting(authority),
                limits=SHORT,
            )
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "script",
    [
        answer(FEED + SECRET, length=len(FEED) + len(SECRET) + 1),
        raw("200 OK", "Transfer-Encoding: chunked", body=chunk(SECRET)),
        raw("200 OK", "Transfer-Encoding: chunked", body=chunk(SECRET)[:-4]),
        raw("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\n" + SECRET),
        raw("200 OK", "Content-Length: 10", "Content-Length: 12", body=SECRET),
        raw("200 OK", "Content-Length: -1", body=SECRET),
        raw("200 OK", f"X-{SECRET.decode()}", body=FEED),
        raw("200 OK", "X-Long: " + SECRET.decode() * 10_000, body=FEED),
        raw("200 OK", *(f"X-{n}: {SECRET.decode()}" for n in range(5000)), body=FEED),
        raw(f"two hundred {SECRET.decode()}", body=FEED),
        lambda connection: connection.sendall(SECRET * 100),
        lambda connection: connection.sendall(b"\x16\x03\x01" + bytes(10_000)),
        lambda _: None,
    ],
    ids=[
        "cut short", "no last chunk", "cut in a chunk", "chunk size", "two lengths",
        "negative length", "no header", "long header", "many headers", "status", "no HTTP",
        "binary", "nothing",
    ],
)  # fmt: skip
def test_an_answer_that_is_cut_or_is_not_http_is_not_taken(script: Script) -> None:
    with serving(script) as server:
        assert refused(server) == "127.0.0.1 broke off, or did not speak HTTP."


def test_a_body_is_no_longer_than_its_length_says() -> None:
    with serving(answer(FEED + SECRET, length=len(FEED))) as server:
        assert server.get().body == FEED


def test_a_body_that_ends_where_the_connection_does_is_not_taken_for_whole() -> None:
    with serving(raw("200 OK", body=FEED)) as server:
        assert refused(server) == "127.0.0.1 does not say where its answer ends."


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "x" * 1000])
def test_a_compression_that_was_not_asked_for_is_not_undone(coding: str) -> None:
    with serving(answer(SECRET, f"Content-Encoding: {coding}")) as server:
        assert refused(server).startswith("127.0.0.1 compressed its answer in a way")


@pytest.mark.parametrize(
    "body",
    [SECRET, b"", gzip.compress(FEED)[:-9], gzip.compress(FEED) + SECRET],
    ids=["none", "empty", "cut", "more after it"],
)
def test_what_does_not_decompress_as_a_whole_is_not_taken(body: bytes) -> None:
    with serving(answer(body, "Content-Encoding: gzip")) as server:
        assert "does not decompress" in refused(server)


def test_the_guard_stands_before_everything() -> None:
    with serving(answer(FEED)) as server, pytest.raises(InvalidInput) as failed:
        fetch(server.url)
    assert failed.value.field == "url"
    assert server.requests == []
