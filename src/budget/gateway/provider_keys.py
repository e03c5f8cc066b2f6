"""Provider keys in a file: `NAME=key` lines that their owner alone may read.

    BUDGET_GATEWAY_SECRETS=/etc/budget/keys.env

Not here: which key is whose (`upstreams`).
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from budget.domain.errors import InvalidInput

VARIABLE: Final = "BUDGET_GATEWAY_SECRETS"
MOST_BYTES: Final = 64 * 1024
_LINE: Final = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*_KEY)\s*=\s*(.*)")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def with_keys(env: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, and what the file that it names says beside it.

    InvalidInput for a file that is not there, that others may read, or that says something else; no
    key is told in it.
    """
    named = env.get(VARIABLE)
    if not named:
        return env
    said = _read(Path(named).expanduser())
    return {**said, **{name: text for name, text in env.items() if text}}


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(VARIABLE, f"{path} cannot be read: {error.strerror}.") from error
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise InvalidInput(
            VARIABLE, f"others may read {path}, which has the mode {mode:o}: chmod 600 {path}"
        )
    try:
        text = raw.decode() if len(raw) <= MOST_BYTES else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InvalidInput(VARIABLE, f"{path} is no file of NAME=key lines.")
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        matched = _LINE.fullmatch(said)
        key = _unquoted(matched[2]) if matched else ""
        if matched is None or not (key.isascii() and key.isprintable() and key):
            raise InvalidInput(
                VARIABLE, f"line {number} of {path} is no line such as OPENAI_API_KEY=sk-..."
            )
        found[matched[1]] = key
    return found


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
