"""Limits as they are typed: 100/monthly, 50000/daily/tokens:hard, and what goes with them.

Not here: which budget they are of.
"""

from typing import Any, Final

from budget.cli.typed import parse_amount
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import parse_enforcement, parse_unit
from budget.domain.windows import parse_period

DEFAULT_ENFORCEMENT: Final = "warn"
_SHORT: Final = {"hard": "hard_limit", "soft": "soft_limit"}
_FORM: Final = "AMOUNT/PERIOD, AMOUNT/PERIOD/UNIT, perhaps with :hard behind it"


def parse_limits(
    words: tuple[str, ...], *, hard: bool = False, option: str = "--limit"
) -> list[PolicyAsk]:
    """Each limit that was typed. One that does not say warns, or refuses with `hard`."""
    otherwise = "hard_limit" if hard else DEFAULT_ENFORCEMENT
    return [_parse_limit(word, otherwise, option) for word in words]


def _parse_limit(word: str, otherwise: str, option: str) -> PolicyAsk:
    amount, *rest = (part.strip() for part in word.split("/"))
    if not 1 <= len(rest) <= 2:
        raise InvalidInput(option, f"{word[:80]!r} is not {_FORM}: 100/monthly.")
    rest[-1], enforcement = _split_enforcement(rest[-1])
    unit = parse_unit(rest[1], option) if len(rest) == 2 else "usd"
    return {
        "unit": unit,
        "period": parse_period(rest[0], option).text,
        "limit": parse_amount(amount, unit, option),
        "enforcement": (
            otherwise
            if enforcement is None
            else parse_enforcement(_SHORT.get(enforcement, enforcement), option)
        ),
    }


def _split_enforcement(text: str) -> tuple[str, str | None]:
    """A period or unit, and what is said behind it; rolling:1h has a colon of its own."""
    head, colon, tail = text.partition(":")
    if head == "rolling":
        length, colon, tail = tail.partition(":")
        head = f"{head}:{length}"
    return head, tail.strip() if colon else None


def terms(*, reserve: tuple[str, ...] = (), **given: str | None) -> PolicyAsk:
    """The terms of a limit that were typed."""
    asked: Any = {field: text.strip() for field, text in given.items() if text is not None}
    if "enforcement" in asked:
        word = asked["enforcement"]
        asked["enforcement"] = parse_enforcement(_SHORT.get(word, word), "--enforcement")
    if reserve:
        asked["reserved_for_priority"] = dict(_share(word) for word in reserve)
    terms: PolicyAsk = asked
    return terms


def _share(word: str) -> tuple[str, str]:
    priority, equals, share = (part.strip() for part in word.partition("="))
    if not equals:
        raise InvalidInput("--reserve", f"{word[:80]!r} is not PRIORITY=SHARE, such as 8=10%.")
    return priority, share
