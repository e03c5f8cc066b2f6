"""What is booked where a provider tells nothing, and how its figures put counts right."""

import pytest

from budget.domain.responses import Told
from budget.domain.usage import Usage
from budget.gateway.metering import Meter
from budget.gateway.ratios import FEWEST, MANY, Ratios
from budget.gateway.using import Expected, learn, likely_input, told_by_provider, used

EXPECTED = Expected(input_tokens=10, granted_tokens=100, unseen_tokens=40)
TOLD = Told(Usage(12, 7), "gpt-4o", complete=True)


def heard(text: str, provider: str = "openai", model: str = "gpt-4o") -> Meter:
    """A meter that has heard this."""
    meter = Meter(provider, model)
    meter.hear([text])
    return meter


def test_what_the_provider_told_is_booked_whatever_was_counted() -> None:
    found = told_by_provider(TOLD, "broken")
    assert found is not None
    assert (found.usage, found.source) == (Usage(12, 7), "provider")


def test_what_came_is_booked_of_an_answer_that_broke() -> None:
    """Five words and the blank at the end: six tokens."""
    found = used(Told(), heard("word " * 5), "broken", EXPECTED, Ratios())
    assert (found.usage, found.source) == (Usage(10, 6), "counted")


def test_what_is_cut_is_booked_at_its_bound_until_the_provider_has_told_for_such_a_model() -> None:
    """Where money is short, none of what may have been written is lent to other calls."""
    ratios, meter = Ratios(), heard("word " * 50, "anthropic", "claude-haiku-4-5")
    assert meter.likely() < meter.surely() < EXPECTED.granted_tokens
    cut = used(Told(), meter, "cut", EXPECTED, ratios)
    assert (cut.usage, cut.source) == (Usage(10, meter.surely()), "estimated")
    assert used(Told(), meter, "broken", EXPECTED, ratios).usage == Usage(10, meter.likely())
    for _ in range(FEWEST):
        learn(ratios, Told(Usage(10, meter.likely()), complete=True), meter, 10)
    assert used(Told(), meter, "cut", EXPECTED, ratios).usage == Usage(10, meter.likely())


@pytest.mark.parametrize("end", ["timed_out", "no_answer", "left"])
def test_what_never_came_is_booked_as_such_calls_usually_are(end: str) -> None:
    found = used(Told(), Meter("openai", "gpt-4o"), end, EXPECTED, Ratios())  # type: ignore[arg-type]
    assert (found.usage, found.source) == (Usage(10, 40), "estimated")
    held = EXPECTED._replace(granted_tokens=30)
    found = used(Told(), Meter("openai", "gpt-4o"), end, held, Ratios())  # type: ignore[arg-type]
    assert found.usage.output_tokens == 30


def test_an_answer_in_which_nothing_could_be_read_is_not_booked_as_nothing() -> None:
    found = used(Told(), Meter("openai", "gpt-4o"), "done", EXPECTED, Ratios())
    assert found.usage.output_tokens == 40
    found = used(Told(model="gpt-4o"), Meter("openai", "gpt-4o"), "done", EXPECTED, Ratios())
    assert found.usage.output_tokens == 0


def test_the_larger_of_what_was_told_so_far_and_what_was_counted_is_booked() -> None:
    begun = Told(Usage(12, 1), "gpt-4o")
    assert used(begun, heard("word " * 5), "broken", EXPECTED, Ratios()).usage == Usage(12, 6)
    begun = Told(Usage(12, 9), "gpt-4o")
    assert used(begun, heard("word " * 5), "broken", EXPECTED, Ratios()).usage == Usage(12, 9)


def test_the_input_of_openai_is_counted_as_its_cookbook_does_until_it_has_told_some() -> None:
    """The bound has room for 8 tokens where the cookbook has 3."""
    ratios, meter = Ratios(), Meter("openai", "gpt-4o")
    assert likely_input(ratios, meter, 100) == 95
    for _ in range(FEWEST):
        learn(ratios, Told(Usage(90, 1), "gpt-4o", complete=True), meter, 100)
    assert likely_input(ratios, meter, 200) == 180


def test_the_output_of_others_is_put_right_by_what_they_told() -> None:
    ratios = Ratios()
    meter = heard("word " * 40, "anthropic", "claude-haiku-4-5")
    plain = used(Told(), meter, "broken", EXPECTED, ratios)
    assert plain.usage.output_tokens == meter.likely()
    for _ in range(FEWEST):
        learn(ratios, Told(Usage(10, 40), "claude-haiku-4-5", complete=True), meter, 10)
    right = used(Told(), meter, "broken", EXPECTED, ratios)
    assert (right.usage.output_tokens, right.source) == (40, "estimated")


def test_thoughts_that_nobody_hears_teach_nothing() -> None:
    ratios = Ratios()
    meter = heard("word " * 40, "anthropic", "claude-haiku-4-5")
    for _ in range(FEWEST):
        thought = Usage(10, 90, reasoning_tokens=50)
        learn(ratios, Told(thought, "claude-haiku-4-5", complete=True), meter, 10)
    assert not ratios.knows(("output", "anthropic", "claude-haiku-4-5"))


@pytest.mark.parametrize(("counted", "told"), [(100, 20), (100, 501), (0, 5), (100, 0)])
def test_what_is_far_off_counted_something_else_and_teaches_nothing(
    counted: int, told: int
) -> None:
    ratios = Ratios()
    for _ in range(FEWEST):
        ratios.learn(("output", "a", "b"), counted, told)
    assert ratios.likely(("output", "a", "b"), 100) == 100


def test_many_comparisons_are_made_more_rarely() -> None:
    ratios = Ratios()
    wanted = 0
    for _ in range(10 * MANY):
        if ratios.wants(("output", "a", "b")):
            wanted += 1
            ratios.learn(("output", "a", "b"), 10, 10)
    assert MANY <= wanted <= MANY + 10
