"""Neighbour handlers: with whom the service is in touch, and answers that one of them adds to.

Not here: what is said to each (`budget.neighbours`).
"""

from budget.domain.shapes_neighbours import NeighboursShape
from budget.domain.wire.origins import origin
from budget.engine.callers import require_unbound
from budget.http.calls import Answered, Call
from budget.neighbours.company import listed


async def neighbours(call: Call) -> Answered:
    """All that Budget can speak with: whether each is on, and how it went the last time."""
    require_unbound(call.caller)
    told: NeighboursShape = {"items": listed(call.service.neighbours)}
    return Answered(told)


async def explain_alert(call: Call) -> Answered:
    """Say what an alert came from: which components, models, agents, sessions and keys spent what
    before it was raised, and the way that leads from it to the greatest of them.

    Where the service is in touch with a knowledge graph, `graph` is the way as that tells it; a key
    that is bound to attributes is answered from the books alone.
    """
    found = await call.run(call.jobs.explain_alert(*call.ids))
    company = call.service.neighbours
    athena = None if company is None else company.get("athena")
    if athena is not None and not call.caller.bound:
        from budget.neighbours.athena.athena import Athena
        from budget.neighbours.athena.trails import graphed

        assert isinstance(athena, Athena)
        found = found._replace(graph=await graphed(athena.line, found))
    return Answered(origin(found))
