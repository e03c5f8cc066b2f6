"""Getting started says what comes of each step, and works for who comes from the README too."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.journeys.conftest import serving
from tests.support.command import ROOT
from tests.support.markdown import shell_script

GUIDE = ROOT / "docs" / "guide" / "getting-started.md"


def answers(user: dict[str, str], address: str) -> list[dict[str, Any]]:
    """What each `curl` of the guide was answered."""
    heard = subprocess.run(
        ["bash", "-c", shell_script(GUIDE, address)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=user, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stdout
    return [json.loads(line) for line in re.findall(r"^\{.*\}$", heard.stdout, re.MULTILINE)]


def check_answers(told: list[dict[str, Any]]) -> None:
    """Each step came out as the guide says."""
    held, receipt, check = told
    # 1,200 x 2.50 + 300 x 10.00 and 1,200 x 2.50 + 180 x 10.00 USD per million
    assert (held["status"], held["reserved"]["usd"]) == ("open", "0.006")
    assert receipt["cost"] == "0.0048"
    assert check["allowed"] is False
    # 2,000 x 2.50 + 500 x 10.00 per million is 0.01; 0.0048 of the cent are spent
    assert check["budget"] == "Default Budget"
    assert (check["requested"], check["spent"], check["limit"]) == ("0.01", "0.0048", "0.01")
    assert check["shortfall"] == "0.0048"
    assert check["resets_at"] is not None


def test_each_step_comes_out_as_the_guide_says(user: dict[str, str], address: str) -> None:
    check_answers(answers(user, address))


def test_after_the_readme_it_works_on_a_ledger_of_its_own(
    user: dict[str, str], address: str, tmp_path: Path
) -> None:
    readme = "export BUDGET_KEY=$(budget key); budget set-limit monthly 0 --hard --name Sample; env"
    heard = subprocess.run(
        ["bash", "-c", readme], capture_output=True, text=True, env=user, check=True
    )
    left = dict(line.split("=", 1) for line in heard.stdout.splitlines() if "BUDGET_KEY=" in line)
    assert left, "the shell has the key of the ledger that is used up"
    with serving(user, "--target", f"sqlite:///{tmp_path}/first-steps.db") as other:
        assert other != address
        check_answers(answers({**user, **left}, other))
