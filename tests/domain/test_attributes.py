"""Attributes, scopes and partitions: what is read, what matches, and how a partition is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.attributes import (
    MAX_SCOPE_VALUES,
    MAX_TAGS,
    MAX_VALUE_CHARS,
    STANDARD,
    Condition,
    compared,
    parse_attributes,
    parse_key,
    parse_per,
    parse_scope,
    partition_of,
    scope_matches,
    scope_to_json,
)
from budget.domain.errors import InvalidInput

KEYS = st.sampled_from(["org", "team", "user", "model", "tag.env"])
PLAIN = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="*"), min_size=1, max_size=8
).filter(str.strip)
VALUES = PLAIN | PLAIN.map(lambda text: text + "*")
SCOPES = st.dictionaries(KEYS, VALUES | st.lists(VALUES, min_size=1, max_size=4), max_size=4)


def refused(read: object, *args: object) -> InvalidInput:
    assert callable(read)
    with pytest.raises(InvalidInput) as caught:
        read(*args)
    return caught.value


# --- attributes of a call ------------------------------------------------------------------------


def test_attributes_are_put_in_the_order_of_their_keys() -> None:
    parsed = parse_attributes({"user": "u", "tag.env": "prod", "org": "acme"})
    assert list(parsed.items()) == [("org", "acme"), ("tag.env", "prod"), ("user", "u")]


def test_an_attribute_of_null_is_left_out() -> None:
    assert parse_attributes({"org": "acme", "user": None}) == {"org": "acme"}
    assert parse_attributes(None) == {}


def test_an_unknown_attribute_is_refused_with_the_list_of_those_known() -> None:
    error = refused(parse_attributes, {"customer": "c"})
    assert error.field == "attributes"
    assert error.allowed == (*STANDARD, "tag.<name>")
    assert "customer" in error.detail


@pytest.mark.parametrize(
    "key", ["tag.", "tag.a b", "tag." + "x" * 65, "Org", "org ", "", "tag.\x00", 3, None, ("org",)]
)
def test_a_key_is_a_standard_one_or_a_short_plain_tag(key: object) -> None:
    assert refused(parse_key, key, "per").field == "per"


def test_a_tag_may_have_64_plain_characters() -> None:
    key = "tag." + "A0_.-" * 12 + "abcd"
    assert parse_key(key, "per") == key


def test_a_standard_key_may_be_in_camel_case_a_free_one_is_what_it_is() -> None:
    assert parse_attributes({"taskType": "chat", "tag.taskType": "x"}) == {
        "tag.taskType": "x",
        "task_type": "chat",
    }
    assert parse_scope({"taskType": ["chat", "code*"]}) == parse_scope(
        {"task_type": ["chat", "code*"]}
    )
    assert parse_per(["user", "taskType"]) == ("task_type", "user")
    for key in ("TaskType", "tasktype", "task-type", "tag.", "taskType "):
        assert refused(parse_key, key, "per").field == "per"


@pytest.mark.parametrize("first", ["taskType", "task_type"])
def test_both_spellings_of_a_key_must_say_the_same(first: str) -> None:
    second = {"taskType": "task_type", "task_type": "taskType"}[first]
    assert parse_attributes({first: "chat", second: "chat"}) == {"task_type": "chat"}
    assert parse_attributes({first: "chat", second: None}) == {"task_type": "chat"}
    assert parse_scope({first: "a", second: ["a"]}) == parse_scope({"task_type": "a"})
    error = refused(parse_attributes, {first: "chat", second: "code"})
    assert error.field == "attributes.task_type"
    assert "both spellings" in error.detail
    assert refused(parse_scope, {first: "a", second: ["a", "b"]}).field == "scope.task_type"
    assert refused(parse_per, [first, second]).field == "per"
    assert refused(parse_attributes, {"taskType": ""}).field == "attributes.task_type"


@pytest.mark.parametrize(
    "value", ["", "x" * (MAX_VALUE_CHARS + 1), "a\nb", "a\x00", "\x7f", "\ud800", 5, True, ["a"]]
)
def test_a_value_is_a_short_text_without_control_characters(value: object) -> None:
    assert refused(parse_attributes, {"user": value}).field == "attributes.user"


def test_a_value_may_have_256_characters_of_any_script() -> None:
    assert parse_attributes({"user": "ü" * MAX_VALUE_CHARS})["user"] == "ü" * MAX_VALUE_CHARS


def test_a_call_has_at_most_fifty_tags() -> None:
    fifty = {f"tag.t{number}": "x" for number in range(MAX_TAGS)}
    assert len(parse_attributes(fifty)) == MAX_TAGS
    assert refused(parse_attributes, {**fifty, "tag.more": "x"}).field == "attributes"


@pytest.mark.parametrize("given", ["org=acme", ["org"], 7])
def test_attributes_are_an_object(given: object) -> None:
    assert refused(parse_attributes, given).field == "attributes"


# --- scopes --------------------------------------------------------------------------------------


def test_a_scope_matches_only_if_all_its_conditions_do() -> None:
    scope = parse_scope({"org": "acme", "model": ["gpt-4o", "claude-*"]})
    assert scope_matches(scope, {"org": "acme", "model": "gpt-4o"})
    assert scope_matches(scope, {"org": "acme", "model": "claude-opus-4", "user": "u"})
    assert not scope_matches(scope, {"org": "acme", "model": "gpt-4o-mini"})
    assert not scope_matches(scope, {"org": "acme"})
    assert not scope_matches(scope, {"model": "gpt-4o"})


def test_an_empty_scope_matches_every_call() -> None:
    assert scope_matches(parse_scope({}), {})
    assert scope_matches(parse_scope(None), {"org": "acme"})


def test_a_star_alone_matches_every_value_but_not_a_missing_one() -> None:
    scope = parse_scope({"user": "*"})
    assert scope == (Condition("user", frozenset(), ("",)),)
    assert scope_matches(scope, {"user": "u"})
    assert not scope_matches(scope, {})


def test_a_prefix_matches_itself_without_anything_after() -> None:
    assert scope_matches(parse_scope({"model": "gpt-*"}), {"model": "gpt-"})
    assert not scope_matches(parse_scope({"model": "gpt-*"}), {"model": "gpt"})


@pytest.mark.parametrize("value", ["a*b", "*a", "**", "a**"])
def test_a_star_anywhere_but_at_the_end_is_refused(value: str) -> None:
    assert refused(parse_scope, {"user": ["fine", value]}).field == "scope.user"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"customer": "c"}, "scope"),
        ({"user": []}, "scope.user"),
        ({"user": ["x"] * (MAX_SCOPE_VALUES + 1)}, "scope.user"),
        ({"user": ["a", 5]}, "scope.user"),
        ({"user": None}, "scope.user"),
        ({"user": {"a": "b"}}, "scope.user"),
        ({"tag.env": ""}, "scope.tag.env"),
        ("user=u", "scope"),
    ],
)
def test_a_bad_scope_names_its_field(given: object, field: str) -> None:
    assert refused(parse_scope, given).field == field


def test_a_scope_is_written_as_a_user_writes_it() -> None:
    given = {"user": ["b", "a", "team-*"], "org": "acme", "model": "gpt-*", "key": ["k"]}
    assert scope_to_json(parse_scope(given)) == {
        "key": "k",
        "model": "gpt-*",
        "org": "acme",
        "user": ["a", "b", "team-*"],
    }


@given(SCOPES)
def test_a_scope_that_was_written_is_read_as_the_same(given: dict[str, str | list[str]]) -> None:
    scope = parse_scope(given)
    assert parse_scope(scope_to_json(scope)) == scope


@pytest.mark.parametrize(
    ("wanted", "called", "meets"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "openai/GPT-4o", True),
        ("gpt-4o", "litellm_proxy/azure/gpt-4o", True),
        ("GPT-4o", "gpt-4o", True),
        ("openai/gpt-4o", "gpt-4o", True),
        ("openai/gpt-4o", "azure/gpt-4o", True),  # name the provider to tell sellers apart
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o/mini", False),
        ("gpt-4*", "openai/GPT-4o", True),
        ("openai/gpt-4*", "gpt-4o", True),
        ("openai/*", "OpenAI/o3", True),
        ("openai/*", "o3", False),
        ("claude-3-haiku*", "us.anthropic.claude-3-haiku-20240307-v1:0", True),
        ("claude-3-haiku*", "bedrock/anthropic.claude-3-haiku-20240307-v1:0", True),
        ("anthropic.*", "anthropic.claude-3-haiku", True),
        ("gpt-4.1", "gpt-4.1", True),
        ("1", "gpt-4.1", False),
        ("*", "anything", True),
        ("house/", "house/", True),
    ],
)
def test_no_spelling_of_a_model_escapes_a_scope(wanted: str, called: str, meets: bool) -> None:
    assert scope_matches(parse_scope({"model": wanted}), {"model": called}) is meets


def test_the_case_of_a_provider_does_not_escape_a_scope_that_of_others_tells_them_apart() -> None:
    assert scope_matches(parse_scope({"provider": "openai"}), {"provider": "OpenAI"})
    assert scope_matches(parse_scope({"provider": "Open*"}), {"provider": "openai"})
    assert not scope_matches(parse_scope({"user": "ada"}), {"user": "Ada"})


def test_a_scope_is_shown_as_it_was_written() -> None:
    written = {"model": ["OpenAI/GPT-4o", "claude*"], "provider": "OpenAI"}
    assert scope_to_json(parse_scope(written)) == written


# --- partitions ----------------------------------------------------------------------------------


def test_a_budget_is_split_by_attributes_in_the_order_of_their_names() -> None:
    assert parse_per(["user", "org", "tag.env"]) == ("org", "tag.env", "user")
    assert parse_per(None) == ()
    assert parse_per([]) == ()


@pytest.mark.parametrize("given", ["user", {"user": 1}, ["user", "user"], ["nobody"], [None], 5])
def test_what_a_budget_is_split_by_is_a_list_of_different_attributes(given: object) -> None:
    assert refused(parse_per, given).field == "per"


def test_without_a_split_there_is_one_partition() -> None:
    assert partition_of((), {"user": "u"}) == "{}"


def test_calls_without_the_attribute_share_the_partition_of_null() -> None:
    assert partition_of(("org", "user"), {"org": "acme"}) == '{"org":"acme","user":null}'
    assert partition_of(("user",), {}) == partition_of(("user",), {"org": "acme"})


def test_spellings_of_a_model_share_a_partition() -> None:
    spelled = ("gpt-4o", "GPT-4o", "openai/gpt-4o", "azure/gpt-4O")
    assert {partition_of(("model",), {"model": name}) for name in spelled} == {'{"model":"gpt-4o"}'}
    assert partition_of(("provider",), {"provider": "OpenAI"}) == '{"provider":"openai"}'


def test_the_text_null_is_not_the_missing_attribute() -> None:
    assert partition_of(("user",), {"user": "null"}) == '{"user":"null"}'
    assert partition_of(("user",), {}) == '{"user":null}'


@given(st.dictionaries(KEYS, PLAIN, max_size=5), st.lists(KEYS, unique=True, min_size=1))
def test_a_partition_is_json_of_what_it_is_split_by(
    attributes: dict[str, str], per: list[str]
) -> None:
    name = partition_of(parse_per(per), attributes)
    values = {key: attributes.get(key) for key in per}
    if values.get("model"):
        values["model"] = compared("model", attributes["model"])
    assert json.loads(name) == values
    assert list(json.loads(name)) == sorted(per)
