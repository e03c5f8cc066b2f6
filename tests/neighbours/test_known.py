"""What turns neighbours on is read the same everywhere; what cannot be is named at the start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.http.serve import make_app
from budget.neighbours.known import KNOWN, Setup, read_neighbours
from budget.neighbours.litellm.opening import FAIL_OPEN, UNMETERED, open_callback
from budget.prices.book import PriceBook
from tests.support.databases import sqlite_url

SWITCHES = ("BUDGET_LITELLM", "BUDGET_MCP", "BUDGET_OTEL_METRICS", "BUDGET_OTLP")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books.open(sqlite_url(tmp_path / "budget.db"), prices=PriceBook(None), sweep=False)
    yield opened
    opened.close()


def names(books: Books, env: dict[str, str]) -> list[str]:
    setup = Setup(env, AsyncBudget(books), "http://127.0.0.1:8013", 8013, "i")
    return [one.name for one in read_neighbours(setup)]


def test_those_that_need_no_address_are_switches() -> None:
    assert tuple(one.setting for one in KNOWN if one.switch) == SWITCHES


@pytest.mark.parametrize("value", ["yes", "1", "maybe", "ON", " on", "true"])
def test_a_switch_is_on_or_off_and_nothing_else(books: Books, value: str) -> None:
    for setting in SWITCHES:
        with pytest.raises(InvalidInput, match=f"{setting}: '{value}' is neither on nor off"):
            names(books, {setting: value})
    for setting in (FAIL_OPEN, UNMETERED):
        with pytest.raises(InvalidInput, match=f"{setting}: '{value}' is neither on nor off"):
            open_callback({setting: value})


def test_all_that_are_on_are_there_and_those_that_are_off_are_not(books: Books) -> None:
    assert names(books, dict.fromkeys(SWITCHES, "on")) == ["litellm", "mcp", "otel", "otlp"]
    assert names(books, dict.fromkeys(SWITCHES, "off")) == []
    assert names(books, dict.fromkeys(SWITCHES, "")) == names(books, {}) == ["mcp"]


def test_the_service_does_not_start_with_a_switch_that_cannot_be(books: Books) -> None:
    with pytest.raises(InvalidInput, match="BUDGET_MCP: 'no' is neither on nor off"):
        make_app(books, env={"BUDGET_MCP": "no"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("BUDGET_APOLLO_POLL_SECONDS", "0"),
        ("BUDGET_HERMES_IDS", "Budget!"),
        ("BUDGET_HERMES_ENDPOINT", "here"),
        ("BUDGET_NEIGHBOUR_ORIGINS", "athena.lan:8005"),
        ("BUDGET_OTLP_METRICS", "yes"),
        ("BUDGET_RHETOR_POLL_SECONDS", "often"),
    ],
)
def test_what_goes_with_one_that_is_off_is_read_all_the_same(
    books: Books, setting: str, value: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        names(books, {setting: value})
    assert caught.value.field == setting
    assert names(books, {setting: ""}) == ["mcp"]
