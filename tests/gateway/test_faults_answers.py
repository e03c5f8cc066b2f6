"""Answers that are none: whatever an upstream sends, no hold stays open and nobody is harmed."""

import gzip
import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from tests.fakes.providers import Providers
from tests.gateway.through import REAL_KEY, Through, through

ASKED: Final[Any] = {
    "model": "odd-1",
    "messages": [{"role": "user", "content": "Say five words."}],
    "max_tokens": 20,
}
PRICE: Final = {"input": "2.50", "output": "10.00"}
WHOLE: Final = json.dumps(
    {
        "model": "odd-1",
        "choices": [{"index": 0, "message": {"content": "a b"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
).encode()


class Odd(socketserver.ThreadingTCPServer):
    """An upstream that answers every request with `answer`, byte for byte, and closes."""

    allow_reuse_address = daemon_threads = True
    answer = b""
    asked = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)

    def with_body(self, body: bytes, *headers: bytes, status: bytes = b"200 OK") -> None:
        """Answer with this body from now on."""
        head = [
            b"HTTP/1.1 " + status, b"content-length: %d" % len(body), b"connection: close", *headers
        ]  # fmt: skip
        self.answer = b"\r\n".join(head) + b"\r\n\r\n" + body


class _Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Odd)
        server.asked = self.request.recv(65_536)
        self.request.sendall(server.answer)


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    """The upstream, for all tests."""
    with Odd() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, running_providers: Providers, odd: Odd
) -> Iterator[Through]:
    """One service for all of them: no answer may harm it for the next."""
    path = tmp_path_factory.mktemp("answers") / "books.db"
    env = {
        "BUDGET_GATEWAY_ODD_BASE_URL": f"http://127.0.0.1:{odd.server_address[1]}/v1",
        "BUDGET_GATEWAY_ODD_API_KEY": REAL_KEY,
        "BUDGET_GATEWAY_RETRIES": "0",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("budget.gateway.breaking.FAILURES", 1_000_000)
        with through(f"sqlite:///{path}", running_providers, env) as running:
            running.limit("10", unpriced=PRICE)
            yield running


def ask(service: Through, *, streamed: bool) -> httpx2.Response | None:
    """Call it; the answer, or None if that was cut."""
    try:
        answer = httpx2.post(
            service.url + "/odd/v1/chat/completions", json={**ASKED, "stream": streamed},
            headers={"Authorization": f"Bearer {service.key}"}, timeout=30, trust_env=False,
            verify=False,
        )  # fmt: skip
    except httpx2.HTTPError:
        return None
    assert REAL_KEY not in answer.text + str(answer.headers)
    return answer


NO_ANSWERS: Final = {
    "nothing": b"",
    "no HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "a split header": b"HTTP/1.1 200 OK\r\nx-a: b\rset-cookie: c=1\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    "a header too long": b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 70_000 + b"\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "less than promised": b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    "a broken chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{",
    "a number for a status": b"HTTP/1.1 99999 OK\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_http_ends_the_call_and_its_hold(
    service: Through, odd: Odd, answer: bytes, *, streamed: bool
) -> None:
    odd.answer = answer
    told = ask(service, streamed=streamed)
    assert told is None or told.status_code == 502 or b"upstream_unreachable" in told.content
    assert service.open_holds() == 0


BODIES: Final = {
    "nothing": b"",
    "no JSON": b"<html>Welcome</html>",
    "half of JSON": WHOLE[:40],
    "an array": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "no UTF-8": b'{"model": "\xff"}',
    "odd fields": b'{"model": 5, "choices": {"a": 1}, "usage": [1]}',
    "choices of numbers": b'{"choices": [1, null, "a"], "usage": {}}',
    "impossible counts": b'{"choices": [], "usage": {"prompt_tokens": -5, "total_tokens": 1e99}}',
    "events of nonsense": b'data: {"choices": [{"delta": 5}]}\n\ndata: nonsense\n\ndata: [1]\n\n',
}  # fmt: skip


@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_understood_is_booked_as_an_estimate(
    service: Through, odd: Odd, body: bytes, kind: bytes
) -> None:
    odd.with_body(body, b"content-type: " + kind)
    before = len(service.records())
    answer = ask(service, streamed=True)
    assert answer is not None
    assert answer.status_code == 200
    record, *others = service.records()
    assert len(others) == before
    assert record.usage.input_tokens > 0
    assert record.usage.output_tokens <= 20
    assert service.open_holds() == 0


def test_a_body_that_is_squeezed_is_booked_at_what_it_may_have_been(
    service: Through, odd: Odd
) -> None:
    """It was asked for as it is; nobody can read it on its way."""
    odd.with_body(
        gzip.compress(WHOLE), b"content-encoding: gzip", b"content-type: application/json"
    )
    answer = ask(service, streamed=False)
    assert answer is not None
    assert b"identity" in odd.asked
    assert service.records()[0].usage.output_tokens == 20


def test_where_an_upstream_points_elsewhere_its_caller_is_told_and_nothing_is_booked(
    service: Through, odd: Odd
) -> None:
    odd.with_body(b"", b"location: http://evil.test/", status=b"307 Temporary Redirect")
    before = len(service.records())
    answer = ask(service, streamed=False)
    assert answer is not None
    assert answer.status_code == 307
    assert len(service.records()) == before
    assert service.open_holds() == 0


def test_an_error_that_tells_the_key_it_was_sent_does_not_tell_it_on(
    service: Through, odd: Odd
) -> None:
    odd.with_body(b'{"error": "no such key: %s"}' % REAL_KEY.encode(), status=b"401 Unauthorized")
    answer = ask(service, streamed=False)
    assert answer is not None
    assert answer.json() == {"error": "no such key: ***"}
