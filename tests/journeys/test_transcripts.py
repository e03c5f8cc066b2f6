"""The transcripts hold: what their pages type is answered as they say, by a database that the
command opens and by a service alike.

A page is written by hand once, with `…` for what differs from run to run. To see what is answered
now: `python -m tests.journeys.show PAGE`.
"""

import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from budget.cli.app import run
from budget.engine.price_book.settings import PriceSettings
from tests.http.running import running
from tests.journeys.conftest import warm_programs, write_programs
from tests.support.command import ROOT
from tests.support.databases import SqliteDatabases
from tests.support.priced import empty_books
from tests.support.transcripts import DATABASE_ONLY, Keep, matches, read

PAGES = sorted((ROOT / "tests" / "journeys" / "transcripts").glob("*.md"))
BOTH = [
    pytest.param(page, place, id=f"{page.stem}-{place}")
    for page in PAGES
    for place in (("database",) if DATABASE_ONLY in page.read_text() else ("database", "service"))
]


@contextmanager
def user(folder: Path, target: str, key: str | None, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user with an empty home, in a folder of its own, whose books are these."""
    for name in list(os.environ):
        if name.startswith(("BUDGET_", "XDG_")) and name != "BUDGET_TEST_POSTGRES_URL":
            patch.delenv(name)
    (folder / "home").mkdir()
    patch.setenv("HOME", str(folder / "home"))
    patch.setenv("COLUMNS", "80")
    programs = write_programs(folder.parent / f"{folder.name}-bin", warm_programs())
    patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("BUDGET_TARGET", target)
    if key is not None:
        patch.setenv("BUDGET_KEY", key)
    patch.chdir(folder)
    yield


def answer(words: str, kept: dict[str, str]) -> tuple[int, str]:
    """Type a command line; `budget …` in this process, all else in a shell. Errors come behind."""
    for name, value in kept.items():
        words = words.replace(f"${name}", value)
    if not re.match(r"budget( |$)", words) or re.search(r"[|<>;&]|\$\(", words):
        done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(shlex.split(words)[1:])
    return code, out.getvalue() + err.getvalue()


def keep(piece: Keep, heard: str) -> str:
    """What is to be kept of what was answered: the last that matches."""
    found = re.findall(piece.pattern, heard)
    assert found, f"nothing to keep as {piece.name} in\n{heard}"
    return str(found[-1])


def play(page: Path) -> None:
    """Type what the page types, and hold what is answered against what it says."""
    kept: dict[str, str] = {}
    heard = ""
    for piece in read(page):
        if isinstance(piece, Keep):
            kept[piece.name] = keep(piece, heard)
            continue
        code, told = answer(piece.words, kept)
        heard += told
        where = f"{page.name}, line {piece.line}: $ {piece.words}"
        assert matches(piece.expected, told), (
            f"{where}\n--- expected\n{piece.expected}\n--- answered\n{told}"
        )
        assert code == piece.code, f"{where} ended with {code}\n{told}"


@pytest.mark.parametrize(("page", "place"), BOTH)
def test_what_a_page_types_is_answered_as_it_says(
    page: Path,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sqlite_databases: SqliteDatabases,
) -> None:
    url = sqlite_databases.new(empty_books)
    if place == "database":
        with user(tmp_path, url, None, monkeypatch):
            play(page)
        return
    with (
        running(url, price_settings=PriceSettings()) as service,
        user(tmp_path, service.url, service.key, monkeypatch),
    ):
        play(page)
