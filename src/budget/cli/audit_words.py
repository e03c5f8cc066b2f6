"""Audit words: what an entry of the audit log tells, in words; money in USD.

Not here: which entries are shown (`audit`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget.cli.balance_words import partition_words
from budget.cli.tables import counted

MOST_CHARS: Final = 300

_IDS: Final = frozenset({"top_up_id", "policy_id", "budget_id"})
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):[\d.]+Z")
_AMOUNTS: Final = ("limit", "amount", "granted_amount")
_LIMIT: Final = ("unit", "period", "limit", "enforcement")
_USUAL: Final = {
    "timezone": "UTC", "rollover": "none", "warning_threshold": "0.8",
    "action_threshold": "0.95", "reset_day": 1,
}  # fmt: skip
"""Terms of a limit that say nothing new."""


def change_words(changes: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    """What was changed, each from what to what; and what was new."""
    parts = [
        f"{_spaced(field)} {_word(field, change['old'])} → {_word(field, change['new'])}"
        for field, change in changes.items()
    ]
    text = ", ".join((*parts, *_details(detail)))
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"


def _details(detail: Mapping[str, Any]) -> Iterator[str]:
    rest = dict(detail)
    unit = rest.get("unit")
    if all(field in rest for field in _LIMIT):
        yield _limit(rest)
        rest = {field: value for field, value in rest.items() if field not in _terms_of(detail)}
    elif isinstance(unit, str):
        del rest["unit"]
    for field, value in rest.items():
        if field in _IDS or value in (None, "", False) or value == [] or value == {}:
            continue
        if field == "policies":
            yield _policies(value)
        elif field == "successors":
            yield "its limits begin anew"
        elif field in _AMOUNTS and isinstance(unit, str):
            yield f"{_spaced(field)} {_amount(value, unit)}"
        elif field == "reason":
            yield f"because: {value}"
        else:
            yield f"{_spaced(field)} {_word(field, value)}"


def _terms_of(detail: Mapping[str, Any]) -> set[str]:
    """The fields of a limit that `_limit` tells."""
    told = {*_LIMIT, *_USUAL, "on_expiry", "reserved_for_priority"}
    return told & set(detail)


def _policies(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(_limit(one) for one in value.values())
    return counted(len(value), "limit")


def _limit(terms: Mapping[str, Any]) -> str:
    """A limit in words, with those of its terms that are not the usual ones."""
    more = [str(terms["enforcement"])]
    more += [
        f"{_spaced(field)} {_word(field, terms[field])}"
        for field, usual in _USUAL.items()
        if terms.get(field, usual) != usual
    ]
    usual_end = "assume" if terms["enforcement"] == "hard_limit" else "release"
    if terms.get("on_expiry", usual_end) != usual_end:
        more.append(f"on expiry {terms['on_expiry']}")
    if terms.get("reserved_for_priority"):
        more.append(f"reserved {_word('', terms['reserved_for_priority'])}")
    amount = _amount(terms["limit"], str(terms["unit"]))
    return f"{amount} {terms['period']} ({', '.join(more)})"


def _amount(value: Any, unit: str) -> str:
    return f"{value} USD" if unit == "usd" else f"{value} {_spaced(unit)}"


def _word(field: str, value: Any) -> str:
    if field == "partition" and isinstance(value, str):
        return partition_words(value)
    if value is None or value == "" or value == [] or value == {}:
        return "all calls" if field == "scope" else "none"
    if isinstance(value, dict):
        return " ".join(f"{key}={_word('', one)}" for key, one in value.items())
    if isinstance(value, list):
        return "|".join(_word("", one) for one in value)
    return _INSTANT.sub(r"\1 \2 UTC", str(value))


def _spaced(field: str) -> str:
    return field.replace("_", " ")
