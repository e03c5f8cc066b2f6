"""The config file: what the commands and programs of this user go by where nobody says otherwise.

`config.toml` in the user's configuration folder: `target` (which books) and `timezone` (in which
days and months are meant). Not here: keys (`key_file`), and what the books keep of their own
settings (`live_settings`).
"""

import contextlib
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from budget.domain.errors import InvalidInput, Unavailable

NAME: Final = "config.toml"
MAX_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says; None of what it does not say."""

    target: str | None = None
    timezone: str | None = None


FIELDS: Final = tuple(field.name for field in fields(Config))
NOTHING: Final = Config()


def path_of(config_dir: Path) -> Path:
    """Where the file lies."""
    return config_dir / NAME


def read(config_dir: Path) -> Config:
    """What the file says; nothing where there is none.

    InvalidInput names the file, and the line or the word in it that is not understood.
    """
    path = path_of(config_dir)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8")
    except FileNotFoundError:
        return NOTHING
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    import tomllib

    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(str(path), f"is not TOML: {error}.") from None
    for name, value in said.items():
        if name not in FIELDS:
            raise InvalidInput(str(path), f"{name[:80]!r} is not known there.", FIELDS)
        if not isinstance(value, str):
            raise InvalidInput(str(path), f"{name} must be text in quotes.")
    return Config(**{name: checked(name, text) for name, text in said.items() if text})


def checked(name: str, text: str) -> str:
    """What may be set under a name. InvalidInput, naming it, for what may not."""
    if name not in FIELDS:
        raise InvalidInput("name", f"{name[:80]!r} cannot be set.", FIELDS)
    if name == "timezone":
        from budget.domain.windows import parse_zone

        return parse_zone(text, "timezone")
    from budget.engine.places import check_target

    check_target(text)
    return text


def write(config_dir: Path, config: Config) -> Path:
    """Replace the file at once; its owner alone may read it, since a target may have a password."""
    path = path_of(config_dir)
    new = path.with_name(f".{NAME}.{os.getpid()}")
    said = ((name, getattr(config, name)) for name in FIELDS)
    lines = [f"{name} = {_quoted(value)}\n" for name, value in said if value is not None]
    try:
        config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "w", encoding="utf-8") as opened:
            opened.writelines(
                ("# What the command `budget` goes by, unless told otherwise.\n", *lines)
            )
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def _quoted(text: str) -> str:
    """A TOML string: a JSON one, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unusable(path: Path, error: Exception) -> Unavailable:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Unavailable(f"The config file {path} cannot be used: {reason}.", code="config_unusable")
