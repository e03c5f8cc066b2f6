"""Rhetor as a neighbour: its models and its figures are read now and then, and kept in memory.

Not here: what is made of them (`catalogue`, `figures`), and choosing (`selecting`).
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final

from budget.domain.errors import InvalidInput
from budget.engine.budget import AsyncBudget
from budget.neighbours.calling import Line, Unanswered, noting, read_address
from budget.neighbours.known import Setup
from budget.neighbours.neighbour import Neighbour
from budget.neighbours.rhetor import figures, selecting
from budget.neighbours.rhetor.catalogue import (
    ASSIGNMENTS,
    DEFAULTS,
    PATH,
    Assignments,
    PricedModel,
    RhetorModel,
    assignments_in,
    models_in,
    priced,
)

NAME: Final = "rhetor"
SETTING: Final = "BUDGET_RHETOR_URL"
FORMER: Final = "RHETOR_API_URL"
POLL: Final = "BUDGET_RHETOR_POLL_SECONDS"
DEFAULT_POLL_SECONDS: Final = 300
MAX_POLL_SECONDS: Final = 86_400


class Rhetor(Neighbour):
    """Rhetor at one address. `read_us` is when its models were read last; None: not yet."""

    name = NAME

    def __init__(self, setup: Setup) -> None:
        self.address = read_address(setup.env, SETTING, FORMER, port=8003)
        super().__init__()
        self._poll_seconds = read_poll_seconds(setup.env)
        self._budget = setup.budget
        self._line = Line(NAME, self.address)
        self._models: tuple[RhetorModel, ...] = ()
        self.assignments: Assignments = {}
        self.read_us: int | None = None

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._read_models()
            await self._compare()
            await asyncio.sleep(self._poll_seconds)

    async def leave(self) -> None:
        """Hang up; Rhetor need not be told."""
        await self._line.close()

    async def models(self) -> tuple[PricedModel, ...]:
        """Its models at the prices of now; read if they never were. Unanswered if that fails."""
        if self.read_us is None:
            with noting(self.contact):
                await self._read_models()
        return self._priced()

    def assigned(self, component: str, capability: str) -> str | None:
        """The id of the model that it has assigned to a component for a capability, as was read
        last; None where there is none, or it is not one that it has.
        """
        groups = (self.assignments.get(name, {}) for name in (component, DEFAULTS))
        name = next((group[capability] for group in groups if capability in group), None)
        return next(
            (one.model_id for one in self._models if name in (one.model_id, *one.aliases)), None
        )

    async def select(
        self, budget: AsyncBudget, ask: Mapping[str, Any], capability: str
    ) -> selecting.Selection:
        """What it would choose, and what may be called; `budget` acts for whoever asks. The ask
        was read by `capability_of`.
        """
        with noting(self.contact):
            selected = await selecting.selected_by(self._line, ask, capability)
        models = await self.models()
        return await selecting.select(selected, models, budget, ask, capability)

    async def _read_models(self) -> None:
        self._models = models_in(await self._line.ask("GET", PATH))
        with contextlib.suppress(Unanswered):  # the models are of use without them
            self.assignments = assignments_in(await self._line.ask("GET", ASSIGNMENTS))
        self.contact.went_well()
        self.read_us = self.contact.last_contact_us
        unpriced = sum(one.rates is None for one in self._priced())
        self.contact.note(models=len(self._models), models_without_price=unpriced)

    async def _compare(self) -> None:
        """Compare what it says of today with the books; its models are of use without that."""
        try:
            told = await figures.told_by(self._line)
        except Unanswered as error:
            self.contact.note(usage_today=error.detail, imported_today=None, drift=None)
            return
        books = await figures.imported(self._budget)
        self.contact.note(
            usage_today=told.text, imported_today=books.text, drift=figures.drift(told, books)
        )

    def _priced(self) -> tuple[PricedModel, ...]:
        books = self._budget.books
        return priced(self._models, books.prices, books.database.now_us())


def read_poll_seconds(env: Mapping[str, str]) -> int:
    """How long to wait before it is read again."""
    text = env.get(POLL) or str(DEFAULT_POLL_SECONDS)
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_POLL_SECONDS:
        raise InvalidInput(POLL, f"must be 1 to {MAX_POLL_SECONDS} seconds.")
    return int(text)
