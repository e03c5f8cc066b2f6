"""The prices of genai-prices, bundled or read from a feed, as schedules of integer rates.

No network. Not here: reading feeds (`sources.genai_prices`), caching, own prices (`book`), and
what usage costs (`domain.pricing`). Models that are not sold by the token have no rates here.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rate, Rates, validated_rates
from budget.domain.usage import MAX_TOKENS
from budget.prices.corrections import LEFT_OUT, corrected
from budget.prices.listings import Capabilities
from budget.prices.schedules import DAY_US, Context, Piece, Schedule, Scheduled
from budget.prices.tariffs import by_tariff

if TYPE_CHECKING:
    from genai_prices.types import (
        ModelInfo,
        ModelPrice,
        Provider,
        StartDateConstraint,
        TieredPrices,
        TimeOfDateConstraint,
    )

SOURCE: Final = "genai-prices"
PICO_PER_USD: Final = 10**12
TOKENS_PER_PRICE: Final = 10**6
REQUESTS_PER_PRICE: Final = 1_000

_SPELLINGS: Final[Mapping[str, str]] = {
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gcp": "google",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
    "z-ai": "zai",
}
"""Spellings used by OpenTelemetry, LiteLLM and OpenRouter that genai-prices does not know, or, for
Azure, takes for OpenAI itself."""

_TOKEN_UNITS: Final[Mapping[str, str]] = {
    "cache_read_audio_tokens": "cache_audio_read_mtok",
    "cache_read_image_tokens": "cache_image_read_mtok",
    "input_audio_tokens": "input_audio_mtok",
    "input_image_tokens": "input_image_mtok",
    "output_audio_tokens": "output_audio_mtok",
    "output_image_tokens": "output_image_mtok",
}
"""Our units of tokens, and the price of a million of them in genai-prices."""

_OTHER_UNITS: Final[Mapping[str, tuple[str, int]]] = {
    "characters": ("input_mchars", 10**6),
    "milliseconds": ("input_audio_hours", 3_600_000),
    "pages": ("input_document_kpages", 1_000),
    "searches": ("web_searches_kcount", 1_000),
}
"""Our other units, the price in genai-prices, and of how many of ours that is."""

_NOT_PRICES: Final = ("description", "extractors", "price_comments", "pricing_urls")
_USUAL_EXPONENTS: Final = range(-30, 13)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Found(NamedTuple):
    """A listed model: its prices over time, `special` if they are those of the context."""

    provider: str
    model: str
    prices: Scheduled
    special: bool


class BundledPrices:
    """Prices that genai-prices has loaded, as a `PriceSource`: the installed ones or a feed's."""

    __slots__ = ("_basis", "_providers")

    def __init__(self, providers: Sequence["Provider"], basis: str) -> None:
        self._providers = list(providers)
        self._basis = basis

    @property
    def basis(self) -> str:
        """Such as `genai-prices/0.2.3/1a2b3c4d5e6f`: package, version, start of the sha256."""
        return self._basis

    def provider_id(self, provider: str) -> str | None:
        """The id that genai-prices has for a provider, however it is spelled; None if unknown."""
        from genai_prices.data_snapshot import find_provider_by_id

        spelled = provider.strip().lower()
        found = find_provider_by_id(self._providers, _SPELLINGS.get(spelled, spelled))
        return None if found is None else found.id

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """A model's prices over time, matched as genai-prices matches; None if it knows none."""
        found = self._listed(provider, model, context)
        if found is None and provider is not None:
            meant = LEFT_OUT.get((self.provider_id(provider) or "", model.strip().lower()))
            found = None if meant is None else self._listed(provider, meant, context)
        if found is None:
            return None
        seller, named, listed, special = found

        def other(name: str) -> Scheduled | None:
            found = self._listed(seller, name, context)
            return found and found.prices

        right = corrected(listed, seller, model, context, other)
        return (None if special else by_tariff(right, seller, named, context)) or right

    def _listed(self, provider: str | None, model: str, context: Context) -> "_Found | None":
        """Who sells a model, and its prices over time as they are listed."""
        from genai_prices.data_snapshot import DataSnapshot

        # Fresh each time: a snapshot remembers every name it was ever asked for.
        snapshot = DataSnapshot(providers=self._providers, from_auto_update=False)
        spelled = provider and _SPELLINGS.get(provider.strip().lower(), provider)
        try:
            seller, found = snapshot.find_provider_model(model, None, spelled, None)
        except LookupError:
            return None
        usual = schedule_of(found, seller.id, self._basis)
        if usual is None:
            return None
        special = schedule_in_context(found, dict(context), seller.id, self._basis)
        return _Found(seller.id, found.id, special or usual, special is not None)

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) listed, priced or not."""
        for provider in self._providers:
            for model in provider.models:
                yield provider.id, model.id


@lru_cache(maxsize=1)
def bundled_prices() -> BundledPrices:
    """The installed snapshot. The first call imports it, which takes about 0.3 s."""
    # Not the package's current snapshot: another library in this process may have replaced it.
    from genai_prices.data import providers

    sha256 = hashlib.sha256(bundled_snapshot()).hexdigest()
    return BundledPrices(providers, f"{SOURCE}/{bundled_version()}/{sha256[:12]}")


@lru_cache(maxsize=1)
def bundled_capabilities() -> Mapping[tuple[str, str], Capabilities]:
    """What the installed snapshot says that models can do, by lower-case (provider, model)."""
    from genai_prices.data import providers

    return {
        (provider.id.lower(), model.id.lower()): Capabilities(
            context_window=model.context_window, deprecated=model.deprecated is True or None
        )
        for provider in providers
        for model in provider.models
    }


def bundled_version() -> str:
    """The version of the installed genai-prices."""
    return version(SOURCE)


def bundled_snapshot() -> bytes:
    """The installed prices in the format of genai-prices' own feed: the same bytes every time.

    What says nothing of names, prices and limits is left out, such as descriptions.
    """
    from genai_prices.data import providers
    from msgspec.json import Encoder

    return Encoder(decimal_format="number").encode([_plain(each) for each in providers])


def _plain(value: Any) -> Any:
    """A genai-prices value as JSON has it, with exact numbers and without what is not set."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict) or not hasattr(value, "__dict__"):
        return value
    return {
        name.rstrip("_"): _plain(each)  # or_ and and_ are words of Python
        for name, each in vars(value).items()
        if each is not None and name not in _NOT_PRICES
    }


