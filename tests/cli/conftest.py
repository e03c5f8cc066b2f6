"""What tests of the command share: an empty home, a way to say a command line, a real service."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from budget.cli.app import run
from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.support.command import Served, start_service, stop_service
from tests.support.databases import SqliteDatabases


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of a command that was asked for JSON."""
        return json.loads(self.out)


Say = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's empty home; nothing of this machine's Budget is seen."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        ours = name.startswith(("BUDGET_", "XDG_")) or name.endswith("_API_KEY")
        if ours and name != "BUDGET_TEST_POSTGRES_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Say `budget ...` in this process."""

    def saying(*words: str) -> Said:
        capsys.readouterr()
        code = run(list(words))
        heard = capsys.readouterr()
        return Said(code, heard.out, heard.err)

    return saying


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real service for the tests of a file."""
    served = start_service(tmp_path_factory.mktemp("service"))
    yield served
    stop_service(served)


@pytest.fixture
def remote(say: Say, service: Served, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to the service."""
    monkeypatch.setenv("BUDGET_TARGET", service.url)
    monkeypatch.setenv("BUDGET_KEY", service.key)
    return say


def make_ledger(url: str) -> None:
    """An empty ledger, made once and copied for each test."""
    Budget.open(url, prices=PriceBook(None), sweep=False).close()


@pytest.fixture
def local(say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to a database of the test's own, in this process."""
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(make_ledger))
    return say
