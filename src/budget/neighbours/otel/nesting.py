"""Nesting: spans of calls that lie around other such spans, whose usage would count twice.

A framework and the client beneath it may both tell of one call; the innermost counts. A span ends
before the one around it, so it comes before it or with it. Not here: what is a call (`spans`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from budget.neighbours.otel.spans import Span

MAX_KEPT: Final = 50_000

Place = tuple[str, str]
"""A trace id and a span id."""


class Wrappers:
    """The spans that lie around calls that were counted; the newest are remembered.

    Each sender has its own: nobody can say of another's spans that they lie around something.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Place], None] = {}

    def of(self, actor: str, spans: Sequence[Span], counted: Iterable[Span]) -> set[Place]:
        """The places, among those of `spans`, around what was counted now or before."""
        above = {(span.trace_id, span.span_id): span.parent_id for span in spans}
        found: set[Place] = set()
        kept = self._kept
        if kept:
            for place in above:
                if (actor, place) in kept:
                    found.add(place)
                    self._climb(place, above, found)
        for span in counted:
            self._climb((span.trace_id, span.span_id), above, found)
        for place in found:
            kept[actor, place] = None
        while len(kept) > MAX_KEPT:
            del kept[next(iter(kept))]
        return found

    def _climb(self, place: Place, above: dict[Place, str], found: set[Place]) -> None:
        """Add all places above one, as far as they are known; and the first that is not."""
        trace_id, _ = place
        parent_id = above.get(place)
        while parent_id:
            place = (trace_id, parent_id)
            if place in found:
                return
            found.add(place)
            parent_id = above.get(place)
