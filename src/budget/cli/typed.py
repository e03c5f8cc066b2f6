"""Typed: the words of a command line, read as what the facade takes; errors name what was typed.

Not here: names of budgets, limits and keys (`naming`).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from budget.cli.dates import SECONDS, instant, past
from budget.domain.attributes import parse_key, parse_value
from budget.domain.budgets import Unit
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.money import format_usd
from budget.domain.policy_terms import parse_limit
from budget.domain.windows import parse_rfc3339

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_MONEY_ELSEWHERE: Final = re.compile(r"[$€£,_]|usd|eur", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"(\w+)\[\d+\]")


@contextmanager
def typed_as(**options: str) -> Iterator[None]:
    """Errors of these fields of the API are told of the options that they were typed as.

    `policies[0].period` is told of `period`, `scope.team` of `scope` (`--scope team`).
    """
    try:
        yield
    except BudgetError as error:
        error.detail = _renamed(error.detail, options)
        raise


def _renamed(sentence: str, options: dict[str, str]) -> str:
    field, colon, rest = sentence.partition(": ")
    if not colon or " " in field:
        return sentence
    option = _option(field, options)
    rest = rest.replace("must be an RFC 3339 time with", "must be a day, or a time with")
    for name, typed in options.items():
        if "_" in name:  # else it may be just a word
            rest = re.sub(rf"\b(?<!--){name}\b", typed, rest)
    return f"{option}: {rest}"


def _option(field: str, options: dict[str, str]) -> str:
    if field in options:
        return options[field]
    first, *others = field.split(".")
    if matched := _NUMBERED.fullmatch(first):
        first = matched[1]
        return options.get(others[0] if others else first, options.get(first, field))
    return f"{options[first]} {'.'.join(others)}" if first in options else field


def given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed of what could have been."""
    return {name: value for name, value in asked.items() if value is not None}


def parse_amount(text: str, unit: Unit, option: str) -> str | int:
    """An amount of a unit as the facade takes it: USD as text, a count as a number."""
    text = text.strip()
    if unit == "usd":
        if _MONEY_ELSEWHERE.search(text):
            raise InvalidInput(
                option, f"{text[:40]!r} is not an amount: type USD as digits alone, such as 12.50."
            )
        return format_usd(parse_limit(text, unit, option))
    if not text.isascii() or not text.isdecimal():
        raise InvalidInput(option, f"must be a whole number of {unit}, such as 100000.")
    return parse_limit(int(text[:40]), unit, option)


def parse_seconds(text: str, option: str) -> int:
    """A duration such as 90s, 15m, 12h, 30d or 2w; a number alone is seconds."""
    matched = _DURATION.fullmatch(text.strip())
    if matched is None:
        raise InvalidInput(option, f"{text[:80]!r} is not a duration such as 90s, 15m, 12h or 30d.")
    return int(matched[1]) * SECONDS[matched[2] or "s"]


def is_duration(text: str) -> bool:
    """Whether it is a duration, with its unit."""
    return _DURATION.fullmatch(text.strip()) is not None and not text.strip().isdigit()


def parse_pairs(words: tuple[str, ...], option: str, **named: str | None) -> dict[str, str]:
    """The attributes of KEY=VALUE words, and of options of their own."""
    found = {
        key: parse_value(value, f"--{key.replace('_', '-')}")
        for key, value in named.items()
        if value is not None
    }
    for key, value in split_pairs(words, option):
        if found.setdefault(key, value) != value:
            raise InvalidInput(option, f"{key} is given twice, with different values.")
    return found


def split_pairs(words: tuple[str, ...], option: str) -> Iterator[tuple[str, str]]:
    """Each KEY=VALUE word: an attribute and its value."""
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(option, f"{word[:80]!r} is not KEY=VALUE.")
        key = parse_key(key.strip(), option)
        yield key, parse_value(value, f"{option} {key}")


def parse_partition(words: tuple[str, ...], option: str = "--partition") -> dict[str, str | None]:
    """The attributes that name a partition; `user=` means the calls without one."""
    named: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals and not value.strip():
            named[parse_key(key.strip(), option)] = None
        else:
            named |= parse_pairs((word,), option)
    return named


def parse_instant(text: str, option: str) -> int:
    """The time, in microseconds, of a day, a time or how long ago that was typed."""
    with typed_as():
        return parse_rfc3339(past(text), option)


def parse_until(text: str) -> str:
    """The RFC 3339 time of a day or a time that was typed."""
    return instant(text.strip())
