"""Budget: the spending authority for systems built on language models.

from budget import AsyncBudget, Budget, Refusal
"""

from typing import TYPE_CHECKING, Any

from budget.version import __version__

if TYPE_CHECKING:
    from budget.domain.answers import Refusal
    from budget.domain.errors import BudgetRefused
    from budget.domain.facade import AsyncFacade, Facade
    from budget.engine.budget import AsyncBudget, Budget
    from budget.sdk.attributes import CarryingPool, attributes, carried
    from budget.sdk.connecting import configure, connect, connect_async
    from budget.sdk.holds import envelope, hold
    from budget.sdk.limited import limited
    from budget.sdk.tracking.client import track

__all__ = [
    "AsyncBudget",
    "AsyncFacade",
    "Budget",
    "BudgetRefused",
    "CarryingPool",
    "Facade",
    "Refusal",
    "__version__",
    "attributes",
    "carried",
    "configure",
    "connect",
    "connect_async",
    "envelope",
    "hold",
    "limited",
    "track",
]


_PLACES = {
    "AsyncBudget": "engine.budget",
    "AsyncFacade": "domain.facade",
    "Budget": "engine.budget",
    "BudgetRefused": "domain.errors",
    "CarryingPool": "sdk.attributes",
    "Facade": "domain.facade",
    "Refusal": "domain.answers",
    "attributes": "sdk.attributes",
    "carried": "sdk.attributes",
    "configure": "sdk.connecting",
    "connect": "sdk.connecting",
    "connect_async": "sdk.connecting",
    "envelope": "sdk.holds",
    "hold": "sdk.holds",
    "limited": "sdk.limited",
    "track": "sdk.tracking.client",
}


def __getattr__(name: str) -> Any:
    """What the package offers, loaded when asked for: `import budget` is quick."""
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"budget.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is there, and what would be loaded when asked for."""
    return sorted({*globals(), *__all__})
