"""What tests of the command share: an empty home, a way to say a command line, a real service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from budget.cli.app import run
from budget.engine.budget import Budget
from budget.prices.book import PriceBook
from tests.support.databases import SqliteDatabases

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "azure-2023-sample.csv"
COMMAND = [sys.executable, "-c", "from budget.cli.app import main; main()"]


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


def clean_environ(home: Path) -> dict[str, str]:
    """The environment of a user who has never met Budget."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BUDGET_", "XDG_")) or name == "BUDGET_TEST_POSTGRES_URL"
    }
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    return {**kept, "HOME": str(home), "PYTHONPATH": path}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's empty home; nothing of this machine's Budget is seen."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith(("BUDGET_", "XDG_")) and name != "BUDGET_TEST_POSTGRES_URL":
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


@dataclass(frozen=True)
class Served:
    """A running service: where it is, what it printed, and its process."""

    url: str
    key: str
    target: str
    home: Path
    process: subprocess.Popen[str]


def start_service(folder: Path, *words: str) -> Served:
    """`budget serve`, as a person would start it, on a fresh SQLite file and any free port."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    target = f"sqlite:///{folder / 'budget.db'}"
    environ = clean_environ(home)
    log = (folder / "service.log").open("w")
    process = subprocess.Popen(
        [*COMMAND, "serve", "--json", "--port", "0", "--target", target, *words],
        stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environ,
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if line == "}\n":
            break
    assert told, (folder / "service.log").read_text()
    key = subprocess.run(
        [*COMMAND, "key", "--target", target],
        capture_output=True, text=True, check=True, cwd=folder, env=environ,
    ).stdout.strip()  # fmt: skip
    return Served(json.loads(told)["url"], key, target, home, process)


def stop_service(served: Served) -> int:
    """Ask a service to stop, as Ctrl-C or the system does; its exit status."""
    served.process.terminate()
    code = served.process.wait(30)
    assert served.process.stdout is not None
    served.process.stdout.close()
    return code


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
