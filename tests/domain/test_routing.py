"""Routing: of what was tried, the model that was asked for first, then what may stand in."""

import pytest

from budget.domain.allocations import Held
from budget.domain.answers import BalanceView, Check, Refusal
from budget.domain.answers_routing import Step
from budget.domain.budgets import Enforcement, PolicyTerms
from budget.domain.routing import Size, Tried, routed
from budget.domain.windows import Window, parse_period

SIZE = Size(1_000, 500, 0)


def leg(spent: int, limit: int = 1_000, enforcement: Enforcement = "soft_limit") -> BalanceView:
    """A balance in nano-USD, of a policy that presses from 0.95 on."""
    terms = PolicyTerms("pol", "bud", "usd", parse_period("daily"), enforcement, 8_000, 9_500)
    return BalanceView(terms, "team", "{}", Window(0, 1), limit, spent, 0, 0, 0)


def tried(
    model: str,
    nanos: int | None,
    *legs: BalanceView,
    step: Step = "same_provider",
    provider: str = "openai",
) -> Tried:
    """A model for which every hard limit has room."""
    answer = Check(Held(nanos, 1_500, 1), 500, None, legs)
    return Tried(provider, model, None, step, nanos, answer)


def refused(model: str, nanos: int | None, code: str = "over_limit") -> Tried:
    """A model that a hard limit refuses."""
    return Tried("openai", model, None, "asked", nanos, Refusal(code, f"no {model}", 0))


def test_the_model_asked_for_is_taken_where_every_limit_has_room() -> None:
    told = routed(tried("big", 100, leg(spent=949), step="asked"), [], SIZE)
    assert (told.allowed, told.model, told.reason, told.is_downgraded) == (
        True,
        "big",
        "fits",
        False,
    )
    assert told.warnings == ()
    assert [one.why for one in told.considered] == [""]


def test_where_a_hard_limit_refuses_the_first_that_fits_and_holds_less_is_taken() -> None:
    others = [refused("mid", 50), tried("same", 100), tried("free?", None), tried("small", 10)]
    told = routed(refused("big", 100), others, SIZE)
    assert (told.model, told.hold_nanos, told.reason) == ("small", 10, "hard_limit")
    assert told.is_downgraded
    assert told.warnings == ("big gives way to small, which holds 90% less.",)
    assert told.why == "no big"
    assert [(one.model, one.why) for one in told.considered] == [
        ("big", "no big"),
        ("mid", "no mid"),
        ("same", "It costs no less than what was asked for."),
        ("free?", "Its price is not known, which is not free."),
        ("small", ""),
    ]


def test_where_nothing_fits_no_model_is_named() -> None:
    told = routed(refused("big", 100), [refused("small", 10), tried("unknown", None)], SIZE)
    assert (told.allowed, told.provider, told.model, told.hold_nanos) == (False, None, None, None)
    assert told.original_model == "big"
    assert not told.is_downgraded
    assert told.refusal is not None
    assert told.warnings == (
        "No model that will do fits within the limits: the call will be refused.",
    )


@pytest.mark.parametrize(("nanos", "model"), [(50, "small"), (51, "big"), (0, "small")])
def test_past_a_soft_limit_what_costs_at_most_half_is_taken(nanos: int, model: str) -> None:
    # 950 of 1,000 is the action threshold of 0.95
    asked = tried("big", 100, leg(spent=950), step="asked")
    told = routed(asked, [tried("small", nanos, leg(spent=950))], SIZE)
    assert (told.allowed, told.model, told.reason) == (True, model, "soft_limit")
    assert told.warnings


def test_a_warning_limit_and_a_hard_one_press_nobody_to_another_model() -> None:
    asked = tried("big", 1, leg(999, enforcement="warn"), leg(999, enforcement="hard_limit"))
    assert routed(asked, [tried("small", 0)], SIZE).model == "big"


def test_what_the_caller_named_may_cost_as_much_where_a_hard_limit_refuses() -> None:
    named = tried("other", 100, step="given", provider="anthropic")
    told = routed(refused("big", 100), [named], SIZE)
    assert (told.provider, told.model) == ("anthropic", "other")
    assert "other is of another provider: anthropic." in told.warnings


def test_a_model_without_a_price_gives_way_to_one_that_has_one() -> None:
    told = routed(refused("who-knows", None, "model_unpriced"), [tried("small", 10)], SIZE)
    assert (told.model, told.reason) == ("small", "unpriced")


def test_without_a_model_the_first_that_fits_is_taken() -> None:
    told = routed(None, [refused("a", 5), tried("b", 7)], SIZE)
    assert (told.model, told.reason, told.original_model) == ("b", "no_model", None)
    assert not told.is_downgraded


def test_some_of_what_would_have_come_after_is_told_and_no_more() -> None:
    others = [tried(f"m{at}", 10) for at in range(9)]
    told = routed(refused("big", 100), others, SIZE)
    assert [one.model for one in told.considered] == ["big", "m0", "m1", "m2", "m3"]
    assert told.considered[-1].why == "Another came first."
