"""Switches: settings that are on or off, and nothing else.

Not here: which there are; each is read where it is used.
"""

from collections.abc import Mapping
from typing import Final

from budget.domain.errors import InvalidInput

SWITCHES: Final[Mapping[str, bool]] = {"on": True, "off": False}
MAX_TOLD_CHARS: Final = 80


def read_switch(env: Mapping[str, str], name: str, *, usual: bool = False) -> bool:
    """Whether a setting is on; as usual where it is absent or empty. InvalidInput names it."""
    text = env.get(name)
    if not text:
        return usual
    if text in SWITCHES:
        return SWITCHES[text]
    raise InvalidInput(name, f"{text[:MAX_TOLD_CHARS]!r} is neither on nor off.", tuple(SWITCHES))
