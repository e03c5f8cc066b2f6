"""What of a span is usage, of whom, and of which model."""

from typing import Any

import pytest

from budget.neighbours.otel.booking import sorted_out
from budget.neighbours.otel.nesting import Wrappers
from budget.neighbours.otel.spans import (
    BOOKED,
    NO_CALL,
    NO_COUNT,
    NO_ID,
    NO_USAGE,
    OURS,
    Left,
    usage_of,
)
from tests.neighbours.otel.saying import CHAT, TRACE, read, span

NOWHERE: frozenset[tuple[str, int]] = frozenset()
OWN = frozenset({("127.0.0.1", 8013)})

NO_COUNTS = {name: value for name, value in CHAT.items() if "usage" not in name}


def ask(said: dict[str, Any], **about: Any) -> dict[str, Any]:
    """What a span is booked as."""
    (one,) = read(span(1, {**CHAT, **said}), about={"service.name": "app", **about})
    found = usage_of(one, NOWHERE)
    assert isinstance(found, dict)
    return found


def left(said: dict[str, Any], **more: Any) -> Left:
    """Why a span is not booked."""
    (one,) = read(span(1, said, **more))
    found = usage_of(one, OWN)
    assert isinstance(found, Left)
    return found


def test_a_span_of_a_call_is_usage_at_its_end() -> None:
    (one,) = read(span(7, end_ns=1_795_000_000_123_456_789))
    assert usage_of(one, NOWHERE) == {
        "usage_id": f"otlp-{TRACE}-0000000000000007",
        "input_tokens": 100, "output_tokens": 20,
        "attributes": {"component": "app"}, "provider": "openai", "model": "gpt-4o",
        "occurred_at": "2026-11-18T11:06:40.123456Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3}, (7, 3, 0, 0, 0)),
        (
            {"gen_ai.usage.input_tokens": 50, "gen_ai.usage.cache_read.input_tokens": 30,
             "gen_ai.usage.cache_creation.input_tokens": 15}, (50, 0, 30, 15, 0),
        ),
        (
            {"gen_ai.usage.input_tokens": 50, "gen_ai.usage.cache_read_input_tokens": 30,
             "gen_ai.usage.cache_write.input_tokens": 15}, (50, 0, 30, 15, 0),
        ),
        # Input without what was cached cannot include it: 5 + 30 + 15.
        (
            {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 30,
             "gen_ai.usage.cache_creation_input_tokens": 15}, (50, 0, 30, 15, 0),
        ),
        (
            {"gen_ai.usage.output_tokens": 9, "gen_ai.usage.reasoning.output_tokens": 4},
            (0, 9, 0, 0, 4),
        ),
        ({"gen_ai.usage.output_tokens": 3, "gen_ai.usage.reasoning_tokens": 4}, (0, 7, 0, 0, 4)),
        # The newest name counts, and a number may be written with a point.
        (
            {"gen_ai.usage.input_tokens": 8.0, "gen_ai.usage.prompt_tokens": 99}, (8, 0, 0, 0, 0),
        ),
    ],
)  # fmt: skip
def test_old_and_new_names_of_counts_are_understood(
    said: dict[str, Any], counts: tuple[int, ...]
) -> None:
    (one,) = read(span(1, {**NO_COUNTS, **said}))
    found = usage_of(one, NOWHERE)
    assert isinstance(found, dict)
    names = ("input", "output", "cache_read", "cache_write", "reasoning")
    assert tuple(found.get(f"{name}_tokens", 0) for name in names) == counts


@pytest.mark.parametrize(
    ("named", "ours"),
    [
        ("aws.bedrock", "aws"), ("gcp.vertex_ai", "google"), ("azure.ai.openai", "azure"),
        ("x_ai", "x-ai"), ("mistral_ai", "mistral"), ("Anthropic", "anthropic"),
        ("somebody new", "somebody new"), ("Langchain", None),
    ],
)  # fmt: skip
def test_providers_are_called_as_we_do(named: str, ours: str | None) -> None:
    said = {name: value for name, value in CHAT.items() if name != "gen_ai.provider.name"}
    (one,) = read(span(1, {**said, "gen_ai.system": named}))
    found = usage_of(one, NOWHERE)
    assert isinstance(found, dict)
    assert found.get("provider") == ours


def test_the_model_that_answered_is_the_one_that_is_paid() -> None:
    assert ask({"gen_ai.response.model": "gpt-4o-2024-08-06"})["model"] == "gpt-4o-2024-08-06"


def test_a_service_tier_decides_the_price() -> None:
    assert ask({"openai.response.service_tier": "flex"})["price_context"] == {
        "service_tier": "flex"
    }
    assert "price_context" not in ask({"openai.response.service_tier": "default"})


def test_who_spends_is_said_by_the_span_over_its_resource_and_by_our_names_over_all() -> None:
    found = ask(
        {"gen_ai.agent.name": "writer", "gen_ai.conversation.id": "c1", "session.id": "s1",
         "enduser.id": "ann", "budget.team": "red", "budget.tag.env": "test",
         "budget.agent": "author"},
        **{"budget.team": "blue", "budget.project": "apollo",
           "deployment.environment.name": "prod"},
    )["attributes"]  # fmt: skip
    assert found == {
        "component": "app", "agent": "author", "session": "c1", "user": "ann", "team": "red",
        "project": "apollo", "tag.env": "test", "tag.environment": "prod",
    }  # fmt: skip