def schedule_of(model: "ModelInfo", provider_id: str, basis: str) -> Schedule | None:
    """A genai-prices model as a schedule; None when it has no price that we can use, ever."""
    if isinstance(model.prices, list):
        pieces = tuple(
            _piece(rates_of(priced.prices, provider_id, model.id, basis), priced.constraint)
            for priced in model.prices
        )
    else:
        pieces = (Piece(rates_of(model.prices, provider_id, model.id, basis)),)
    if all(piece.rates is None for piece in pieces):
        return None
    return Schedule(pieces)


def schedule_in_context(
    model: "ModelInfo", told: Mapping[str, str], provider_id: str, basis: str
) -> Schedule | None:
    """A model's prices over time in a context; None if it has no prices of its own for it.

    The pieces cover all time: from each day on which any price begins, the whole day, or each
    part of the day between two hours at which any price begins or ends.
    """
    variants = [v for v in model.price_variants or () if v.when.items() <= told.items()]
    if not variants:
        return None
    context = {name: value for v in variants for name, value in v.when.items()}
    named = ",".join(f"{name}={value}" for name, value in sorted(context.items()))
    usual = model.prices if isinstance(model.prices, list) else []
    constraints = [*(each.constraint for each in usual), *(each.constraint for each in variants)]
    edges = [_piece(None, constraint) for constraint in constraints]
    starts = sorted({piece.start_us for piece in edges if piece.start_us is not None})
    hours = sorted({edge_us for piece in edges for edge_us in piece.daily_us or ()})
    pieces = []
    for start_us in (None, *starts):
        # Before any date, the day before the first one speaks for all.
        day_us = start_us if start_us is not None else starts[0] - DAY_US if starts else 0
        for place, hour_us in enumerate(hours or [0]):
            moment = _EPOCH + timedelta(microseconds=day_us + hour_us)
            rates = rates_of(model.get_prices(moment, context), provider_id, model.id, basis)
            daily_us = (hour_us, hours[(place + 1) % len(hours)]) if hours else None
            pieces.append(Piece(rates and rates._replace(context=named), start_us, daily_us))
    return Schedule(tuple(pieces))


def _piece(
    rates: Rates | None, constraint: "StartDateConstraint | TimeOfDateConstraint | None"
) -> Piece:
    from genai_prices.types import StartDateConstraint

    if constraint is None:
        return Piece(rates)
    if isinstance(constraint, StartDateConstraint):
        return Piece(rates, start_us=_date_us(constraint.start_date))
    return Piece(rates, daily_us=(_time_us(constraint.start_time), _time_us(constraint.end_time)))


