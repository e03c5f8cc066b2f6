"""Routes of contexts, and of what use teaches of holds.

Not here: the open allocation of a context (`spending`).
"""

from typing import Final

from budget.domain import shapes
from budget.domain import shapes_contexts as context_shapes
from budget.domain.wire import contexts as wire
from budget.engine.jobs import Jobs
from budget.http import handlers, neighbours
from budget.http.calls import act
from budget.http.queries import SPAN, text
from budget.http.route import PAGED, V1, Route

_WHO: Final = {"component": text, "tier": text, "task_type": text}

CONTEXTS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/contexts", "read",
          act(Jobs.contexts, handlers.page_of(wire.context)), answer=shapes.PageShape,
          query={**_WHO, **PAGED, "since": text}),
    Route("GET", f"{V1}/contexts/{{context:path}}", "read", neighbours.context,
          answer=context_shapes.ContextInFullShape),
    Route("GET", f"{V1}/usage/efficiency", "read", act(Jobs.efficiency, wire.efficiencies),
          answer=context_shapes.EfficienciesShape,
          query={**_WHO, **SPAN, "context_id": text, "group_by": text}),
    Route("GET", f"{V1}/estimate/sizes", "read", act(Jobs.sizes, wire.sizes),
          answer=context_shapes.LearntSizesShape),
)  # fmt: skip
"""They come before the usage records: `efficiency` is none of these."""
