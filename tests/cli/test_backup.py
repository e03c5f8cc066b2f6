"""`budget backup` and `budget restore`: one moment of the books, checked, and a new epoch."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budget.domain.answers import Allocation
from budget.domain.cursors import encode, unpack
from budget.engine.budget import Budget
from budget.engine.manifests import manifest_file
from budget.engine.settings import Settings
from budget.prices.book import PriceBook
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, spend
from tests.support.command import Served


def ledger() -> Path:
    """The file of this test's books."""
    return Path(Settings.read().target.removeprefix("sqlite:///"))


def events() -> list[int]:
    """The cursors of the whole journal."""
    with opened() as books:
        return [one.cursor for one in books.events(limit=1000).items]


@pytest.fixture
def copied(local: Say, tmp_path: Path) -> Path:
    """A copy of books with one limit and one call."""
    limit("10")
    spend(0, "m-small", "1")
    file = tmp_path / "copy.db"
    said = local("backup", str(file))
    assert said.code == 0, said.err
    assert "1 usage record" in said.out
    return file


def test_a_copy_is_one_private_file_whose_manifest_tells_what_it_holds(
    local: Say, copied: Path
) -> None:
    assert copied.stat().st_mode & 0o777 == 0o600
    assert manifest_file(copied).stat().st_mode & 0o777 == 0o600
    assert '"usage_records": 1' in manifest_file(copied).read_text()
    assert sorted(one.name for one in copied.parent.iterdir() if "part" in one.name) == []
    assert local("--target", f"sqlite:///{copied}", "verify").code == 0


def test_books_are_copied_while_they_are_written(local: Say, tmp_path: Path) -> None:
    with opened() as books:
        books.record_usage(usage_id="one", input_tokens=1, output_tokens=1)
        assert local("backup", str(tmp_path / "copy.db")).code == 0
        books.record_usage(usage_id="two", input_tokens=1, output_tokens=1)
    assert "1 usage record" in local("--target", f"sqlite:///{tmp_path}/copy.db", "verify").out


def test_later_entries_are_not_lost_unless_told(local: Say, copied: Path) -> None:
    spend(0, "m-small", "2")
    refused = local("restore", str(copied))
    assert refused.code == 1
    assert "1 entry that the copy has not" in refused.err
    assert "3.00" in local("get-usage", "daily").out
    said = local("--json", "restore", str(copied), "--yes")
    assert said.code == 0, said.err
    assert said.json["discarded_entries"] == 1
    assert "1.00" in local("get-usage", "daily").out.splitlines()[-1]
    kept = said.json["kept"]
    assert "2 usage records" in local("--target", f"sqlite:///{kept}", "verify").out
    assert local("verify").code == 0
    assert "restored" in local("audit").out


def test_a_reader_of_events_sees_every_row_once_after_a_restore(local: Say, copied: Path) -> None:
    spend(0, "m-small", "2")
    before = events()
    assert local("restore", str(copied), "--yes").code == 0
    spend(0, "m-small", "3")
    with opened() as books:
        behind = [one.cursor for one in books.events(after=encode(before[-1]), limit=1000).items]
    assert len(behind) == 2  # the restore itself, and the call after it
    assert not set(behind) & set(before)
    assert {unpack(one).epoch for one in behind} == {2}
    assert set(events()) - set(behind) <= set(before)


def test_two_restores_of_one_copy_share_no_transaction_number(local: Say, copied: Path) -> None:
    seen: list[int] = []
    for _ in range(2):
        ledger().unlink()
        assert local("restore", str(copied)).code == 0
        seen += [one for one in events() if unpack(one).epoch > 1]
    assert len(seen) == len(set(seen)) == 2


def test_a_process_that_has_the_books_open_goes_on_with_the_restored_ones(
    local: Say, copied: Path
) -> None:
    with Budget.open(Settings.read().target, prices=PriceBook(None), sweep=False) as books:
        books.record_usage(usage_id="lost", input_tokens=1, output_tokens=1)
        local("restore", str(copied), "--yes")
        books.record_usage(usage_id="lost", input_tokens=1, output_tokens=1)
        assert books.usage_record("lost").usage.input_tokens == 1
    assert local("verify").code == 0


def test_a_hold_of_the_copy_is_held_again(local: Say, tmp_path: Path) -> None:
    with opened() as books:
        held = books.allocate(usd="1", idempotency_key="k")
        assert isinstance(held, Allocation)
        assert local("backup", str(tmp_path / "copy.db")).code == 0
        books.settle(held.allocation_id, input_tokens=1, output_tokens=1)
    said = local("--json", "restore", str(tmp_path / "copy.db"), "--yes")
    assert said.json["open_allocations"] == 1
    with opened() as books:
        assert books.allocation(held.allocation_id).status == "open"
        again = books.allocate(usd="1", idempotency_key="k")
        assert isinstance(again, Allocation)
        assert again.replayed


