"""Price history: every price of a model over time, those set by operators and its source's.

Not here: the price of one instant (`reports`).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from budget.domain.answers_prices import PricePeriod
from budget.domain.errors import NotFound
from budget.engine.price_book.reports import OWN, check_name
from budget.engine.price_book.shelf import OVERRIDE, Overridden, Shelved, rank
from budget.prices.combined import Trusted, context_of, context_text, key_of
from budget.prices.schedules import ALWAYS_US, Piece, Schedule, Scheduled
from budget.prices.verification import source_of

if TYPE_CHECKING:
    from budget.engine.books import Books

MAX_WALKED: Final = 100
CONTEXTS: Final = (
    "processing=batch", "service_tier=default", "service_tier=fast", "service_tier=flex",
    "service_tier=priority", "speed=fast",
)  # fmt: skip
"""Contexts that a history shows beside the usual one, where a model has prices of its own there."""


def history(books: "Books", provider: str, model: str) -> list[PricePeriod]:
    """Every price a model had, has and will have: those set by operators, then the source's."""
    check_name(provider, "provider", required=True)
    check_name(model, "model", required=True)
    shelved = books.shelf.load()
    seller = shelved.combined.provider_id(provider.strip()) or provider.strip().lower()
    name = model.strip().lower()
    layers = [_overridden(shelved, seller, name), _own_file(shelved, seller, name)]
    periods = [period for layer in layers for period in layer]
    for source in shelved.combined.sources:
        said = list(_said(source, seller, name))
        if said:
            periods += said
            break
    if not periods:
        raise NotFound("price", model, f"No price of {model!r} from {provider!r} is known.")
    return sorted(_holding(periods), key=_newest, reverse=True)


def _holding(periods: list[PricePeriod]) -> Iterator[PricePeriod]:
    """The periods, those that win first, for the times in which no own price holds instead."""
    taken: list[tuple[set[tuple[str, str]], int, int]] = []
    for period in periods:
        context = set(context_of(period.context))
        span = _span(period)
        left = [span]
        for told, from_us, until_us in taken:
            if told <= context:
                left = [part for one in left for part in _without(one, from_us, until_us)]
        for starts_us, ends_us in left:
            yield period._replace(
                from_us=None if starts_us == ALWAYS_US[0] else starts_us,
                until_us=None if ends_us == ALWAYS_US[1] else ends_us,
            )
        if not left:
            yield period._replace(replaced=True)
        if period.kind in (OVERRIDE, OWN) and period.daily_us is None:
            taken.append((context, *span))


def _span(period: PricePeriod) -> tuple[int, int]:
    return (
        ALWAYS_US[0] if period.from_us is None else period.from_us,
        ALWAYS_US[1] if period.until_us is None else period.until_us,
    )


def _without(span: tuple[int, int], from_us: int, until_us: int) -> Iterator[tuple[int, int]]:
    """What of a span lies outside of another."""
    if span[0] < min(span[1], from_us):
        yield span[0], min(span[1], from_us)
    if max(span[0], until_us) < span[1]:
        yield max(span[0], until_us), span[1]


def _newest(period: PricePeriod) -> tuple[bool, int, int]:
    return period.kind in (OVERRIDE, OWN), *_span(period)


def _overridden(shelved: Shelved, provider: str, model: str) -> Iterator[PricePeriod]:
    """What was set, those that win first: by provider, then as the shelf ranks them."""
    ranked = sorted(
        shelved.stored.overrides, key=lambda one: (one.provider is not None, *rank(one)),
        reverse=True,
    )  # fmt: skip
    for one in ranked:
        never_held = one.from_us is not None and one.from_us == one.until_us
        if one.model == model and one.provider in (None, provider) and not never_held:
            yield PricePeriod(
                one.provider or provider, model, one.context, one.from_us, one.until_us, None,
                one.rates, OVERRIDE, OVERRIDE, one.override_id, one.reason,
            )  # fmt: skip


def _own_file(shelved: Shelved, provider: str, model: str) -> Iterator[PricePeriod]:
    layers = [layer for layer in shelved.own if not isinstance(layer, Overridden)]
    for layer in layers:
        for key in ((provider, model), (None, model)):
            for entry in layer.entries.get(key, ()):
                if isinstance(entry.schedule, Schedule):
                    context = context_text(entry.context)
                    yield from _pieces(entry.schedule, provider, model, context, OWN, OWN)


def _said(source: Trusted, provider: str, model: str) -> Iterator[PricePeriod]:
    """What a source says of a model, and said before, in each context that it is known in."""
    names = [(provider, model)]
    usual = source.prices.schedule(provider, model)
    key = None if usual is None else key_of(usual)
    if key is not None:
        names.append(key[:2])
    kept: dict[str, int | None] = {}
    for seller, name in dict.fromkeys(names):
        for context, closed in source.closed(seller, name):
            kept[context] = closed.until_us
            yield from _pieces(
                closed.schedule, seller, name, context, source.name, "closed",
                closed.from_us, closed.until_us, closed.reason,
            )  # fmt: skip
    for context in dict.fromkeys(("", *kept, *CONTEXTS)):
        found = source.prices.schedule(provider, model, context_of(context))
        own_of_context = found is not None and (key_of(found) or ("", "", ""))[2] == context
        if found is None or not own_of_context or (context in kept and kept[context] is None):
            continue
        yield from _pieces(
            found, provider, model, context, source.name, "listed", kept.get(context)
        )


def _pieces(
    schedule: Scheduled, provider: str, model: str, context: str, source: str, kind: str,
    from_us: int | None = None, until_us: int | None = None, reason: str | None = None,
) -> Iterator[PricePeriod]:  # fmt: skip
    """The pieces of a schedule that hold within [from_us, until_us), each with its own end."""
    listed: tuple[Piece, ...] = getattr(schedule, "pieces", None) or _walked(schedule)
    low = ALWAYS_US[0] if from_us is None else from_us
    high = ALWAYS_US[1] if until_us is None else until_us
    for at, piece in enumerate(listed):
        starts_us = max(low, ALWAYS_US[0] if piece.start_us is None else piece.start_us)
        ends_us = min(high, _end_us(piece, listed[at + 1 :]))
        if starts_us < ends_us:
            yield PricePeriod(
                (piece.rates and piece.rates.provider) or provider,
                (piece.rates and piece.rates.model) or model,
                context,
                None if starts_us == ALWAYS_US[0] else starts_us,
                None if ends_us == ALWAYS_US[1] else ends_us,
                piece.daily_us, piece.rates,
                source if piece.rates is None else source_of(piece.rates),
                kind, None, reason,
            )  # fmt: skip


def _walked(schedule: Scheduled) -> tuple[Piece, ...]:
    """The pieces of a schedule that only tells what holds at an instant."""
    pieces: list[Piece] = []
    at_us = 0
    while at_us < ALWAYS_US[1] and len(pieces) < MAX_WALKED:
        rates, from_us, until_us = schedule.at(at_us)
        starts_us = None if from_us == ALWAYS_US[0] else from_us
        pieces.append(Piece(rates, starts_us, None, until_us))
        at_us = until_us
    return tuple(pieces)


def _end_us(piece: Piece, later: tuple[Piece, ...]) -> int:
    """When a piece ends: where it says so, or one that holds for good takes its place."""
    overtakers = [
        ALWAYS_US[0] if other.start_us is None else other.start_us
        for other in later
        if other.daily_us is None and other.end_us is None
    ]
    return min([ALWAYS_US[1] if piece.end_us is None else piece.end_us, *overtakers])