def _date_us(day: date) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(
        microseconds=1
    )


def _time_us(clock: time) -> int:
    """Microseconds since UTC midnight; a time without a zone is UTC, as in genai-prices."""
    moment = datetime.combine(_EPOCH.date(), clock, tzinfo=clock.tzinfo or UTC).astimezone(UTC)
    return ((moment - _EPOCH) // timedelta(microseconds=1)) % (86_400 * 10**6)


def rates_of(prices: "ModelPrice", provider_id: str, model_id: str, basis: str) -> Rates | None:
    """The rates of one genai-prices price; None when tokens have no (sound) price in it.

    genai-prices leaves zeros out, so a model without any price may be free, unknown or sold by the
    song: only the provider's own mark `:free` makes it free here. One sold by the hour, page or
    character has no token price either.
    """
    if prices.input_mtok is None:
        if not model_id.endswith(":free") or _has_any(prices):
            return None
        return Rates(0, 0, provider=provider_id, model=model_id, basis=basis)
    try:
        return validated_rates(_converted(prices, provider_id, model_id, basis))
    except (InvalidInput, ValueError, OverflowError):
        return None  # negative, NaN or infinite


def _converted(prices: "ModelPrice", provider_id: str, model_id: str, basis: str) -> Rates:
    any_write, short_write = prices.cache_write_mtok, prices.cache_write_5m_mtok
    long_write = prices.cache_write_1h_mtok
    if long_write is None and short_write is not None:
        long_write = any_write
    return Rates(
        input=_token_rate(prices.input_mtok) or 0,
        # Embedders and rankers have no output to price.
        output=_token_rate(prices.output_mtok) or 0,
        cache_read=_token_rate(prices.cache_read_mtok),
        cache_write=_token_rate(any_write if short_write is None else short_write),
        cache_write_1h=_token_rate(long_write),
        reasoning=_token_rate(prices.output_reasoning_mtok),
        request=_request_pico(prices.requests_kcount),
        provider=provider_id,
        model=model_id,
        basis=basis,
        units=_units(prices),
    )


def _units(prices: "ModelPrice") -> tuple[tuple[str, Rate], ...]:
    """The rates of units beside text, by name; of tokens in tiers or else of one price each."""
    rates: dict[str, Rate] = {}
    for unit, name in _TOKEN_UNITS.items():
        rate = _token_rate(getattr(prices, name, None))
        if rate is not None:
            rates[unit] = rate
    for unit, (name, per) in _OTHER_UNITS.items():
        price = getattr(prices, name, None)
        if price is not None:
            rates[unit] = _pico(_dearest(price), per)
    return tuple(sorted(rates.items()))


def _dearest(price: "Decimal | TieredPrices") -> Decimal:
    """The dearest tier of a price that ours have no tiers for (none exists yet)."""
    if isinstance(price, Decimal):
        return price
    return max([price.base, *(tier.price for tier in price.tiers)])


def _has_any(prices: "ModelPrice") -> bool:
    return any(price is not None for price in vars(prices).values())


def _token_rate(price: "Decimal | TieredPrices | None") -> Rate | None:
    """USD per million tokens as pico-USD per token."""
    if price is None:
        return None
    if isinstance(price, Decimal):
        return _pico(price, TOKENS_PER_PRICE)
    # A genai-prices tier begins above its `start`, ours at the first count it holds for.
    tiers = {0: _pico(price.base, TOKENS_PER_PRICE)}
    for tier in price.tiers:
        if not 0 <= tier.start < MAX_TOKENS:
            raise ValueError("no count of tokens")
        tiers[tier.start + 1] = _pico(tier.price, TOKENS_PER_PRICE)
    return tuple(sorted(tiers.items()))


def _request_pico(price: "Decimal | TieredPrices | None") -> int:
    """USD per thousand requests as pico-USD per request; of tiers the dearest (none exist yet)."""
    return 0 if price is None else _pico(_dearest(price), REQUESTS_PER_PRICE)


def _pico(usd: Decimal, units: int) -> int:
    """A price in USD for so many units as pico-USD for one, a fraction of a pico rounded up.

    Some resellers' prices are fractions (0.0833333 USD per million): those are up to a pico too
    dear, never too cheap.
    """
    if usd and usd.adjusted() not in _USUAL_EXPONENTS:
        raise ValueError("no price")  # nor may it take a while to find out
    numerator, denominator = usd.as_integer_ratio()
    return -(-numerator * PICO_PER_USD // (denominator * units))
