"""Reading: counts, words and costs out of JSON that nobody has checked.

Nothing in this file raises: what cannot be true is set aside and named. Paths are fixed and short,
so the depth of what came does not matter. Not here: which field means what (one file per shape).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from budget.domain.money import MAX_HOLD_NANOS, ceil_div
from budget.domain.usage import MAX_TOKENS

Fields = tuple[tuple[str, tuple[str, ...]], ...]
"""(our name, the path to it); of several paths to one name the first that has a figure counts."""

EMPTY: Final[Mapping[str, Any]] = {}
_BAD: Final = -1
_MOST_WORD: Final = 200
_MOST_DIGITS: Final = 64
_NANO_PLACES: Final = 9


class Counts(NamedTuple):
    """Counts by our name; `bad` names those that came and cannot be true."""

    known: Mapping[str, int] = {}
    bad: frozenset[str] = frozenset()


NOTHING: Final = Counts()


def counts_of(source: Mapping[str, Any], fields: Fields) -> Counts:
    """The counts that `source` has at the paths of `fields`; what is absent or null is left out."""
    if not source:
        return NOTHING
    known: dict[str, int] = {}
    bad: set[str] = set()
    for name, path in fields:
        value = source.get(path[0])
        if value is None:  # nearly always
            continue
        count = count_of(value if len(path) == 1 else _at(value, path[1:]))
        if count == _BAD:
            bad.add(name)
        elif count is not None and not known.get(name):  # a figure wins against a zero
            known[name] = count
    return Counts(known, frozenset(bad - known.keys()) if bad else NOTHING.bad)


def joined(parts: Iterable[Counts]) -> Counts:
    """Counts of several places as one; of the same name they add up."""
    known: dict[str, int] = {}
    bad: frozenset[str] = frozenset()
    for part in parts:
        known = added(known, part.known)
        bad |= part.bad
    return Counts(known, bad)


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums by name."""
    sums = dict(one)
    for name, count in other.items():
        sums[name] = sums.get(name, 0) + count
    return sums


def count_of(value: object) -> int | None:
    """A whole number from 0 to MAX_TOKENS; None if it is absent, -1 if it is anything else.

    12.0 is a count, because Cohere's are floats; "12" is none, nor is true. An empty object is
    absent: Mistral sends it for what it did not count.
    """
    if type(value) is int:  # nearly always
        return value if 0 <= value <= MAX_TOKENS else _BAD
    if value is None or value == {}:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _BAD
    if isinstance(value, Decimal) and not value.is_finite():  # a signalling NaN cannot be compared
        return _BAD
    if not 0 <= value <= MAX_TOKENS:  # false for NaN as well
        return _BAD
    count = int(value)
    return count if count == value else _BAD


def object_at(source: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at the path; an empty one if there is none."""
    value = _at(source, path)
    return value if type(value) is dict or isinstance(value, Mapping) else EMPTY


def objects_at(source: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in the list of that name; none if it is no list."""
    value = source.get(name)
    if not isinstance(value, list):
        return []
    return [one for one in value if type(one) is dict or isinstance(one, Mapping)]


def word_at(source: Mapping[str, Any], *path: str) -> str | None:
    """The text at the path if it can be a name: 1 to 200 characters, each printable."""
    value = _at(source, path)
    if isinstance(value, str) and 0 < len(value) <= _MOST_WORD and value.isprintable():
        return value
    return None


def alike(one: Mapping[str, Any], other: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Whether two objects have the same at each of these names."""
    return all(one.get(name) == other.get(name) for name in names)


def cost_nanos_of(value: object) -> int | None:
    """An amount in USD as nano-USD, rounded up; None unless it is a number up to a million USD.

    A float is taken for the shortest decimal that reads as the same float, which is what its
    sender wrote; from there on everything is exact.
    """
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, str) and len(value) <= _MOST_DIGITS:
        try:
            value = Decimal(value)
        except ArithmeticError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, int):
        nanos = value * 10**_NANO_PLACES if 0 <= value <= MAX_HOLD_NANOS else _BAD
    else:
        nanos = _nanos_up(value)
    return nanos if 0 <= nanos <= MAX_HOLD_NANOS else None


def _nanos_up(usd: Decimal) -> int:
    """Nano-USD, rounded up; -1 for what is negative, not finite, too large or absurdly long."""
    sign, digits, exponent = usd.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _MOST_DIGITS:
        return _BAD
    number = int("".join(map(str, digits)))
    if not number:
        return 0
    # Bounds first: 1e999999999 and 1e-999999999 would each take a gigabyte to spell out.
    if sign or usd.adjusted() > _NANO_PLACES:
        return _BAD
    if usd.adjusted() < -_NANO_PLACES:
        return 1
    places = exponent + _NANO_PLACES
    return number * 10**places if places >= 0 else ceil_div(number, 10**-places)


def _at(source: object, path: tuple[str, ...]) -> object:
    """The value at the path; None if it is absent, "" if what should lead to it is no object."""
    value = source
    for step in path:
        if value is None:
            return None
        if type(value) is not dict and not isinstance(value, Mapping):
            return ""
        value = value.get(step)
    return value
