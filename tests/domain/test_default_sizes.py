"""The table of default sizes: so many tokens by type of task and priority."""

import pytest

from budget.domain.allocations import default_size_tokens


@pytest.mark.parametrize(
    ("task_type", "sizes"),
    [
        ("default", (1_000, 2_000, 4_000, 8_000)),
        ("chat", (2_000, 4_000, 8_000, 16_000)),
        ("coding", (4_000, 8_000, 16_000, 32_000)),
        ("analysis", (4_000, 8_000, 16_000, 32_000)),
        ("embedding", (10_000, 25_000, 50_000, 100_000)),
        ("anything else", (1_000, 2_000, 4_000, 8_000)),
        (None, (1_000, 2_000, 4_000, 8_000)),
    ],
)
def test_a_size_is_that_of_its_task_and_priority(
    task_type: str | None, sizes: tuple[int, ...]
) -> None:
    assert tuple(default_size_tokens(task_type, priority) for priority in (1, 5, 8, 10)) == sizes


@pytest.mark.parametrize("priority", [2, 3, 4, 6, 7, 9])
def test_a_priority_without_a_column_of_its_own_has_the_normal_one(priority: int) -> None:
    assert default_size_tokens("chat", priority) == 4_000
