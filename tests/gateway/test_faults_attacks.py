"""Attacks: what is written to lead a request elsewhere, or to have more than was held for it.

Bytes go over a bare socket, for clients would put them right. Not here: keys (`test_passing`).
"""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.fakes.providers import Providers
from tests.gateway.through import REAL_KEY, Through, through

CHAT: Final = "/openai/v1/chat/completions"
MESSAGES: Final = '"messages":[{"role":"user","content":"Say five words."}]'
SOUND: Final = f'{{"model":"gpt-4o",{MESSAGES}}}'.encode()
PRICE: Final = {"input": "2.50", "output": "10.00"}


class Answered(NamedTuple):
    """What came back, and what had come to the provider by then."""

    status: int
    raw: bytes
    sent: list[tuple[str, Any]]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, running_providers: Providers
) -> Iterator[Through]:
    """One service for the whole table: no case may harm it for the next."""
    path = tmp_path_factory.mktemp("attacks") / "books.db"
    with through(f"sqlite:///{path}", running_providers) as running:
        running.limit("10", unpriced=PRICE)
        yield running


@pytest.fixture
def attacked(service: Through) -> Iterator[Through]:
    """The service; afterwards no hold is open, and it still answers."""
    service.providers.forget()
    yield service
    assert service.open_holds() == 0
    assert service.books.verify().clean


def send(
    through: Through, path: str, body: bytes = SOUND, more: bytes = b"", method: str = "POST"
) -> Answered:
    """Send these bytes as a request."""
    parts = urlsplit(through.url)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {through.key}\r\nContent-Length: {len(body)}\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(head.encode("latin-1") + more + b"\r\n" + body)
        raw = b""
        while piece := connection.recv(65_536):
            raw += piece
    assert REAL_KEY.encode() not in raw
    assert raw.count(b"HTTP/1.1 ") == 1
    return Answered(int(raw.split(b" ", 2)[1]), raw, through.providers.requests())


def of_chat(text: str) -> bytes:
    """A body with this among its fields."""
    return f'{{"model":"gpt-4o",{MESSAGES},{text}}}'.encode()


@pytest.mark.parametrize(
    "path",
    [
        "/openai//v1/chat/completions",
        "/openai/v1//chat/completions",
        "/openai/v1/../../admin",
        "/openai/v1/./chat/completions",
        "/openai/v1/%2e%2e/%2E%2E/admin",
        "/openai/v1/..%2f..%2fadmin",
        "/openai/v1/..%5cadmin",
        "/openai/v1/..",
        "/openai/v1/chat/completions%00",
        "/openai/v1/chat%0d%0aHost:%20evil.test/completions",
        "/openai/v1/%zz",
        "/openai/v1/\\evil.test\\x",
        "/anthropic/v1/messages/../../x",
        "/gemini/v1beta/models/../x:generateContent",
        "/ollama/../x",
        "/ollama/api/%63hat",
        "/openai/v1/ch%61t/completions",
        "//evil.test/openai/v1/chat/completions",
        "/openai%2fv1/chat/completions",
        "/nobody/v1/chat/completions",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_could_lead_elsewhere_is_refused(
    attacked: Through, path: str, method: str
) -> None:
    answer = send(attacked, path, method=method)
    assert answer.status in (400, 404)
    assert answer.sent == []


@pytest.mark.parametrize(
    "path",
    ["/openai/v1@evil.test/x", "/openai/v1.evil.test/x", "/openai/v1:80@evil.test/x"],
)
def test_no_path_becomes_a_part_of_the_hosts_name(attacked: Through, path: str) -> None:
    """Base addresses in OpenAI's shape end where `/v1` of the path would begin."""
    answer = send(attacked, path, b"", method="GET")
    assert answer.status == 404  # the fake provider's
    assert b"no such path" in answer.raw


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ollama/api/chat/", b'{"model":"llama3.2","messages":[]}'),
        ("/ollama/api/Chat", b'{"model":"llama3.2","messages":[]}'),
        ("/ollama/api/chat", b'[{"model":"llama3.2","messages":[]}]'),
        ("/openai/v1/chat/completions/", SOUND),
        ("/openai/V1/chat/completions", SOUND),
        ("/openai/v1/chat%2Fcompletions", SOUND),
        ("/openai/v1/chat/completions;x", SOUND),
        ("/anthropic/v1/messages/", SOUND),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent:countTokens", SOUND),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent/", SOUND),
    ],
)
def test_a_route_that_the_provider_could_take_for_a_paid_one_is_not_free(
    attacked: Through, path: str, body: bytes
) -> None:
    answer = send(attacked, path, body)
    assert answer.status == 402
    assert b"unmetered_route" in answer.raw
    assert answer.sent == []


