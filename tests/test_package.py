"""The package itself: what it offers is seen, and loaded only when it is asked for."""

import subprocess
import sys

import budget
from tests.support.command import ROOT


def test_what_the_package_offers_is_listed() -> None:
    assert {"Budget", "AsyncBudget", "Refusal", "__version__"} <= set(dir(budget))
    for name in budget.__all__:
        assert getattr(budget, name) is not None


def test_looking_at_the_package_loads_its_version_alone() -> None:
    code = (
        "import sys, budget; dir(budget); "
        "print(sorted(name for name in sys.modules if name.startswith('budget.')))"
    )
    heard = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )  # fmt: skip
    assert heard.stdout == "['budget.version']\n"
