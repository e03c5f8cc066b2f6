"""Calls that set no limit: what is held grows with the answer, or is told to the upstream."""

from typing import Any, Final

from tests.gateway.through import Through

CHAT: Final = "/openai/v1/chat/completions"
ASKED: Final[dict[str, Any]] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Go on and on."}],
}


def test_where_there_is_plenty_no_limit_is_told_and_the_hold_grows(gateway: Through) -> None:
    """1,500 tokens where 512 are held at first; nothing is cut."""
    gateway.limit("1000")
    answer = gateway.post(CHAT, {**ASKED, "stream": True}, x_fake="words=1500")
    assert answer.text.count("word ") == 1500
    assert float(answer.headers["x-budget-reserved"]) < 0.01
    ((_, sent),) = gateway.providers.requests()
    assert "max_completion_tokens" not in sent
    (record,) = gateway.records()
    assert record.usage.output_tokens == 1500
    assert gateway.books.events(kind="extended").items


def test_where_money_is_short_the_upstream_is_told_less_than_is_held(gateway: Through) -> None:
    """0.02 USD pay for 2,000 tokens of output: half of that is held, and a little less is told."""
    gateway.limit("0.02")
    gateway.post(CHAT, ASKED)
    ((_, sent),) = gateway.providers.requests()
    told = sent["max_completion_tokens"]
    assert 900 < told < 1000
    (hold,) = gateway.books.allocations(limit=10).items
    assert hold.granted_output_tokens is not None
    assert told < hold.granted_output_tokens <= 1000


def test_a_limit_of_the_callers_own_is_left_as_it_is(gateway: Through) -> None:
    gateway.limit("0.02")
    gateway.post(CHAT, {**ASKED, "max_tokens": 300})
    ((_, sent),) = gateway.providers.requests()
    assert sent["max_tokens"] == 300
    assert "max_completion_tokens" not in sent


def test_without_a_hard_limit_no_limit_is_told(gateway: Through) -> None:
    gateway.books.create_budget(
        name="Watched",
        policies=[{"unit": "usd", "period": "daily", "limit": "0.001", "enforcement": "warn"}],
    )
    gateway.post(CHAT, ASKED)
    ((_, sent),) = gateway.providers.requests()
    assert "max_completion_tokens" not in sent


def test_who_writes_more_than_it_was_allowed_is_cut_there(gateway: Through) -> None:
    """There is money for all of it; the caller allowed 50 tokens, and 900 would come."""
    gateway.limit("10")
    body = {**ASKED, "max_tokens": 50}
    answer = gateway.post(CHAT, body, x_fake="words=900 delay_ms=2 unlimited").json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["budget"]["code"] == "beyond_limit"
    (record,) = gateway.records()
    assert 50 <= record.usage.output_tokens < 120
    assert '"end":"cut"' in record.metadata
