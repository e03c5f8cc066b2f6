"""Responses nobody has checked: 10,000 broken ones, cut streams, and what is no response."""

import copy
import random
from decimal import Decimal
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.responses import Stream, Told, parts, usage_of
from budget.domain.usage import Usage, validated
from tests.domain.responses.samples import CHAT, GEMINI, STREAMS, WHOLE

_DEEP: Any = []
for _ in range(5_000):  # deeper than Python's own limit of calls
    _DEEP = [_DEEP]
_ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 7, 10**12, 10**12 + 1, 10**400, -(10**400), 0.5, 3.0, -0.0,
    float("nan"), float("inf"), float("-inf"), 1e308, Decimal("NaN"), Decimal("sNaN"),
    Decimal("Infinity"), Decimal("1e999999999"), Decimal("1e-999999999"), Decimal(12), "", "12",
    "x" * 10_000, "\ud800", b"12", [], {}, [None], [[1]], [{}], {"": {}}, {"usage": 1},
)  # fmt: skip
_PROVIDERS = (
    None, "", "anthropic", "aws", "bedrock", "cohere", "deepseek", "google", "mistral", "ollama",
    "openai", "openrouter", "x-ai", "nobody",
)  # fmt: skip
_APIS = (
    None, "chat", "converse", "embeddings", "generate_content", "images", "messages", "nothing",
    "realtime", "responses",
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything inside, without recursion."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        one = todo.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], dict | list):
                todo.append(one[key])
    return found


def _broken(good: Any, chance: random.Random) -> Any:
    """The same with one to four places changed, taken out, renamed or exchanged."""
    bad = copy.deepcopy(good)
    for _ in range(chance.randint(1, 4)):
        places = _places(bad)
        if not places:
            break
        container, key = chance.choice(places)
        act = chance.randrange(6)
        if act == 0:
            del container[key]
        elif act == 1 and isinstance(container[key], int):
            container[key] = container[key] * chance.choice((-1, 2, 10, 10**9, 10**11))
        elif act == 2 and isinstance(container, dict):
            container[chance.choice(places)[1]] = container.pop(key)
        elif act == 3:
            other, name = chance.choice(places)
            container[key] = copy.deepcopy(other[name])
        else:
            container[key] = copy.deepcopy(chance.choice(_ODD))
    places = _places(bad)
    if places and not chance.randrange(20):
        container, key = chance.choice(places)
        container[key] = _DEEP
    return bad


def _sound(told: Told) -> None:
    if told.usage is None:
        assert not told.complete
        return
    assert validated(told.usage) is told.usage
    assert all(count >= 0 for count in told.usage[:-1])
    assert all(count > 0 for _, count in told.usage.units)
    assert told.reported_cost_nanos is None or 0 <= told.reported_cost_nanos <= 10**15


def test_of_ten_thousand_broken_responses_none_does_harm() -> None:
    chance = random.Random(3)
    goods: list[Any] = [*WHOLE, *STREAMS]
    complete = 0
    for n in range(10_000):
        broken = _broken(goods[n % len(goods)], chance)
        told = usage_of(broken, provider=chance.choice(_PROVIDERS), api=chance.choice(_APIS))
        _sound(told)
        complete += told.complete
    assert 1_000 < complete < 9_000  # both kinds were among them


def test_the_ten_thousand_would_do_harm_if_parts_were_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def believed(heard: parts.Parts) -> tuple[Usage, bool]:
        return Usage(heard.input or 0, heard.output or 0, *heard[2:6]), True

    monkeypatch.setattr(parts, "agreed", believed)
    with pytest.raises(InvalidInput):
        test_of_ten_thousand_broken_responses_none_does_harm()


@pytest.mark.parametrize("odd", [*_ODD, _DEEP], ids=lambda odd: str(type(odd).__name__))
def test_any_value_in_any_place_does_no_harm(odd: Any) -> None:
    goods: list[Any] = [*WHOLE, *STREAMS]
    for good in goods:
        for number in range(len(_places(good))):
            broken = copy.deepcopy(good)
            container, key = _places(broken)[number]
            container[key] = odd
            _sound(usage_of(broken))


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: str(next(iter(stream[-1]))))
def test_a_stream_cut_anywhere_is_incomplete_and_tells_no_more_than_the_whole(stream: Any) -> None:
    whole = usage_of(stream).usage
    assert whole is not None
    for length in range(len(stream)):
        told = usage_of(stream[:length])
        assert not told.complete
        if told.usage is not None:
            assert told.usage.input_tokens <= whole.input_tokens
            assert told.usage.output_tokens <= whole.output_tokens


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: str(next(iter(stream[-1]))))
def test_how_the_text_is_split_into_chunks_changes_nothing(stream: Any) -> None:
    chance = random.Random(5)
    whole = usage_of(stream)
    for _ in range(50):
        split: list[Any] = [stream[0]]
        for chunk in stream[1:-1]:  # text may come in more or fewer pieces, each like the other
            split += [chunk] * chance.randint(1, 4)
        split.append(stream[-1])
        running = Stream()
        for chunk in split:
            running.take(chunk)
            if chance.random() < 0.3:
                running.told()  # asking changes nothing
        assert running.told() == whole


def test_naming_the_provider_and_the_api_changes_nothing_of_its_own_shape() -> None:
    assert usage_of(CHAT, provider="OpenAI", api="Chat") == usage_of(CHAT)
    assert usage_of(GEMINI, provider="google", api="generate_content") == usage_of(GEMINI)
    assert usage_of(GEMINI, provider="nobody", api="nothing") == usage_of(GEMINI)


@pytest.mark.parametrize("wrong", [None, 1, 1.5, "text", b"text", True, object()])
def test_what_is_neither_an_object_nor_a_list_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        usage_of(wrong)
    assert caught.value.field == "response"


def test_what_tells_nothing_is_nothing() -> None:
    assert usage_of({}) == usage_of([]) == usage_of({"error": {"message": "no"}}) == Told()
    assert Stream().told() == Told()


def test_what_is_no_object_in_a_stream_leaves_the_answer_incomplete() -> None:
    odd: Any = [CHAT, "[DONE]"]
    told = usage_of(odd)
    assert told.usage == Usage(1000, 300, 600, 100, 0, 250)
    assert not told.complete


def test_a_usage_that_is_none_at_all_is_forgiven_when_a_good_one_follows() -> None:
    first = {"choices": [], "usage": "none yet"}
    assert usage_of([first, STREAMS[0][-1]]).complete
    assert not usage_of([STREAMS[0][-1], first]).complete


def test_sums_beyond_what_a_record_may_have_are_not_believed() -> None:
    usage = {"prompt_tokens": 10**12, "completion_tokens": 1}
    assert usage_of({**CHAT, "usage": usage}).usage is None


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "\ud800", 5, ["gpt"]])
def test_a_name_that_can_be_none_is_absent(name: object) -> None:
    told = usage_of({**CHAT, "model": name, "id": name})
    assert (told.model, told.response_id) == (None, None)
    assert told.complete
