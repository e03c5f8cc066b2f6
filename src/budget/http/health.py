"""Health: what this is, how it is, and whether calls would be answered; for whoever watches it.

These need no key, so they tell no name, no figure of the books, and not where the database lies.
"""

import time
from typing import Any

from budget import __version__
from budget.domain.component import COMPONENT, DESCRIPTION
from budget.domain.errors import Unavailable
from budget.domain.windows import to_rfc3339
from budget.engine.ledger import Ledger
from budget.gateway.gateway import Gateway
from budget.http.calls import Answered, Call
from budget.neighbours.company import Company


async def root(call: Call) -> Answered:
    """What this is."""
    del call
    return Answered(
        {
            "component": COMPONENT,
            "description": DESCRIPTION,
            "version": __version__,
            "status": "running",
        }
    )


async def health(call: Call) -> Answered:
    """How it is: that the process lives, whether it reaches its database, and how safe that is.

    200 while the process lives. `degraded`: something below is not as it should be; `unhealthy`:
    the writer has stopped, and only a restart helps. Needs no key.
    """
    service = call.service
    ledger = service.budget.books.ledger
    reachable = await _reaches(call)
    return Answered(
        {
            "status": _status(ledger, reachable),
            "component": COMPONENT,
            "version": __version__,
            "timestamp": to_rfc3339(time.time_ns() // 1000),
            "port": service.port,
            "instance": service.instance,
            "database": _database(call, reachable),
            "writer": {
                "alive": ledger.alive,
                "writing": ledger.meter.writing,
                "queue_depth": ledger.queued,
                "expiry_paused": ledger.clock_guard.paused,
            },
            "queue_depth": ledger.queued,
            "uptime_seconds": int(time.monotonic() - service.started),
            "gateway": _gateway(service.gateway),
            "neighbours": _neighbours(service.neighbours),
        }
    )


async def ready(call: Call) -> Answered:
    """Whether calls would be answered: the writer runs and the database is there. Else 503."""
    ledger = call.service.budget.books.ledger
    if not ledger.alive:
        raise Unavailable("The ledger's writer has stopped; restart the service.", code="not_ready")
    if not ledger.meter.writing:
        raise Unavailable("The last batch did not reach the database.", code="not_ready")
    try:
        await call.service.pulse.feel()
    except TimeoutError:
        raise Unavailable("The database is slow to answer.", code="not_ready") from None
    return Answered({"ready": True, "component": COMPONENT, "version": __version__})


async def _reaches(call: Call) -> bool:
    try:
        await call.service.pulse.feel()
    except (TimeoutError, Unavailable):
        return False
    return True


def _gateway(gateway: Gateway | None) -> dict[str, int] | None:
    """To how many upstreams the gateway leads, for how many it has a key, how many fail."""
    if gateway is None:
        return None
    upstreams = gateway.upstreams.values()
    return {
        "upstreams": len(upstreams),
        "with_key": sum(upstream.api_key is not None for upstream in upstreams),
        "left_out": len(gateway.left_out()),
    }


def _neighbours(company: Company | None) -> dict[str, str]:
    """How each neighbour that is on is doing; none of them makes Budget any less healthy."""
    return {} if company is None else company.states()


def _status(ledger: Ledger, reachable: bool) -> str:
    if not ledger.alive:
        return "unhealthy"
    durability = ledger.durability
    well = (
        reachable
        and ledger.meter.writing
        and not ledger.clock_guard.paused
        and (durability is None or durability.durable)
    )
    return "healthy" if well else "degraded"


def _database(call: Call, reachable: bool) -> dict[str, Any]:
    """What kind it is, whether it answers, and what it was told about disks."""
    books = call.service.budget.books
    described = books.database.describe()
    durability = books.ledger.durability
    return {
        "engine": described["engine"],
        "library": described["version"],
        "reachable": reachable,
        "durable": None if durability is None else durability.durable,
        "settings": {} if durability is None else dict(durability.settings),
    }
