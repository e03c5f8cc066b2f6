"""What a request may be at most: as much passes, and a little more does not, and writes nothing."""

import json
import socket
from typing import Any

import pytest

from budget.http.app import MAX_HEADER_BYTES
from budget.http.bodies import MAX_BODY_BYTES, MAX_DEPTH
from tests.http.running import Json, Running

CALL = {"tokens": 1}


def policy(**given: Any) -> Json:
    return {
        "name": "B", "policies": [{"unit": "usd", "period": "daily", "limit": "1"}], **given,
    }  # fmt: skip


def nested(depth: int) -> Any:
    """A value of so many levels."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def tags(count: int) -> Json:
    return {"attributes": {f"tag.t{at}": "x" for at in range(count)}, **CALL}


def padded(body: Json, length: int) -> str:
    """The body, with blanks to a length."""
    return json.dumps(body).ljust(length)


@pytest.mark.parametrize(
    ("path", "most", "more", "status"),
    [
        ("/allocations", padded(CALL, MAX_BODY_BYTES), padded(CALL, MAX_BODY_BYTES + 1), 413),
        ("/allocations", {"metadata": {"a": nested(MAX_DEPTH - 2)}, **CALL},
         {"metadata": {"a": nested(MAX_DEPTH - 1)}, **CALL}, 422),
        ("/allocations", tags(50), tags(51), 422),
        ("/allocations", {"metadata": {"a": "x" * 4088}, **CALL},
         {"metadata": {"a": "x" * 4089}, **CALL}, 422),
        ("/allocations", {"attributes": {"team": "x" * 256}, **CALL},
         {"attributes": {"team": "x" * 257}, **CALL}, 422),
        ("/allocations", {"attributes": {"tag." + "x" * 64: "x"}, **CALL},
         {"attributes": {"tag." + "x" * 65: "x"}, **CALL}, 422),
        ("/allocations", {"allocation_id": "x" * 128, **CALL},
         {"allocation_id": "x" * 129, **CALL}, 422),
        ("/allocations", {"idempotency_key": "x" * 255, **CALL},
         {"idempotency_key": "x" * 256, **CALL}, 422),
        ("/allocations", CALL, '{"tokens": 1, "tokens": 1}', 422),
        ("/allocations", CALL, '{"tokens": 1, "metadata": {"a": 1, "a": 1}}', 422),
        ("/allocations", CALL, '{"tokens": 1, "attributes": {"team": "a\\u0000"}}', 422),
        ("/allocations", CALL, '{"tokens": 1, "metadata": {"a": "\\ud800"}}', 422),
        ("/budgets", policy(), policy(name="x" * 1025), 422),
        ("/budgets", policy(), policy(owner="x" * 1025), 422),
        ("/budgets", policy(), policy(name="a\u0000"), 422),
    ],
)  # fmt: skip
def test_so_much_passes_and_no_more(
    shared: Running, path: str, most: Any, more: Any, status: int
) -> None:
    assert shared.send("POST", path, text(most)).status_code == 201
    before = shared.written()
    answer = shared.send("POST", path, text(more))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert shared.written() == before


def text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def test_pages_and_parameters_have_limits(shared: Running) -> None:
    assert shared.client.get("/api/v1/usage?limit=1000").status_code == 200
    for query in (
        "limit=1001", "limit=0", "cursor=" + "x" * 2049, "limit=1&limit=1", "session=%00",
        "&".join(f"a{at}=1" for at in range(101)), "session=%ff", "session=%ed%a0%80",
    ):  # fmt: skip
        assert shared.client.get(f"/api/v1/usage?{query}").status_code == 422


def test_a_head_has_a_length(shared: Running) -> None:
    fits = {"X-Much": "x" * (MAX_HEADER_BYTES - 1_000)}
    assert shared.client.get("/health", headers=fits).status_code == 200
    for headers in (
        {"X-Much": "x" * MAX_HEADER_BYTES},
        {f"X-{at}": "y" * 100 for at in range(200)},
    ):
        answer = shared.client.get("/health", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 12\r\nContent-Length: 13\r\n", "Content-Length: -1\r\n",
        "Content-Length: 1e3\r\n", "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked, identity\r\nContent-Length: 12\r\n",
        "Content-Length : 12\r\n", " Content-Length: 12\r\n", "X\x00Y: 1\r\nContent-Length: 12\r\n",
    ],
)  # fmt: skip
def test_a_length_that_two_could_read_in_two_ways_is_no_request(shared: Running, head: str) -> None:
    before = shared.written()
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(
            f"POST /api/v1/allocations HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {shared.key}\r\n"
            f'{head}\r\n{{"tokens":1}}'.encode("latin-1")
        )
        assert int(line.recv(4096).split(b" ")[1]) in (400, 413)
    assert shared.written() == before
