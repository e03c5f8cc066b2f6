"""Neighbour handlers: with whom the service is in touch.

Not here: what is said to each (`budget.neighbours`).
"""

from budget.domain.shapes_neighbours import NeighboursShape
from budget.engine.callers import require_unbound
from budget.http.calls import Answered, Call
from budget.neighbours.company import listed


async def neighbours(call: Call) -> Answered:
    """All that Budget can speak with: whether each is on, and how it went the last time."""
    require_unbound(call.caller)
    told: NeighboursShape = {"items": listed(call.service.neighbours)}
    return Answered(told)
