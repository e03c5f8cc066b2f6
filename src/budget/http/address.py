"""The address of the service that has a SQLite file open, so that commands ask it.

It is written into `<db>.lock`, the file that writers lock: two lines, the address and the name of
the run. Only the content is touched here; the lock is a flock of its own and stays as it is. What a
crash left behind is recognised by asking: the run it names does not answer.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Final

MAX_ADDRESS_BYTES: Final = 4096
ASK_SECONDS: Final = 0.5


def lock_file(target: str) -> Path | None:
    """The lock file beside a SQLite database; None for other databases."""
    if not target.startswith("sqlite:///"):
        return None
    path = Path(target.removeprefix("sqlite:///")).expanduser().absolute()
    return path.with_name(f"{path.name}.lock")


def write_address(target: str, url: str, instance: str) -> None:
    """Note that a run of the service has the database open."""
    path = lock_file(target)
    if path is not None:
        _write(path, f"{url}\n{instance}\n")


def remove_address(target: str, instance: str) -> None:
    """Forget the note, if it still is this run's."""
    path = lock_file(target)
    if path is not None and _read(path)[1] == instance:
        _write(path, "")


def service_address(target: str) -> str | None:
    """The address of the service that has the database open; None if none answers as that run."""
    path = lock_file(target)
    if path is None:
        return None
    url, instance = _read(path)
    if url and _instance_at(url) == instance:
        return url
    return None


def _read(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ADDRESS_BYTES)
    except OSError:
        return "", ""
    url, _, instance = content.decode("utf-8", "replace").strip().partition("\n")
    return (url, instance) if url.startswith("http://") else ("", "")


def _write(path: Path, content: str) -> None:
    # In place: a new file in its stead would be another one to lock.
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, content.encode(), 0)
        finally:
            os.close(file)


def _instance_at(url: str) -> str | None:
    """The run of Budget that answers at an address; None if nothing, or something else, does."""
    # Not httpx2, which takes 0.1 s to import, and no proxy: the service is on this machine.
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{url}/health", timeout=ASK_SECONDS) as answer:
            told = json.loads(answer.read(MAX_ADDRESS_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.get("component") != "budget":
        return None
    instance = told.get("instance")
    return instance if isinstance(instance, str) else None
