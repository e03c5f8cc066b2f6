"""Fields of an operator's own file: what every entry may have, read so that an error names it.

Not here: what the entries are (`own`), and how the formats are read (`own_files`).
"""

import re
from typing import Final

from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput
from budget.domain.usage import MAX_TOKENS
from budget.domain.windows import parse_rfc3339
from budget.prices.own_files import Entry, Mapped
from budget.prices.schedules import CONTEXT_NAMES, Context

MAX_NAME_CHARS: Final = 256
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COUNT: Final = re.compile(r"[0-9]{1,13}")
_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}


def wrong(entry: Entry, field: str, detail: str) -> InvalidInput:
    return InvalidInput(f"{entry.place}, {field}", detail)


def check_fields(entry: Entry, allowed: tuple[str, ...]) -> None:
    """InvalidInput for a field that is unknown or given twice."""
    for name in entry.fields:
        if name not in allowed:
            raise InvalidInput(f"{entry.place}, {name[:80]}", "is not a field.", allowed)
    if entry.fields.twice is not None:
        raise wrong(entry, entry.fields.twice[:80], "is given twice; leave one out.")


def name_in(entry: Entry, field: str) -> str | None:
    """A provider's or model's name in lower case."""
    value = entry.fields.get(field)
    if value is None:
        return None
    name = parse_value(value, f"{entry.place}, {field}").strip().lower()
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise wrong(entry, field, f"must have 1 to {MAX_NAME_CHARS} characters.")
    return name


def mapping_in(entry: Entry, field: str) -> Mapped:
    value = entry.fields.get(field)
    if value is None:
        return Mapped()
    if not isinstance(value, Mapped):
        raise wrong(entry, field, "must be names and their values.")
    if value.twice is not None:
        raise wrong(entry, f"{field}.{value.twice[:80]}", "is given twice; leave one out.")
    return value


def context_in(entry: Entry) -> Context:
    found = []
    for name, value in mapping_in(entry, "context").items():
        field = f"{entry.place}, context.{name[:80]}"
        if name not in CONTEXT_NAMES:
            raise InvalidInput(field, "decides no price.", CONTEXT_NAMES)
        if value is not None:
            found.append((name, parse_value(value, field)))
    return tuple(sorted(found))


def instant_in_us(entry: Entry, field: str) -> int | None:
    """A date, which begins at midnight UTC, or an RFC 3339 time."""
    value = entry.fields.get(field)
    if value is None:
        return None
    if isinstance(value, str) and _DATE.fullmatch(value):
        value += "T00:00:00Z"
    return parse_rfc3339(value, f"{entry.place}, {field}")


def flag_in(entry: Entry, field: str) -> bool | None:
    """Yes or no, as YAML, JSON and people write it."""
    value = entry.fields.get(field)
    if value is None:
        return None
    found = _FLAGS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise wrong(entry, field, "must be true or false.")
    return found


def count_in(entry: Entry, field: str) -> int | None:
    """A whole number of tokens, at least one."""
    value = entry.fields.get(field)
    if value is None:
        return None
    if (
        not isinstance(value, str)
        or not _COUNT.fullmatch(value)
        or not 0 < int(value) <= MAX_TOKENS
    ):
        raise wrong(entry, field, f"must be a whole number from 1 to {MAX_TOKENS}.")
    return int(value)


def word_in(entry: Entry, field: str, allowed: tuple[str, ...]) -> str | None:
    """One of these words."""
    value = entry.fields.get(field)
    if value is not None and value not in allowed:
        raise InvalidInput(f"{entry.place}, {field}", "is not one of them.", allowed)
    return None if value is None else str(value)
