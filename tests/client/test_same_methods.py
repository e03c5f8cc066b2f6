"""What the clients have, they have with the parameters and the values of the books."""

import inspect
import subprocess
import sys
from typing import get_args, get_type_hints

import pytest

from budget.client import AsyncClient, Client
from budget.client.calls import Calls
from budget.engine.jobs import Jobs

METHODS = [name for name in dir(Calls) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_and_tells_the_same(name: str) -> None:
    job, call = getattr(Jobs, name), getattr(Calls, name)
    hints, told = get_type_hints(job), get_type_hints(call)
    assert get_args(hints.pop("return")) == get_args(told.pop("return"))
    for one in (hints, told):
        one.pop("book", None)  # a price book, which a client knows only to say that it cannot
    assert sorted(map(str, hints.values())) == sorted(map(str, told.values()))
    ours, theirs = inspect.signature(call).parameters, inspect.signature(job).parameters
    assert [(one.kind, one.default) for one in ours.values()] == [
        (one.kind, one.default) for one in theirs.values()
    ]
    assert inspect.signature(getattr(Client, name)) == inspect.signature(call)
    assert inspect.signature(getattr(AsyncClient, name)) == inspect.signature(call)


def test_the_client_brings_nothing_of_the_service_with_it() -> None:
    names = (
        "sqlalchemy", "starlette", "uvicorn", "genai_prices", "httpx2", "budget.engine",
        "budget.storage", "budget.http",
    )  # fmt: skip
    code = f"import sys, budget.client; sys.exit(str([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
