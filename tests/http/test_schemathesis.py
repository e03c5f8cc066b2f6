"""Schemathesis finds nothing: what the description tells is so, whatever is sent.

Its own engine sends examples, what covers each schema, chance and chains of calls, with every check
it has. Not here: how it is run (`fuzzing.py`).
"""

from pathlib import Path

import pytest

from budget.http.routes import ROUTES
from tests.http.fuzzing import Found, fuzz
from tests.http.storytelling import stage

IN_TESTS = 200
"""Examples an operation in `make test`."""
IN_FAULTS = 5_000


def check(found: Found) -> None:
    """Nothing was found, and every operation was sent something that was accepted."""
    told = [f"### {label}\n{words}" for label, words in found.failures.items()]
    assert not told, "\n\n".join(told[:20])
    assert not found.errors, "\n".join(found.errors[:20])
    assert len(found.requests) == len(ROUTES)


def test_every_operation_is_as_it_is_described(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_TESTS))


@pytest.mark.faults
def test_every_operation_is_as_it_is_described_thousands_of_times(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_FAULTS, seed=20))
