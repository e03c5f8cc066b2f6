"""Own prices: an operator's file of prices, discounts and more, checked and made into a price book.

    book = book_with("prices.yaml")

Not here: how the formats are read (`own_files`), deployments and what models can do (`own_models`),
what discounts come to (`discounts`), and which price of several holds (`book`). A file with any
mistake is refused as a whole.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.deployments import Deployments
from budget.prices.discounts import Discount, Discounted
from budget.prices.layers import OwnEntry
from budget.prices.listings import Capabilities
from budget.prices.own_fields import (
    check_fields,
    context_in,
    instant_in_us,
    mapping_in,
    name_in,
    wrong,
)
from budget.prices.own_files import Entry, read_document
from budget.prices.own_models import own_deployments, own_models
from budget.prices.schedules import Context, Piece, PriceSource, Schedule, Scheduled
from budget.prices.stated import KINDS, MTOK_PLACES, pico, stated_rates

MAX_PERCENT: Final = 100
MIN_PERCENT: Final = -1_000

_PRICE_FIELDS: Final = ("provider", "model", *KINDS, "request", "units", "from", "context")
_DISCOUNT_FIELDS: Final = (
    "provider", "model", "percent", "fixed", "context", "from", "until",
)  # fmt: skip
_COUNT: Final = re.compile(r"[0-9]{1,13}")
_PERCENT: Final = re.compile(r"(-?)([0-9]{1,4}(?:\.[0-9]{1,6})?)%")


_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class OwnFile(NamedTuple):
    """What a file says, as `OwnPrices`."""

    basis: str
    entries: Mapping[tuple[str | None, str], tuple[OwnEntry, ...]]
    discounts: tuple[Discount, ...] = ()
    deployments: Deployments = _NOTHING
    capabilities: Mapping[tuple[str | None, str], Capabilities] = _NOTHING
    tiers: Mapping[tuple[str | None, str], str] = _NOTHING

    def discounted(self, found: Scheduled, names: tuple[str, ...], context: Context) -> Scheduled:
        """The source's prices of a model that was asked for by these names, less the discounts."""
        told = set(context)
        may_apply = tuple(found for found in self.discounts if set(found.context) <= told)
        return Discounted(found, may_apply, names, self.basis) if may_apply else found


def book_with(path: Path | str | None) -> PriceBook:
    """The bundled prices under those of an operator's file, or alone where there is none.

    InvalidInput names the file, the entry and the field that is wrong, and says what to do.
    """
    if path is None:
        return bundled_book()
    from budget.prices.bundled import bundled_capabilities, bundled_prices

    source = bundled_prices()
    return PriceBook(source, own=read_own(Path(path), source), capabilities=bundled_capabilities())


def read_own(path: Path, source: PriceSource | None) -> OwnFile:
    """An operator's file; the source tells how it calls the providers named."""
    document = read_document(path)
    basis = f"own/{document.sha256[:12]}"
    said: dict[Discount, Entry] = {}
    for entry in document.discounts:
        discount = _discount(entry, source)
        if discount in said:
            raise InvalidInput(
                entry.place, f"says the same as {said[discount].place}; leave one out."
            )
        said[discount] = entry

    def known(provider: str) -> str | None:
        return None if source is None else source.provider_id(provider)

    entries = _own_entries(document.prices, basis, source)
    priced = {_key(entry, known): entry for entry in document.prices}
    described = own_models(document.models, known)
    return OwnFile(
        basis,
        entries,
        tuple(said),
        own_deployments(document.deployments, priced, known),
        *described,
    )


def _key(entry: Entry, known: Callable[[str], str | None]) -> tuple[str | None, str]:
    """The provider and model of a price."""
    provider = name_in(entry, "provider")
    return provider and (known(provider) or provider), name_in(entry, "model") or ""


# --- Prices --------------------------------------------------------------------------------------


