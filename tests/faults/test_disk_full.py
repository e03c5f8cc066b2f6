"""The disk is full: 503, nothing half done, reads go on, and it heals without a restart."""

import contextlib
import os
import resource
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books, sqlite_path
from tests.support.results import report
from tests.support.workers import Act, Outcome, Team, attempt

BUDGET = {
    "name": "disk",
    "scope": {"org": "disk"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}],
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def limit_files(_budget: object, size_bytes: int | None) -> None:
    """An errand: let no file of this process grow beyond a size; None lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size_bytes is None else size_bytes, hard))


def calls(start: int, count: int) -> list[Act]:
    """Holds of one token each, with names."""
    return [
        (
            "allocate",
            {
                "allocation_id": f"h{n}",
                "attributes": {"org": "disk"},
                "tokens": 1,
                "metadata": {"pad": "x" * 2000},
            },
        )
        for n in range(start, start + count)
    ]


def fill_until_refused(team: Team) -> tuple[list[Outcome], int]:
    """Hold until an answer is 503; all outcomes, and how many calls that took."""
    outcomes: list[Outcome] = []
    while len(outcomes) < 4000 and not any(o.kind != "ok" for o in outcomes[-20:]):
        outcomes += team.make_calls(calls(len(outcomes), 20), threads=5, patient=False)
    return outcomes, len(outcomes)


def look_at(name: str, team: Team, url: str, heal: Any) -> None:
    """Fill the disk, look, heal it, and send again what was not booked."""
    team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
    outcomes, count = fill_until_refused(team)
    full = team.make_calls(
        calls(0, count), threads=5, patient=False
    )  # the same again, on a full disk
    reads = team.make_calls([("status", {"org": "disk"}), ("budgets", {})], threads=2)
    heal()
    resent = team.make_calls(calls(0, count), threads=5, patient=False)
    found = team.workers[0].do("tests.support.workers:verify")
    books = read_books(url)
    stored = {row[0] for row in books.allocations}
    acked = {o.id for o in [*outcomes, *full] if o.kind == "ok"}
    kinds = {o.kind for o in [*outcomes, *full]}
    first = {o.id for o in resent if not o.replayed}
    # A COMMIT that fails for want of room is rolled back, for sure; after any other I/O error
    # nobody knows, and the same name tells.
    sure = {f"h{n}" for n in range(count)} - {
        f"h{n % count}" for n, o in enumerate([*outcomes, *full]) if o.kind == "unknown"
    }
    report(
        name, acked=len(acked), unavailable=sum(o.kind == "unavailable" for o in outcomes + full),
        unknown=sum(o.kind == "unknown" for o in outcomes + full),
        lost=len(acked - stored), healed=len(first), half_done=len(first & acked),
    )  # fmt: skip
    assert kinds in ({"ok", "unavailable"}, {"ok", "unknown"}, {"ok", "unavailable", "unknown"})
    assert {o.kind for o in reads} == {"ok"}
    assert {o.kind for o in resent} == {"ok"}
    # What was refused had left nothing behind: it was booked only now.
    assert first & sure == sure - acked
    assert not first & acked
    assert stored == {f"h{n}" for n in range(count)}
    assert misposted(books) == []
    assert found == []


def test_a_full_disk_is_answered_with_503_and_heals(
    small_disk: Path, nursery: Nursery, folder: Path
) -> None:
    url = f"sqlite:///{small_disk}/budget.db"
    ballast = small_disk / "ballast"
    with Team(nursery, folder, 1).open(url) as team:
        ballast.write_bytes(bytes(500_000))
        look_at("disk full", team, url, ballast.unlink)


def test_a_file_that_may_not_grow_is_answered_with_503_and_heals(
    tmp_path: Path, nursery: Nursery, folder: Path
) -> None:
    """The same where nothing can be mounted: writes beyond a size fail."""
    url = f"sqlite:///{tmp_path}/budget.db"
    with Team(nursery, folder, 1).open(url) as team:
        (worker,) = team.workers
        worker.do("tests.faults.test_disk_full:limit_files", 1_200_000)
        look_at(
            "file size limited", team, url,
            lambda: worker.do("tests.faults.test_disk_full:limit_files", None),
        )  # fmt: skip


def test_a_ledger_cannot_be_created_on_a_full_disk_and_says_so(
    small_disk: Path, nursery: Nursery, folder: Path
) -> None:
    url = f"sqlite:///{small_disk}/budget.db"
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()
    os.truncate(ballast, ballast.stat().st_size - 65536)
    with Team(nursery, folder, 1) as team:
        with pytest.raises(RuntimeError, match="Unavailable"):
            team.open(url)
        ballast.unlink()
        team.open(url)
        team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
        outcomes = team.make_calls(calls(0, 1), threads=1)
    assert [o.kind for o in outcomes] == ["ok"]


def fail_at_every_size(budget: Any, file: str, tries: int) -> list[tuple[Outcome, Outcome]]:
    """An errand: hold with the log allowed to grow by this much or that; then again without limit.

    Writes are cut short in the middle of pages, of frames and of the frame that commits.
    """
    log = Path(f"{file}-wal")
    pairs = []
    for n in range(tries):
        (act,) = calls(n, 1)
        limit_files(budget, log.stat().st_size + n * 60_000 // tries)
        cut = attempt(budget, act)
        limit_files(budget, None)
        pairs.append((cut, attempt(budget, act)))
    return pairs


def test_writes_that_break_off_after_any_number_of_bytes_leave_nothing_half_done(
    tmp_path: Path, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    url = f"sqlite:///{tmp_path}/budget.db"
    tries = 1000 if long_run else 60
    with Team(nursery, folder, 1).open(url) as team:
        (worker,) = team.workers
        worker.do("tests.support.races:create_budgets", [BUDGET])
        pairs = worker.do("tests.faults.test_disk_full:fail_at_every_size", sqlite_path(url), tries)
        found = worker.do("tests.support.workers:verify")
    books = read_books(url)
    told = Counter(cut.kind for cut, _ in pairs)
    wrong = [
        (cut, again)
        for cut, again in pairs
        if again.kind != "ok"
        or (cut.kind == "ok" and not again.replayed)
        or (cut.kind == "unavailable" and again.replayed)
    ]
    report(
        "writes broken off, SQLite", acked=told["ok"], unavailable=told["unavailable"],
        unknown=told["unknown"], wrong=len(wrong),
    )  # fmt: skip
    assert wrong == []
    assert told.keys() <= {"ok", "unavailable", "unknown"}
    assert told["unavailable"] + told["unknown"] > 5
    assert len(books.allocations) == tries
    assert misposted(books) == []
    assert found == []
