"""Neighbour handlers: with whom the service is in touch, and answers that one of them adds to.

Not here: what is said to each (`budget.neighbours`).
"""

from typing import TYPE_CHECKING

from budget.domain.shapes_contexts import ApolloShape
from budget.domain.shapes_neighbours import NeighboursShape
from budget.domain.windows import to_rfc3339
from budget.domain.wire.contexts import context_in_full, prediction, seen_context
from budget.domain.wire.origins import origin
from budget.engine.callers import require_unbound
from budget.http.calls import Answered, Call
from budget.neighbours.company import listed

if TYPE_CHECKING:
    from budget.neighbours.apollo.seen import Seen


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
        found = found._replace(graph=await graphed(athena.line, found, athena.contact))
    return Answered(origin(found))


async def context(call: Call) -> Answered:
    """One context, with what it used by attributes, and its newest calls.

    Where the service is in touch with Apollo, `apollo` is what that sees of it, and `predictions`
    what it predicts; a key that is bound to attributes is answered from the books alone.
    """
    found = await call.run(call.jobs.context(*call.ids))
    seen = None if call.caller.bound else _seen(call)
    if seen is not None:
        found = found._replace(
            seen=seen.contexts.get(found.session), predictions=seen.predictions_of(found.session)
        )
    return Answered(context_in_full(found))


async def apollo(call: Call) -> Answered:
    """What Apollo saw of contexts and predicted of them when it was asked last; nothing where it is
    off.
    """
    require_unbound(call.caller)
    seen = _seen(call)
    told: ApolloShape = {"read_at": None, "contexts": [], "predictions": []}
    if seen is not None and seen.read_us is not None:
        told = {
            "read_at": to_rfc3339(seen.read_us),
            "contexts": [seen_context(one) for one in seen.contexts.values()],
            "predictions": [prediction(one) for one in seen.predictions],
        }
    return Answered(told)


def _seen(call: Call) -> "Seen | None":
    """What Apollo saw; None where it is off."""
    company = call.service.neighbours
    one = None if company is None else company.get("apollo")
    if one is None:
        return None
    from budget.neighbours.apollo.neighbour import Apollo

    assert isinstance(one, Apollo)
    return one.seen
