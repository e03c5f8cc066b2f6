"""Whatever stands between, a call ends in an answer, an error in words, or a doubt that is told."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from budget.client import Client
from budget.domain.errors import InvalidInput, OutcomeUnknown, Unavailable

HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 0\r\n\r\nbusy"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://x.invalid/\r\nContent-Length: 0\r\n\r\n"
SHORT = b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"items":['
FOREIGN = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":"b"}'
LIST = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[[[[["
GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
PAGE = b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"items":[],"next_cursor":null}\n'
PAGE = PAGE.replace(b"31", b"32")


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one a connection, the last one again and again; what it
    was asked.
    """
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                asked.append(connection.recv(65536))
                connection.sendall(answers[min(len(asked), len(answers)) - 1])
                connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def keys_of(asked: list[bytes]) -> set[str]:
    heads = (one.split(b"\r\n\r\n")[0].decode().splitlines() for one in asked)
    return {line for head in heads for line in head if line.lower().startswith("idempotency-key")}


@pytest.mark.parametrize("answer", [HTML, MOVED, FOREIGN, LIST])
def test_an_answer_that_is_not_budgets_is_told_and_not_asked_for_again(answer: bytes) -> None:
    with (
        answering(answer) as (url, asked),
        Client(url, "bud_secret_key") as client,
        pytest.raises(Unavailable, match="not as Budget does") as told,
    ):
        client.budgets()
    assert (told.value.code, len(asked)) == ("not_budget", 1)
    assert "bud_secret" not in str(told.value)


@pytest.mark.parametrize("answer", [BUSY, SHORT, b"", b"nonsense\r\n\r\n", GATEWAY])
def test_a_read_is_sent_again_until_it_is_answered(answer: bytes) -> None:
    with answering(answer, answer, PAGE) as (url, asked), Client(url) as client:
        assert client.budgets().items == []
    assert len(asked) == 3


def test_an_act_is_sent_again_under_one_key_and_its_doubt_is_told() -> None:
    with (
        answering(b"") as (url, asked),
        Client(url) as client,
        pytest.raises(OutcomeUnknown, match="idempotency_key='"),
    ):
        client.allocate(usd="1")
    assert len(asked) == 4
    assert len(keys_of(asked)) == 1


def test_an_act_that_no_key_recognises_is_sent_once() -> None:
    with (
        answering(b"") as (url, asked),
        Client(url) as client,
        pytest.raises(OutcomeUnknown, match="Look whether it was done"),
    ):
        client.archive_budget("bud_1")
    assert len(asked) == 1


def test_nobody_there_is_told_with_the_way_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", retries=1) as client,
        pytest.raises(Unavailable, match="budget serve") as told,
    ):
        client.allocate(usd="1")
    assert told.value.code == "unreachable"


@pytest.mark.parametrize("url", ["", "x", "ftp://h", "http://", "http://h:99999", "http://u:p@h/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        Client(url or " ")


@pytest.mark.parametrize("key", ["a b", "ä", "a\r\nX: y"])
def test_a_key_that_no_header_carries_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidInput, match="key") as told:
        Client("http://127.0.0.1:1", key)
    assert key not in str(told.value)


def test_a_key_is_in_no_log_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with answering(PAGE) as (url, asked), Client(url, "bud_secret_key") as client:
        client.budgets()
        assert b"bud_secret_key" in asked[0]
        assert "bud_secret_key" not in repr(client) + repr(client._transport.terms)
    assert "bud_secret_key" not in caplog.text
