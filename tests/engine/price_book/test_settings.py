"""Settings of prices, from the environment."""

from pathlib import Path

import pytest

from budget.engine.price_book.settings import DAILY_SECONDS, PriceSettings
from budget.engine.settings import Settings
from tests.engine.opened import refused


def test_nothing_is_read_unless_it_is_named() -> None:
    settings = PriceSettings.read({})
    assert (dict(settings.sources), settings.refresh_seconds) == ({}, None)
    assert settings.trust["genai-prices"] > settings.trust["litellm"] > 0


def test_sources_may_have_a_place_of_their_own() -> None:
    settings = PriceSettings.read(
        {
            "BUDGET_PRICE_SOURCES": " models.dev, LiteLLM=http://mirror.lan:8080/map?a=b=c ,"
            "genai-prices=installed,llm-prices=/srv/prices.json,",
            "BUDGET_PRICE_REFRESH": "daily",
            "BUDGET_PRICE_ORIGINS": "http://mirror.lan:8080",
            "BUDGET_PRICE_TRUST": "litellm=6, openrouter=0",
        }
    )
    assert dict(settings.sources) == {
        "models.dev": None,
        "litellm": "http://mirror.lan:8080/map?a=b=c",
        "genai-prices": "installed",
        "llm-prices": "/srv/prices.json",
    }
    assert settings.refresh_seconds == DAILY_SECONDS
    assert settings.origins == {"http://mirror.lan:8080"}
    assert (settings.trust["litellm"], settings.trust["openrouter"]) == (6, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUDGET_PRICE_SOURCES", "nobody"),
        ("BUDGET_PRICE_SOURCES", "litellm,litellm=x"),
        ("BUDGET_PRICE_SOURCES", "litellm=https://user:secret@host/"),
        ("BUDGET_PRICE_REFRESH", "often"),
        ("BUDGET_PRICE_REFRESH", "10"),
        ("BUDGET_PRICE_REFRESH", "99999999"),
        ("BUDGET_PRICE_ORIGINS", "mirror.lan"),
        ("BUDGET_PRICE_ORIGINS", "http://mirror.lan/path"),
        ("BUDGET_PRICE_TRUST", "litellm"),
        ("BUDGET_PRICE_TRUST", "litellm=10"),
        ("BUDGET_PRICE_TRUST", "nobody=1"),
    ],
)
def test_a_mistake_names_its_variable(name: str, value: str) -> None:
    error = refused(PriceSettings.read, {name: value})
    assert error.field == name
    assert "secret" not in error.detail


def test_they_are_part_of_the_settings_of_a_process() -> None:
    settings = Settings.read({"BUDGET_PRICES": "own.yaml", "BUDGET_PRICE_SOURCES": "litellm"})
    assert settings.price_settings.own == settings.prices == Path("own.yaml")
    assert list(settings.price_settings.sources) == ["litellm"]
