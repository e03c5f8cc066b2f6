"""Call: a call to a model, as it came, and where it goes.

Not here: what is done with it (`passing`), and what it asks of the books (`case`).
"""

from typing import NamedTuple

from budget.gateway.formats.format import Asked, Target
from budget.gateway.incoming import Incoming, Words
from budget.gateway.upstreams import Upstream


class Route(NamedTuple):
    """Where a call goes: the upstreams to try, in their order, and the model's name there."""

    upstreams: tuple[Upstream, ...]
    model: str | None
    renamed: bool


class Call(NamedTuple):
    """A call to a model. `target.body` is there."""

    incoming: Incoming
    target: Target
    asked: Asked
    route: Route
    words: Words

    def asked_of(self, model: str | None) -> Asked:
        """What it asks for when it goes to this model."""
        asked = self.asked
        return asked if asked.model == model else asked._replace(model=model)
