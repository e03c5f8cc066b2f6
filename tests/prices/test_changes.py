"""Changes between two feeds of a source: what they are, and which of them nobody should believe."""

import pytest

from budget.domain.pricing import Rates
from budget.prices.changes import ModelChange, changes, listings, lost_half, steps
from budget.prices.combined import Key
from budget.prices.listings import Listed
from budget.prices.schedules import DAY_US, Piece, Schedule

NOW = 1_000 * DAY_US
KEY: Key = ("openai", "m", "")
OLD = Rates(1_000_000, 2_000_000, basis="old")


def always(rates: Rates | None) -> Schedule:
    return Schedule((Piece(rates),))


def change(old: Rates, new: Rates) -> ModelChange:
    """The one change from one price to another."""
    (found,) = changes({KEY: always(old)}, {KEY: always(new)}, {}, NOW)
    return found


def told(found: ModelChange) -> list[tuple[str, int, int | None, int | None]]:
    return [step[:4] for step in found.steps]


def test_a_feed_under_another_basis_that_says_the_same_changes_nothing() -> None:
    new = OLD._replace(basis="new")
    assert list(changes({KEY: always(OLD)}, {KEY: always(new)}, {}, NOW)) == []


def test_a_change_tells_old_new_and_percent_of_each_kind() -> None:
    found = change(OLD, OLD._replace(input=1_500_000, output=1_000_000, cache_read=100_000))
    assert found.what == "changed"
    # a read from the cache was priced as input until now: 1,000,000 pico-USD
    assert told(found) == [
        ("input", 0, 1_000_000, 1_500_000),
        ("output", 0, 2_000_000, 1_000_000),
        ("cache_read", 0, 1_000_000, 100_000),
    ]
    assert [step.change_bps for step in found.steps] == [5_000, -5_000, -9_000]
    assert {step.from_us for step in found.steps} == {NOW}


def test_tiers_are_compared_at_each_of_their_starts() -> None:
    old = OLD._replace(input=((0, 10), (200_001, 20)))
    found = change(old, old._replace(input=((0, 10), (128_001, 20))))
    assert told(found) == [("input", 128_001, 10, 20)]


def test_requests_and_units_are_compared_too() -> None:
    old = OLD._replace(request=5, units=(("searches", 100),))
    new = OLD._replace(request=6, units=(("input_audio_tokens", 3_000_000),))
    assert told(change(old, new)) == [
        ("input_audio_tokens", 0, 1_000_000, 3_000_000),  # audio was priced as text
        ("searches", 0, 100, None),
        ("request", 0, 5, 6),
    ]


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (10_000_000, "changed"),
        (10_000_001, "quarantined"),
        (100_000, "changed"),
        (99_999, "quarantined"),
        (0, "quarantined"),
    ],
)
def test_more_than_ten_times_either_way_and_zero_are_not_believed(new: int, what: str) -> None:
    assert change(OLD, OLD._replace(input=new)).what == what


def test_a_free_model_that_begins_to_cost_is_not_believed() -> None:
    found = change(OLD._replace(output=0), OLD)
    assert found.what == "quarantined"
    assert found.steps[0].change_bps is None


def test_a_price_to_come_is_looked_at_when_it_comes() -> None:
    later = NOW + DAY_US
    new = Schedule((Piece(OLD), Piece(OLD._replace(input=50_000_000), start_us=later)))
    (found,) = changes({KEY: always(OLD)}, {KEY: new}, {}, NOW)
    assert found.what == "quarantined"
    assert [(step.new_pico, step.from_us) for step in found.steps] == [(50_000_000, later)]


def test_a_price_at_a_time_of_day_is_looked_at() -> None:
    night = Piece(OLD._replace(input=1), daily_us=(0, DAY_US // 4))
    new = Schedule((Piece(OLD), night))
    (found,) = changes({KEY: always(OLD)}, {KEY: new}, {}, NOW + DAY_US // 2)
    assert found.what == "quarantined"


def test_a_past_that_is_told_otherwise_is_a_change_however_large() -> None:
    def since(past: int) -> Schedule:
        return Schedule((Piece(OLD._replace(input=past)), Piece(OLD, start_us=NOW - DAY_US)))

    (found,) = changes({KEY: since(1_000_000)}, {KEY: since(90_000_000)}, {}, NOW)
    assert found.what == "changed"
    assert [(step.old_pico, step.new_pico) for step in found.steps] == [(1_000_000, 90_000_000)]
    assert found.steps[0].from_us < NOW


def test_models_come_and_go() -> None:
    new_key = ("openai", "n", "")
    found = {one.key: one for one in changes({KEY: always(OLD)}, {new_key: always(OLD)}, {}, NOW)}
    assert (found[KEY].what, found[new_key].what) == ("dropped", "added")
    assert found[KEY].steps[0][:4] == ("input", 0, 1_000_000, None)
    assert found[new_key].steps[0][:4] == ("input", 0, None, 1_000_000)
    assert found[new_key].former is None


def test_what_is_kept_is_what_a_newer_feed_is_compared_with() -> None:
    kept = {KEY: always(OLD)}
    wild = always(OLD._replace(input=90_000_000))
    said = {KEY: wild}
    assert list(changes(said, {KEY: wild}, kept, NOW)) == []
    (mended,) = changes(said, {KEY: always(OLD)}, kept, NOW)
    assert mended.what == "returned"
    (near,) = changes(said, {KEY: always(OLD._replace(input=1_100_000))}, kept, NOW)
    assert (near.what, near.steps[0].old_pico) == ("changed", 1_000_000)
    (wilder,) = changes(said, {KEY: always(OLD._replace(input=91_000_000))}, kept, NOW)
    assert (wilder.what, wilder.steps[0].old_pico) == ("quarantined", 1_000_000)
    assert list(changes(said, {}, kept, NOW)) == []


def test_a_price_that_a_source_has_no_more_is_a_change() -> None:
    (found,) = changes({KEY: always(OLD)}, {KEY: always(None)}, {}, NOW)
    assert found.what == "changed"
    assert found.steps[0].new_pico is None


@pytest.mark.parametrize(
    ("had", "has", "lost"),
    [("abcd", "abc", False), ("abcd", "ab", True), ("abcd", "abxyz", True), ("a", "", True),
     ("", "", False), ("abc", "abcdefgh", False)],
)  # fmt: skip
def test_a_feed_has_lost_half_when_every_second_model_is_gone(
    had: str, has: str, lost: bool
) -> None:
    def keys(names: str) -> list[Key]:
        return [("openai", name, context) for name in names for context in ("", "speed=fast")]

    assert lost_half(keys(had), keys(has)) is lost


def test_listings_are_by_lower_case_names_and_context() -> None:
    one = Listed("OpenAI", "M", (Piece(OLD),), (("processing", "batch"),))
    assert listings([one, Listed("x", "y", ())]) == {
        ("openai", "m", "processing=batch"): always(OLD)
    }


def test_steps_between_nothing_and_nothing_are_none() -> None:
    assert list(steps(None, None, NOW)) == []
