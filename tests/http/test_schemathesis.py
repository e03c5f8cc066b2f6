"""Schemathesis finds nothing: what the description tells is so, whatever is sent.

Its own engine sends examples, what covers each schema, chance and chains of calls, with every check
it has. Here: spending and its limits. Not here: the other operations, which lie in a file of
their own so that two workers share the time (`test_schemathesis_others.py`), and how it is run
(`fuzzing.py`).
"""

from pathlib import Path

import pytest

from tests.http.fuzzing import IN_FAULTS, IN_TESTS, SPENDING, check, fuzz
from tests.http.storytelling import stage


def test_spending_is_as_it_is_described(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_TESTS, only=SPENDING), SPENDING)


@pytest.mark.faults
def test_spending_is_as_it_is_described_thousands_of_times(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_FAULTS, seed=20, only=SPENDING), SPENDING)
