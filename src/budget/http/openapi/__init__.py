"""The description of the API, OpenAPI 3.1, made of the route table.

    describe(ROUTES)

Not here: the routes (`http.routes`), and the page that shows it (`http.docs_ui`).
"""

from collections.abc import Sequence
from typing import Any

from budget import __version__
from budget.http.openapi import problems
from budget.http.openapi.links import without_strays
from budget.http.openapi.operations import operation_of, template
from budget.http.openapi.schemas import Components
from budget.http.route import V1, Route

_INTRODUCTION = """Every model call asks Budget first, is allowed or refused, and reports what it
really used. Money is a decimal string in USD, times are RFC 3339 in UTC, a missing end is null.
Fields are told here in snake_case; requests may write them in camelCase too. Fields that are not
told are refused. A field that is null is as if left out."""


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """What the service answers to, by path and method."""
    components = Components()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = operation_of(route, tag_of(route), components)
        paths.setdefault(template(route.path), {})[route.method.lower()] = operation
    without_strays(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Budget",
            "version": __version__,
            "description": " ".join(_INTRODUCTION.split()),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(map(tag_of, routes))],
        "paths": paths,
        "components": {
            "responses": problems.responses(components),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "budget_session",
                    "description": "Of a browser that is logged in; its changes carry the header "
                    "X-CSRF-Token too. Under TLS its name begins with __Host-.",
                },
            },
            "schemas": components.schemas,
        },
    }  # fmt: skip


def tag_of(route: Route) -> str:
    """The group of a route: the first part of its path."""
    if not route.path.startswith("/api/"):
        return "service"
    if not route.path.startswith(V1):
        return "short paths"
    return route.path.removeprefix(f"{V1}/").partition("/")[0]
