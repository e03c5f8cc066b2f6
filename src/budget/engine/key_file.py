"""The key file: keys in the clear for the commands of this user, by the books they open.

`keys.toml` in the user's configuration folder, readable by its owner alone (0600). One table for
each database, so that several don't overwrite each other's keys; passwords in a database's URL are
left out. Not here: what makes a key valid (`keys`).
"""

import contextlib
import fcntl
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from budget.domain.errors import Unavailable

NAME: Final = "keys.toml"

_HEADING: Final = "# Written by Budget. Whoever can read this file can act with these keys.\n"
_PLACE_OPTIONS: Final = ("host", "hostaddr", "port", "dbname", "service", "user")

MAX_URLS: Final = 8
"""How many addresses are kept for a database: those of services that share it, and of earlier ones
that took any free port.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept for a database: the key, and where services answered that opened it, newest
    last.
    """

    key: str | None = None
    urls: tuple[str, ...] = ()


Entries = dict[str, Entry]
"""By the name of the books."""


def path_of(config_dir: Path) -> Path:
    """Where the file lies."""
    return config_dir / NAME


def find_key(config_dir: Path, target_or_url: str) -> str | None:
    """The key for a database, or for the service at an http(s) address; None if there is none."""
    if target_or_url.startswith(("http://", "https://")):
        url = _same_url(target_or_url)
        for entry in _read(config_dir).values():
            if url in map(_same_url, entry.urls):
                return entry.key
        return None
    return find(config_dir, target_or_url)


def find(config_dir: Path, target: str) -> str | None:
    """The key for a database; None if there is none."""
    return _read(config_dir).get(books_name(target), Entry()).key


def put(config_dir: Path, target: str, key: str) -> Entries:
    """Keep a key for a database; what the file held before, for `restore`. Hold the lock."""
    before = _read(config_dir)
    name = books_name(target)
    _write(config_dir, {**before, name: replace(before.get(name, Entry()), key=key)})
    return before


def restore(config_dir: Path, entries: Entries) -> None:
    """Write back what the file held. Hold the lock."""
    _write(config_dir, entries)


def note_url(config_dir: Path, target: str, url: str) -> None:
    """Note that the books of a known key are served at an address, and no others are.

    Several services may share the books, so the addresses noted before are kept.
    """
    name = books_name(target)
    with locked(config_dir):
        before = _read(config_dir)
        if name not in before:
            return
        entries = {
            other: replace(entry, urls=tuple(kept for kept in entry.urls if kept != url))
            for other, entry in before.items()
        }
        urls = (*entries[name].urls, url)[-MAX_URLS:]
        entries[name] = replace(entries[name], urls=urls)
        if entries != before:
            _write(config_dir, entries)


def books_name(target: str) -> str:
    """What a database is called in the file: its URL without secrets, however it is spelt."""
    if target.startswith("sqlite:///"):
        path = Path(target.removeprefix("sqlite:///")).expanduser()
        return f"sqlite:///{os.path.realpath(path)}"
    parts = urlsplit(target)
    host = parts.netloc.rpartition("@")[2]
    user = f"{quote(parts.username)}@" if parts.username else ""
    kept = sorted(pair for pair in parse_qsl(parts.query) if pair[0] in _PLACE_OPTIONS)
    query = f"?{urlencode(kept)}" if kept else ""
    return f"postgresql://{user}{host.lower()}{parts.path}{query}"


def _same_url(url: str) -> str:
    """An address without its trailing slash; this machine has one name."""
    return (
        url.rstrip("/").replace("://localhost", "://127.0.0.1").replace("://[::1]", "://127.0.0.1")
    )


@contextlib.contextmanager
def locked(config_dir: Path) -> Iterator[None]:
    """Keep other processes of this user from changing the file meanwhile."""
    try:
        config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(config_dir / f"{NAME}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(config_dir, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read(config_dir: Path) -> Entries:
    path = path_of(config_dir)
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    return {name: _entry(kept) for name, kept in found.items() if isinstance(kept, dict)}


def _entry(kept: Mapping[str, object]) -> Entry:
    key, urls = kept.get("key"), kept.get("urls")
    return Entry(
        key if isinstance(key, str) else None,
        tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else (),
    )


def _write(config_dir: Path, entries: Entries) -> None:
    """Replace the file at once: readers see the old one or the new one, never a part."""
    path = path_of(config_dir)
    new = path.with_name(f".{NAME}.{os.getpid()}")
    lines = [_HEADING]
    for name, entry in entries.items():
        lines.append(f"\n[{_quoted(name)}]\n")
        if entry.key is not None:
            lines.append(f"key = {_quoted(entry.key)}\n")
        if entry.urls:
            lines.append(f"urls = [{', '.join(map(_quoted, entry.urls))}]\n")
    try:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "w", encoding="utf-8") as opened:
            opened.writelines(lines)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _quoted(text: str) -> str:
    """A TOML string: a JSON one, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unusable(path: Path, error: Exception) -> Unavailable:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Unavailable(f"The key file {path} cannot be used: {reason}.", code="key_file_unusable")
