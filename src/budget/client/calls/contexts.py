"""Calls about contexts, and about what use teaches of holds."""

from typing import Unpack

from budget.client.reading import contexts as read
from budget.client.reading.parts import page
from budget.client.request import Request, at, get
from budget.domain.answers_contexts import Context, Efficiencies, LearntSize
from budget.domain.answers_pages import Page
from budget.domain.asks_reading import ContextsAsk, EfficiencyAsk


class ContextCalls:
    """The methods."""

    def contexts(self, **ask: Unpack[ContextsAsk]) -> Request[Page[Context]]:
        return get("/contexts", page(read.context), ask)

    def context(self, context_id: str) -> Request[Context]:
        return get(at("/contexts/{}", context_id), read.context)

    def efficiency(self, **ask: Unpack[EfficiencyAsk]) -> Request[Efficiencies]:
        asked = dict(ask)
        by = ask.get("group_by")
        if by is not None and not isinstance(by, str):
            asked["group_by"] = ",".join(by)
        return get("/usage/efficiency", read.efficiencies, asked, patient=True)

    def sizes(self) -> Request[list[LearntSize]]:
        return get("/estimate/sizes", read.sizes)
