"""What the clients have, they have with the parameters, the values and the words of the books.

A type checker holds both to the protocol `domain.acts.Acts`; what it does not see is tested here.
"""

import inspect
import subprocess
import sys

import pytest

from budget.client import AsyncClient, Client
from budget.client.calls import Calls
from budget.domain.acts import Acts
from budget.domain.facade import AsyncFacade, Facade
from budget.engine.budget import AsyncBudget, Budget
from budget.engine.jobs import Jobs

ACTS = [name for name in dir(Acts) if not name.startswith("_")]
FOUR: list[type[Facade | AsyncFacade]] = [Budget, Client, AsyncBudget, AsyncClient]


def both(jobs: Jobs, calls: Calls) -> list[Acts]:
    """Read by the type checker: both are the protocol."""
    return [jobs, calls]


def of_either(budget: Budget, client: Client) -> list[Facade]:
    """The same, of the facades."""
    return [budget, client]


@pytest.mark.parametrize(("made", "more"), [(Jobs, {"placing"}), (Calls, set[str]())])
def test_whoever_makes_acts_makes_these_and_no_others(made: type[object], more: set[str]) -> None:
    """`more` is for the gateway, in the same process: it prepares a hold and asks for it itself."""
    assert {name for name in dir(made) if not name.startswith("_")} == {*ACTS, *more}


@pytest.mark.parametrize("name", ACTS)
def test_a_method_takes_the_same_wherever_it_is(name: str) -> None:
    said = getattr(Acts, name)
    expected = [(one.name, one.kind, one.default) for one in _parameters(said)]
    for cls in (Jobs, Calls, Facade, AsyncFacade):
        found = [(one.name, one.kind, one.default) for one in _parameters(getattr(cls, name))]
        assert found == expected
    for facade in FOUR:
        assert getattr(facade, name).__doc__ == said.__doc__ is not None


def _parameters(method: object) -> list[inspect.Parameter]:
    assert callable(method)
    return list(inspect.signature(method).parameters.values())


def test_the_clients_are_what_the_books_are() -> None:
    assert issubclass(Budget, Facade) and issubclass(Client, Facade)  # noqa: PT018
    assert issubclass(AsyncBudget, AsyncFacade) and issubclass(AsyncClient, AsyncFacade)  # noqa: PT018
    waiting = {"queue", "answer"}  # for the gateway, which may stop to wait and wait again
    for kind, ours, more in (
        (Budget, Client, set[str]()),
        (AsyncBudget, AsyncClient, waiting),
    ):
        extra = {name for name in dir(kind) if not name.startswith("_")} ^ set(dir(ours))
        assert {name for name in extra if not name.startswith("_")} == {
            "open", "acting_as", "url", *more
        }  # fmt: skip


def test_the_client_brings_nothing_of_the_service_with_it() -> None:
    names = (
        "sqlalchemy", "starlette", "uvicorn", "genai_prices", "httpx2", "budget.engine",
        "budget.storage", "budget.http",
    )  # fmt: skip
    code = f"import sys, budget.client; sys.exit(str([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
