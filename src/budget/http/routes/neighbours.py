"""Routes of neighbours."""

from typing import Final

from budget.domain.shapes_contexts import ApolloShape
from budget.domain.shapes_neighbours import NeighboursShape
from budget.http import neighbours
from budget.http.route import V1, Route

NEIGHBOURS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/neighbours", "manage", neighbours.neighbours, answer=NeighboursShape),
    Route("GET", f"{V1}/neighbours/apollo", "manage", neighbours.apollo, answer=ApolloShape),
)
