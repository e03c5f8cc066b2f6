"""Who calls through LiteLLM: what callers say, the proxy knows and its operator wrote."""

from budget.domain.attributes import parse_attributes
from budget.neighbours.litellm.calls import attributes_of, is_free, priced_as


def test_callers_say_who_they_are_in_metadata() -> None:
    said = {"metadata": {"budget": {"project": "p1", "tag.run": "7"}}, "user": "ann"}
    assert attributes_of(said) == {"project": "p1", "tag.run": "7", "user": "ann"}


def test_what_the_proxy_knows_counts_more_than_what_its_caller_says() -> None:
    kwargs = {
        "metadata": {
            "budget": {"team": "theirs", "org": "theirs", "project": "p1"},
            "user_api_key_team_id": "search", "user_api_key_alias": "bot",
            "user_api_key_hash": "a" * 64, "user_api_key_user_id": "default_user_id",
        },
    }  # fmt: skip
    assert attributes_of(kwargs) == {
        "project": "p1", "team": "search", "tag.litellm_key": "bot"
    }  # fmt: skip
    del kwargs["metadata"]["user_api_key_team_id"]
    assert "team" not in attributes_of(kwargs)


def test_what_the_operator_wrote_on_a_key_counts_most() -> None:
    kwargs = {
        "metadata": {"budget": {"project": "p1"}},  # the caller's own, on the API of responses
        "litellm_metadata": {
            "user_api_key_hash": "h", "user_api_key_metadata": {"budget": {"project": "p2"}},
            "user_api_key_team_metadata": {"budget": {"project": "p3", "component": "bot"}},
        },
        "litellm_session_id": "s1",
    }  # fmt: skip
    assert attributes_of(kwargs) == {
        "project": "p2", "component": "bot", "session": "s1", "tag.litellm_key": "h"
    }  # fmt: skip


def test_a_deployment_is_priced_as_its_base_model() -> None:
    assert priced_as({"model_info": {"base_model": "azure/gpt-4o"}}, "mine") == "gpt-4o"
    assert priced_as({"metadata": {"model_info": {"base_model": "gpt-4o"}}}, "mine") == "gpt-4o"
    assert priced_as({}, "mine") == "mine"


def test_calls_that_nobody_bills_are_known() -> None:
    assert is_free("aget_responses")
    assert is_free("")
    assert not is_free("aimage_generation")
    assert not is_free("pass_through_endpoint")


def test_names_that_nobody_wrote_for_us_are_cut_or_left_out() -> None:
    found = attributes_of({"user": "a" * 1000, "litellm_session_id": "bad\x00"})
    assert set(found) == {"user"}
    assert parse_attributes(found) == found
