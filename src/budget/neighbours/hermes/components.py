"""Components: the entries of a registry, and which of them are worth a look.

Entries are never taken out where a component starts again, so there are several of one, and the
newest counts, if anybody answers there. What an entry says is somebody else's word: nothing is
asked at an address of it but its health, and only where the guard and the operator let us.

Not here: our own entries (`registry`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.errors import BudgetError, InvalidInput
from budget.neighbours.calling import Unanswered
from budget.outbound.fetching import Limits, fetch
from budget.outbound.guard import Allow, Site, read_url

ORIGINS: Final = "BUDGET_NEIGHBOUR_ORIGINS"
WANTED: Final[Mapping[str, frozenset[str]]] = {
    "apollo": frozenset({"token_budgeting"}),
    "athena": frozenset({"knowledge_graph_management"}),
    "engram": frozenset(),
    "rhetor": frozenset({"llm_orchestration"}),
    "telos": frozenset({"requirements_tracking"}),
}
"""Those that are looked for, by name or else by what only they can do."""
MOST_TRIED: Final = 3
"""So many entries of one are tried, the newest first."""
MAX_COMPONENTS: Final = 5000
_LIMITS: Final = Limits(body_bytes=64 * 1024, total_seconds=2)
_SAID: Final = frozenset({"healthy", "degraded", "unhealthy", "initializing"})


class Component(NamedTuple):
    """An entry; `registered` orders entries, and is 0 where it says nothing."""

    id: str
    name: str
    endpoint: str
    capabilities: frozenset[str]
    registered: float


class Found(NamedTuple):
    """Where one is, as its entry says, and how it is there: None if it may not be asked."""

    endpoint: str
    health: str | None


def read_components(answer: Any) -> list[Component]:
    """The entries of a list of components; those that make no sense are left out.

    Unanswered if it is no such list, so that nobody is missed in it.
    """
    entries = answer.get("components") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise Unanswered("hermes does not say which components there are.")
    return [one for one in map(_component, entries[:MAX_COMPONENTS]) if one is not None]


def _component(entry: Any) -> Component | None:
    if not isinstance(entry, dict):
        return None
    id, name, endpoint = (entry.get(key) for key in ("component_id", "name", "endpoint"))
    if not isinstance(id, str):
        return None
    able = entry.get("capabilities")
    return Component(
        id,
        name if isinstance(name, str) else "",
        endpoint if isinstance(endpoint, str) else "",
        frozenset(one for one in able if isinstance(one, str))
        if isinstance(able, list)
        else frozenset(),
        _moment(entry.get("registered_at")),
    )


def _moment(told: Any) -> float:
    """A time, as a number or as text; 0 if it is none."""
    try:
        if isinstance(told, str):
            return datetime.fromisoformat(told).timestamp()
        return float(told)
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0


def candidates(listed: Iterable[Component]) -> dict[str, list[str]]:
    """Where each of those wanted may be: a few endpoints, that of the newest entry first."""
    found: dict[str, list[str]] = {}
    for one in sorted(listed, key=lambda one: -one.registered):
        name = _wanted(one)
        if name is None or not one.endpoint:
            continue
        endpoints = found.setdefault(name, [])
        if one.endpoint not in endpoints and len(endpoints) < MOST_TRIED:
            endpoints.append(one.endpoint)
    return found


def _wanted(one: Component) -> str | None:
    name = one.name.lower()
    if name in WANTED:
        return name
    return next((known for known, able in WANTED.items() if able & one.capabilities), None)


async def look(
    listed: Iterable[Component], near: bool, origins: frozenset[str]
) -> dict[str, Found]:
    """Where those wanted are that are listed. `near`: what is on this machine may be asked too."""
    tried = candidates(listed)
    found = await asyncio.gather(*(_first(some, near, origins) for some in tried.values()))
    return dict(zip(tried, found, strict=True))


async def _first(endpoints: Sequence[str], near: bool, origins: frozenset[str]) -> Found:
    """The first that answers; else how it is with the newest."""
    tried = []
    for endpoint in endpoints:
        found = await asyncio.to_thread(probe, endpoint, near, origins)
        if found.health not in (None, "silent"):
            return found
        tried.append(found)
    return tried[0]


def probe(endpoint: str, near: bool, origins: frozenset[str]) -> Found:
    """How a component is: what its health says, or that it is silent. Blocks for two seconds."""
    try:
        site = read_url(endpoint.rstrip("/"))
    except InvalidInput:
        return Found(shown(endpoint), None)
    where = _where(site)
    allowed = origins | {site.origin} if near and is_loopback(site) else origins
    try:
        # No host is allowed but by its origin.
        allow = Allow(hosts=frozenset(), origins=allowed, setting=ORIGINS)
        answer = fetch(f"{where}/health", limits=_LIMITS, allow=allow)
    except InvalidInput:
        return Found(where, None)
    except BudgetError:
        return Found(where, "silent")
    return Found(where, _said(answer.body))


def shown(endpoint: str) -> str:
    """An endpoint as people may be shown it, whoever wrote it."""
    try:
        return _where(read_url(endpoint.rstrip("/")))[:200]
    except InvalidInput:
        return "an address that makes no sense"


def _where(site: Site) -> str:
    return f"{site.scheme}://{site.host_header}{site.path.partition('?')[0].rstrip('/')}"


def _said(body: bytes) -> str:
    try:
        status = msgspec.json.decode(body)["status"]
    except (msgspec.DecodeError, TypeError, KeyError, IndexError):
        return "answering"
    return status if isinstance(status, str) and status in _SAID else "answering"


def is_loopback(site: Site) -> bool:
    """Whether it is on this machine by its very name."""
    return site.host == "localhost" or (site.literal is not None and site.literal.is_loopback)


def read_origins(env: Mapping[str, str]) -> frozenset[str]:
    """Where the operator lets us look; InvalidInput names the setting."""
    named = [one.strip() for one in env.get(ORIGINS, "").split(",") if one.strip()]
    try:
        return Allow(origins=frozenset(named), setting=ORIGINS).origins
    except InvalidInput:
        detail = "must be addresses such as http://athena.lan:8005, with commas between, no paths."
        raise InvalidInput(ORIGINS, detail) from None
