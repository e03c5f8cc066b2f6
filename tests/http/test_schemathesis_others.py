"""Schemathesis finds nothing: prices, keys, alerts, channels and whatever else is described.

Not here: spending and its limits (`test_schemathesis.py`), and how it is run (`fuzzing.py`).
"""

from pathlib import Path

import pytest

from tests.http.fuzzing import IN_FAULTS, IN_TESTS, OTHERS, check, fuzz
from tests.http.storytelling import stage


def test_all_else_is_as_it_is_described(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_TESTS, only=OTHERS), OTHERS)


@pytest.mark.faults
def test_all_else_is_as_it_is_described_thousands_of_times(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        check(fuzz(service, IN_FAULTS, seed=20, only=OTHERS), OTHERS)