def test_an_address_in_the_request_line_leads_to_the_upstream_all_the_same(
    attacked: Through,
) -> None:
    answer = send(attacked, f"http://evil.test{CHAT}")
    assert answer.status == 200
    assert [path for path, _ in answer.sent] == ["/v1/chat/completions"]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "LINK"])
def test_only_plain_methods_are_passed_on(attacked: Through, method: str) -> None:
    answer = send(attacked, CHAT, method=method)
    assert answer.status == 400
    assert answer.sent == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"X-Budget-Tag-A: a\rX-Evil: 1\r\n", 400),
        (b"X-Budget-Tag-A: a\n b\r\n", 400),
        (b"X-Budget-Tag-A: a\x00b\r\n", 400),
        (b"X-Budget-Tag-A : a\r\n", 400),
        (b"X-Budget-Tag-A: " + b"a" * 300 + b"\r\n", 400),
        (b"X-Budget-Tag-A: " + b"a" * 17_000 + b"\r\n", 431),
        (b"".join(b"X-Budget-Tag-A%d: 1\r\n" % number for number in range(60)), 400),
        (b"X-Budget-Nothing: 1\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 3\r\n", 400),
        (b"Content-Encoding: gzip\r\n", 400),
        (b"Content-Encoding: br\r\n", 400),
    ],
)
def test_headers_that_mean_two_things_or_too_much_are_refused(
    attacked: Through, more: bytes, status: int
) -> None:
    answer = send(attacked, CHAT, more=more)
    assert answer.status == status
    assert answer.sent == []


def test_headers_that_would_turn_a_request_into_another_stay_here(attacked: Through) -> None:
    names = ("X-HTTP-Method-Override", "X-Original-URL", "X-Forwarded-Host", "Cookie", "Expect")
    more = "".join(f"{name}: 100-continue\r\n" for name in names if name != "Expect")
    assert send(attacked, CHAT, more=more.encode()).status == 200
    (headers,) = attacked.providers.headers()
    assert not {name.lower() for name in names} & set(headers)


@pytest.mark.parametrize(
    "body",
    [
        of_chat('"temperature":NaN'),
        of_chat('"temperature":1e999'),
        of_chat('"temperature":Infinity'),
        of_chat('"x":' + "[" * 100_000 + "]" * 100_000),
        of_chat('"max_tokens":9223372036854775808'),
        of_chat('"max_tokens":1e30'),
        of_chat('"max_tokens":-1'),
        of_chat('"max_tokens":true'),
        of_chat('"max_tokens":"5"'),
        of_chat('"max_tokens":5.5'),
        of_chat('"n":1001'),
        of_chat('"n":-3'),
        of_chat('"n":"5"'),
        b'{"model":"gpt-4o","messages":[{"role":"user","content":"\xff\xfe"}]}',
        b'{"model":"gpt-4o","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"gpt-4o\\u0000","messages":[]}',
        b'{"model":"gpt-4o\\r\\nX-Evil: 1","messages":[]}',
        b'{"model":5,"messages":[]}',
        b'{"messages":[]}',
        SOUND + SOUND,
        SOUND[:-1],
    ],
    ids=lambda body: body[-40:].decode("latin-1"),
)
def test_a_body_that_cannot_be_is_refused_in_the_providers_shape(
    attacked: Through, body: bytes
) -> None:
    answer = send(attacked, CHAT, body)
    assert answer.status == 400
    told = json.loads(answer.raw.partition(b"\r\n\r\n")[2])
    assert told["error"]["type"] == "invalid_request_error"
    assert answer.sent == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b"\xef\xbb\xbf" + SOUND, SOUND.decode().encode("utf-16"), gzip.compress(SOUND)],
    ids=["nothing", "array", "mark before it", "UTF-16", "gzip that is not told"],
)
def test_a_body_that_cannot_be_read_is_not_passed_on_where_a_limit_is(
    attacked: Through, body: bytes
) -> None:
    answer = send(attacked, CHAT, body)
    assert answer.status in (400, 402)
    assert answer.sent == []


