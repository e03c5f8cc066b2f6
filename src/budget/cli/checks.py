"""Checks: what `budget doctor` looks at, each as a finding with what to do about it.

Functions over what is there; nothing is changed. Not here: how findings are told (`doctor`).
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from budget import __version__
from budget.cli.tables import counted
from budget.domain.errors import BudgetError
from budget.domain.windows import parse_zone, to_rfc3339
from budget.engine import config_file, key_file
from budget.engine.places import Place, database_file
from budget.engine.settings import Settings

if TYPE_CHECKING:
    from budget.domain.facade import Facade
    from budget.storage.database import Database

State = Literal["ok", "warn", "fail"]

MIB: Final = 1024 * 1024
LOW_BYTES: Final = 1024 * MIB
TOO_LOW_BYTES: Final = 100 * MIB
OLD_PRICES_DAYS: Final = 90
MOST_HOLDS: Final = 1000
LATE_US: Final = 60_000_000
"""So long after its time a hold that nobody ended is past due."""
AHEAD_US: Final = 5 * 60_000_000
"""So far two clocks may lie apart."""
DAY_US: Final = 86_400_000_000
ASK_SECONDS: Final = 5
RACE_SINCE: Final = (3, 7, 0)
RACE_UNTIL: Final = (3, 51, 3)


class Finding(NamedTuple):
    """What a check found: of what, how it is, in words, and what to do unless it is well."""

    name: str
    state: State
    told: str
    advice: str = ""


def configuration(settings: Settings) -> Iterator[Finding]:
    """The config file and the key file: whether they can be read, by their owner alone."""
    path = config_file.path_of(settings.config_dir)
    there = str(path) if path.exists() else f"none at {path}, so the defaults hold"
    yield Finding("configuration", "ok", there)
    yield from _private("config file", path)
    keys = key_file.path_of(settings.config_dir)
    yield from _private("key file", keys)
    try:
        key_file.find_key(settings.config_dir, settings.target)
    except BudgetError as error:
        yield Finding("key file", "fail", error.detail, f"Mend {keys}, or move it away.")


def _private(name: str, path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return
    if mode & 0o077:
        advice = f"Others may read it: chmod 600 {path}"
        yield Finding(name, "warn", f"{path} has the mode {mode:o}", advice)
    else:
        yield Finding(name, "ok", f"{path}, for its owner alone")


# --- The database --------------------------------------------------------------------------------


def database(opened: "Database", target: str) -> Iterator[Finding]:
    """A database that is open here: its engine, whether it can be written, how safe that is."""
    described = opened.describe()
    engine = f"{described['engine']} {described['version']}"
    yield Finding("database", "ok", f"{engine}, its tables are up to date")
    if described["engine"] == "sqlite":
        yield _race(described["version"])
    began_us = time.time_ns() // 1000
    try:
        with closing(opened.unit()) as unit:
            now_us = unit.begin().now_us
            durability = unit.durability()
            unit.rollback()
    except BudgetError as error:
        yield Finding("writing", "fail", error.detail, "See who may write the file, and its disk.")
        return
    yield Finding("writing", "ok", "can be written")
    settings = ", ".join(f"{name} {value}" for name, value in durability.settings.items())
    yield durable(durability.durable, settings)
    if now_us is not None:
        yield _apart(now_us, began_us)
    file = database_file(target)
    if file is not None:
        yield disk(file.parent)


def durable(is_durable: bool | None, settings: str) -> Finding:
    """Whether what was acknowledged outlives a loss of power."""
    if is_durable is None:
        return Finding("durability", "ok", "not known before the first call")
    if is_durable:
        return Finding("durability", "ok", f"commits wait for the disk ({settings})")
    advice = "After a loss of power acknowledged calls may be gone: let commits wait for the disk."
    return Finding("durability", "warn", f"commits do not wait for the disk ({settings})", advice)


def disk(folder: Path) -> Finding:
    """What is free where the books lie."""
    free = shutil.disk_usage(folder).free
    told = f"{free // MIB:,} MiB free at {folder}"
    if free >= LOW_BYTES:
        return Finding("disk", "ok", told)
    state: State = "warn" if free >= TOO_LOW_BYTES else "fail"
    return Finding("disk", state, told, "Calls are refused once it is full: make room.")


def intact(opened: "Database") -> Finding:
    """Whether the pages of a SQLite file hang together."""
    with opened.engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(5)").fetchall()
    words = "; ".join(str(row[0]) for row in found)
    if words == "ok":
        return Finding("pages", "ok", "the file hangs together")
    return Finding("pages", "fail", words, "Restore a backup: `budget restore FILE`.")


def _race(version: str) -> Finding:
    parts = tuple(int(part) for part in version.split("."))
    if not RACE_SINCE <= parts < RACE_UNTIL:
        return Finding("SQLite", "ok", f"{version}, without the WAL-reset race of older ones")
    told = f"{version} has the WAL-reset race; Budget keeps clear of it"
    return Finding("SQLite", "ok", f"{told}: only a writer checkpoints, under a lock")


def _apart(there_us: int, here_us: int) -> Finding:
    apart_seconds = abs(there_us - here_us) // 1_000_000
    told = f"{counted(apart_seconds, 'second')} from the database's"
    if abs(there_us - here_us) <= AHEAD_US:
        return Finding("clock", "ok", told)
    return Finding("clock", "warn", told, "Set both by NTP; the database's counts.")


# --- A service -----------------------------------------------------------------------------------


def service(place: Place) -> Iterator[Finding]:
    """A service: whether it answers, how it is, and whether it is of this version."""
    assert place.url is not None
    try:
        told = _health(place.url)
    except (OSError, ValueError) as error:
        advice = "Start it with `budget serve`, or name another with --target."
        yield Finding("service", "fail", f"none answers at {place.url} ({error})", advice)
        return
    yield _how(place.url, told)
    if told["version"] == __version__:
        yield Finding("version", "ok", f"{__version__}, here and there")
    else:
        words = f"{told['version']} there, {__version__} here"
        yield Finding("version", "warn", words, "Bring both to one version.")
    base = told.get("database") or {}
    if not base.get("reachable", True):
        advice = "See whether the database runs; the service comes back by itself."
        yield Finding("database", "fail", "the service does not reach it", advice)
        return
    yield Finding("database", "ok", f"{base.get('engine')} {base.get('library')}")
    settings = ", ".join(f"{key} {value}" for key, value in (base.get("settings") or {}).items())
    yield durable(base.get("durable"), settings)
    if (told.get("writer") or {}).get("expiry_paused"):
        advice = "If the clock is right now, `budget doctor --confirm-clock` ends that at once."
        words = "it jumped ahead, so no hold expires for five minutes"
        yield Finding("clock", "warn", words, advice)
    file = None if place.target.startswith("http") else database_file(place.target)
    if file is not None:
        yield disk(file.parent)


def _health(url: str) -> dict[str, Any]:
    """What a service tells of itself. OSError or ValueError where nothing like it answers."""
    import httpx2

    from budget.cli.remote import near

    try:
        answer = httpx2.get(f"{url}/health", timeout=ASK_SECONDS, trust_env=not near(url))
    except httpx2.TransportError as error:
        raise OSError(str(error) or type(error).__name__) from None
    told = answer.json()
    if not isinstance(told, dict) or told.get("component") != "budget":
        raise ValueError("something else answers there")
    return told


def _how(url: str, told: dict[str, Any]) -> Finding:
    name, status = "service", told.get("status")
    if status == "healthy":
        return Finding(name, "ok", f"{url} is healthy")
    if status == "degraded":
        return Finding(name, "warn", f"{url} is degraded", "What follows says why.")
    return Finding(name, "fail", f"{url} is {status}", "Restart it: its writer has stopped.")


# --- The books -----------------------------------------------------------------------------------


def prices(books: "Facade") -> Iterator[Finding]:
    """How old prices are, what is held, and what was called that has none."""
    now_us = time.time_ns() // 1000
    told = books.price_sources()
    taken = [one.taken_us for one in told if one.basis is not None and one.taken_us is not None]
    if taken:
        days = max(0, now_us - max(taken)) // DAY_US
        words = f"the newest are {counted(days, 'day')} old"
        advice = "Name sources in BUDGET_PRICE_SOURCES and run `budget prices update`."
        is_old = days > OLD_PRICES_DAYS
        yield Finding("prices", "warn", words, advice) if is_old else Finding("prices", "ok", words)
    for one in told:
        if one.error:
            yield Finding("prices", "warn", f"{one.source}: {one.error}", "Its last prices hold.")
    held = sum(one.waiting + (1 if one.held else 0) for one in told)
    if held:
        advice = "`budget prices updates --status quarantined` shows what waits."
        yield Finding("held prices", "warn", f"{counted(held, 'change')} in quarantine", advice)
    yield _unpriced(books)


def _unpriced(books: "Facade") -> Finding:
    seen = books.coverage()
    names = [one.model or "(no model)" for one in seen.uncovered if one.status == "unpriced"]
    if not names:
        return Finding("models", "ok", "all that were called in 30 days have a price")
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    words = f"without a price: {', '.join(names[:3])}{more}"
    return Finding("models", "warn", words, "`budget prices set` sets one; then `prices rerate`.")


def holds(books: "Facade", *, served: bool) -> Finding:
    """Holds that should have ended by themselves."""
    page = books.allocations(status="open", limit=MOST_HOLDS)
    now_us = time.time_ns() // 1000
    late = sum(one.expires_us < now_us - LATE_US for one in page.items)
    if not late:
        return Finding("holds", "ok", f"{counted(len(page.items), 'hold')} open, none past due")
    advice = "The clock may be in doubt: see above." if served else "`budget serve` ends them."
    return Finding("holds", "warn", f"{counted(late, 'hold')} open past due", advice)


def clock(books: "Facade", zone: str) -> Iterator[Finding]:
    """The clock of this machine beside the newest entry, and the zones that it knows."""
    now_us = time.time_ns() // 1000
    newest = books.usage_records(limit=1).items
    newest_us = newest[0].recorded_us if newest else 0
    if newest_us > now_us + AHEAD_US:
        advice = "Set the clock: until then decisions are made at the later time."
        words = f"{to_rfc3339(now_us)}, before the newest record ({to_rfc3339(newest_us)})"
        yield Finding("clock", "fail", words, advice)
    else:
        yield Finding("clock", "ok", to_rfc3339(now_us))
    try:
        parse_zone("Europe/Berlin", "timezone")
        yield Finding("time zone", "ok", parse_zone(zone, "timezone"))
    except BudgetError:
        advice = "Install the zones: `pip install tzdata`, or your system's package of that name."
        yield Finding("time zone", "fail", "no time zones are known here", advice)
