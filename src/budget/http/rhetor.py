"""Rhetor handlers: the models that it has, and which of them may be called.

Not here: what is said to it (`budget.neighbours.rhetor`).
"""

from collections import Counter
from typing import TYPE_CHECKING, Final

from budget.domain.errors import NotFound
from budget.domain.shapes_rhetor import RhetorModelsShape, SelectionShape
from budget.domain.windows import to_rfc3339
from budget.domain.wire.routing import routing
from budget.engine.callers import require_unbound
from budget.http.calls import Answered, Call, with_key

if TYPE_CHECKING:
    from budget.neighbours.rhetor.rhetor import Rhetor

NAME: Final = "rhetor"


async def models(call: Call) -> Answered:
    """The models that Rhetor has, each with the price that it has here."""
    require_unbound(call.caller)
    rhetor = _rhetor(call)
    told: RhetorModelsShape = {
        "state": "off", "read_at": None, "total": 0, "providers": {}, "unpriced": [],
        "assignments": {}, "items": [],
    }  # fmt: skip
    if rhetor is not None:
        from budget.neighbours.rhetor.catalogue import shape_of

        found = await rhetor.models()
        told = {
            "state": rhetor.contact.state,
            "read_at": None if rhetor.read_us is None else to_rfc3339(rhetor.read_us),
            "total": len(found),
            "providers": dict(sorted(Counter(one.model.provider for one in found).items())),
            "unpriced": [one.model.model_id for one in found if one.rates is None],
            "assignments": rhetor.assignments,
            "items": [shape_of(one) for one in found],
        }
    return Answered(told)


async def select(call: Call) -> Answered:
    """Ask Rhetor which model it would take for a component, and say which may be called."""
    from budget.neighbours.rhetor.selecting import capability_of

    capability = capability_of(call.ask)
    rhetor = _rhetor(call)
    if rhetor is None:
        raise NotFound("neighbour", NAME, "Rhetor is off: BUDGET_RHETOR_URL is not set.")
    budget = call.service.budget.acting_as(call.caller)
    selected, found = await rhetor.select(budget, with_key(call), capability)
    told: SelectionShape = {
        "selected": {
            "model_id": selected.model_id,
            "provider": selected.provider,
            "name": selected.name,
            "context_window": selected.context_window,
            "max_output": selected.max_output,
        },
        "routing": routing(found),
    }
    return Answered(told)


def _rhetor(call: Call) -> "Rhetor | None":
    company = call.service.neighbours
    found = None if company is None else company.get(NAME)
    if found is None:
        return None
    from budget.neighbours.rhetor.rhetor import Rhetor

    assert isinstance(found, Rhetor)
    return found
