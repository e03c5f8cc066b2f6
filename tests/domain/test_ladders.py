"""Ladders are read as they are written, and what cannot be one is named."""

from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.ladders import Ladder, parse_ladder, strictest


def test_a_ladder_is_models_and_steps_in_their_order() -> None:
    written = ["gpt-4o-mini", "openai/gpt-4.1@2025", "cheaper", "smaller", "queue", "refuse"]
    assert parse_ladder(written) == tuple(written)
    assert parse_ladder([]) == ()


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("gpt-4o-mini", "degrade"),
        ({"a": 1}, "degrade"),
        (["m"] * 11, "degrade"),
        ([1], "degrade[0]"),
        (["a", ""], "degrade[1]"),
        (["a b"], "degrade[0]"),
        (["caf\u00e9"], "degrade[0]"),
        (["x" * 201], "degrade[0]"),
        (["a", "smaller", "a"], "degrade[2]"),
        (["refuse", "smaller"], "degrade[1]"),
    ],
)
def test_what_is_no_ladder_is_named(written: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_ladder(written)
    assert raised.value.field == field


def test_the_strictest_is_of_a_hard_limit_then_refuses_then_is_the_shortest() -> None:
    soft = Ladder("bud_1", ("a",), is_hard=False)
    refusing = Ladder("bud_2", ("a", "refuse"), is_hard=False)
    hard = Ladder("bud_3", ("a", "b", "c"), is_hard=True)
    shorter = Ladder("bud_4", ("a", "b"), is_hard=True)
    assert strictest([soft, refusing]) == refusing
    assert strictest([refusing, hard]) == hard
    assert strictest([hard, shorter]) == shorter
    assert strictest([]) is None
