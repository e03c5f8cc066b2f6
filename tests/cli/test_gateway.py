"""`budget gateway`: the demo tells of a budget that runs dry, without any provider."""

from decimal import Decimal

from tests.cli.conftest import Say


def test_the_demo_spends_is_cut_is_refused_and_goes_on(say: Say) -> None:
    said = say("gateway", "demo", "--json")
    assert said.code == 0, said.err
    told = said.json
    short, long, cut, refused, again = told["calls"]
    assert [short["words"], long["words"], again["words"]] == [100, 250, 40]
    # 13 words and a full stop, 16 times, and 6 of the question; three for each of two messages:
    # 236 tokens at 2.50 USD a million, and 100 of output at 10.
    assert short["cost_usd"] == "0.00159"
    assert (cut["cut"], cut["finish_reason"]) == (True, "length")
    assert 0 < cut["words"] < 2000
    assert (refused["status"], refused["cost_usd"]) == (402, "0.00")
    assert "Demo" in refused["message"]
    assert again["status"] == 200
    assert told["clean"] is True
    # 0.01 and 0.01 USD, of which nothing was spent twice or beyond.
    spent = sum(Decimal(one["cost_usd"]) for one in told["calls"])
    assert Decimal(again["left_usd"]) == Decimal("0.02") - spent


def test_the_demo_says_what_to_do(say: Say) -> None:
    said = say("gateway", "demo")
    assert said.code == 0, said.err
    assert "refused with 402: nothing was sent, nothing was spent" in said.out
    assert "budget budgets top-up" in said.out
    assert "The books add up: 4 calls booked, nothing held." in said.out
