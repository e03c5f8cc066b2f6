"""Spans that are the calls of open holds settle them, and nothing is booked beside."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.running import Json, Running, migrate, running
from tests.neighbours.otel.saying import CHAT, span, traces
from tests.support.databases import Databases

HARD = {"unit": "tokens", "period": "daily", "limit": 100_000}
ANSWER = "gen_ai.response.id"


@pytest.fixture
def service(databases: Databases) -> Iterator[Running]:
    with running(databases.new(migrate), env={"BUDGET_OTLP": "on"}) as found:
        found.budget(HARD)
        yield found


def hold(service: Running, **asked: Any) -> str:
    """Hold 1,000 tokens for a call of gpt-4o; the allocation's id."""
    ask: Json = {"tokens": 1000, "model": "gpt-4o", "provider": "openai", **asked}
    held: str = service.post("/allocations", ask)["allocation_id"]
    return held


def send(service: Running, *spans: Json) -> None:
    answer = service.client.post("/v1/traces", json=traces(*spans))
    assert (answer.status_code, answer.json()) == (200, {})


def status(service: Running, allocation_id: str) -> str:
    told: str = service.get(f"/allocations/{allocation_id}")["status"]
    return told


def balance(service: Running) -> tuple[int, int]:
    """What is spent and reserved."""
    (one,) = service.get("/status")["balances"]
    return int(one["spent"]), int(one["reserved"])


def of(allocation_id: str) -> Json:
    return {**CHAT, "budget.allocation_id": allocation_id}


def test_a_span_that_names_its_allocation_settles_it_once(service: Running) -> None:
    held = hold(service, attributes={"team": "red"})
    for _ in range(3):
        send(service, span(1, of(held)))
    assert status(service, held) == "settled"
    (one,) = service.get("/usage")["items"]
    assert (one["allocation_id"], one["flags"], one["attributes"]["team"]) == (held, [], "red")
    assert balance(service) == (120, 0)


def test_what_was_settled_otherwise_is_not_booked_again(service: Running) -> None:
    held = hold(service)
    service.post(f"/allocations/{held}/usage", {"input_tokens": 100, "output_tokens": 20})
    send(service, span(1, of(held)))
    assert balance(service) == (120, 0)
    (one,) = (one for one in service.get("/neighbours")["items"] if one["name"] == "otlp")
    assert one["facts"]["left_out"] == "1 booked already"


def test_what_was_settled_from_the_answer_itself_is_known_by_the_answers_id(
    service: Running,
) -> None:
    held = hold(service)  # as `track` and the gateway do
    used = {"input_tokens": 100, "output_tokens": 20, "metadata": {"response_id": "chatcmpl-1"}}
    service.post(f"/allocations/{held}/usage", used)
    send(service, span(1, {**CHAT, ANSWER: "chatcmpl-1"}), span(2, {**CHAT, ANSWER: "chatcmpl-2"}))
    assert [one["usage_id"][-1] for one in service.get("/usage")["items"]][:1] == ["2"]
    assert balance(service) == (240, 0)
    send(service, span(1, {**CHAT, ANSWER: "chatcmpl-1"}), span(2, {**CHAT, ANSWER: "chatcmpl-2"}))
    assert balance(service) == (240, 0)


def test_what_is_nobodys_hold_is_booked_all_the_same(service: Running) -> None:
    released = hold(service)
    service.post(f"/allocations/{released}/release", {"reason": "gone"}, status=200)
    send(service, span(1, of("alloc_nobody")), span(2, of(released)), span(3, of("not an id!")))
    assert balance(service) == (360, 0)
    flags = sorted(one["flags"] for one in service.get("/usage")["items"])
    assert flags == [["late"], ["unreserved"], ["unreserved"]]


def test_an_envelope_goes_on_after_a_call(service: Running) -> None:
    envelope = hold(service, envelope=True)
    send(service, span(1, of(envelope)), span(2, of(envelope)))
    assert status(service, envelope) == "open"
    assert balance(service) == (240, 760)


def test_an_allocation_that_notes_what_it_will_be_told_by_is_found(service: Running) -> None:
    trace = f"{7:032x}"
    by_answer = hold(service, metadata={"response_id": "chatcmpl-7"})
    by_parent = hold(service, metadata={"traceparent": f"00-{trace}-{9:016x}-01"})
    by_trace = hold(service, metadata={"trace_id": trace.upper()})
    other = hold(service, model="gpt-4o-mini", metadata={"trace_id": trace})
    send(
        service,
        span(1, {**CHAT, ANSWER: "chatcmpl-7"}),
        span(2, {"http.route": "/"}, trace=trace, parent=9),
        span(3, trace=trace, parent=9), span(4, trace=trace), span(5, trace=trace),
    )  # fmt: skip
    assert [status(service, one) for one in (by_answer, by_parent, by_trace, other)] == [
        "settled", "settled", "settled", "open",
    ]  # fmt: skip
    by_usage = {one["usage_id"][-1]: one["allocation_id"] for one in service.get("/usage")["items"]}
    assert by_usage == {"1": by_answer, "3": by_parent, "4": by_trace, "5": None}
    send(service, span(3, trace=trace, parent=9))
    assert balance(service) == (480, 1000)


def test_a_bound_key_settles_no_hold_that_it_may_not_see(service: Running) -> None:
    key = service.post("/keys", {"name": "blue", "scopes": ["spend"], "bound": {"team": "blue"}})
    held = hold(service, attributes={"team": "red"}, metadata={"response_id": "r"})
    request = traces(span(1, of(held)), span(2, {**CHAT, ANSWER: "r"}))
    answer = service.client.post("/v1/traces", json=request, headers={"x-api-key": key["key"]})
    assert (answer.status_code, answer.json()) == (200, {})
    assert status(service, held) == "open"
    assert [one["attributes"]["team"] for one in service.get("/usage")["items"]] == ["blue"] * 2
