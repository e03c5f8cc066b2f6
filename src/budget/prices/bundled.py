"""The adapter to genai-prices: its bundled snapshot, as schedules of integer rates. No network.

Not here: caching, own prices (`book`), and what usage costs (`domain.pricing`). Models that are
not sold by the token have no rates here.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rate, Rates, validated_rates
from budget.prices.book import Context, Piece, Schedule, Scheduled

if TYPE_CHECKING:
    from genai_prices.types import (
        ModelInfo,
        ModelPrice,
        PriceVariant,
        Provider,
        StartDateConstraint,
        TieredPrices,
        TimeOfDateConstraint,
    )

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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BundledPrices:
    """The prices inside the installed genai-prices, as a `PriceSource`."""

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
        from genai_prices.data_snapshot import DataSnapshot

        # Fresh each time: a snapshot remembers every name it was ever asked for.
        snapshot = DataSnapshot(providers=self._providers, from_auto_update=False)
        spelled = provider and _SPELLINGS.get(provider.strip().lower(), provider)
        try:
            seller, found = snapshot.find_provider_model(model, None, spelled, None)
        except LookupError:
            return None
        usual = schedule_of(found, seller.id, self._basis)
        told = dict(context)
        variants = [v for v in found.price_variants or () if v.when.items() <= told.items()]
        if usual is None or not variants:
            return usual
        return InContext(found, variants, seller.id, self._basis)

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

    return BundledPrices(providers, f"genai-prices/{version('genai-prices')}/{_sha256()[:12]}")


def _sha256() -> str:
    spec = find_spec("genai_prices.data")
    if spec is None or spec.origin is None:  # pragma: no cover - imported a line before
        raise ModuleNotFoundError("genai_prices.data")
    with open(spec.origin, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


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


class InContext:
    """A model's prices over time in a context that it has prices of its own for."""

    __slots__ = ("_basis", "_context", "_model", "_name", "_provider_id", "_times")

    def __init__(
        self, model: "ModelInfo", variants: Sequence["PriceVariant"], provider_id: str, basis: str
    ) -> None:
        self._model = model
        self._provider_id = provider_id
        self._basis = basis
        self._context = {name: value for v in variants for name, value in v.when.items()}
        self._name = ",".join(f"{name}={value}" for name, value in sorted(self._context.items()))
        usual = model.prices if isinstance(model.prices, list) else []
        constraints = [*(priced.constraint for priced in usual), *(v.constraint for v in variants)]
        self._times = Schedule(tuple(_piece(None, constraint) for constraint in constraints))

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval around it in which they stay."""
        moment = _EPOCH + timedelta(microseconds=at_us)
        prices = self._model.get_prices(moment, self._context)
        rates = rates_of(prices, self._provider_id, self._model.id, self._basis)
        _, from_us, until_us = self._times.at(at_us)
        return rates and rates._replace(context=self._name), from_us, until_us


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
    return price if isinstance(price, Decimal) else max(price.base, *(t.price for t in price.tiers))


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
    numerator, denominator = usd.as_integer_ratio()
    return -(-numerator * PICO_PER_USD // (denominator * units))
