"""`budget plan` and `budget progress`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Say
from tests.cli.test_recommend import priced
from tests.support.databases import SqliteDatabases


def with_project(url: str) -> None:
    """A project with a limit of 0.03 USD, of which 0.01 is spent for a requirement."""
    from budget.engine.budget import Budget

    priced(url)
    policy: Any = {"unit": "usd", "period": "total", "limit": "0.03", "enforcement": "hard_limit"}
    with Budget.open(url, sweep=False) as books:
        books.create_budget(name="Atlas", scope={"project": "atlas"}, policies=[policy])
        books.record_usage(
            model="small", provider="acme", input_tokens=10_000,
            attributes={"project": "atlas", "tag.requirement": "r1"},
        )  # fmt: skip


@pytest.fixture
def atlas(say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.setenv("BUDGET_TARGET", sqlite_databases.new(with_project))
    return say


def test_the_tasks_to_do_are_told_with_their_models_and_why(atlas: Say, tmp_path: Path) -> None:
    task = {"input_tokens": 10_000, "max_output_tokens": 5_000, "project": "atlas"}
    asked = {
        "models": ["acme/big", "acme/small"],
        "tasks": [{**task, "id": "first", "value": 9}, {**task, "id": "second"}],
    }
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(asked))
    said = atlas("plan", str(file))
    assert said.code == 0
    # One holds 0.015 USD with the small model, and 0.02 are left.
    assert said.out.startswith("1 of 2 tasks are done, worth 9; they hold 0.015 USD.")
    assert "acme/small" in said.out
    assert "(not done)" in said.out
    assert "One more USD in every limit: second by acme/small." in said.out
    told = atlas("plan", str(file), "--json").json
    assert [one["done"] for one in told["tasks"]] == [True, False]


@pytest.mark.parametrize("content", ["[]", "{", '{"tasks": []}', '{"self": 1}'])
def test_a_file_that_says_no_tasks_is_told_of(atlas: Say, tmp_path: Path, content: str) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(content)
    said = atlas("plan", str(file))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("budget: ")
    assert atlas("plan", str(tmp_path / "none.json")).code == 2


def test_progress_shows_cost_and_limits(atlas: Say) -> None:
    said = atlas("progress", "atlas")
    lines = said.out.splitlines()
    assert lines[0] == "atlas: 0.01 USD, 10,000 tokens; 0.00 USD of no requirement."
    assert any(line.split()[:2] == ["r1", "0.01"] for line in lines)
    assert any("Atlas" in line and "33.3" in line for line in lines)
    assert atlas("progress", "atlas", "--json").json["requirements"][0]["requirement"] == "r1"
    assert atlas("progress", "nowhere").code == 4
