"""Storms: callers leave, providers break; the books say what the providers bill."""

from collections.abc import Iterator

import pytest

from tests.fakes.providers import Providers
from tests.gateway.storms import Compared, compared, storm
from tests.gateway.through import Through, through
from tests.support.results import report

PRICE = {"input": "2.50", "output": "10.00"}
"""USD per million tokens where a model has no price of its own: Ollama's."""


@pytest.fixture
def gateway(
    sqlite_url: str, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Through]:
    """A gateway that waits a second for upstreams that say nothing, and leaves none of them out."""
    monkeypatch.setattr("budget.gateway.breaking.FAILURES", 1_000_000)
    env = {"BUDGET_GATEWAY_SILENCE_SECONDS": "1"}
    with through(sqlite_url, providers, env) as running:
        yield running


def test_150_calls_of_which_most_fail_are_booked_as_they_are_billed(gateway: Through) -> None:
    weather(gateway, 150, at_once=16, seed=1)


@pytest.mark.faults
def test_10_000_calls_of_which_most_fail_are_booked_as_they_are_billed(gateway: Through) -> None:
    weather(gateway, 10_000, at_once=32, seed=2)


def weather(gateway: Through, calls: int, *, at_once: int, seed: int) -> None:
    """A storm, and what must hold after it."""
    gateway.limit("1000", unpriced=PRICE)
    storm(gateway, calls, at_once=at_once, seed=seed)
    gateway.await_settled()
    found = compared(gateway)
    told = {call: one for call, one in found.items() if one.told}
    untold = [one for one in found.values() if not one.told]
    wrong = {call: one for call, one in told.items() if one.booked != one.billed}
    ratios = [ratio(untold, 0), ratio(untold, 1)]
    report(
        "storm through the gateway",
        calls=calls, told=len(told), untold=len(untold), wrong=len(wrong),
        input_ratio=ratios[0], output_ratio=ratios[1],
    )  # fmt: skip
    assert not wrong, list(wrong.items())[:3]
    assert untold
    assert all(0.98 <= one <= 1.02 for one in ratios), ratios
    assert gateway.open_holds() == 0
    assert gateway.books.verify().clean


def ratio(found: list[Compared], kind: int) -> float:
    """What was booked for what was billed."""
    return sum(one.booked[kind] for one in found) / sum(one.billed[kind] for one in found)
