"""OpenRouter's keys: the limits they have there, beside those of the budgets here.

Compared by name: a key there and a budget here that are called the same, whatever the capitals.
With a key of management all keys are read, else the one that asks. Not here: usage (`sources`).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from budget.domain.answers_usage import Standing
from budget.domain.errors import Unavailable
from budget.engine.importing.asking import MAX_PAGES, Asked, asked_of, key_in
from budget.engine.importing.lines import money, text

KEY_SETTING: Final = "BUDGET_OPENROUTER_KEY"
URL_SETTING: Final = "BUDGET_OPENROUTER_URL"
_URL: Final = "https://openrouter.ai/api/v1"
_USED: Final[Mapping[str, tuple[str, str]]] = {
    "daily": ("daily", "usage_daily"), "weekly": ("weekly", "usage_weekly"),
    "monthly": ("monthly", "usage_monthly"),
}  # fmt: skip
_ALL_TIME: Final = ("total", "usage")
_ALL_BPS: Final = 10_000


class KeyLimit(NamedTuple):
    """A key there: its name, its limit in nano-USD or None, by period, and what it has used."""

    name: str
    period: str
    limit_nanos: int | None
    used_nanos: int
    disabled: bool


class OurLimit(NamedTuple):
    """A limit in USD here, as it stands."""

    budget: str
    period: str
    limit_nanos: int
    spent_nanos: int


class Beside(NamedTuple):
    """A key and the limit that goes with it; `verdict`: agrees, limits differ, periods differ, use
    differs, no limit here, or no limit there.
    """

    name: str
    theirs: KeyLimit
    ours: OurLimit | None
    verdict: str


def read_keys(env: Mapping[str, str]) -> list[KeyLimit]:
    """The keys of OpenRouter. InvalidInput for settings; Unavailable where it does not answer."""
    headers = {"Authorization": f"Bearer {key_in(env, KEY_SETTING)}"}
    asked = asked_of(_URL, headers, env, URL_SETTING, KEY_SETTING)
    own = _object(asked.get("/key"))
    manages = own.get("is_management_key") or own.get("is_provisioning_key")
    rows = _all(asked) if manages else [own]
    try:
        return [_key(row) for row in rows]
    except ValueError as error:
        raise Unavailable(f"OpenRouter told of a key in which {error}.") from None


def ours_of(standings: Iterable[Standing]) -> list[OurLimit]:
    """The limits in USD of the budgets here."""
    return [
        OurLimit(one.budget, one.policy.period.text, one.limit, one.spent)
        for one in standings
        if one.policy.unit == "usd"
    ]


def beside(
    theirs: Iterable[KeyLimit], ours: Iterable[OurLimit], tolerance_bps: int
) -> list[Beside]:
    """Each key beside the limit of its name: that of its period, or else the first."""
    by_name: dict[str, list[OurLimit]] = {}
    for one in ours:
        by_name.setdefault(one.budget.lower(), []).append(one)
    rows = []
    for key in sorted(theirs):
        named = by_name.get(key.name.lower(), [])
        same = [one for one in named if one.period == key.period]
        found = next(iter(same or named), None)
        rows.append(Beside(key.name, key, found, _verdict(key, found, tolerance_bps)))
    return rows


def _verdict(key: KeyLimit, ours: OurLimit | None, tolerance_bps: int) -> str:
    if ours is None:
        return "agrees" if key.limit_nanos is None or key.disabled else "no limit here"
    if key.limit_nanos is None:
        return "no limit there"
    if key.period != ours.period:
        return "periods differ"
    if key.limit_nanos != ours.limit_nanos:
        return "limits differ"
    apart = abs(key.used_nanos - ours.spent_nanos) * _ALL_BPS
    return "agrees" if apart <= key.used_nanos * tolerance_bps else "use differs"


def _all(asked: Asked) -> list[Mapping[str, Any]]:
    """Every key, page by page: OpenRouter counts on from an offset."""
    rows: dict[str, Mapping[str, Any]] = {}
    for _ in range(MAX_PAGES):
        answer = asked.get("/keys", {"offset": len(rows), "include_disabled": "true"})
        page = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(page, list):
            raise Unavailable("OpenRouter did not answer with keys.")
        new = {str(row.get("hash")): row for row in page if isinstance(row, Mapping)}
        if not new.keys() - rows.keys():
            break
        rows |= new
    return list(rows.values())


def _key(row: Mapping[str, Any]) -> KeyLimit:
    period, used = _USED.get(str(row.get("limit_reset")), _ALL_TIME)
    name = text(row.get("name")) or text(row.get("label")) or text(row.get("hash")) or "(no name)"
    return KeyLimit(
        name, period, money(_decimal(row.get("limit")), "limit"),
        money(_decimal(row.get(used)), used) or 0, row.get("disabled") is True,
    )  # fmt: skip


def _decimal(value: Any) -> Any:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _object(answer: Any) -> Mapping[str, Any]:
    found = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(found, Mapping):
        raise Unavailable("OpenRouter did not answer with a key.")
    return found
