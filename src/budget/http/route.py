"""A route: method, path, the right a key needs, who handles it, what goes in and what comes out.

Not here: which routes there are (`routes`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from budget.http.calls import Handler
from budget.http.queries import Parameter, count, text

Scope = Literal["open", "any", "read", "spend", "manage", "admin", "audit"]
"""The right that a route needs.

`open` none, not even a key; `any` no more than a key; `read` to see, `spend` to hold and record,
`manage` for budgets, prices and what people are told, `audit` for the log and the proof of the
books, `admin` for keys and settings. A key with `admin` has every right.
"""

SCOPES: Final = ("open", "any", "read", "spend", "manage", "admin", "audit")

V1: Final = "/api/v1"

PAGED: Final[Mapping[str, Parameter]] = {"limit": count, "cursor": text}


class Nothing(TypedDict):
    """No body."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. `fields`: those a body may have.

    What answers an object or a page to GET also takes which `fields` of it to tell.
    """

    method: str
    path: str
    scope: Scope
    handle: Handler
    ask: type = Nothing
    answer: Any = None
    status: int = 200
    query: Mapping[str, Parameter] = field(default_factory=dict)
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", frozenset(self.ask.__annotations__))
        if self.method == "GET" and self.answer is not None:
            kind = type(self.query) if isinstance(self.query, dict) else dict
            object.__setattr__(self, "query", kind({**self.query, "fields": text}))

    @property
    def doc(self) -> str:
        """What it does, in the words of the act."""
        return self.handle.__doc__ or ""


def check_routes(routes: Sequence[Route]) -> None:
    """Fail the start if a route has no right, no words, or a path that is there already."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        name = f"{route.method} {route.path}"
        if route.scope not in SCOPES:
            raise ValueError(f"{name} says not who may call it")
        if route.scope == "open" and route.path.startswith("/api/"):
            raise ValueError(f"{name} would be open to everybody")
        if not route.doc:
            raise ValueError(f"{name} says not what it does")
        if (route.method, route.path) in seen:
            raise ValueError(f"{name} is there twice")
        seen.add((route.method, route.path))