def test_a_copy_that_was_changed_is_refused_and_the_books_stay(local: Say, copied: Path) -> None:
    whole = ledger().read_bytes()
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE budgets SET name = 'other'")
        connection.commit()
    said = local("restore", str(copied), "--yes")
    assert said.code == 2
    assert "manifest" in said.err
    manifest_file(copied).unlink()
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE heads SET spent = spent + 1")
        connection.commit()
    said = local("restore", str(copied), "--yes")
    assert said.code == 1
    assert "do not add up" in said.err
    assert ledger().read_bytes() == whole


def test_the_books_of_a_service_that_runs_are_not_replaced(
    say: Say, service: Served, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy.db")
    assert say("--target", service.target, "backup", copy).code == 0
    said = say("restore", copy, "--to", service.target, "--yes")
    assert said.code == 1
    assert f"The service at {service.url} has " in said.err
    assert said.err.rstrip().endswith(" open; stop it first.")


def test_books_of_postgresql_are_copied_and_restored(
    local: Say, copied: Path, postgres_url: str, tmp_path: Path
) -> None:
    url = postgres_url.replace("postgres@", "postgres:secret@", 1)
    said = local("restore", str(copied), "--to", url)
    assert said.code == 0, said.err
    assert said.out.startswith("The database is in force as of the copy: ")
    assert local("--target", url, "verify").code == 0
    again = local("--json", "--target", url, "backup", str(tmp_path / "again.db"))
    assert (again.code, again.json["usage_records"]) == (0, 1)
    said = local("--json", "--target", url, "restore", str(tmp_path / "again.db"))
    assert (said.code, said.json["kept"] is None) == (0, False)
    assert "secret" not in said.out + said.err
    assert local("--target", f"sqlite:///{said.json['kept']}", "verify").code == 0


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_copy_is_refused(local: Say, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "copy.db"
    file.write_bytes(content)
    said = local("restore", str(file), "--yes")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("backup", "/nowhere/copy.db"), 2),
        (("backup", "/"), 2),
        (("backup", "a\0b"), 2),
        (("--target", "http://127.0.0.1:1", "backup"), 2),
        (("--target", "postgresql://u@/d?host=/nowhere", "backup", "x"), 5),
        (("--target", "postgresql://u@/d?nonsense=1", "backup", "x"), 2),
        (("--target", "sqlite:////tmp/no-such-ledger.db", "backup", "x"), 4),
        (("restore",), 2),
        (("restore", "/nowhere/copy.db"), 4),
        (("restore", "a\0b"), 4),
        (("restore", "x", "--to", "mysql://x"), 2),
        (("restore", "x", "--to", "http://127.0.0.1:1"), 2),
        (("restore", "x", "--yes=perhaps"), 2),
        (("restore", "x", "--to", "sqlite:////proc/nowhere/x.db"), 2),
    ],
)
def test_a_value_that_will_not_do_is_told_in_a_sentence(
    local: Say, words: tuple[str, ...], code: int
) -> None:
    said = local(*words)
    assert said.code == code, said.err
    assert len(said.err.splitlines()) == 1
    assert "should not happen" not in said.err


@pytest.mark.parametrize("step", ["replace", "link"])
def test_a_restore_that_dies_leaves_the_old_ledger_or_the_new_one(
    local: Say, copied: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(0, "m-small", "2")
    child = os.fork()
    if child == 0:  # dies right before the step, as kill -9 would have it
        monkeypatch.setattr(os, step, lambda *_: os._exit(9))
        local("restore", str(copied), "--yes")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert "3.00" in local("get-usage", "daily").out
    assert local("verify").code == 0
    assert local("restore", str(copied), "--yes").code == 0


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_backup_that_dies_leaves_no_copy_and_the_next_one_works(
    local: Say, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("10")
    copy = tmp_path / "copy.db"
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(os, step, lambda *_: os._exit(9))
        local("backup", str(copy))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not copy.exists()
    left = [one for one in tmp_path.iterdir() if ".part-" in one.name]
    for one in left:
        os.utime(one, (0, 0))  # long ago
    assert local("verify").code == 0
    assert local("backup", str(copy)).code == 0
    assert left
    assert not any(one.exists() for one in left)
