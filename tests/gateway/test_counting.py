"""What counts as a refusal: the last word alone, not what is asked on the way to a smaller hold."""

from typing import Any, Final

from tests.gateway.through import Through

CHAT: Final = "/openai/v1/chat/completions"


def asked(words: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": words}]}


def test_a_call_that_goes_with_a_smaller_hold_counts_no_refusal(gateway: Through) -> None:
    gateway.limit("0.002")  # 200 tokens of output: less than is held at first where nobody says
    gateway.post(CHAT, asked("Say five words."))
    assert gateway.books.events(kind="refused").items == []
    assert [one for one in gateway.books.alerts().items if one.kind == "limit"] == []


def test_a_call_that_is_refused_counts_once(gateway: Through) -> None:
    gateway.limit("0.000001")
    gateway.post(CHAT, asked("Say five words."), status=402)
    assert len(gateway.books.events(kind="refused").items) == 1
