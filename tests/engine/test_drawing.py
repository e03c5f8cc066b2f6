"""A key with the right `draw` spends from its envelope, however it tries to spend beside it."""

from collections.abc import Callable
from typing import Any

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.engine.budget import Budget
from budget.engine.keys import caller_with

RUN = {"tag.envelope": "run_1"}
DRAWING = caller_with("key_a", frozenset({"draw"}), 5, RUN)


@pytest.fixture
def program(light: Budget) -> Budget:
    """What a program may do that was given an envelope of 1 USD; other holds are beside it."""
    light.allocate(usd="1", envelope=True, allocation_id="run_1", attributes=RUN)
    light.allocate(
        usd="5", envelope=True, allocation_id="run_2", attributes={"tag.envelope": "run_2"}
    )
    light.allocate(usd="5", allocation_id="other")
    return light.acting_as(DRAWING)


def test_calls_draw_on_the_envelope_unsaid_and_end_with_it(program: Budget) -> None:
    held = program.allocate(usd="0.6")
    assert isinstance(held, Allocation)
    assert (held.parent_id, dict(held.attributes)["tag.envelope"]) == ("run_1", "run_1")
    refused = program.allocate(usd="0.6", parent_id="run_1")
    assert isinstance(refused, Refusal)
    program.settle(held.allocation_id, model="unheard-of", input_tokens=1, cost="0.5")
    assert isinstance(program.allocate(usd="0.5"), Allocation)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda one: one.allocate(usd="1", parent_id="run_2"), Forbidden),
        (lambda one: one.check(usd="1", parent_id="other"), Forbidden),
        (lambda one: one.allocate(usd="9", envelope=True), Forbidden),
        (lambda one: one.allocate(usd="9", envelope=True, attributes=RUN), Forbidden),
        (lambda one: one.allocate(usd="1", attributes={"tag.envelope": "run_2"}), Forbidden),
        (lambda one: one.extend("run_1", usd="9"), Forbidden),
        (lambda one: one.extend("run_1", ttl_seconds=9), Forbidden),
        (lambda one: one.extend("run_2", usd="9"), NotFound),
        (lambda one: one.settle("other", input_tokens=1, cost="4"), NotFound),
        (lambda one: one.release("other"), NotFound),
        (lambda one: one.record_usage(model="m", input_tokens=1, cost="4"), Forbidden),
    ],
)
def test_nothing_is_spent_beside_it(
    program: Budget, light: Budget, act: Callable[[Budget], Any], error: type[Exception]
) -> None:
    before = light.events().items
    with pytest.raises(error):
        act(program)
    assert light.events().items == before


def test_who_may_also_spend_is_not_kept_to_the_envelope() -> None:
    for more in ("spend", "manage", "admin"):
        assert caller_with("key_a", frozenset({"draw", more}), 5, RUN).envelope is None


def test_a_key_that_may_draw_names_its_envelope(light: Budget) -> None:
    with pytest.raises(InvalidInput, match="id of the envelope"):
        light.create_key(name="k", scopes=["draw"])
    reader = light.create_key(name="k", scopes=["read"])
    with pytest.raises(InvalidInput, match="id of the envelope"):
        light.change_key(reader.key_id, scopes=["draw"])
    assert light.create_key(name="k", scopes=["draw"], bound=RUN).scopes == ("draw",)