@pytest.mark.parametrize(
    ("path", "body", "sent"),
    [
        (CHAT, of_chat('"model":"gpt-4o-mini"'), ("model", "gpt-4o-mini")),
        (CHAT, of_chat('"max_tokens":100000,"max_tokens":3'), ("max_tokens", 3)),
        (
            "/openai/v1/embeddings",
            b'{"input":"a","model":"text-embedding-3-large","model":"text-embedding-3-small"}',
            ("model", "text-embedding-3-small"),
        ),
    ],
    ids=["model", "limit", "embedding"],
)
def test_of_a_field_that_comes_twice_what_is_priced_is_what_is_sent(
    attacked: Through, path: str, body: bytes, sent: tuple[str, Any]
) -> None:
    before = len(attacked.records())
    answer = send(attacked, path, body)
    assert answer.status == 200
    ((_, request),) = answer.sent
    name, value = sent
    assert request[name] == value
    record, *_ = attacked.records()
    assert len(attacked.records()) == before + 1
    assert record.model == request["model"]


@pytest.mark.parametrize("text", ['"n":0', '"n":1000', '"n":null', '"max_tokens":null'])
def test_odd_counts_of_answers_harm_nobody(attacked: Through, text: str) -> None:
    assert send(attacked, CHAT, of_chat(text)).status == 200


def test_more_answers_than_money_are_not_begun(attacked: Through) -> None:
    """1,000 answers of 100,000 tokens at 10 USD a million are 1,000 USD."""
    answer = send(attacked, CHAT, of_chat('"n":1000,"max_tokens":100000'), b"X-Budget-Fit: off\r\n")
    assert answer.status == 402
    assert answer.sent == []


def test_the_longest_body_is_read_and_a_longer_one_refused(attacked: Through) -> None:
    answer = send(attacked, CHAT, of_chat('"x":"' + "a" * 16_000_000 + '"'))
    assert answer.status == 200
    assert len(answer.sent[0][1]["x"]) == 16_000_000
    attacked.providers.forget()
    parts = urlsplit(attacked.url)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {33 * 1024 * 1024}\r\n"
        f"Authorization: Bearer {attacked.key}\r\n\r\n{{"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    assert attacked.providers.requests() == []


def test_our_key_is_not_told_back_by_an_upstream_that_tells_what_it_was_sent() -> None:
    from budget.gateway.upstreams import read_upstreams

    upstream = read_upstreams({"OPENAI_API_KEY": REAL_KEY})["openai"]
    assert upstream.hidden(f"no such key: {REAL_KEY}".encode()) == b"no such key: ***"
    assert REAL_KEY not in repr(upstream)


def test_a_body_that_does_not_come_holds_nothing_and_ends(
    attacked: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budget.http.bodies.READ_SECONDS", 0.2)
    parts = urlsplit(attacked.url)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000\r\n"
        f"Authorization: Bearer {attacked.key}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(head.encode() + SOUND[:40])
        answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer
    assert attacked.providers.requests() == []
