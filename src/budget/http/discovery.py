"""Discovery: what the service can do, for programs that look for one; and that it has no work.

Made of the table of routes. Not here: the description of each route (`openapi`).
"""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from budget import __version__
from budget.domain.component import CAPABILITIES, COMPONENT, DESCRIPTION
from budget.domain.errors import InvalidInput
from budget.gateway.pointing import path_of
from budget.gateway.upstreams import Upstream
from budget.http import mcp as mcp_door
from budget.http.calls import Answered, Call, Service
from budget.http.route import V1, Route

CHECK_WORK: Final = "check_work"


class WorkflowAsk(TypedDict, total=False):
    """What Tekton's components ask one another: `purpose` check_work, whose turn it is (`dest`)."""

    purpose: str
    dest: str
    payload: dict[str, Any]


class EndpointShape(TypedDict):
    """One route."""

    path: str
    method: str
    description: str
    tags: list[str]
    scope: str


class UpstreamShape(TypedDict):
    """A provider to which the gateway leads: where its SDK is pointed to, whose prices count, and
    whether the gateway has a key for it.
    """

    name: str
    path: str
    base_url: str
    format: str
    provider: str
    has_key: bool
    fallback: list[str]


class GatewayShape(TypedDict):
    """The gateway: its upstreams, by name."""

    upstreams: list[UpstreamShape]


class DiscoveryShape(TypedDict):
    """What the service is, its routes, and the state of each neighbour that is on."""

    component: str
    version: str
    description: str
    endpoints: list[EndpointShape]
    capabilities: list[str]
    dependencies: dict[str, str]
    metadata: dict[str, str]
    gateway: GatewayShape | None


class WorkflowShape(TypedDict):
    """That there is no work."""

    status: str
    component: str
    purpose: str
    work_available: bool
    work_count: int
    work_items: list[str]
    message: str


async def discovery(call: Call) -> Answered:
    """What the service is and can do: every route, with its method, group and right."""
    from budget.http.routes import ROUTES  # which has this one

    gateway, neighbours = call.service.gateway, call.service.neighbours
    told: DiscoveryShape = {
        "component": COMPONENT,
        "version": __version__,
        "description": DESCRIPTION,
        "endpoints": [*(_endpoint(route) for route in ROUTES), *_doors(call.service)],
        "capabilities": list(CAPABILITIES),
        "dependencies": {} if neighbours is None else neighbours.states(),
        "metadata": {
            "api": V1,
            "openapi": f"{V1}/openapi.json",
            "authentication": "Authorization: Bearer, or X-API-Key",
        },
        "gateway": None if gateway is None else {"upstreams": listed(gateway.upstreams)},
    }
    return Answered(told)


def _endpoint(route: Route) -> EndpointShape:
    from budget.http.openapi import tag_of

    return {
        "path": route.path,
        "method": route.method,
        "description": " ".join(route.doc.split()),
        "tags": [tag_of(route)],
        "scope": route.scope,
    }


def _doors(service: Service) -> list[EndpointShape]:
    """Addresses with protocols of their own, which are no routes: those that are open."""
    mcp = [] if service.mcp is None else [_door(mcp_door.PATH, "mcp", "any", "Speak MCP.")]
    if service.neighbours is None or service.neighbours.get("otlp") is None:
        return mcp
    from budget.neighbours.otel.receiver import PATHS  # loaded where it is on

    return mcp + [
        _door(path, "otlp", "spend", f"Send {signal} by OTLP.") for path, signal in PATHS.items()
    ]


def _door(path: str, tag: str, scope: str, about: str) -> EndpointShape:
    return {"path": path, "method": "POST", "description": about, "tags": [tag], "scope": scope}


def listed(upstreams: Mapping[str, Upstream]) -> list[UpstreamShape]:
    """The upstreams as they are told, without their keys."""
    return [
        {
            "name": upstream.name,
            "path": path_of(upstream.name, upstream.format.name),
            "base_url": upstream.base_url,
            "format": upstream.format.name,
            "provider": upstream.provider,
            "has_key": upstream.api_key is not None,
            "fallback": list(upstream.fallback),
        }
        for _, upstream in sorted(upstreams.items())
    ]


async def workflow(call: Call) -> Answered:
    """Answer another component that asks for work: there is none, for spending is asked for by
    calls.
    """
    purpose, dest = call.ask.get("purpose"), call.ask.get("dest")
    if purpose != CHECK_WORK:
        raise InvalidInput("purpose", "is not something to ask here.", [CHECK_WORK])
    if dest not in (None, COMPONENT):
        raise InvalidInput("dest", "is another component; this is budget.", [COMPONENT])
    payload = call.ask.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise InvalidInput("payload", "must be an object.")
    told: WorkflowShape = {
        "status": "success",
        "component": COMPONENT,
        "purpose": purpose,
        "work_available": False,
        "work_count": 0,
        "work_items": [],
        "message": "No work waits here.",
    }
    return Answered(told)