def _own_entries(
    listed: tuple[Entry, ...], basis: str, source: PriceSource | None
) -> dict[tuple[str | None, str], tuple[OwnEntry, ...]]:
    """By name the entries in each context over time, those of the most exact context first."""
    names: dict[tuple[str | None, str], dict[Context, dict[int | None, tuple[Entry, Rates]]]] = {}
    for entry in listed:
        check_fields(entry, _PRICE_FIELDS)
        provider, model = name_in(entry, "provider"), name_in(entry, "model")
        if model is None:
            raise wrong(entry, "model", "is required: the model's whole name.")
        if provider is not None and source is not None:
            provider = source.provider_id(provider) or provider
        context, start_us = context_in(entry), instant_in_us(entry, "from")
        rates = _rates(entry)._replace(
            provider=provider or "",
            model=model,
            basis=basis,
            context=",".join(f"{name}={value}" for name, value in context),
        )
        dated = names.setdefault((provider, model), {}).setdefault(context, {})
        if start_us in dated:
            raise wrong(
                entry, "from", f"is that of {dated[start_us][0].place} for the same model; "
                "leave one out, or give them dates or contexts of their own.",
            )  # fmt: skip
        dated[start_us] = entry, rates
    return {
        name: tuple(
            _over_time(context, {start_us: rates for start_us, (_, rates) in dated.items()})
            for context, dated in sorted(contexts.items(), key=_exactness)
        )
        for name, contexts in names.items()
    }


def _exactness(found: tuple[Context, object]) -> tuple[int, Context]:
    """The most names first, then by the alphabet."""
    return -len(found[0]), found[0]


def _over_time(context: Context, dated: Mapping[int | None, Rates]) -> OwnEntry:
    starts = sorted(start_us for start_us in dated if start_us is not None)
    pieces = [Piece(dated[None])] if None in dated else []
    pieces += [Piece(dated[start_us], start_us) for start_us in starts]
    return OwnEntry(context, Schedule(tuple(pieces)), pieces[0].start_us)


def _rates(entry: Entry) -> Rates:
    """What the entry's units cost."""
    units = {name: _counted(value) for name, value in mapping_in(entry, "units").items()}
    kinds = {name: _counted(value) for name, value in entry.fields.items()}
    return stated_rates({**kinds, "units": units}, f"{entry.place}, ")


def _counted(value: object) -> object:
    """A price as it is, or tiers with the counts that they begin at as whole numbers."""
    if not isinstance(value, list):
        return value
    tiers = []
    for tier in value:
        is_text = isinstance(tier, list) and tier and isinstance(tier[0], str)
        if is_text and _COUNT.fullmatch(tier[0]):
            tier = [int(tier[0]), *tier[1:]]
        tiers.append(tier)
    return tiers


# --- Discounts -----------------------------------------------------------------------------------


def _discount(entry: Entry, source: PriceSource | None) -> Discount:
    check_fields(entry, _DISCOUNT_FIELDS)
    provider, model = name_in(entry, "provider"), name_in(entry, "model")
    if provider is None and model is None:
        raise wrong(entry, "provider", "or a model is required: say whose prices these are off.")
    if provider is not None and source is not None:
        known = source.provider_id(provider)
        if known is None:
            raise wrong(
                entry, "provider", f"{provider[:80]!r} sells nothing in {source.basis}, so there "
                "is nothing to discount; mend the name, or write its prices under `prices`.",
            )  # fmt: skip
        provider = known
    percent, fixed = entry.fields.get("percent"), entry.fields.get("fixed")
    if (percent is None) == (fixed is None):
        raise wrong(entry, "percent", "or fixed is required, and not both.")
    from_us, until_us = instant_in_us(entry, "from"), instant_in_us(entry, "until")
    discount = Discount(provider, model, context=context_in(entry))
    if from_us is not None:
        discount = discount._replace(from_us=from_us)
    if until_us is not None:
        discount = discount._replace(until_us=until_us)
    if discount.until_us <= discount.from_us:
        raise wrong(entry, "until", "must be after from.")
    if fixed is not None:
        return discount._replace(off_pico=pico(fixed, f"{entry.place}, fixed", MTOK_PLACES))
    return discount._replace(kept=1 - _percent(percent, f"{entry.place}, percent") / 100)


def _percent(value: object, field: str) -> Fraction:
    if not isinstance(value, str) or not (found := _PERCENT.fullmatch(value)):
        raise InvalidInput(
            field, 'must be a percentage with at most six decimals, such as "12.5%"; "-10%" adds.'
        )
    percent = Fraction(found[1] + found[2])
    if not MIN_PERCENT <= percent <= MAX_PERCENT:
        raise InvalidInput(field, f"must lie between {MIN_PERCENT}% and {MAX_PERCENT}%.")
    return percent
