"""Budget: the spending authority for systems built on language models.

from budget import AsyncBudget, Budget, Refusal
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget.domain.answers import Refusal
    from budget.engine.budget import AsyncBudget, Budget

__all__ = ["AsyncBudget", "Budget", "Refusal", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The facades and what they may answer, loaded when asked for: `import budget` is quick."""
    if name in ("AsyncBudget", "Budget"):
        from budget.engine import budget as facade

        return getattr(facade, name)
    if name == "Refusal":
        from budget.domain.answers import Refusal

        return Refusal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is there, and what would be loaded when asked for."""
    return sorted({*globals(), *__all__})
