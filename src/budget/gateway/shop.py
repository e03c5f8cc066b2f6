"""Shop: what all calls through a gateway share."""

from dataclasses import dataclass

from budget.engine.budget import AsyncBudget
from budget.gateway.holding import Tasks
from budget.gateway.learning import Outputs
from budget.gateway.sending import Sender
from budget.gateway.waiting import Room


@dataclass(frozen=True, slots=True)
class Shop:
    """The books, the connections to upstreams, who waits, what goes on, and what was learnt."""

    budget: AsyncBudget
    sender: Sender
    room: Room
    tasks: Tasks
    outputs: Outputs
