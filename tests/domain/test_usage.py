"""What one call consumed: counts that can be true together, and nothing else."""

import pytest

from budget.domain.allocations import Amounts, amounts_of
from budget.domain.errors import InvalidInput
from budget.domain.usage import ZERO, Usage, negated, validated


def test_a_call_is_one_request_unless_said_otherwise() -> None:
    assert Usage(1_000, 200) == Usage(1_000, 200, 0, 0, 0, 0, 1)
    assert Usage(0, 0, requests=0) == ZERO


def test_counts_that_include_their_parts_are_taken_as_they_are() -> None:
    usage = Usage(1_000, 200, 700, 200, 100, 200)  # 700 + 200 + 100 = 1000, 200 of 200
    assert validated(usage) is usage
    assert validated(ZERO) is ZERO
    most = Usage(10**12 - 1, 1, requests=10**12)
    assert validated(most) is most


def test_more_tokens_than_one_record_may_have_are_refused() -> None:
    with pytest.raises(InvalidInput, match="together must be at most 1000000000000") as caught:
        validated(Usage(10**12, 1), "usage.")
    assert caught.value.field == "usage.output_tokens"


@pytest.mark.parametrize("field", Usage._fields[:-1])
@pytest.mark.parametrize("wrong", [-1, 10**12 + 1, True, 1.0, "1", None])
def test_a_count_that_is_no_count_is_refused_by_name(field: str, wrong: object) -> None:
    sound = zip(Usage._fields, Usage(10**11, 10**11), strict=True)
    usage = Usage._make(wrong if name == field else count for name, count in sound)
    with pytest.raises(InvalidInput) as caught:
        validated(usage, "usage.")
    assert caught.value.field == f"usage.{field}"


def test_cache_tokens_beyond_the_input_they_are_part_of_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(Usage(999, 0, 700, 200, 100))
    assert caught.value.field == "input_tokens"
    assert "1000" in caught.value.detail


def test_reasoning_beyond_the_output_it_is_part_of_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(Usage(0, 199, reasoning_tokens=200), "usage.")
    assert caught.value.field == "usage.output_tokens"


def test_a_usage_adds_to_limits_in_every_unit() -> None:
    usage = Usage(1_000, 200, 700, 0, 0, 150, requests=3)
    assert amounts_of(usage, 5) == Amounts(5, 1_200, 1_000, 200, 3)
    assert amounts_of(usage, None).usd is None


def test_a_usage_and_its_reversal_add_up_to_nothing() -> None:
    usage = Usage(1_000, 200, 700, 200, 100, 150, requests=3)
    back = negated(usage)
    assert [a + b for a, b in zip(usage[:-1], back[:-1], strict=True)] == list(ZERO[:-1])
    assert isinstance(negated(usage), Usage)
