"""Price settings: which sources of prices are read, from where and how often, and whom to trust.

    BUDGET_PRICE_SOURCES="genai-prices, litellm=https://mirror.lan/prices.json"

Nothing is read unless it is named here. Not here: reading (`acts`), the clock of it
(`refresh`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from budget.domain.errors import InvalidInput
from budget.prices.trust import DEFAULT_TRUST, MAX_TRUST

KNOWN: Final = ("genai-prices", "litellm", "llm-prices", "models.dev", "openrouter")
INSTALLED: Final = "installed"
"""In place of a URL: what is installed beside Budget, without the network."""
DAILY_SECONDS: Final = 86_400
MIN_REFRESH_SECONDS: Final = 300
MAX_REFRESH_SECONDS: Final = 31 * DAILY_SECONDS


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """What a process is told of prices at its start.

    `own` is the operator's price file; `own_first`: it wins over what was set. `sources` are those
    that are read, with the URL or file of each (None: where its maker publishes it).
    `refresh_seconds` None: only when somebody asks. `origins` are allowed though they are not
    public; `trust` is that of every source.
    """

    own: Path | None = None
    own_first: bool = False
    sources: Mapping[str, str | None] = field(default_factory=dict)
    refresh_seconds: int | None = None
    origins: frozenset[str] = frozenset()
    trust: Mapping[str, int] = field(default_factory=lambda: DEFAULT_TRUST)

    @classmethod
    def read(cls, env: Mapping[str, str], own: Path | None = None) -> Self:
        """Settings from BUDGET_PRICE_SOURCES, BUDGET_PRICE_REFRESH, BUDGET_PRICE_ORIGINS and
        BUDGET_PRICE_TRUST; InvalidInput names the variable.
        """
        return cls(
            own,
            False,
            _sources(env.get("BUDGET_PRICE_SOURCES", "")),
            _refresh_seconds(env.get("BUDGET_PRICE_REFRESH", "")),
            _origins(env.get("BUDGET_PRICE_ORIGINS", "")),
            _trust(env.get("BUDGET_PRICE_TRUST", "")),
        )


def known_source(name: object, field: str) -> str:
    """The name of a source; InvalidInput lists those there are."""
    text = str(name).strip().lower()
    if text not in KNOWN:
        raise InvalidInput(field, f"{text[:80]!r} is not a source of prices.", KNOWN)
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sources(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for part in _parts(text):
        name, _, place = part.partition("=")
        source = known_source(name, "BUDGET_PRICE_SOURCES")
        if source in found:
            raise InvalidInput("BUDGET_PRICE_SOURCES", f"names {source} twice; leave one out.")
        found[source] = place.strip() or None
        if is_url(found[source]):
            from budget.outbound.guard import read_url  # not for those who need it not

            read_url(place.strip(), "BUDGET_PRICE_SOURCES")
    return found


def is_url(place: str | None) -> bool:
    """Whether a place is to be fetched, not read from this machine."""
    return place is not None and place.lower().startswith(("http://", "https://"))


def _refresh_seconds(text: str) -> int | None:
    text = text.strip().lower()
    if text in ("", "off", "0"):
        return None
    if text == "daily":
        return DAILY_SECONDS
    if text.isdecimal() and MIN_REFRESH_SECONDS <= int(text) <= MAX_REFRESH_SECONDS:
        return int(text)
    raise InvalidInput(
        "BUDGET_PRICE_REFRESH",
        f"must be off, daily, or {MIN_REFRESH_SECONDS} to {MAX_REFRESH_SECONDS} seconds.",
    )


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(_parts(text))
    if origins:
        from budget.outbound.guard import Allow

        try:
            Allow(origins=origins)
        except InvalidInput as error:
            raise InvalidInput("BUDGET_PRICE_ORIGINS", error.detail) from None
    return origins


def _trust(text: str) -> Mapping[str, int]:
    trust = dict(DEFAULT_TRUST)
    for part in _parts(text):
        name, _, level = part.partition("=")
        source = known_source(name, "BUDGET_PRICE_TRUST")
        if not level.strip().isdecimal() or int(level) > MAX_TRUST:
            raise InvalidInput(
                "BUDGET_PRICE_TRUST", f"{source} must be trusted from 0 (not) to {MAX_TRUST}."
            )
        trust[source] = int(level)
    return trust
