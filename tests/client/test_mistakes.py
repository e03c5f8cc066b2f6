"""Mistakes that people make on their way to a service: each error says what to do next."""

import asyncio
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from budget.client import AsyncClient, Client, mistakes
from budget.domain.errors import (
    BudgetError,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unauthorized,
    Unavailable,
)
from tests.client.test_faults import HTML, MOVED, PAGE, answering
from tests.client.ways import Ways

FOREIGN = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
    b'{"detail":"Not Found"}'
)
"""What another service answers that knows no such path."""


def mistake(url: str | None, key: str | None = "bud_x", **terms: Any) -> BudgetError:
    """The error of a read by a client that was made so."""
    with pytest.raises(BudgetError) as caught, Client(url, key, retries=0, **terms) as client:
        client.budgets()
    assert str(caught.value).endswith((".", "?"))
    return caught.value


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_key_that_is_wrong_or_missing_is_told_as_the_one_that_was_given(both: Ways) -> None:
    url = both.service.url
    wrong = mistake(url, "bud_1_another")
    assert isinstance(wrong, Unauthorized)
    assert str(wrong).startswith(f"{url} does not accept the key that was given: ")
    assert "bud_1" not in str(wrong)
    missing = mistake(url, None)
    assert isinstance(missing, Unauthorized)
    assert str(missing) == (
        f"{url} asks for a key, and none was given. Name one as key, or BUDGET_KEY."
    )


def test_a_key_without_the_right_says_which(both: Ways) -> None:
    reading = both.client.create_key(name="r", scopes=["read"])
    with Client(both.service.url, reading.text) as client:
        with pytest.raises(Forbidden, match=r"lacks the right `spend`; use one that has it\."):
            client.allocate(requests=1)
        assert client.budgets().items == both.client.budgets().items


def test_a_slash_at_the_end_is_no_mistake(both: Ways) -> None:
    with Client(f"{both.service.url}/", both.service.key) as client:
        assert client.own_key().key_id == both.client.own_key().key_id


def test_a_path_too_many_is_told(both: Ways) -> None:
    told = mistake(f"{both.service.url}/docs", both.service.key)
    assert isinstance(told, NotFound)
    assert told.code == "no_route"
    assert "a path too many in the address" in str(told)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:8013/api/v1", "must not have /api/v1 at its end: each call adds it."),
        ("127.0.0.1:8013", "must be an address such as http://127.0.0.1:8013."),
        ("sqlite:///budget.db", "is a database, not a service: open it with budget.connect(…)."),
        ("postgresql://u@h/d", "is a database, not a service: open it with budget.connect(…)."),
    ],
)
def test_an_address_that_is_none_names_where_it_was_written(
    url: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(mistake(url)) == f"url: {told}"
    monkeypatch.setenv("BUDGET_TARGET", url)
    assert str(mistake(None)) == f"BUDGET_TARGET: {told}"


def test_a_key_that_is_none_names_where_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "is no key; one looks like bud_… and is one word."
    assert str(mistake("http://h", "Bearer bud_1_x")) == f"key: {told}"
    monkeypatch.setenv("BUDGET_KEY", "Bearer bud_1_x")
    assert str(mistake("http://h", None)) == f"BUDGET_KEY: {told}"


def test_nobody_there_says_how_to_start_a_service() -> None:
    url = nobody()
    told = mistake(url)
    assert (type(told), told.code) == (Unavailable, "unreachable")
    assert re.fullmatch(
        rf"No service answers at {url} \(.+\)\. Start one with `budget serve`, or name another\.",
        str(told),
    )
    told = mistake("http://no-such-host.invalid:8013")
    assert str(told).startswith("There is no host no-such-host.invalid (")


@pytest.mark.parametrize("answer", [HTML, FOREIGN])
def test_another_program_on_the_port_is_told(answer: bytes) -> None:
    with answering(answer) as (url, _):
        told = mistake(url)
    assert (type(told), told.code) == (Unavailable, "not_budget")
    assert "Is the address right" in str(told)


def test_an_address_that_sends_elsewhere_is_told_with_where_to() -> None:
    with answering(MOVED) as (url, _):
        told = mistake(url)
    assert told.code == "not_budget"
    assert "it sends to http://x.invalid/. Name the address of the service itself." in str(told)


def test_a_program_that_speaks_something_else_is_told() -> None:
    with answering(b"-ERR unknown command 'GET'\r\n") as (url, _):
        told = mistake(url)
    assert (type(told), told.code) == (Unavailable, "no_answer")
    assert "Is it a service of Budget, and is it really not https?" in str(told)


def test_time_that_is_up_says_how_to_have_more_of_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = mistake(url, timeout_seconds=0.05)
        assert str(told).startswith(f"No answer came from {url} in 0.05 seconds (")
        assert "a longer timeout_seconds" in str(told)
        with (
            Client(url, "bud_x", timeout_seconds=0.05, retries=0) as client,
            pytest.raises(OutcomeUnknown, match="Send it again with idempotency_key='"),
        ):
            client.allocate(requests=1)


def test_https_where_there_is_none_is_told(both: Ways) -> None:
    address = both.service.url.removeprefix("http://")
    told = mistake(f"https://{address}", both.service.key)
    assert told.code == "unreachable"
    assert str(told).endswith(f"Is it http://{address}?")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[int]:
    """The port of a server that speaks https alone, and answers like a service without budgets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(PAGE)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Callers that speak no TLS, or trust nobody, go as they came."""

    with Quiet(("127.0.0.1", 0), Pages) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_http_where_https_is_spoken_is_told(secure: int) -> None:
    told = mistake(f"http://localhost:{secure}")
    assert (type(told), told.code) == (Unavailable, "no_answer")
    assert "is it really not https?" in str(told)


def test_an_act_by_http_where_https_is_spoken_says_what_is_likely_wrong(secure: int) -> None:
    url = f"http://localhost:{secure}"
    likely = r"If nothing ever answers there: is it really not https\? Send it again"
    with Client(url, retries=1) as client, pytest.raises(OutcomeUnknown, match=likely):
        client.allocate(requests=1)

    async def by_another_way() -> None:
        async with AsyncClient(url, retries=1) as client:
            await client.allocate(requests=1)

    with pytest.raises(OutcomeUnknown, match=likely):
        asyncio.run(by_another_way())


def test_an_act_that_took_too_long_or_went_by_https_has_other_reasons() -> None:
    assert "https?" not in mistakes.unknown("http://a", "timed out", "Look.")
    assert "https?" not in mistakes.unknown("https://a", "reset by peer", "Look.")


def test_a_certificate_that_is_not_trusted_is_told_and_can_be(
    secure: int, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = f"https://localhost:{secure}", tmp_path / "authority.pem"
    assert "let SSL_CERT_FILE be the file of who issued it" in str(mistake(url))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert str(mistake(url)).startswith(f"SSL_CERT_FILE: {file} cannot be read (")
    file.write_text("none")
    assert str(mistake(url)).startswith(f"SSL_CERT_FILE: {file} cannot be read (")
    authority.cert_pem.write_to_path(str(file))
    with Client(url, "bud_x") as client:
        assert client.budgets().items == []


def test_a_client_that_is_closed_says_so() -> None:
    client = Client("http://127.0.0.1:1", "bud_x")
    client.close()
    with pytest.raises(Unavailable, match=r"This client is closed\. Make another\."):
        client.budgets()
    with pytest.raises(InvalidInput, match="timeout_seconds"):
        Client("http://127.0.0.1:1", timeout_seconds=0)
