"""What fault tests share: a nursery of processes, and the folder their logs go to."""

from pathlib import Path

import pytest

from tests.support.nursery import Nursery, shared


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    """Forks processes that need no start-up time; one per worker."""
    return shared()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the processes of a test put their sockets and logs."""
    made = tmp_path / "processes"
    made.mkdir()
    return made
