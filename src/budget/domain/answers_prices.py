"""Answers about prices: what holds, since when, on whose word, and what changed.

Rates are integers of pico-USD per unit; a change is in basis points (10,000 is twice as much). How
they look in JSON is `wire.prices`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from budget.domain.pricing import Rates

STATUSES = ("verified", "unverified", "conflict", "own")
"""At least two sources agree; one speaks; some disagrees; the operator says so."""
Capability = int | str | bool | None
UPDATE_STATUSES = ("applied", "quarantined", "accepted", "rejected", "withdrawn")


class SourceFigure(NamedTuple):
    """What one source says of a model: `agrees` with what is in force, None if it is that itself.

    The changes are from what is in force to what it says; None from zero.
    """

    source: str
    trust: int
    provider: str
    model: str
    rates: Rates
    agrees: bool | None
    input_bps: int | None
    output_bps: int | None


class PriceView(NamedTuple):
    """The price of a model in force at an instant, around which it holds in [from_us, until_us).

    `source` is `override` (set by the API), `own` (the operator's file) or the name of a source.
    `flags`: `dropped` (the source lists it no more), `quarantined` (its newer price waits).
    Of one that was asked for by name `resolved` says in words how that was read, and
    `capabilities` what the model can do, by the names of `listings.Capabilities`.
    """

    provider: str
    model: str
    context: str
    at_us: int
    from_us: int | None
    until_us: int | None
    rates: Rates
    source: str
    status: str
    flags: tuple[str, ...] = ()
    figures: tuple[SourceFigure, ...] = ()
    resolved: tuple[str, ...] = ()
    capabilities: Mapping[str, Capability] | None = None


class PricePeriod(NamedTuple):
    """A price of a model in [from_us, until_us), None being open; `rates` None: none is known.

    `kind` is `override`, `own`, `listed` (what the source in force says) or `closed` (what it said
    before, or is kept in spite of it); `daily_us` are the two times of a UTC day between which it
    holds. It is shown for the time in which it does hold, in two parts where another stands
    between; one that was replaced for all of its time is shown with that, `replaced`.
    """

    provider: str
    model: str
    context: str
    from_us: int | None
    until_us: int | None
    daily_us: tuple[int, int] | None
    rates: Rates | None
    source: str
    kind: str
    id: str | None = None
    reason: str | None = None
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """A price that an operator has set: it holds in [from_us, until_us) and wins over sources."""

    override_id: str
    provider: str | None
    model: str
    context: str
    rates: Rates
    from_us: int | None
    until_us: int | None
    actor: str
    reason: str
    created_us: int
    replayed: bool = False


class PriceUpdate(NamedTuple):
    """A change of the price of one kind of unit; `old_pico` None: there was none before, `new_pico`
    None: the source lists it no more. `change_bps` is None from zero or nothing.
    """

    update_id: str
    at_us: int
    source: str
    provider: str
    model: str
    context: str
    kind: str
    from_tokens: int
    old_pico: int | None
    new_pico: int | None
    change_bps: int | None
    from_us: int
    old_basis: str | None
    new_basis: str
    status: str
    decided_by: str | None = None
    decided_us: int | None = None
    reason: str | None = None


class SourceUpdate(NamedTuple):
    """How the update of one source went: applied, unchanged, quarantined (the whole), or failed.

    `changed`, `added`, `dropped` and `quarantined` count models in their contexts.
    """

    source: str
    status: str
    basis: str | None = None
    models: int = 0
    changed: int = 0
    added: int = 0
    dropped: int = 0
    quarantined: int = 0
    skipped: int = 0
    error: str | None = None


class PriceReport(NamedTuple):
    """What an update of prices came to, source by source."""

    at_us: int
    sources: tuple[SourceUpdate, ...]


class PriceSourceView(NamedTuple):
    """A source: where it is read, the snapshot in force, how its last reading went.

    `place` is a URL without its path, a file or `installed`; None where it is not configured.
    `waiting` counts updates in quarantine, `held` is the newest snapshot that is held as a whole.
    """

    source: str
    trust: int
    place: str | None
    basis: str | None
    version: str | None
    models: int
    taken_us: int | None
    checked_us: int | None
    applied_us: int | None
    error: str | None
    waiting: int
    held: str | None


class PriceDecision(NamedTuple):
    """What accepting or rejecting did: the updates decided, and the snapshot if one was held."""

    status: str
    updates: tuple[PriceUpdate, ...]
    basis: str | None = None


class PriceComparison(NamedTuple):
    """What each source says of a model at an instant, beside what is in force (if anything is)."""

    at_us: int
    provider: str
    model: str
    in_force: PriceView | None
    figures: tuple[SourceFigure, ...]
