"""Shop: what all calls through a gateway share."""

from dataclasses import dataclass, field

from budget.engine.budget import AsyncBudget
from budget.gateway.breaking import Breakers
from budget.gateway.capping import Unspent
from budget.gateway.holding import Tasks
from budget.gateway.learning import Outputs
from budget.gateway.loops import Loops
from budget.gateway.ratios import Ratios
from budget.gateway.runs import Runs
from budget.gateway.sending import Sender
from budget.gateway.waiting import Room
from budget.gateway.works import Works, no_works


@dataclass(frozen=True, slots=True)
class Shop:
    """The books, the connections to upstreams, who waits, what goes on, what was learnt, which
    upstreams fail, and what has begun there that they go on with by themselves.
    """

    budget: AsyncBudget
    sender: Sender
    room: Room
    tasks: Tasks
    outputs: Outputs
    breakers: Breakers
    unspent: Unspent = field(default_factory=Unspent)
    ratios: Ratios = field(default_factory=Ratios)
    runs: Runs = field(default_factory=Runs)
    loops: Loops = field(default_factory=Loops)
    works: Works = field(default_factory=no_works)
