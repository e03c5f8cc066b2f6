"""Booking what was read: in bulk, once however often it is imported, and what came of it.

Not here: how it is read (`sources`), and how a record is priced and booked (`engine.bulk`).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from budget.domain.errors import BudgetError
from budget.domain.windows import to_rfc3339
from budget.engine.importing.lines import Bad, Line

MAX_TOLD: Final = 50
_BATCH: Final = 500
_NANOS: Final = 10**9


class Outcome(NamedTuple):
    """What an import did. `bad` are the first of the rows that were not booked, `failed` all."""

    lines: int
    booked: int
    before: int
    history: int
    unpriced: int
    failed: int
    cost_nanos: int
    reported_nanos: int
    tokens: int
    bad: tuple[Bad, ...]


class Tally:
    """Figures that grow while rows go by."""

    def __init__(self) -> None:
        self.figures: dict[str, int] = dict.fromkeys(Outcome._fields[:-1], 0)
        self.bad: list[Bad] = []

    def add(self, name: str, count: int = 1) -> None:
        """Count so many more."""
        self.figures[name] += count

    def refuse(self, bad: Bad) -> None:
        """A row that is not booked."""
        self.add("failed")
        if len(self.bad) < MAX_TOLD:
            self.bad.append(bad)

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        return Outcome(**self.figures, bad=tuple(self.bad))


def ask_of(line: Line, source: str) -> dict[str, Any]:
    """A line as `record_bulk` takes it; its id is the source's own, so it is booked once."""
    ask: dict[str, Any] = {
        "usage_id": f"import-{source}-{line.source_id}", "occurred_at": to_rfc3339(line.at_us),
        "input_tokens": line.input_tokens, "output_tokens": line.output_tokens,
        "cache_read_tokens": line.cache_read_tokens, "cache_write_tokens": line.cache_write_tokens,
        "cache_write_1h_tokens": line.cache_write_1h_tokens,
        "reasoning_tokens": line.reasoning_tokens, "requests": line.requests,
        "attributes": dict(line.attributes), "history": True,
    }  # fmt: skip
    if line.provider:
        ask["provider"] = line.provider
    if line.model:
        ask["model"] = line.model
    if line.cost_nanos is not None:
        usd, rest = divmod(line.cost_nanos, _NANOS)
        ask["cost"] = f"{usd}.{rest:09d}"
    return ask


def _usable(lines: Iterable[Line | Bad], tally: Tally) -> Iterator[Line]:
    """The lines that are to be booked; the others are counted."""
    seen: set[str] = set()
    for line in lines:
        tally.add("lines")
        if isinstance(line, Bad):
            tally.refuse(line)
        elif not line.counted:
            tally.refuse(Bad(line.place, "tells of money without usage; `reconcile` reads it"))
        elif line.source_id in seen:
            tally.refuse(Bad(line.place, "has the id of a row before it"))
        else:
            seen.add(line.source_id)
            tally.add("tokens", line.input_tokens + line.output_tokens)
            tally.add("reported_nanos", line.cost_nanos or 0)
            yield line


def rehearse(lines: Iterable[Line | Bad]) -> Outcome:
    """What an import would find; `booked` are those that it would send. Nothing is booked."""
    tally = Tally()
    for _ in _usable(lines, tally):
        tally.add("booked")
    return tally.outcome()


def book(
    lines: Iterable[Line | Bad],
    record_bulk: Callable[..., Any],
    source: str,
    tell: Callable[[int, int], None],
    total: int,
) -> Outcome:
    """Book the lines, a few hundred at a time; `tell` hears how many of `total` are done."""
    tally = Tally()
    usable = _usable(lines, tally)
    while some := list(islice(usable, _BATCH)):
        answer = record_bulk(records=[ask_of(line, source) for line in some])
        for line, result in zip(some, answer.results, strict=True):
            if isinstance(result, BudgetError):
                tally.refuse(Bad(line.place, result.detail.partition("].")[2] or result.detail))
                continue
            tally.add("before" if result.replayed else "booked")
            if not result.replayed:
                tally.add("cost_nanos", result.cost_nanos or 0)
                tally.add("history", int("history" in result.flags))
                tally.add("unpriced", int("unpriced" in result.flags))
        tell(tally.figures["lines"], total)
    return tally.outcome()
