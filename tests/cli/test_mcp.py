"""`budget mcp`: whose books it opens, and what it says when it may not.

Not here: what it answers (`tests/mcp`).
"""

from pathlib import Path

import pytest

from budget.cli import exits
from budget.cli.app import run
from tests.http.running import migrate, running
from tests.support.databases import sqlite_url


def test_a_key_that_the_service_does_not_accept_is_told_of_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUDGET_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("BUDGET_KEY", "bud_wrongkey_" + "x" * 43)
    url = sqlite_url(tmp_path / "budget.db")
    migrate(url)
    with running(url) as service:
        assert run(["mcp", "--target", service.url]) == exits.REFUSED
    told = capsys.readouterr()
    assert told.out == ""  # standard output is the client's
    assert "does not accept the key in BUDGET_KEY" in told.err


def test_no_service_where_one_was_named_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUDGET_CONFIG_DIR", str(tmp_path))
    assert run(["mcp", "--target", "http://127.0.0.1:9"]) == exits.UNAVAILABLE
    assert capsys.readouterr().err.startswith("budget: ")


def test_what_is_no_place_for_books_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUDGET_CONFIG_DIR", str(tmp_path))
    assert run(["mcp", "--target", "nonsense"]) == exits.USAGE
    assert "target" in capsys.readouterr().err
