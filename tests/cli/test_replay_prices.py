"""What a service tells of a price becomes the rates it has, to the last digit."""

from budget.cli.replay_prices import rates_of
from budget.domain import wire
from budget.domain.answers_prices import PriceView
from budget.domain.pricing import Rates


def test_rates_that_are_told_come_back_as_they_were() -> None:
    rates = Rates(
        ((0, 1), (200_001, 2_500_000)), 999_999_999_999_999, request=10**15, provider="lab",
        model="m", basis="lab/1/abc",
    )  # fmt: skip
    view = PriceView("lab", "m", "", 0, None, None, rates, "own", "own")
    assert rates_of(wire.price(view)) == rates
