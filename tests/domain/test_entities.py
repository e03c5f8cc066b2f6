"""Entities: ids that any path can carry, the same for the same thing, and read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.entities import EntityType, entity_id, key_of, named


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        ("budget", "bud_01", "budget:bud_01"),
        ("component", "", "component:~"),
        ("component", "~", "component:~7E"),
        ("component", "a b/c", "component:a~20b~2Fc"),
        ("component", "größe", "component:gr~C3~B6~C3~9Fe"),
        ("model", "openai/GPT-4o", "model:gpt-4o"),
        ("model", "gpt-oss:120b", "model:gpt-oss:120b"),
        ("provider", "OpenAI", "provider:openai"),
    ],
)
def test_an_id_is_the_type_and_the_key(kind: EntityType, key: str, expected: str) -> None:
    assert entity_id(kind, key) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_key_is_read_back_from_its_id(key: str) -> None:
    made = entity_id("component", key)
    assert key_of(made) == key
    assert re.fullmatch(r"component:[A-Za-z0-9_.:~-]+", made)


def test_what_has_no_name_is_called_so() -> None:
    assert (named("component", ""), named("model", "m")) == ("(no component)", "m")
