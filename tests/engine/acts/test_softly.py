"""A soft limit with a ladder: past its action threshold a hold yields, where its way says so."""

import msgspec
import pytest

from budget import Budget
from budget.domain.answers import Allocation, Refusal
from budget.domain.ladders import Ladder
from budget.engine.commands import Place, Way
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from tests.engine.opened import Clock, open_books


def placed(books: Budget, way: Way | None, *, tentative: bool = False) -> Allocation | Refusal:
    """A hold of one request that goes this way."""
    job = Jobs(books.books).allocate(requests=1)
    assert isinstance(job.command, Place)
    command = msgspec.structs.replace(job.command, way=way, tentative=tentative)
    return books.run(Job(command, finish=job.finish))


@pytest.mark.parametrize("enforcement", ["warn", "ignore", "soft_limit", "hard_limit"])
def test_below_the_threshold_and_of_other_limits_nothing_yields(
    light_url: str, clock: Clock, enforcement: str
) -> None:
    with open_books(light_url, clock) as books:
        books.create_budget(
            name="B",
            policies=[
                {"unit": "requests", "period": "daily", "limit": 2, "enforcement": enforcement}
            ],
            degrade=["smaller"],
        )
        assert isinstance(placed(books, Way("yield")), Allocation)
        assert isinstance(placed(books, Way("yield")), Allocation)
        third = placed(books, Way("yield"))
        assert isinstance(third, Refusal) == (enforcement in ("soft_limit", "hard_limit"))


def test_what_yields_holds_nothing_and_counts_only_when_it_is_the_last_word(
    light_url: str, clock: Clock
) -> None:
    with open_books(light_url, clock) as books:
        made = books.create_budget(
            name="B",
            policies=[
                {"unit": "requests", "period": "daily", "limit": 1, "enforcement": "soft_limit"}
            ],
            degrade=["smaller", "refuse"],
        )
        assert isinstance(placed(books, Way("yield")), Allocation)
        yielded = placed(books, Way("yield"), tentative=True)
        assert isinstance(yielded, Refusal)
        assert yielded.ladder == Ladder(made.budget_id, ("smaller", "refuse"), is_hard=False)
        assert yielded.resets_us is not None
        assert not books.events(kind="refused").items
        assert isinstance(placed(books, Way("refuse")), Refusal)
        assert len(books.events(kind="refused").items) == 1
        went = placed(books, Way("pass", {"step": "smaller"}, made.budget_id))
        assert isinstance(went, Allocation)
        (event,) = books.events(kind="degraded").items
        assert (event.allocation_id, event.budget_id) == (went.allocation_id, made.budget_id)
        assert isinstance(placed(books, None), Allocation)  # who knows no ladder is not held up
        assert books.books.ledger.meter.decisions["allocate", "tentative"] == 1
        assert books.books.ledger.meter.decisions["allocate", "refused"] == 1
        (balance,) = books.status()
        assert balance.reserved == 3
        assert books.verify().count == 0
