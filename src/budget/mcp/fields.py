"""Fields: what a tool may be given, as JSON Schema, and how that is read.

Only names and JSON types are checked here; what values mean, and their bounds, is the engine's.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.json_schemas import Schema

Kind = Literal["text", "whole", "usd", "flag", "object"]

_SCHEMAS: Final[Mapping[Kind, Schema]] = {
    "text": {"type": "string"},
    "whole": {"type": "integer", "minimum": 0},
    "usd": {"type": ["string", "number"]},
    "flag": {"type": "boolean"},
    "object": {"type": "object"},
}


_MOST: Final = 10**18
"""Beyond this a number in JSON that is not written as whole is not looked at."""


class Field(NamedTuple):
    """One argument. `words` are all that it may be, where not any text will do."""

    name: str
    kind: Kind
    about: str
    required: bool = False
    words: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        """What it may be."""
        told = {**_SCHEMAS[self.kind], "description": self.about}
        return {**told, "enum": list(self.words)} if self.words else told


def text(name: str, about: str, *words: str, required: bool = False) -> Field:
    """A text, perhaps one of some words."""
    return Field(name, "text", about, required, words)


def whole(name: str, about: str, *, required: bool = False) -> Field:
    """A count."""
    return Field(name, "whole", about, required)


def usd(name: str, about: str, *, required: bool = False) -> Field:
    """An amount of money in USD, as a string or a number."""
    return Field(name, "usd", f'{about} In USD, such as "1.50".', required)


def flag(name: str, about: str) -> Field:
    """Yes or no."""
    return Field(name, "flag", about)


def obj(name: str, about: str) -> Field:
    """An object of texts."""
    return Field(name, "object", about)


@lru_cache(maxsize=64)
def schema_of_fields(fields: tuple[Field, ...]) -> Schema:
    """The schema of a tool's arguments; made once, so it is not to be changed."""
    required = [one.name for one in fields if one.required]
    return {
        "type": "object",
        "properties": {one.name: one.schema for one in fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def read_arguments(fields: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in our spelling, those that are null left out; else InvalidInput."""
    known = {one.name: one for one in fields}
    read: dict[str, Any] = {}
    for name, value in given.items():
        ours = name if name in known else _snake_case(name)
        if ours not in known:
            raise InvalidInput(name[:80], "is not an argument of this tool.", sorted(known))
        if ours in read:
            raise InvalidInput(ours, f"is given twice, as {name} too.")
        if value is not None:
            read[ours] = _value(known[ours], value)
    for one in fields:
        if one.required and one.name not in read:
            raise InvalidInput(one.name, f"is required: {one.about}", one.words)
    return read


def _value(one: Field, value: Any) -> Any:
    match one.kind:
        case "text":
            return _text(one, value)
        case "whole":
            return _whole(one.name, value)
        case "usd":
            return _usd(one.name, value)
        case "flag":
            if not isinstance(value, bool):
                raise InvalidInput(one.name, "must be true or false.")
            return value
        case "object":
            if not isinstance(value, dict):
                raise InvalidInput(one.name, "must be an object.")
            return _exact(value)


def _text(one: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(one.name, "must be a text.", one.words)
    if one.words and value not in one.words:
        raise InvalidInput(one.name, f"{value[:80]!r} is not known.", one.words)
    return value


def _whole(name: str, value: Any) -> int:
    exact = int(value) if _is_whole(value) else value
    if isinstance(exact, bool) or not isinstance(exact, int):
        raise InvalidInput(name, "must be a whole number such as 1200.")
    return exact


def _is_whole(value: Any) -> bool:
    """Whether a number that is written with a point or an exponent is a whole one."""
    if isinstance(value, Decimal):
        return -_MOST < value < _MOST and value == value.to_integral_value()
    return isinstance(value, float) and value.is_integer()


def _usd(name: str, value: Any) -> str | int | Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InvalidInput(name, 'must be an amount in USD such as "1.50".')
    exact: str | int | Decimal = _exact(value)
    return exact


def _exact(value: Any) -> Any:
    """The same without floats: each as the decimal that was written, which is the shortest one."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return value


def _snake_case(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)
