"""Upstreams that fail: another try, another upstream, and none for a while; each try is booked."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from budget.gateway.breaking import FAILURES, OPEN_SECONDS, Breakers
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through

ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
}
ELSEWHERE: Final = {"input": "1", "output": "2"}
"""USD per million tokens at the second upstream, whose prices nobody knows."""
CHAT: Final = "/openai/v1/chat/completions"


@pytest.fixture
def two(sqlite_url: str, providers: Providers) -> Iterator[Through]:
    """A gateway that falls back from OpenAI to a provider of another name."""
    env = {
        "BUDGET_GATEWAY_OPENAI_FALLBACK": "second",
        "BUDGET_GATEWAY_SECOND_BASE_URL": providers.openai_url,
        "BUDGET_GATEWAY_SECOND_PROVIDER": "second",
        "BUDGET_GATEWAY_SILENCE_SECONDS": "1",
    }
    with through(sqlite_url, providers, env) as running:
        running.limit("1", unpriced=ELSEWHERE)
        yield running


@pytest.fixture
def one(gateway: Through) -> Through:
    """A gateway with one upstream for each call, and a limit."""
    gateway.limit("1")
    return gateway


def states(through: Through) -> list[str]:
    """How the holds ended, the oldest first."""
    found = through.books.allocations(limit=100).items
    return [one.status for one in reversed(found)]


@pytest.mark.parametrize("status", [502, 503, 504, 529])
def test_an_upstream_that_fails_once_is_asked_again(one: Through, status: int) -> None:
    answer = one.post(CHAT, ASKED, X_Fake=f"status={status} times=1")
    assert answer.json()["choices"][0]["message"]["content"] == "word word word word word "
    assert states(one) == ["released", "settled"]
    (record,) = one.records()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (3, 5)


def test_the_second_failure_is_the_callers_to_know(one: Through) -> None:
    answer = one.post(CHAT, ASKED, status=503, X_Fake="status=503 times=2")
    assert answer.json()["error"]["message"] == "as asked"
    assert len(one.providers.requests()) == 2
    assert states(one) == ["released", "released"]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_what_another_try_would_not_mend_is_told_at_once(one: Through, status: int) -> None:
    one.post(CHAT, ASKED, status=status, X_Fake=f"status={status} times=1")
    assert len(one.providers.requests()) == 1
    assert one.records() == []
    assert one.open_holds() == 0


def test_a_connection_that_is_reset_is_booked_as_if_answered_and_tried_again(one: Through) -> None:
    """The provider may have written what never came: as much as was allowed."""
    one.post(CHAT, {**ASKED, "max_tokens": 5}, X_Fake="reset times=1")
    usages = [(each.usage.input_tokens, each.usage.output_tokens) for each in one.records()]
    assert usages[0] == (3, 5)
    assert usages[1][1] == 5
    assert states(one) == ["settled", "settled"]


def test_what_timed_out_is_not_tried_again_for_it_may_be_billed(two: Through) -> None:
    answer = two.post(CHAT, ASKED, status=504, X_Fake="hang")
    assert answer.json()["error"]["code"] == "upstream_timeout"
    assert len(two.providers.requests()) == 1
    assert states(two) == ["settled"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_another_upstream_answers_at_its_own_price(two: Through, status: int) -> None:
    times = 2 if status == 503 else 1
    two.post(CHAT, ASKED, X_Fake=f"status={status} times={times}")
    assert states(two) == [*["released"] * times, "settled"]
    (record,) = two.records()
    assert record.provider == "second"
    assert record.cost_nanos == 3 * 1_000 + 5 * 2_000


def test_a_stream_that_has_begun_is_not_tried_again(two: Through) -> None:
    two.post(CHAT, {**ASKED, "stream": True}, X_Fake="words=50 cut=10")
    assert len(two.providers.requests()) == 1


def test_an_upstream_that_nobody_answers_at_costs_nothing(
    sqlite_url: str, providers: Providers
) -> None:
    env = {"BUDGET_GATEWAY_OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    with through(sqlite_url, providers, env) as gone:
        gone.limit("1")
        answer = gone.post(CHAT, ASKED, status=502)
        assert answer.json()["error"]["code"] == "upstream_unreachable"
        assert states(gone) == ["released", "released"]
        assert gone.records() == []


def test_an_upstream_that_fails_again_and_again_is_left_alone_and_callers_are_told(
    one: Through,
) -> None:
    for _ in range(FAILURES):
        failed = ask(one, "status=500")
        assert failed.status_code == 500
    sent = len(one.providers.requests())
    answer = ask(one, "")
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= OPEN_SECONDS
    assert answer.json()["error"]["code"] == "upstream_left_out"
    assert len(one.providers.requests()) == sent
    assert one.open_holds() == 0
    assert one.running.client.get("/health").json()["gateway"]["left_out"] == 1
    metrics = one.running.client.get("/metrics").text
    assert 'budget_gateway_left_out{upstream="openai"} 1.0' in metrics


def ask(through: Through, how: str) -> httpx2.Response:
    """A call, whatever is answered."""
    return httpx2.post(
        through.url + CHAT, json=ASKED, trust_env=False, verify=False,
        headers={"Authorization": f"Bearer {through.key}", "X-Fake": how},
    )  # fmt: skip


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At 100 seconds."""
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    """With `a` just left out."""
    made = Breakers(clock)
    for _ in range(FAILURES):
        made.failed("a")
    return made


def test_one_call_tries_what_was_left_out_and_lets_the_others_back(
    clock: Clock, breakers: Breakers
) -> None:
    assert breakers.left_out_seconds("a") == OPEN_SECONDS
    assert not breakers.may("a")
    assert breakers.may("b")
    clock.now += OPEN_SECONDS
    assert breakers.may("a")
    assert not breakers.may("a")
    breakers.worked("a")
    assert breakers.may("a")
    assert breakers.left_out() == ()


def test_a_trial_that_fails_leaves_it_out_as_long_again(clock: Clock, breakers: Breakers) -> None:
    clock.now += OPEN_SECONDS
    assert breakers.may("a")
    clock.now += 3
    breakers.failed("a")
    assert breakers.left_out_seconds("a") == OPEN_SECONDS
    assert breakers.left_out() == ("a",)


def test_a_trial_that_is_not_heard_of_is_followed_by_another(
    clock: Clock, breakers: Breakers
) -> None:
    clock.now += OPEN_SECONDS
    assert breakers.may("a")
    clock.now += OPEN_SECONDS
    assert breakers.may("a")


def test_failures_that_are_not_in_a_row_leave_nothing_out() -> None:
    breakers = Breakers()
    for _ in range(3 * FAILURES):
        breakers.failed("a")
        breakers.worked("a")
    assert breakers.may("a")
