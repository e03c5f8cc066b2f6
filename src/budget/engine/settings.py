"""Settings: where the books lie and where the service listens, from the environment and flags.

Read by hand: pydantic-settings would add 160 ms to every start of the command and
25 MB to the service. Not here: what can be changed while Budget runs (budgets and policies).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from budget.domain.errors import InvalidInput
from budget.engine import config_file
from budget.engine.channels.settings import DEFAULT_CHANNELS, ChannelSettings
from budget.engine.door_settings import DEFAULT_DOOR, DoorSettings
from budget.engine.price_book.settings import PriceSettings
from budget.engine.switches import read_switch

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8013
MAX_PORT: Final = 65_535
APPLICATION: Final = "budget"
REFUSAL_STATUSES: Final[Mapping[str, int | None]] = {"auto": None, "402": 402, "429": 429}
"""What may be set; `auto` is 402, and 429 where the limit resets within the hour."""

_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process is told at its start.

    Port 0 takes any that is free. `refusal_status` is that of every refusal on HTTP; None: by the
    limit that refuses. `prices` is the operator's own price file. With `access_log` every request
    is logged, with `traces` each makes a span of OpenTelemetry. `docs`: whether `/docs` shows the
    API; None: unless the service is behind a proxy. `timezone` is where this user's days and months
    begin, for the commands.
    """

    target: str
    host: str
    port: int
    config_dir: Path
    timezone: str = "UTC"
    refusal_status: int | None = None
    prices: Path | None = None
    price_settings: PriceSettings = field(default_factory=PriceSettings)
    door: DoorSettings = DEFAULT_DOOR
    channels: ChannelSettings = DEFAULT_CHANNELS
    access_log: bool = False
    traces: bool = False
    docs: bool | None = None

    @classmethod
    def read(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        target: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        config_dir: Path | None = None,
        prices: str | None = None,
    ) -> Self:
        """Settings from flags, where given, else BUDGET_TARGET, BUDGET_HOST, BUDGET_PORT,
        BUDGET_CONFIG_DIR, BUDGET_TIMEZONE, BUDGET_REFUSAL_STATUS, BUDGET_PRICES, BUDGET_ACCESS_LOG,
        BUDGET_TRACES and BUDGET_DOCS, else (target and time zone) the config file, else the
        defaults; and those of `PriceSettings`, `DoorSettings` and `ChannelSettings`. An empty
        variable is an absent one.
        """
        env = os.environ if environ is None else environ
        asked_port = port if port is not None else env.get("BUDGET_PORT") or DEFAULT_PORT
        named = prices or env.get("BUDGET_PRICES")
        own_prices = Path(named).expanduser() if named else None
        folder = config_dir or _config_dir(env)
        target, zone = target or env.get("BUDGET_TARGET"), _zone(env)
        config = config_file.NOTHING if target and zone else config_file.read(folder)
        return cls(
            target=target or config.target or default_target(),
            host=host or env.get("BUDGET_HOST") or DEFAULT_HOST,
            port=parse_port(asked_port, "BUDGET_PORT" if port is None else "port"),
            config_dir=folder,
            timezone=zone or config.timezone or "UTC",
            refusal_status=_refusal_status(env.get("BUDGET_REFUSAL_STATUS") or "auto"),
            prices=own_prices,
            price_settings=PriceSettings.read(env, own_prices),
            door=DoorSettings.read(env),
            channels=ChannelSettings.read(env),
            access_log=read_switch(env, "BUDGET_ACCESS_LOG"),
            traces=read_switch(env, "BUDGET_TRACES"),
            docs=read_switch(env, "BUDGET_DOCS") if env.get("BUDGET_DOCS") else None,
        )


def shown(settings: Settings) -> dict[str, Any]:
    """What a process was told, for those who run it: a closed list, in which no secret is."""
    door, prices, rate = settings.door, settings.price_settings, settings.door.rate
    return {
        "host": settings.host,
        "port": settings.port,
        "config_dir": str(settings.config_dir),
        "public_url": door.public_url,
        "refusal_status": settings.refusal_status or "auto",
        "rate_limit": None if rate is None else f"{rate.per_second}/{rate.burst}",
        "failed_attempts": door.failures,
        "oidc_issuer": None if door.oidc is None else door.oidc.issuer,
        "prices": None if settings.prices is None else str(settings.prices),
        "price_sources": sorted(prices.sources),
        "price_refresh_seconds": prices.refresh_seconds,
        "price_trust": dict(prices.trust),
        "mail": settings.channels.mail is not None,
        "access_log": settings.access_log,
        "traces": settings.traces,
        "docs": settings.docs,
    }


def parse_port(value: object, field: str) -> int:
    """A TCP port; 0 takes any that is free."""
    text = str(value)
    if _PORT.fullmatch(text) and int(text) <= MAX_PORT:
        return int(text)
    raise InvalidInput(field, f"{text[:80]!r} is not a port from 0 to 65535.")


def _zone(env: Mapping[str, str]) -> str | None:
    named = env.get("BUDGET_TIMEZONE")
    if not named:
        return None
    from budget.domain.windows import parse_zone

    return parse_zone(named, "BUDGET_TIMEZONE")


def _refusal_status(text: str) -> int | None:
    if text in REFUSAL_STATUSES:
        return REFUSAL_STATUSES[text]
    raise InvalidInput(
        "BUDGET_REFUSAL_STATUS", f"{text[:80]!r} cannot be the status.", tuple(REFUSAL_STATUSES)
    )


def default_target() -> str:
    """The SQLite file of this user."""
    import platformdirs

    return f"sqlite:///{platformdirs.user_data_path(APPLICATION, appauthor=False)}/budget.db"


def _config_dir(env: Mapping[str, str]) -> Path:
    given = env.get("BUDGET_CONFIG_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path(APPLICATION, appauthor=False)
