"""kill -9 of backups and restores while calls are served: no half copy, and nothing is lost.

The kills are spread over twice the time that an undisturbed run takes, the first at its start.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from budget.engine import copying
from budget.engine.budget import Budget
from budget.engine.manifests import checked_manifest, manifest_file
from budget.prices.book import PriceBook
from budget.storage.sqlite_file import connect_reader
from tests.support.results import report

SHORT, LONG = 6, 60
ROWS = 2000
"""What the books hold before: enough that a copy takes several milliseconds."""


def opened(ledger: Path) -> Budget:
    """The books of a file."""
    return Budget.open(f"sqlite:///{ledger}", prices=PriceBook(None), sweep=False)


def used_ids(ledger: Path) -> set[str]:
    """The usage records of a file that is at rest or in use."""
    with closing(connect_reader(ledger)) as connection:
        return {usage_id for (usage_id,) in connection.execute("SELECT id FROM usage")}


def epoch_of(ledger: Path) -> tuple[int, int]:
    """The epoch, and how many restores the journal tells of."""
    with closing(connect_reader(ledger)) as connection:
        (epoch,) = connection.execute("SELECT epoch FROM state").fetchone()
        told = connection.execute("SELECT count(*) FROM entries WHERE kind = 'restored'")
        return epoch, told.fetchone()[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Books with a limit and some calls."""
    file = tmp_path / "ledger" / "budget.db"
    with opened(file) as books:
        books.create_budget(
            name="All", policies=[{"unit": "tokens", "period": "daily", "limit": 10**9}]
        )
        for first in range(0, ROWS, 1000):
            books.record_bulk(
                records=[
                    {"usage_id": f"old-{first + at}", "input_tokens": 1, "output_tokens": 1}
                    for at in range(1000)
                ]
            )
    return file


def forked(act: Callable[[], object]) -> int:
    """Do it in a process of its own; the number of that."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return child


def killed(act: Callable[[], object], after_seconds: float) -> bool:
    """Do it in a process that is killed so much later; whether it was not done by then."""
    child = forked(act)
    time.sleep(after_seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@contextmanager
def serving(ledger: Path, acked: Path) -> Iterator[None]:
    """A process that books usage all the while, and notes the id of what was acknowledged."""

    def serve() -> None:
        noted = os.open(acked, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        with opened(ledger) as books:
            number = 0
            while True:
                number += 1
                books.record_usage(usage_id=f"new-{number}", input_tokens=1, output_tokens=1)
                os.write(noted, f"new-{number}\n".encode())

    child = forked(serve)
    try:
        wait_until(lambda: acked.exists() and acked.stat().st_size > 0)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a condition; half a minute is a fault."""
    give_up_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def took(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def test_a_backup_that_is_killed_leaves_a_whole_copy_or_none(
    ledger: Path, tmp_path: Path, long_run: bool
) -> None:
    rounds, longest, whole, cut = LONG if long_run else SHORT, 0.0, 0, 0
    with serving(ledger, tmp_path / "acked"):
        for number in range(rounds):
            if number % 10 == 0:  # the books grow all the while
                longest = 2 * took(partial(copying.backup, ledger, tmp_path / f"all-{number}.db"))
            copy = tmp_path / f"copy-{number}.db"
            cut += killed(partial(copying.backup, ledger, copy), longest * number / rounds)
            if copy.exists():
                whole += 1
                checked_manifest(copy)
                copying._check(copy)
            assert copy.exists() or not manifest_file(copy).exists()
    report("kill -9 of a backup", killed=cut, whole=whole)
    assert cut > 0
    with opened(ledger) as books:
        assert books.verify().violations == ()


def test_a_restore_that_is_killed_leaves_the_old_books_or_the_new_ones(
    ledger: Path, tmp_path: Path, long_run: bool
) -> None:
    """Whoever was acknowledged is in the books, or in a file that was kept."""
    rounds, done, cut = LONG if long_run else SHORT, 0, 0
    copy, acked = tmp_path / "copy.db", tmp_path / "acked"
    copying.backup(ledger, copy)
    with serving(ledger, acked):
        longest = took(lambda: copying.restore(copy, ledger, discard=True)) * 2
        before, _ = epoch_of(ledger)
        for number in range(rounds):
            cut += killed(
                lambda: copying.restore(copy, ledger, discard=True), longest * number / rounds
            )
            epoch, told = epoch_of(ledger)
            assert epoch - before in (0, 1)
            assert told == 1
            done += epoch - before
            before = epoch
        size = acked.stat().st_size
        wait_until(lambda: acked.stat().st_size > size)
    report("kill -9 of a restore", killed=cut, done=done)
    assert cut > 0
    with opened(ledger) as books:
        assert books.verify().violations == ()
    kept = [ledger, *ledger.parent.glob("budget.db.before-restore-*[0-9]")]
    there = set().union(*map(used_ids, kept))
    assert set(acked.read_text().split()) <= there


def test_what_a_process_books_after_a_restore_died_at_its_last_step_is_not_lost(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    copying.backup(ledger, copy)
    with opened(ledger) as books:
        books.record_usage(usage_id="before", input_tokens=1, output_tokens=1)
        replace = os.replace

        def die_at_the_end(old: Path, new: Path) -> None:
            if new == ledger:
                os._exit(9)
            replace(old, new)

        child = os.fork()
        if child == 0:  # everything is ready; the file is about to take its name
            monkeypatch.setattr(os, "replace", die_at_the_end)
            copying.restore(copy, ledger, discard=True)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        books.record_usage(usage_id="after", input_tokens=1, output_tokens=1)
        with opened(ledger) as others:
            assert others.usage_record("after").usage.input_tokens == 1
            others.record_usage(usage_id="theirs", input_tokens=1, output_tokens=1)
        books.record_usage(usage_id="last", input_tokens=1, output_tokens=1)
        assert books.verify().violations == ()
    assert {"before", "after", "theirs", "last"} <= used_ids(ledger)
