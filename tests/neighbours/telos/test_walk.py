"""A long walk: people change both sides at random while Telos fails, and all comes into step."""

import random
from typing import Any

import pytest

from budget.neighbours.calling import Unanswered
from budget.neighbours.telos.requirements import read_requirement, read_terms
from tests.fakes.tekton.component import BROKEN, GARBAGE, Asked, Told
from tests.neighbours.telos.conftest import HARD, Beside

pytestmark = pytest.mark.anyio


FIFTY: Any = {**HARD, "limit": "50"}


class Walk:
    """Steps of people and of trouble, by chance."""

    def __init__(self, beside: Beside, seed: int) -> None:
        self.beside = beside
        self.chance = random.Random(seed)
        self.ours: dict[str, int] = {}
        """The hard limit that was last chosen here, in USD, of each budget of ours."""

    def limit(self) -> Any:
        return {**HARD, "limit": str(self.chance.randint(1, 99)),
                "period": self.chance.choice(["daily", "monthly"])}  # fmt: skip

    def step(self) -> None:
        """One thing that somebody does."""
        self.chance.choice([
            self.require, self.change_there, self.change_there, self.change_here, self.change_here,
            self.delete_there, self.archive_here, self.ask_from_here, self.mistake,
        ])()  # fmt: skip

    def there(self) -> dict[str, Any]:
        found: dict[str, Any] = self.beside.fake.projects[self.beside.project]["requirements"]
        return found

    def require(self) -> None:
        self.beside.limit(self.limit(), title=f"Theirs {len(self.there())}")

    def change_there(self) -> None:
        if self.there():
            self.beside.change(self.chance.choice(sorted(self.there())), self.limit())

    def mistake(self) -> None:
        if self.there():
            self.beside.change(self.chance.choice(sorted(self.there())), {"limit": "lots"})

    def delete_there(self) -> None:
        if self.there():
            del self.there()[self.chance.choice(sorted(self.there()))]

    def change_here(self) -> None:
        if not self.beside.budgets():
            return
        budget, usd = self.chance.choice(self.beside.budgets()), self.chance.randint(1, 99)
        policy = self.chance.choice(budget.live_policies)
        self.beside.books.change_policy(policy.policy_id, limit=str(usd))
        if budget.budget_id in self.ours and policy.calendar.period.text == "monthly":
            self.ours[budget.budget_id] = usd

    def archive_here(self) -> None:
        if self.beside.budgets():
            gone = self.chance.choice(self.beside.budgets()).budget_id
            self.beside.books.archive_budget(gone)
            self.ours.pop(gone, None)

    def ask_from_here(self) -> None:
        made = self.beside.books.create_budget(
            name=f"Ours {len(self.ours)}", policies=[FIFTY],
            metadata={"telos": {"project": self.beside.project}},
        )  # fmt: skip
        self.ours[made.budget_id] = 50

    async def trouble(self) -> None:
        """A round in which some request fails, or its answer is lost."""
        component = self.beside.fake.component
        answer, left = component.answer, self.chance.randint(1, 12)

        def failing(asked: Asked) -> Told:
            nonlocal left
            left -= 1
            if left:
                return answer(asked)
            if self.chance.random() < 0.5:
                answer(asked)
            return self.chance.choice([BROKEN, GARBAGE])(asked)

        component.answer = failing
        try:
            await self.beside.look()
        except Unanswered:
            pass
        finally:
            component.answer = answer

    def check(self) -> None:
        """All is in step."""
        live = self.beside.budgets()
        made_for = [(one.metadata["telos"].get("requirement"), one) for one in live]
        named = [of for of, _ in made_for if of is not None]
        assert len(named) == len(set(named))
        assert set(named) <= set(self.there())
        by_id = {one.budget_id: one for one in live}
        for requirement, told in self.there().items():
            metadata = told["metadata"]
            if metadata.get("budget_error") or metadata.get("budget_state") != "in force":
                continue
            read = read_requirement(self.beside.project, told)
            assert read is not None
            budget = by_id[metadata["budget_id"]]
            ours = {(one.unit, one.calendar.period.text): (one.limit, one.enforcement)
                    for one in budget.live_policies}  # fmt: skip
            assert dict(read_terms(read).limits) == ours, requirement
        for budget_id, usd in self.ours.items():
            limits = [one.limit for one in by_id[budget_id].live_policies
                      if one.calendar.period.text == "monthly"]  # fmt: skip
            assert limits
            assert max(limits) <= usd * 10**9  # never looser than it was chosen here


async def walk(beside: Beside, seed: int, steps: int) -> None:
    one = Walk(beside, seed)
    for _ in range(steps):
        for _ in range(one.chance.randint(1, 3)):
            one.step()
        if one.chance.random() < 0.5:
            await one.trouble()
        for _ in range(3):
            await beside.look()
        one.check()
        writes = len(beside.fake.writes())
        await beside.look()
        assert len(beside.fake.writes()) == writes


async def test_both_sides_come_into_step(beside: Beside) -> None:
    await walk(beside, seed=1, steps=10)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 12))
async def test_both_sides_come_into_step_a_hundred_times(beside: Beside, seed: int) -> None:
    await walk(beside, seed, steps=100)
