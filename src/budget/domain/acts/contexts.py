"""Acts about contexts, and about what use teaches of holds.

Not here: how they are done (`engine.contexts`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_contexts import Context, Efficiencies, LearntSize
from budget.domain.answers_pages import Page
from budget.domain.asks_reading import ContextsAsk, EfficiencyAsk


class ContextActs(Protocol):
    """The methods."""

    def contexts(self, **ask: Unpack[ContextsAsk]) -> Act[Page[Context]]:
        """Contexts, which are sessions, by name: what each used of what it was allocated, when it
        is used up at its pace, and what would help.
        """

    def context(self, context_id: str) -> Act[Context]:
        """One context, with what it used by attributes, and its newest calls."""

    def efficiency(self, **ask: Unpack[EfficiencyAsk]) -> Act[Efficiencies]:
        """Say how many of the tokens that were held settled calls used, by some attributes.

        By component, tier and type of task, of the last 30 days, unless asked otherwise.
        """

    def sizes(self) -> Act[list[LearntSize]]:
        """Say how many tokens settled calls teach to hold, by component, type of task and family of
        models, and why.
        """
