"""What tests of the database's price book share: a source that says what it is told to."""

from pathlib import Path

import pytest

from tests.support.priced import FOUR, Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A source that says the prices of four models."""
    made = Source(tmp_path / "map.json")
    made.says(FOUR)
    return made
