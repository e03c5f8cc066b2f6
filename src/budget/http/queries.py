"""Queries: the part of an address after the question mark, each parameter known and read once.

Only attributes of calls to find may have several values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
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

ATTRIBUTES: Final = (*STANDARD, "tag.<name>")
"""What may come beside the parameters of `Attributed`."""
CALLED: Final[Mapping[str, str]] = {
    "context_id": "session", "contextId": "session", "user_id": "user", "userId": "user",
}  # fmt: skip
"""Other names of attributes."""
SPAN_CALLED: Final[Mapping[str, str]] = {
    "start_date": "since", "end_date": "until", "start_time": "since", "end_time": "until",
}  # fmt: skip
"""Other names of the times that a list or a sum is of."""

Parameter = Callable[[str, str], Any]
"""Reads (value, name) of a parameter, or raises InvalidInput."""


class Lenient(dict[str, Parameter]):
    """Parameters beside which others may come, and are left away: we do not write the address."""


class Attributed(dict[str, Parameter]):
    """Parameters beside which any attributes may come; those are read as `attributes`."""


class Filtered(Attributed):
    """The same, of calls to find: an attribute that comes more than once has any of the values."""


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


def word(*words: str) -> Parameter:
    """A parameter that is one of some words."""

    def one(value: str, name: str) -> str:
        if value not in words:
            raise InvalidInput(name, f"{value[:80]!r} is not known.", words)
        return value

    one.__dict__["schema"] = {"enum": list(words)}
    return one


def sorts(*names: str) -> Parameter:
    """What a list may be sorted by, up or, with `-` before it, down."""
    return word(*names, *(f"-{name}" for name in names))


SPAN: Final[Mapping[str, Parameter]] = {
    "since": text, "until": text, "start_date": text, "end_date": text,
}  # fmt: skip


def parse_query(query: bytes, parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters given, named in snake_case, each read as its name asks; else InvalidInput."""
    read: dict[str, Any] = {}
    attributes: dict[str, str | list[str]] = {}
    for name, values in in_snake_case(_pairs(query), frozenset(parameters)).items():
        several = isinstance(parameters, Filtered) and name not in parameters
        if len(values) > 1 and not several:
            raise InvalidInput(name[:80], "is given twice.")
        if name in parameters:
            read[name] = parameters[name](values[0], name)
        elif isinstance(parameters, Attributed):
            _put(attributes, _attribute(name, parameters), values)
        elif not isinstance(parameters, Lenient):
            raise InvalidInput(name[:80], "is not a parameter here.", sorted(parameters))
    if attributes:
        read["attributes"] = attributes
    return _renamed(read)


def _attribute(name: str, parameters: Mapping[str, Parameter]) -> str:
    """The attribute that a parameter names."""
    try:
        return parse_key(CALLED.get(name, name), name[:80])
    except InvalidInput:
        allowed = (*sorted(parameters), *ATTRIBUTES)
        raise InvalidInput(name[:80], "is not a parameter here.", allowed) from None


def _renamed(read: dict[str, Any]) -> dict[str, Any]:
    """What was read, under our names for times."""
    for name in SPAN_CALLED.keys() & read.keys():
        ours = SPAN_CALLED[name]
        if ours in read:
            raise InvalidInput(ours, f"is given twice, as {name} too.")
        read[ours] = read.pop(name)
    return read


def _put(read: dict[str, str | list[str]], key: str, values: Sequence[str]) -> None:
    if key in read:
        raise InvalidInput(key, "is given twice, in two spellings.")
    told = [parse_value(value, key) for value in values]
    read[key] = told if len(told) > 1 else told[0]


def _pairs(query: bytes) -> dict[str, list[str]]:
    """Each name with the values that it is given, in their order."""
    if not query:
        return {}
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
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given
