"""What a golden cost is: a call, the arithmetic, and the page that it was read from."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from budget.domain.usage import Usage, units_of
from budget.prices.schedules import Context

NOW: Final = "2026-11-25T12:00"
"""A Wednesday, out of everybody's peak hours."""
BATCH: Final[Context] = (("processing", "batch"),)
FLEX: Final[Context] = (("service_tier", "flex"),)
PRIORITY: Final[Context] = (("service_tier", "priority"),)


class Source(NamedTuple):
    """A page, and the day on which it is known to have said so."""

    title: str
    url: str
    seen: str
    told_by: str = ""
    """Who says that the page says so, where the page itself could not be read: an address, or a
    public repository by owner and name, and what in it."""


class Case(NamedTuple):
    """One call and its cost.

    `worked` is the sum in dollars: `600 x 2.50/M + 3 x 10/K` prices 600 tokens at 2.50 USD a
    million and 3 searches at 10 USD a thousand. `corrected`: genai-prices says something else.
    """

    what: str
    provider: str
    model: str
    usage: Usage
    worked: str
    usd: str
    source: Source
    at: str = NOW
    context: Context = ()
    corrected: bool = False


def used(
    input_tokens: int,
    output_tokens: int = 0,
    *,
    read: int = 0,
    write: int = 0,
    write_1h: int = 0,
    reasoning: int = 0,
    units: Mapping[str, int] | None = None,
) -> Usage:
    """The usage of one request; reads, writes, reasoning and units of tokens are parts of it."""
    return Usage(
        input_tokens, output_tokens, read, write, write_1h, reasoning, 1, units_of(units or {})
    )
