"""Estimates over HTTP: what a request comes to, calls that bring theirs, and mistakes."""

from typing import Any

import pytest

from tests.http.running import Running

TEXT = "What is the capital of France?"
CHAT = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": TEXT}]}
INPUT = 75
"""Worked out in `tests/engine/test_estimates`."""


def test_a_request_is_estimated(service: Running) -> None:
    told = service.post("/estimate", {"model": "m", "request": CHAT}, status=200)
    assert told.pop("at").endswith("Z")
    assert told == {
        "provider": None,
        "model": "m",
        "family": "unknown",
        "input_tokens": INPUT,
        "how": "bound",
        "bound_tokens": INPUT,
        "factor": None,
        "max_output_tokens": 50,
        "basis": None,
        "input_cost": None,
        "hold": None,
    }
    assert service.get("/estimate/factors") == {"items": []}


def test_a_call_brings_its_request_and_is_held_and_settled(service: Running) -> None:
    service.budget()
    held = service.post("/allocations", {"request": CHAT, "allocationId": "a"})
    assert held["reserved"]["tokens"] == INPUT + 50
    assert held["reserved"]["usd"] == "0.0006875"  # 75 x 2,500 and 50 x 10,000 nanos
    assert service.post("/allocations", {"request": CHAT, "allocation_id": "a"})["replayed"]
    other = {"request": {**CHAT, "max_tokens": 51}, "allocation_id": "a"}
    assert service.post("/allocations", other, status=422)["code"] == "idempotency_key_reused"
    service.post("/allocations/a/usage", {"input_tokens": 14, "output_tokens": 9})
    checked = service.post("/check", {"request": CHAT}, status=200)
    assert checked["reserved"]["tokens"] == INPUT + 50


def test_fields_of_a_request_keep_the_spelling_of_their_provider(shared: Running) -> None:
    gemini = {
        "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
        "generationConfig": {"maxOutputTokens": 40},
    }
    told = shared.post("/estimate", {"model": "gemini-2.5-pro", "request": gemini}, status=200)
    assert (told["family"], told["max_output_tokens"]) == ("gemini", 40)


def test_a_request_may_be_longer_and_deeper_than_other_bodies(shared: Running) -> None:
    tool: dict[str, Any] = {"type": "string"}
    for _ in range(15):
        tool = {"type": "object", "properties": {"inner": tool}}
    request = {**CHAT, "tools": [{"type": "function", "function": {"parameters": tool}}]}
    request["messages"] = [{"role": "user", "content": "word " * 200_000}]
    told = shared.post("/allocations", {"request": request, "ttl_seconds": 5})
    assert told["reserved"]["tokens"] > 200_000
    padded = shared.send("POST", "/estimate", b'{"model":"m"}' + b" " * 300_000)
    assert padded.status_code == 413
    too_long = shared.send("POST", "/estimate", b'{"request":"' + b"a" * 4_200_000 + b'"}')
    assert too_long.status_code == 413
    deep = shared.send("POST", "/estimate", b'{"request":' + b"[" * 80 + b"]" * 80 + b"}")
    assert deep.status_code == 422
    other = b'{"usd":"1","metadata":' + b'{"a":' * 25 + b"1" + b"}" * 26
    assert shared.send("POST", "/allocations", other).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "request"),
        ({"request": TEXT}, "model"),
        ({"model": "m", "request": 5}, "request"),
        ({"model": "m", "request": None}, "request"),
        ({"model": "m", "request": CHAT, "input_tokens": 5}, "input_tokens"),
        ({"model": "m", "request": {"max_tokens": 1.5}}, "request.max_tokens"),
        ({"model": "m", "request": {"max_tokens": "5"}}, "request.max_tokens"),
    ],
)
def test_mistakes_are_422_and_name_the_field(
    shared: Running, body: dict[str, Any], field: str
) -> None:
    told = shared.post("/estimate", body, status=422)
    assert told["code"] == "invalid_input"
    assert told["detail"].startswith(f"{field}: ")
