"""Verification: whether sources of prices agree about a model, and how far they are apart.

The bundled prices of genai-prices and its feed are one source. Sources that copy from each other
would count twice, which nobody can see from here. Not here: changes of a source (`changes`).
"""

from collections.abc import Iterable
from typing import Final

from budget.domain.answers_prices import SourceFigure
from budget.domain.pricing import Rate, Rates, rate_at
from budget.prices.combined import Combined, context_of

AGREE_BPS: Final = 1_000
"""Within 10% of what is in force."""
MAX_BPS: Final = 10**15


def change_bps(old_pico: int | None, new_pico: int | None) -> int | None:
    """A change in basis points of the old figure, towards zero; None from nothing or zero."""
    if not old_pico or new_pico is None:
        return None
    change = abs(new_pico - old_pico) * 10_000 // old_pico
    return min(change, MAX_BPS) * (1 if new_pico >= old_pico else -1)


def agree(ours: Rates, theirs: Rates) -> bool:
    """Whether input and output, at the tier of small calls, are within 10% of ours.

    Output at 0 beside input that costs is output that a source does not price.
    """
    if not _near(ours.input, theirs.input):
        return False
    silent = any(rates.output == 0 and rates.input != 0 for rates in (ours, theirs))
    return silent or _near(ours.output, theirs.output)


def _near(ours: Rate, theirs: Rate) -> bool:
    old, new = rate_at(ours, 0), rate_at(theirs, 0)
    return abs(new - old) * 10_000 <= old * AGREE_BPS


def source_of(rates: Rates) -> str:
    """The source of rates: the first part of their basis."""
    return rates.basis.partition("/")[0]


def figures_of(
    combined: Combined, rates: Rates, names: Iterable[tuple[str, str]], at_us: int
) -> tuple[SourceFigure, ...]:
    """What each source says of a model under the first of its names that the source knows.

    `rates` are those in force; the source they are of agrees with None. Only prices of the same
    context are told: the usual one says nothing of that of a batch.
    """
    found = []
    tried, context = tuple(dict.fromkeys(names)), context_of(rates.context)
    for source in combined.sources:
        for provider, model in tried:
            schedule = source.schedule(provider, model, context)
            said = None if schedule is None else schedule.at(at_us)[0]
            if said is None or said.context != rates.context:
                continue
            same = source.name == source_of(rates)
            found.append(
                SourceFigure(
                    source.name, source.trust, said.provider, said.model, said,
                    None if same else agree(rates, said),
                    change_bps(rate_at(rates.input, 0), rate_at(said.input, 0)),
                    change_bps(rate_at(rates.output, 0), rate_at(said.output, 0)),
                )
            )  # fmt: skip
            break
    return tuple(found)


def status_of(figures: Iterable[SourceFigure]) -> str:
    """`conflict` if a source disagrees, `verified` if one agrees, else `unverified`."""
    said = [figure.agrees for figure in figures]
    if False in said:
        return "conflict"
    return "verified" if True in said else "unverified"
