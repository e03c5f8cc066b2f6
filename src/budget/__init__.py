"""Budget: the spending authority for systems built on language models.

from budget import Budget, AsyncBudget
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget.engine.budget import AsyncBudget, Budget

__all__ = ["AsyncBudget", "Budget", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The facades, loaded when first asked for: `import budget` alone stays quick."""
    if name in ("AsyncBudget", "Budget"):
        from budget.engine import budget as facade

        return getattr(facade, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
