"""What tests in a browser share: Debian's Chromium, driven by playwright.

Where there is none they are skipped, and say so.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.http.running import Running, running
from tests.support.databases import SqliteTemplates, sqlite_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


# Ended with its file: as long as playwright runs, no other test can run an event loop.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser without a window."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: the pages are not looked at")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """One service on SQLite for the tests of a file."""
    del sqlite_templates
    folder: Path = tmp_path_factory.mktemp("browsed")
    with running(sqlite_url(folder / "budget.db")) as started:
        yield started
