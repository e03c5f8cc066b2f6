"""Rhetor's limits: what its settings and its environment say, as `set_limit` takes it.

    RHETOR_BUDGET_POLICY=enforce RHETOR_BUDGET_DAILY_LIMIT=5 budget import rhetor rhetor.db

A limit of 0 is none there. Its settings win over its environment. Not here: its usage (`rhetor`).
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from budget.domain.answers_limits import LimitSet
from budget.domain.money import format_usd
from budget.engine.importing.lines import Bad, money, text
from budget.engine.importing.rhetor import opened

NAME: Final = "Rhetor"
PERIODS: Final = ("daily", "weekly", "monthly")
ENFORCEMENTS: Final[Mapping[str, str]] = {
    "ignore": "ignore", "warn": "warn", "enforce": "hard_limit",
}  # fmt: skip
ALL: Final = "all"
_OURS: Final[Mapping[str, str]] = {"gemini": "google", "xai": "x-ai"}
"""Providers that price lists call otherwise: a limit counts calls under both names."""
_POLICY: Final = "RHETOR_BUDGET_POLICY"
_LIMIT: Final = "RHETOR_BUDGET_{}_LIMIT"
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


class RhetorLimit(NamedTuple):
    """So much in a period, of one provider or of `all`."""

    period: str
    provider: str
    limit_nanos: int
    enforcement: str

    def ask(self, zone: str) -> dict[str, Any]:
        """What `set_limit` takes."""
        ask: dict[str, Any] = {
            "name": NAME, "period": self.period, "limit": format_usd(self.limit_nanos),
            "enforcement": self.enforcement, "timezone": zone,
        }  # fmt: skip
        if self.provider != ALL:
            ask["name"] = f"{NAME}: {self.provider}"
            named = [self.provider, *filter(None, [_OURS.get(self.provider)])]
            ask["scope"] = {"provider": named if len(named) > 1 else self.provider}
        return ask


def read_limits(file: Path, env: Mapping[str, str]) -> list[RhetorLimit | Bad]:
    """The limits that hold: of each period and provider the newest, and what cannot be read."""
    found: dict[tuple[str, str], RhetorLimit] = {}
    bad = []
    for one in (*_of_environment(env), *_of_settings(file)):
        if isinstance(one, Bad):
            bad.append(one)
        else:
            found[one.period, one.provider] = one
    return [*(one for one in found.values() if one.limit_nanos), *bad]


def set_limits(
    limits: list[RhetorLimit], zone: str, set_limit: Callable[..., LimitSet]
) -> list[LimitSet]:
    """Set them; those that stand already are left as they are."""
    return [set_limit(**one.ask(zone)) for one in limits]


def _of_environment(env: Mapping[str, str]) -> Iterator[RhetorLimit | Bad]:
    for period in PERIODS:
        name = _LIMIT.format(period.upper())
        if env.get(name):
            row = {"period": period, "provider": ALL, "limit_amount": env[name],
                   "enforcement": env.get(_POLICY) or "warn"}  # fmt: skip
            yield _limit(name, row)


def _of_settings(file: Path) -> Iterator[RhetorLimit | Bad]:
    with closing(opened(file)) as connection:
        there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'budget_settings'"
        if connection.execute(there).fetchone() is None:
            return
        try:
            rows = connection.execute("SELECT rowid AS row, * FROM budget_settings ORDER BY rowid")
            for row in map(dict, rows):
                if row.get("active") in (0, "0", None):
                    continue
                yield _limit(f"budget_settings row {row['row']}", row)
        except sqlite3.Error as error:
            yield Bad("budget_settings", f"cannot be read: {error}")


def _limit(place: str, row: Mapping[str, Any]) -> RhetorLimit | Bad:
    period, provider = text(row.get("period")), (text(row.get("provider")) or ALL).lower()
    enforcement = ENFORCEMENTS.get(text(row.get("enforcement")) or "")
    given = row.get("limit_amount")
    try:
        nanos = money(repr(given) if isinstance(given, float) else given, "limit_amount")
    except ValueError as error:
        return Bad(place, str(error)[:200])
    if period not in PERIODS:
        return Bad(place, f"period must be one of {', '.join(PERIODS)}")
    if enforcement is None:
        return Bad(place, f"enforcement must be one of {', '.join(ENFORCEMENTS)}")
    if not _PROVIDER.fullmatch(provider):
        return Bad(place, "provider is no name of one")
    return RhetorLimit(period, provider, nanos or 0, enforcement)