def test_what_cannot_be_an_attribute_is_cut_or_left_away_and_the_usage_stays() -> None:
    found = ask(
        {"gen_ai.agent.name": "a" * 300, "gen_ai.conversation.id": " \x00c\n1 ",
         "user.id": "", "budget.nonsense": "x", "budget.key": "key_of_another",
         "budget.team": True, "budget.tag.n": 7}
    )["attributes"]  # fmt: skip
    assert found == {"component": "app", "agent": "a" * 256, "session": "c1", "tag.n": "7"}


def test_of_tags_only_twenty_are_taken() -> None:
    found = ask({f"budget.tag.t{at}": "x" for at in range(60)})["attributes"]
    assert sum(name.startswith("tag.") for name in found) == 20


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "invoke_workflow", "plan"])
def test_what_adds_up_calls_is_no_call(operation: str) -> None:
    assert left({**CHAT, "gen_ai.operation.name": operation}) == NO_CALL


def test_spans_of_other_things_are_no_calls() -> None:
    assert left({"http.request.method": "GET"}) == NO_CALL
    workflow = {**CHAT, "traceloop.span.kind": "workflow"}
    del workflow["gen_ai.operation.name"]
    assert left(workflow) == NO_CALL


def test_a_call_without_an_operation_is_known_by_its_model() -> None:
    said = {name: value for name, value in CHAT.items() if name != "gen_ai.operation.name"}
    (one,) = read(span(1, said))
    assert isinstance(usage_of(one, NOWHERE), dict)


def test_a_call_that_used_nothing_is_left_out_if_it_failed_or_does_not_tell() -> None:
    nothing = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    assert left(NO_COUNTS) == NO_USAGE
    assert left({**NO_COUNTS, **nothing}, failed=True) == NO_USAGE
    assert left({**NO_COUNTS, **nothing, "error.type": "timeout"}) == NO_USAGE
    (one,) = read(span(1, {**NO_COUNTS, **nothing}))
    assert isinstance(usage_of(one, NOWHERE), dict)  # a request was answered: that is one
    (one,) = read(span(1, failed=True))
    assert isinstance(usage_of(one, NOWHERE), dict)  # it failed late, and used what it tells


def test_what_is_booked_here_already_is_left_out() -> None:
    assert left({**CHAT, "budget.usage_id": "use_1"}) == BOOKED
    assert left({**CHAT, "server.address": "127.0.0.1", "server.port": 8013}) == OURS
    (one,) = read(span(1), about={"service.name": "budget", "budget.instance": "i"})
    assert usage_of(one, OWN) == BOOKED


@pytest.mark.parametrize("count", [-1, 10**13, 1.5, "many"])
def test_a_count_that_cannot_be_is_rejected(count: Any) -> None:
    assert left({**CHAT, "gen_ai.usage.input_tokens": count}) == NO_COUNT


@pytest.mark.parametrize(
    "ids", [{"traceId": "0" * 32}, {"traceId": "abc"}, {"spanId": ""}, {"spanId": "x" * 16}]
)
def test_a_span_without_proper_ids_is_rejected(ids: dict[str, str]) -> None:
    (one,) = read({**span(1), **ids})
    assert usage_of(one, OWN) == NO_ID


# --- Spans around spans --------------------------------------------------------------------------


def places(*numbers: int) -> set[tuple[str, str]]:
    return {(TRACE, f"{number:016x}") for number in numbers}


def test_of_spans_around_each_other_the_innermost_counts() -> None:
    spans = read(span(1), span(2, {}, parent=1), span(3, parent=2), span(4))
    inner, alone = spans[2], spans[3]
    assert Wrappers().of("key", spans, [spans[0], inner, alone]) == places(1, 2)


def test_a_call_is_its_agents_and_sessions_by_the_spans_around_it() -> None:
    run = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer",
           "gen_ai.conversation.id": "c1", "budget.team": "red", "budget.tag.x": "y"}  # fmt: skip
    spans = read(
        span(1, run), span(2, {}, parent=1), span(3, {**CHAT, "budget.team": "blue"}, parent=2)
    )
    asks, _ = sorted_out(spans, NOWHERE, Wrappers(), "key")
    (ask,) = asks.values()
    assert ask["attributes"] == {
        "component": "app", "agent": "writer", "session": "c1", "team": "blue"
    }  # fmt: skip


def test_what_lies_around_is_known_when_it_comes_later() -> None:
    wrappers = Wrappers()
    first = read(span(3, parent=2))
    wrappers.of("key", first, first)
    later = read(span(2, {}, parent=1), span(1), span(5))
    assert wrappers.of("key", later, [later[1], later[2]]) >= places(1)
    assert not wrappers.of("key", later, []) & places(5)
    assert wrappers.of("another", later, []) == set()


def test_a_ring_of_parents_ends() -> None:
    spans = read(span(1, parent=2), span(2, parent=1))
    assert Wrappers().of("key", spans, spans) == places(1, 2)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budget.neighbours.otel.nesting.MAX_KEPT", 3)
    wrappers = Wrappers()
    for number in range(10, 20):
        one = read(span(number, parent=number + 100))
        wrappers.of("key", one, one)
    old, new = read(span(110)), read(span(119))
    assert wrappers.of("key", old, []) == set()
    assert wrappers.of("key", new, []) == places(119)
