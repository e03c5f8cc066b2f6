"""Reconciling: our books against what a provider says, by UTC day and model.

Tokens are compared where the other side tells them, money where it tells that. Not here: how its
file is read (`importing`), which of our records are meant (`usage_records` of the facade).
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from budget.domain.answers import UsageRecord
from budget.domain.windows import to_rfc3339
from budget.engine.importing.lines import Line

Key = tuple[str, str]
DAY_US: Final = 86_400_000_000
_ALL_BPS: Final = 10_000


class Figures(NamedTuple):
    """What one side says of a day and model; None where it says nothing of that."""

    tokens: int | None = None
    cost_nanos: int | None = None

    def plus(self, tokens: int | None, cost_nanos: int | None) -> "Figures":
        """With so much more."""
        return Figures(_sum(self.tokens, tokens), _sum(self.cost_nanos, cost_nanos))


class Compared(NamedTuple):
    """A day and model on both sides; `verdict`: agrees, differs, missing here or missing there."""

    day: str
    model: str
    ours: Figures | None
    theirs: Figures | None
    verdict: str


def theirs_by_day(lines: Iterable[Line]) -> dict[Key, Figures]:
    """What the other side says, by (day, model)."""
    found: dict[Key, Figures] = {}
    for line in lines:
        key = _key(line.at_us, line.model)
        tokens = line.input_tokens + line.output_tokens if line.counted else None
        found[key] = found.get(key, Figures()).plus(tokens, line.cost_nanos)
    return found


def ours_by_day(pages: Iterable[list[UsageRecord]], provider: str | None) -> dict[Key, Figures]:
    """What our books say, corrections with them; only of a provider if one is named."""
    found: dict[Key, Figures] = {}
    for page in pages:
        for record in page:
            if provider is not None and record.provider != provider:
                continue
            key = _key(record.occurred_us, record.model)
            tokens = record.usage.input_tokens + record.usage.output_tokens
            found[key] = found.get(key, Figures()).plus(tokens, record.cost_nanos or 0)
    return found


def compare(
    ours: Mapping[Key, Figures], theirs: Mapping[Key, Figures], tolerance_bps: int
) -> list[Compared]:
    """Every day and model of either side, in order, with a verdict."""
    tells_tokens = any(one.tokens is not None for one in theirs.values())
    tells_money = any(one.cost_nanos is not None for one in theirs.values())
    rows: list[Compared] = []
    for day, model in sorted({*ours, *theirs}):
        mine, other = ours.get((day, model)), theirs.get((day, model))
        if mine is None and other is not None:
            verdict = "missing here" if any(other) else "agrees"
        elif other is None and mine is not None:
            told = (mine.tokens if tells_tokens else 0, mine.cost_nanos if tells_money else 0)
            verdict = "missing there" if any(told) else "agrees"
        else:
            assert mine is not None
            assert other is not None
            alike = _alike(mine.tokens, other.tokens, tolerance_bps) and _alike(
                mine.cost_nanos, other.cost_nanos, tolerance_bps
            )
            verdict = "agrees" if alike else "differs"
        rows.append(Compared(day, model, mine, other, verdict))
    return rows


def _alike(ours: int | None, theirs: int | None, tolerance_bps: int) -> bool:
    """Whether the difference is within so much of what the other side says."""
    if theirs is None:
        return True
    return abs((ours or 0) - theirs) * _ALL_BPS <= abs(theirs) * tolerance_bps


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else (one or 0) + other


def _key(at_us: int, model: str | None) -> Key:
    return to_rfc3339(at_us)[:10], (model or "(no model)").lower()
