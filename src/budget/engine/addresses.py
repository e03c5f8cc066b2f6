"""The addresses of the services that have a SQLite file open, so that commands ask one of them.

They are written into `<db>.lock`, the file that writers lock: two lines for each run of a service,
the address and the name of the run, newest last. Only the content is touched here; the lock is a
flock of its own and stays as it is. What a crash left behind is recognised by asking: the run it
names does not answer.
"""

import contextlib
import fcntl
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

MAX_BYTES: Final = 4096
MAX_RUNS: Final = 8
ASK_SECONDS: Final = 0.5
LOCK_SECONDS: Final = 0.5

_PAUSE_SECONDS: Final = 0.001


class Run(NamedTuple):
    """A run of the service: where it answers, and its name."""

    url: str
    instance: str


def lock_file(target: str) -> Path | None:
    """The lock file beside a SQLite database; None for other databases."""
    if not target.startswith("sqlite:///"):
        return None
    path = Path(target.removeprefix("sqlite:///")).expanduser().absolute()
    return path.with_name(f"{path.name}.lock")


def write_address(target: str, url: str, instance: str) -> None:
    """Note that a run of the service has the database open, beside those that have it already."""
    run = Run(url, instance)
    # Whoever had this address before has gone, or we would not have it.
    _change(target, lambda runs: [*(other for other in runs if other.url != url), run][-MAX_RUNS:])


def remove_address(target: str, instance: str) -> None:
    """Forget the note of this run; those of others stay."""
    _change(target, lambda runs: [run for run in runs if run.instance != instance])


def service_address(target: str) -> str | None:
    """The address of a service that has the database open, the newest; None if none answers."""
    path = lock_file(target)
    if path is None:
        return None
    for url, instance in reversed(_read(path)):
        if _instance_at(url) == instance:
            return url
    return None


def _read(path: Path) -> list[Run]:
    try:
        with path.open("rb") as file:
            return _runs(file.read(MAX_BYTES))
    except OSError:
        return []


def _runs(content: bytes) -> list[Run]:
    lines = content.decode("utf-8", "replace").splitlines()
    return [
        Run(url, instance)
        for url, instance in itertools.pairwise(lines)
        if url.startswith("http://") and instance and not instance.startswith("http://")
    ]


def _change(target: str, change: Callable[[list[Run]], list[Run]]) -> None:
    path = lock_file(target)
    if path is None:
        return
    # In place: a new file in its stead would be another one to lock.
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _locked(file):
                before = _runs(os.pread(file, MAX_BYTES, 0))
                after = change(before)
                if after != before:
                    content = "".join(f"{url}\n{instance}\n" for url, instance in after).encode()
                    # Longer first, then cut: who reads meanwhile never finds it empty.
                    os.pwrite(file, content, 0)
                    os.ftruncate(file, len(content))
        finally:
            os.close(file)


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    """Hold the lock, as writers do, lest two services change the file at once.

    If writers leave no gap for it, go on without: what is written is only where to ask.
    """
    give_up_at = time.monotonic() + LOCK_SECONDS
    held = False
    while not held and time.monotonic() < give_up_at:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        if held:
            fcntl.flock(file, fcntl.LOCK_UN)


def _instance_at(url: str) -> str | None:
    """The run of Budget that answers at an address; None if nothing, or something else, does."""
    # Not httpx2, which takes 0.1 s to import, and no proxy: the service is on this machine.
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{url}/health", timeout=ASK_SECONDS) as answer:
            told = json.loads(answer.read(MAX_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.get("component") != "budget":
        return None
    instance = told.get("instance")
    return instance if isinstance(instance, str) else None
