"""The short way to a service on this machine reads what HTTP/1.1 allows, and refuses what is none.

A socket answers byte for byte what each test says.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from budget.client import Client
from budget.client.lines import is_near
from budget.client.sending import address
from budget.domain.errors import InvalidInput, OutcomeUnknown, Unavailable

BODY = b'{"items": [], "next_cursor": null}'
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


@contextmanager
def answering(*connections: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection its answers in turn, then closes it; what it was sent."""
    listening = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        for answers in connections:
            taken, _ = listening.accept()
            with taken:
                for answer in answers:
                    heard.append(taken.recv(65_536))
                    taken.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
    finally:
        thread.join(10)
        listening.close()


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE,
        b"HTTP/1.0 200\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nend: it\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:]),
    ],
)
def test_an_answer_is_read_however_its_length_is_told(answer: bytes) -> None:
    with answering([answer]) as (url, heard), Client(url, retries=0) as client:
        assert client.budgets().items == []
    assert heard[0].startswith(b"GET /api/v1/budgets HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_connection_is_used_again_and_replaced_once_it_was_closed() -> None:
    with answering([WHOLE, WHOLE], [WHOLE]) as (url, heard), Client(url, retries=3) as client:
        assert [client.budgets().items for _ in range(3)] == [[], [], []]
    assert len(heard) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(300)) + b"\r\n",
    ],
)
@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda client: client.budgets(), Unavailable),
        (lambda client: client.release("alloc_1"), OutcomeUnknown),
    ],
)
def test_what_is_no_answer_is_told_and_an_act_may_have_been_done(
    answer: bytes, ask: Callable[[Client], object], error: type[Exception]
) -> None:
    with (
        answering([answer]) as (url, _),
        Client(url, retries=0) as client,
        pytest.raises(error),
    ):
        ask(client)


def test_what_is_too_long_for_an_address_names_the_request() -> None:
    with (
        Client("http://127.0.0.1:1", retries=0) as client,
        pytest.raises(InvalidInput, match="too long for an address"),
    ):
        client.budgets(name="n" * 70_000)


def test_only_plain_http_on_this_machine_is_near() -> None:
    near = [
        url
        for url in (
            "http://127.0.0.1:8013", "http://localhost", "http://[::1]:1/budget",
            "https://localhost", "http://budget.example",
        )
        if is_near(address(url, None))
    ]  # fmt: skip
    assert near == ["http://127.0.0.1:8013", "http://localhost", "http://[::1]:1/budget"]
