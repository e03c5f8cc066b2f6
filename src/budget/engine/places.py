"""Places: which books are meant, a database or a service, and the key that opens them.

A target is what was said (an option), else BUDGET_TARGET, else the config file's, else the database
of this user; that order is `Settings.read`'s. Where a service has the target's SQLite file open, it
is asked instead. Not here: opening the place (`books`, `budget.client`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from budget.domain.errors import InvalidInput

if TYPE_CHECKING:
    from budget.engine.settings import Settings

ADDRESSES: Final = ("http://", "https://")
DATABASES: Final = ("sqlite:///", "postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the books are: the `target` that was meant, and the service to ask, if one is.

    `url` is None where the database itself is to be opened. The key is for the service.
    """

    target: str
    url: str | None = None
    key: str | None = field(default=None, repr=False)


def find_place(
    settings: "Settings", *, key: str | None = None, environ: Mapping[str, str] | None = None
) -> Place:
    """Whom to ask for the books of these settings. `key` wins over the one that is found.

    InvalidInput for what is neither a database nor a service's address.
    """
    target = settings.target
    check_target(target)
    if target.startswith(ADDRESSES):
        url: str | None = service_url(target)
    else:
        url = service_of(target)
    if url is None:
        return Place(target)
    return Place(target, url, key or find_key(settings.config_dir, url, target, environ=environ))


def service_of(target: str) -> str | None:
    """The service that has the SQLite file of a target open; None if none answers."""
    if not target.startswith("sqlite:"):
        return None
    from budget.engine.addresses import service_address

    return service_address(target)


def find_key(
    config_dir: Path, *places: str, environ: Mapping[str, str] | None = None
) -> str | None:
    """BUDGET_KEY, else the key that is kept for the first of these addresses or databases."""
    env = os.environ if environ is None else environ
    if named := env.get("BUDGET_KEY", "").strip():
        return named
    from budget.engine import key_file

    kept = (key_file.find_key(config_dir, place) for place in places)
    return next((key for key in kept if key is not None), None)


def check_target(target: str) -> None:
    """InvalidInput unless it has the form of a database's URL or of a service's address."""
    if target.startswith(ADDRESSES):
        service_url(target)
    elif not target.startswith(DATABASES):
        from budget.storage.database import FORMS

        raise InvalidInput(
            "target",
            "is not the URL of a database or the address of a service.",
            (*FORMS, "http://host:port"),
        )


def service_url(text: str, field: str = "target") -> str:
    """The root of a service's address, without a slash at its end."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound:
        raise InvalidInput(
            field, f"{text[:80]!r} is not the address of a service, such as http://127.0.0.1:8013."
        )
    return text.rstrip("/")


def database_file(target: str) -> Path | None:
    """The file of a SQLite target; None of others."""
    if not target.startswith("sqlite:///"):
        return None
    return Path(target.removeprefix("sqlite:///")).expanduser()


def everywhere(target: str) -> str:
    """The same target, whatever folder it is said in: the file of a database by its whole path."""
    file = database_file(target)
    return target if file is None else f"sqlite:///{file.absolute()}"
