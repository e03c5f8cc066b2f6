"""Tiers from names: the longest beginning that fits, then the provider, then the heaviest."""

import pytest

from budget.prices.tiers import (
    LOCAL_LIGHTWEIGHT,
    LOCAL_MIDWEIGHT,
    MODEL_TIERS,
    PROVIDER_TIERS,
    REMOTE_HEAVYWEIGHT,
    TIERS,
    tier_of,
    tier_table,
)


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("codellama", LOCAL_LIGHTWEIGHT),
        ("deepseek-coder", LOCAL_LIGHTWEIGHT),
        ("starcoder", LOCAL_LIGHTWEIGHT),
        ("phi-2", LOCAL_LIGHTWEIGHT),
        ("gemma-2b", LOCAL_LIGHTWEIGHT),
        ("claude-haiku", LOCAL_MIDWEIGHT),
        ("claude-3-haiku", LOCAL_MIDWEIGHT),
        ("llama-3", LOCAL_MIDWEIGHT),
        ("mistral", LOCAL_MIDWEIGHT),
        ("qwen", LOCAL_MIDWEIGHT),
        ("gemma-7b", LOCAL_MIDWEIGHT),
        ("gpt-4", REMOTE_HEAVYWEIGHT),
        ("gpt-4o", REMOTE_HEAVYWEIGHT),
        ("claude-3-opus", REMOTE_HEAVYWEIGHT),
        ("claude-3-sonnet", REMOTE_HEAVYWEIGHT),
        ("claude-3.5-sonnet", REMOTE_HEAVYWEIGHT),
        ("claude-3.7-sonnet", REMOTE_HEAVYWEIGHT),
    ],
)
def test_the_models_of_tekton_keep_their_tiers(model: str, tier: str) -> None:
    assert tier_of(None, model) == tier


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("claude-3-haiku-20240307", LOCAL_MIDWEIGHT),
        ("claude-3-5-haiku-20241022", LOCAL_MIDWEIGHT),
        ("claude-haiku-4-5@20251001", LOCAL_MIDWEIGHT),
        ("Claude-3-Opus-20240229", REMOTE_HEAVYWEIGHT),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", LOCAL_MIDWEIGHT),
        ("anthropic/claude-3-haiku", LOCAL_MIDWEIGHT),
        ("openrouter/anthropic/claude-3-haiku:beta", LOCAL_MIDWEIGHT),
        ("llama3.3:70b", LOCAL_MIDWEIGHT),
        ("meta-llama/Llama-3.3-70B-Instruct", LOCAL_MIDWEIGHT),
        ("llama-3.1-405b-instruct", REMOTE_HEAVYWEIGHT),
        ("gemma:2b", LOCAL_LIGHTWEIGHT),
        ("phi-2.7b", LOCAL_LIGHTWEIGHT),
        ("qwen2.5-coder:32b-instruct", LOCAL_MIDWEIGHT),
        ("mistral-7b-instruct", LOCAL_MIDWEIGHT),
        ("mistral-large-2411", REMOTE_HEAVYWEIGHT),
        ("gpt-4.1-mini-2025-04-14", REMOTE_HEAVYWEIGHT),
    ],
)
def test_dated_tagged_and_prefixed_names_resolve_like_the_plain_one(model: str, tier: str) -> None:
    assert tier_of(None, model) == tier
    assert tier_of("anthropic", model) == tier


def test_a_model_that_is_not_in_the_table_takes_its_providers_tier() -> None:
    assert tier_of("ollama", "solar:10.7b") == LOCAL_MIDWEIGHT
    assert tier_of(" Local ", "my-own") == LOCAL_LIGHTWEIGHT
    assert tier_of("openai", "o3") == REMOTE_HEAVYWEIGHT


def test_a_model_that_nobody_knows_is_taken_for_the_heaviest() -> None:
    assert tier_of(None, "something-new") == REMOTE_HEAVYWEIGHT
    assert tier_of("somebody", "something-new") == REMOTE_HEAVYWEIGHT
    assert tier_of(None, "/") == REMOTE_HEAVYWEIGHT


def test_without_a_model_only_a_known_provider_gives_a_tier() -> None:
    assert tier_of("ollama", None) == LOCAL_MIDWEIGHT
    assert tier_of("somebody", None) is None
    assert tier_of(None, None) is None
    assert tier_of("", "") is None


def test_a_longer_number_is_another_model() -> None:
    assert tier_of(None, "phi-20") == REMOTE_HEAVYWEIGHT
    assert tier_of("ollama", "llama-30b") == LOCAL_MIDWEIGHT  # by its provider
    assert tier_of("local", "llama-30b") == LOCAL_LIGHTWEIGHT


def test_users_can_change_the_tables() -> None:
    own = tier_table(
        {"Solar": LOCAL_LIGHTWEIGHT, "gpt-4o": LOCAL_MIDWEIGHT}, {"Somebody": LOCAL_MIDWEIGHT}
    )
    assert own("ollama", "solar:10.7b") == LOCAL_LIGHTWEIGHT
    assert own("openai", "gpt-4o-2024-08-06") == LOCAL_MIDWEIGHT
    assert own("somebody", "x") == LOCAL_MIDWEIGHT
    assert own("openai", "gpt-4") == REMOTE_HEAVYWEIGHT
    assert tier_of("openai", "gpt-4o") == REMOTE_HEAVYWEIGHT


def test_the_tables_hold_known_tiers_only() -> None:
    assert {*MODEL_TIERS.values(), *PROVIDER_TIERS.values()} == set(TIERS)
