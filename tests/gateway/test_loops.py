"""Loops: calls of one session that come again and again are stopped, and people are told."""

import time
from typing import Any, Final

import openai
import pytest

from budget.domain.errors import InvalidInput
from budget.gateway.loops import Asking, LoopLimits, Loops, read_limits
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through

PATH: Final = "/openai/v1/chat/completions"
MESSAGES: Final[Any] = [{"role": "user", "content": "Again."}]
CHAT: Final[Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 5}


def asking(
    raw: bytes = b"{}", session: str | None = "s", actor: str = "a", **body: object
) -> Asking:
    return Asking(actor, session, "/openai/v1/chat/completions", raw, body)


# --- Counting ------------------------------------------------------------------------------------


def test_the_same_call_may_come_so_often_within_a_minute_and_no_more() -> None:
    loops = Loops(LoopLimits(identical=3))
    assert [loops.counted(asking(), now=float(now)) for now in (0, 10, 20)] == [None] * 3
    loop = loops.counted(asking(), now=30.0)
    assert loop is not None
    # The first of three leaves the minute at 60.
    assert (loop.what, loop.calls, loop.retry_after_seconds) == ("identical", 3, 30)
    assert loops.counted(asking(), now=60.0) is None
    assert loops.counted(asking(), now=61.0) is not None


def test_people_are_told_once_a_minute() -> None:
    loops = Loops(LoopLimits(identical=1))
    loops.counted(asking(), now=0.0)
    told = [loops.counted(asking(), now=now) for now in (1.0, 2.0, 59.0)]
    assert [loop is not None and loop.is_new for loop in told] == [True, False, False]
    loops.counted(asking(), now=60.0)
    later = loops.counted(asking(), now=62.0)
    assert later is not None
    assert later.is_new


def test_another_question_session_or_key_is_no_repetition() -> None:
    loops = Loops(LoopLimits(identical=1))
    for call in (asking(b"1"), asking(b"2"), asking(b"1", "t"), asking(b"1", "s", "b")):
        assert loops.counted(call, now=0.0) is None


def test_who_asks_and_how_to_answer_make_no_other_question() -> None:
    loops = Loops(LoopLimits(identical=1))
    first = asking(b"1", model="gpt-4o", user="alice", metadata={"call": "1"})
    again = asking(b"2", model="gpt-4o", user="bob", metadata={"call": "2"}, stream=True)
    assert loops.counted(first, now=0.0) is None
    assert loops.counted(again, now=0.0) is not None


def test_different_calls_of_one_session_may_come_at_a_rate() -> None:
    loops = Loops(LoopLimits(identical=0, rate=2))
    assert [loops.counted(asking(raw), now=0.0) for raw in (b"1", b"2")] == [None, None]
    loop = loops.counted(asking(b"3"), now=1.0)
    assert loop is not None
    assert (loop.what, loop.calls) == ("rate", 2)
    assert loops.counted(asking(b"3", None), now=1.0) is None


def test_calls_without_a_session_count_only_where_that_is_said() -> None:
    usual, strict = Loops(), Loops(LoopLimits(without_session=2))
    assert all(usual.counted(asking(b"1", None), now=0.0) is None for _ in range(100))
    assert [strict.counted(asking(b"1", None), now=0.0) is None for _ in range(3)] == [
        True, True, False,
    ]  # fmt: skip


def test_twenty_of_one_session_are_the_usual_limit() -> None:
    loops = Loops()
    assert [loops.counted(asking(), now=0.0) is None for _ in range(21)] == [True] * 20 + [False]


def test_who_is_silent_for_a_minute_is_forgotten_and_who_is_not_is_counted_on() -> None:
    loops = Loops(LoopLimits(identical=2, rate=100))
    for session in range(50):
        loops.counted(asking(b"1", f"s{session}"), now=0.0)
    assert len(loops._times) == 100  # of each session this call, and its calls
    loops.counted(asking(b"1", "s7"), now=30.0)
    assert loops.counted(asking(b"1", "other"), now=60.5) is None
    assert len(loops._times) == 4
    assert loops.counted(asking(b"1", "s7"), now=60.5) is None  # the second of the latest minute
    assert loops.counted(asking(b"1", "s7"), now=60.5) is not None


def test_limits_are_read_from_the_environment() -> None:
    assert read_limits({}) == LoopLimits(identical=20, rate=0, without_session=0)
    env = {"BUDGET_GATEWAY_LOOP_IDENTICAL": "0", "BUDGET_GATEWAY_LOOP_RATE": "600"}
    assert read_limits(env) == LoopLimits(identical=0, rate=600)


@pytest.mark.parametrize("text", ["-1", "often", "1.5", "10000000"])
def test_a_wrong_limit_is_named(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_limits({"BUDGET_GATEWAY_LOOP_RATE": text})
    assert raised.value.field == "BUDGET_GATEWAY_LOOP_RATE"


# --- Stopping ------------------------------------------------------------------------------------


def alerts_of(gateway: Through) -> list[Any]:
    """The alerts of loops, as soon as there is one."""
    until = time.monotonic() + 30
    while not (found := gateway.books.alerts(kind="loop").items) and time.monotonic() < until:
        time.sleep(0.01)
    return list(found)


def test_a_loop_is_stopped_in_the_providers_shape_with_one_alert(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, {"BUDGET_GATEWAY_LOOP_IDENTICAL": "2"}) as gateway:
        for _ in range(2):
            gateway.post(PATH, CHAT, X_Budget_Session="run-1")
        # The client would send a 429 again twice, if it were not told that this does not help.
        with (
            openai.OpenAI(
                base_url=f"{gateway.url}/openai/v1", api_key=gateway.key, max_retries=2
            ) as client,
            pytest.raises(openai.RateLimitError, match="looks like a loop") as raised,
        ):
            client.chat.completions.create(**CHAT, extra_headers={"x-budget-session": "run-1"})
        gateway.post("/openai/v1/chat/completions", CHAT, status=429, X_Budget_Session="run-1")
        assert raised.value.code == "loop_stopped"
        assert 1 <= int(raised.value.response.headers["retry-after"]) <= 60
        assert len(providers.requests()) == 2
        assert gateway.open_holds() == 0
        (alert,) = alerts_of(gateway)
        assert alert.severity == "error"
        assert "The session run-1 sent the same call 2 times" in alert.detail
        gateway.post(PATH, CHAT, X_Budget_Session="run-2")
