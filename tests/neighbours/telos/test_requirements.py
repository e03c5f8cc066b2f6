"""What a requirement says is read, or told to be wrong, whatever it is."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import POLICY_FIELDS
from budget.neighbours.telos.merging import merged
from budget.neighbours.telos.requirements import (
    Limit,
    is_id,
    read_requirement,
    read_terms,
    written_limits,
)

LEAF: Any = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["usd", "tokens", "daily", "rolling:5h", "hard_limit", "10", "last", "1%"])
)  # fmt: skip
JSON: Any = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*POLICY_FIELDS, "limits", "scope", "project", "x"]), inner, max_size=6
        )
    ),
    max_leaves=8,
)
TAGS = st.lists(
    st.sampled_from(["budget", "budget:", "budget:usd:daily:5", "Budget:requests:rolling:5h:x:y"])
    | st.text(max_size=8)
)
USD_LIMIT = {"unit": "usd", "period": "daily"}


def requirement(metadata: Any, tags: Any = ("budget",), **more: Any) -> Any:
    told = {
        "requirement_id": "r", "title": "T", "requirement_type": "constraint", "status": "new",
        "tags": list(tags), "metadata": metadata,
    }  # fmt: skip
    return read_requirement("p", {**told, **more})


@given(JSON, TAGS)
def test_whatever_a_requirement_carries_is_read_or_told_to_be_wrong(said: Any, tags: Any) -> None:
    try:
        terms = read_terms(requirement({"budget": said}, tags))
    except InvalidInput:
        return
    again = {"budget": {"limits": written_limits(terms.limits, terms.policies)}}
    assert read_terms(requirement(again)).limits == terms.limits


@given(JSON)
def test_whatever_is_told_as_a_requirement_is_one_or_none(told: Any) -> None:
    assert read_requirement("p", told) is None
    assert requirement(told, title=told, status=told) is not None


def test_a_number_with_a_point_is_what_was_written() -> None:
    terms = read_terms(requirement({"budget": {**USD_LIMIT, "limit": 0.1}}))
    assert terms.limits == {("usd", "daily"): Limit(100_000_000, "hard_limit")}


def test_an_id_that_would_lead_elsewhere_is_none() -> None:
    assert is_id("9b1e-77")
    assert not any(map(is_id, ("", ".", "..", "a/b", "a?b", " a", "a\n", "a#b", "x" * 201, 7)))


LIMITS = st.dictionaries(
    st.sampled_from([("usd", "daily"), ("usd", "monthly")]),
    st.builds(Limit, st.integers(0, 3), st.sampled_from(["warn", "hard_limit"])),
)


@given(st.none() | LIMITS, LIMITS, LIMITS, st.booleans())
def test_merged_limits_are_somebodys_or_the_stricter_and_stay(
    base: Any, theirs: Any, ours: Any, may_loosen: bool
) -> None:
    both = merged(base, theirs, ours, may_loosen=may_loosen)
    for key, limit in both.limits.items():
        assert limit.amount in {side[key].amount for side in (theirs, ours) if key in side}
    for key, limit in ours.items():
        if limit.enforcement == "hard_limit" and not may_loosen:
            assert not both.limits[key].is_looser_than(limit)
    again = merged(both.limits, both.limits, both.limits, may_loosen=may_loosen)
    assert (again.limits, again.conflicts, again.loosened) == (both.limits, (), ())
