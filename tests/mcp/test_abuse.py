"""What is no good request of the protocol is told so, keeps nothing open, and harms nobody."""

import json
from typing import Any, Final

import httpx2
import pytest

from budget.http.mcp import MAX_BODY_BYTES
from tests.http.running import Running

ACCEPT: Final = "application/json, text/event-stream"
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST: Final[dict[str, Any]] = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META},
}  # fmt: skip
LATER: Final[dict[str, Any]] = {
    **LIST,
    "params": {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}},
}
MODERN: Final = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


def say(
    service: Running, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, Any]:
    """The status, and the body as JSON if it is some."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = service.client.request(
        method, "/mcp", content=content if method == "POST" else None,
        headers={"Content-Type": "application/json", "Accept": ACCEPT, **(headers or {})},
    )  # fmt: skip
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, answer.text


def sessions(service: Running) -> int:
    assert service.app is not None
    transport = service.app._service.mcp
    assert transport is not None
    return transport.sessions


def test_a_good_request_is_answered_without_a_session(service: Running) -> None:
    status, body = say(service, LIST, MODERN)
    assert status == 200
    assert len(body["result"]["tools"]) > 20
    assert body["result"]["resultType"] == "complete"
    assert body["result"]["cacheScope"] == "private"
    assert sessions(service) == 0


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (LIST, {**MODERN, "MCP-Protocol-Version": "2031-01-01"}, 400, -32020),
        (LATER, {**MODERN, "MCP-Protocol-Version": "2031-01-01"}, 400, -32022),
        (LIST, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}, 400, -32020),
        ({**LIST, "method": "no/such"}, {**MODERN, "Mcp-Method": "no/such"}, 404, -32601),
        ({**LIST, "params": {}}, MODERN, 400, None),
        ([LIST, LIST], MODERN, 400, -32600),
        ([LIST, LIST], {}, 400, None),
        (b"{garbage", MODERN, 400, -32700),
        (b"{garbage", {}, 400, -32700),
        (b"\xff\xfe", {}, 400, -32700),
        (b"", MODERN, 400, -32700),
        (b"null", MODERN, 400, -32600),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, {}, 400, None),
        (LIST, {"Mcp-Session-Id": "no-such-session"}, 404, None),
        (LIST, {}, 400, None),
    ],
)
def test_what_is_no_request_is_told_so(
    service: Running, body: Any, headers: dict[str, str], status: int, code: int | None
) -> None:
    said, told = say(service, body, headers)
    assert said == status, told
    assert "error" in told, told
    if code is not None:
        assert told["error"]["code"] == code
    assert "Traceback" not in json.dumps(told)
    assert sessions(service) == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "send messages one by one"), ([LIST, LIST], "send messages one by one"),
        (b"{garbage", "is not JSON"), (b"\xff\xfe", "is not JSON"), (b"", "is not JSON"),
        (b'{"a":' * 100_000, "is not JSON"), (b"null", "one JSON-RPC message, an object."),
        (5, "one JSON-RPC message, an object."), ({}, '"jsonrpc": "2.0"'),
        ({**LIST, "jsonrpc": "1.0"}, '"jsonrpc": "2.0"'),
        ({"jsonrpc": "2.0", "id": 1}, 'has a "method"'), ({**LIST, "method": 5}, '"method"'),
        ({**LIST, "params": [1]}, '"params"'), ({**LIST, "id": [1]}, '"id"'),
        ({**LIST, "id": True}, '"id"'), ({**LIST, "id": 1.5}, '"id"'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("headers", [MODERN, {}], ids=["newer", "older"])
def test_what_is_no_message_is_told_so_in_a_sentence_and_opens_no_session(
    service: Running, body: Any, headers: dict[str, str], says: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = {"Content-Type": "application/json", "Accept": ACCEPT, **headers}
    answer = service.client.post("/mcp", content=content, headers=asked)
    message = answer.json()["error"]["message"]
    assert (answer.status_code, answer.json()["id"]) == (400, None)
    assert says in message
    assert len(message) < 120
    assert "mcp-session-id" not in answer.headers
    assert sessions(service) == 0


def test_an_error_names_no_session(service: Running) -> None:
    """The SDK opens one for whoever names none, and ends it again."""
    for headers in ({"Accept": ACCEPT}, {"Accept": "text/html"}):
        answer = service.client.post("/mcp", json=LIST, headers=headers)
        assert answer.status_code in (400, 406)
        assert "mcp-session-id" not in answer.headers


def test_a_body_is_bounded(service: Running) -> None:
    status, told = say(service, b"[" * (MAX_BODY_BYTES + 1), MODERN)
    assert (status, told["code"]) == (413, "body_too_large")
    status, told = say(service, b'{"a":' * 100_000, MODERN)
    assert status == 400


def test_who_has_no_key_is_told_how_to_come_in(service: Running) -> None:
    with httpx2.Client(base_url=service.url) as stranger:
        answer = stranger.post("/mcp", json=LIST, headers=MODERN)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthorized"


def test_another_site_s_page_is_refused(service: Running) -> None:
    status, told = say(service, LIST, {**MODERN, "Origin": "https://evil.example"})
    assert (status, told["code"]) == (403, "cross_site")
    own = f"http://127.0.0.1:{service.url.rpartition(':')[2]}"
    assert say(service, LIST, {**MODERN, "Origin": own})[0] == 200


def test_other_methods_are_not_allowed(service: Running) -> None:
    assert say(service, b"", method="PUT")[0] == 405
    assert say(service, b"", MODERN, method="GET")[0] in (400, 405)
    assert say(service, b"", {"Mcp-Session-Id": "none"}, method="DELETE")[0] == 404


def test_answers_carry_the_headers_that_all_have(service: Running) -> None:
    answer = service.client.post("/mcp", json=LIST, headers={**MODERN, "Accept": ACCEPT})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
