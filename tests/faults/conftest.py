"""What fault tests share: a nursery of processes, and the folder their logs go to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks processes that need no start-up time; one per worker."""
    with Nursery() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the processes of a test put their sockets and logs."""
    made = tmp_path / "processes"
    made.mkdir()
    return made
