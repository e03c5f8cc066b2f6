"""Deployments: names that an operator gave to models, and which model each stands for, and when.

Not here: how they are read from a file (`own`), and what the model costs (`resolving`).
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable

from budget.prices.schedules import ALWAYS_US

MAX_STEPS: Final = 10
"""How many deployments may follow each other."""

Name = tuple[str | None, str]
"""A provider, or None for whichever, and a name, in lower case."""


class Deployment(NamedTuple):
    """In [from, until) the name stands for a model, of a provider if one is named."""

    provider: str | None
    model: str
    from_us: int = ALWAYS_US[0]
    until_us: int = ALWAYS_US[1]

    @property
    def text(self) -> str:
        """The model as a person reads it."""
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


Deployments = Mapping[Name, tuple[Deployment, ...]]
"""By the name as it is called, and the provider it is called under; those of a name never at once.
"""


@runtime_checkable
class Deploying(Protocol):
    """Own prices that come with deployments."""

    @property
    def deployments(self) -> Deployments:
        """Which names stand for which models."""
        ...


def deployed(deployments: Deployments, names: Iterable[Name]) -> tuple[Deployment, ...]:
    """What the first of the names that is a deployment stands for, over time."""
    for name in names:
        found = deployments.get(name)
        if found is not None:
            return found
    return ()


def loop_of(deployments: Deployments) -> Name | None:
    """A name that leads back to itself or too far, whatever the time; None if none does."""
    for start in deployments:
        reached = {start}
        for _ in range(MAX_STEPS):
            reached = {
                name
                for each in reached
                for target in deployments.get(each, ())
                for name in ((target.provider, target.model), (None, target.model))
                if name in deployments
            }
            if start in reached:
                return start
        if reached:
            return start
    return None
