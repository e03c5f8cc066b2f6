"""Posting to receivers on this machine: what is sent, and what is made of their answers."""

import socket
import threading

import pytest

from budget.domain.errors import InvalidInput, Unavailable
from budget.outbound.connecting import Limits
from budget.outbound.guard import Allow
from budget.outbound.posting import post
from tests.support.receivers import Receiver, receiving


def allow(receiver: Receiver) -> Allow:
    return Allow(origins=frozenset({receiver.origin}))


@pytest.mark.parametrize("status", [200, 204, 302, 410, 500])
def test_the_status_is_told_and_a_redirect_not_followed(status: int) -> None:
    with receiving(lambda _: status) as receiver:
        told = post(receiver.url, b'{"a":1}', {"webhook-id": "x"}, allow=allow(receiver))
        assert told == status
        (request,) = receiver.received
    assert request.body == b'{"a":1}'
    assert request.headers["webhook-id"] == "x"
    assert request.headers["content-length"] == "7"


def test_the_guard_stands_before_it() -> None:
    with receiving() as receiver:
        with pytest.raises(InvalidInput):
            post(receiver.url, b"{}", {})
        assert receiver.received == []


def test_a_receiver_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable) as caught:
            post(
                f"{origin}/secret-path", b"{}", {}, limits=Limits(total_seconds=0.2),
                allow=Allow(origins=frozenset({origin})),
            )  # fmt: skip
    assert "secret-path" not in str(caught.value)


def test_what_is_no_http_is_not_repeated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"internal-secret-4711\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unavailable) as caught:
            post(f"{origin}/", b"{}", {}, allow=Allow(origins=frozenset({origin})))
        thread.join()
    assert "4711" not in str(caught.value)
