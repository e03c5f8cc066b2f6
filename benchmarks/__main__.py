"""`python -m benchmarks [name ...]`: print the figures, all or those of the groups named."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from benchmarks import (
    alerts,
    bookkeeping,
    bulk,
    channels,
    events,
    ledger,
    prices,
    reading,
    sealing,
    service,
)
from benchmarks.figures import Figure, machine, show


def _tracking() -> Iterable[Figure]:
    from benchmarks.tracking import tracking  # loads OpenAI's SDK

    return tracking()


def _gateway() -> Iterable[Figure]:
    from benchmarks.gateway import gateway  # loads an event loop

    return gateway()


def _litellm() -> Iterable[Figure]:
    from benchmarks.gateway import gateway_and_litellm

    return gateway_and_litellm()


def _otlp() -> Iterable[Figure]:
    from benchmarks.otlp import otlp  # loads protobuf

    return otlp()


def _mcp() -> Iterable[Figure]:
    from benchmarks.mcp import speaking_mcp  # loads the SDK

    return speaking_mcp()


def _exactness() -> Iterable[Figure]:
    from benchmarks.exactness import exactness  # loads an HTTP client

    return exactness()


def _exactness_of_two() -> Iterable[Figure]:
    from benchmarks.exactness import exactness_of_two

    return exactness_of_two()


def _postgres() -> Iterable[Figure]:
    from tests.support.postgres import start_postgres

    with start_postgres() as server:
        yield from ledger.on_postgres(server.create_database())


GROUPS: Final[Mapping[str, Callable[[], Iterable[Figure]]]] = {
    "start": service.starting,
    "prices": prices.pricing,
    "sqlite": ledger.on_sqlite,
    "catalogue": ledger.large_catalogue,
    "postgres": _postgres,
    "sealing": sealing.sealing,
    "channels": channels.channels,
    "alerts": alerts.alerts,
    "events": events.events,
    "http": service.over_http,
    "bulk": bulk.bulk,
    "otlp": _otlp,
    "books": bookkeeping.bookkeeping,
    "reading": reading.reading,
    "tracking": _tracking,
    "exactness": _exactness,
    "exactness-of-two": _exactness_of_two,
    "gateway": _gateway,
    "mcp": _mcp,
    "litellm": _litellm,
}


def main(names: list[str]) -> None:
    """Run the groups and print each figure as it is known."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        sys.exit(f"There is no group {unknown[0]!r}; there are: {', '.join(GROUPS)}.")
    print(machine())
    for name, group in GROUPS.items():
        if not names or name in names:
            show(group())


if __name__ == "__main__":
    main(sys.argv[1:])
