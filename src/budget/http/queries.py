"""Queries: the part of an address after the question mark, each parameter known and read once."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from budget.domain.attributes import STANDARD, parse_key, parse_value
from budget.domain.errors import InvalidInput
from budget.http.bodies import in_snake_case

MAX_PARAMETERS: Final = 100
MAX_VALUE_CHARS: Final = 2048

_COUNT: Final = re.compile(r"[0-9]{1,9}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}

Parameter = Callable[[str, str], Any]
"""Reads (value, name) of a parameter, or raises InvalidInput."""


class Lenient(dict[str, Parameter]):
    """Parameters beside which others may come, and are left away: we do not write the address."""


def text(value: str, name: str) -> str:
    """A text without control characters."""
    if not 0 < len(value) <= MAX_VALUE_CHARS or _CONTROL.search(value):
        raise InvalidInput(
            name, f"must have 1 to {MAX_VALUE_CHARS} characters, none of them a control character."
        )
    return value


def count(value: str, name: str) -> int:
    """A whole number."""
    if not _COUNT.fullmatch(value):
        raise InvalidInput(name, "must be a whole number such as 100.")
    return int(value)


def flag(value: str, name: str) -> bool:
    """True or false."""
    if value not in _FLAGS:
        raise InvalidInput(name, "must be true or false.", tuple(_FLAGS))
    return _FLAGS[value]


def parse_query(query: bytes, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters given, named in snake_case, each read as its name asks; else InvalidInput."""
    read: dict[str, Any] = {}
    for name, value in in_snake_case(dict(_pairs(query)), frozenset(parameters)).items():
        if name not in parameters:
            if isinstance(parameters, Lenient):
                continue
            raise InvalidInput(name[:80], "is not a parameter here.", sorted(parameters))
        read[name] = parameters[name](value, name)
    return read


def parse_attributes(query: bytes) -> dict[str, str]:
    """Attributes as parameters: `team=search&tag.env=prod`."""
    read: dict[str, str] = {}
    for name, value in _pairs(query):
        key = parse_key(name, name[:80])
        if key in read:
            raise InvalidInput(key, "is given twice, in two spellings.")
        read[key] = parse_value(value, key)
    return read


ATTRIBUTES: Final = (*STANDARD, "tag.<name>")
"""What `parse_attributes` takes, for descriptions."""


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidInput(
            "query", f"must be at most {MAX_PARAMETERS} parameters, in UTF-8, percent-encoded."
        ) from None
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(name[:80], "is given twice.")
    return pairs
