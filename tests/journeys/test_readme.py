"""What the README says can be typed works as it stands there: in one shell, from an empty home.

The blocks marked `sh` are run in order against a real service; only the port differs, since another
service may have 8013. The blocks marked `python` are run too. `bash` marks what is not run here.
Each program starts as it does for people; the other journeys save that time.
"""

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from tests.journeys.conftest import serving
from tests.support.command import ROOT
from tests.support.markdown import blocks, shell_script

README = ROOT / "README.md"
TRUE_COST = "8.033474400"


def run_blocks(user: dict[str, str], address: str) -> list[str]:
    """What each `sh` block of the README printed, both outputs together."""
    heard = subprocess.run(
        ["bash", "-c", shell_script(README, address)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=user, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stdout
    return re.split(r"^=== line \d+\n", heard.stdout, flags=re.MULTILINE)[1:]


def test_the_commands_of_the_readme_do_what_it_says(cold_user: dict[str, str]) -> None:
    with serving(cold_user) as address:
        said = run_blocks(cold_user, address)
    _, created, first, second, refused, limited = said

    budget = json.loads(created)
    assert budget["name"] == "Sample"
    assert budget["policies"][0]["enforcement"] == "hard_limit"

    # All of the trace fits, and the books have its true cost to the nano.
    assert re.search(r"^admitted +2,000$", first, re.MULTILINE)
    assert re.search(r"^refused +0$", first, re.MULTILINE)
    assert first.count(f"{TRUE_COST} USD") == 2
    assert "agree to the nano-USD" in first
    assert re.search(
        r"^Sample +monthly +usd +8\.0334744 +0\.00 +0\.00 +10\.00 ", first, re.MULTILINE
    )
    assert "The books add up" in first

    # The second time the money runs out; what was admitted is within the limit.
    named = re.search(
        r"^Sample, monthly usd hard_limit, refused ([\d,]+) calls\.", second, re.MULTILINE
    )
    assert named is not None
    assert "agree to the nano-USD" in second
    assert "none" in second
    spent = re.search(
        r"^Sample +monthly +usd +([\d.]+) +0\.00 +0\.00 +10\.00 ", second, re.MULTILINE
    )
    assert spent is not None
    cost = re.search(r"^true cost of what was settled +([\d.]+) USD$", second, re.MULTILINE)
    assert cost is not None
    assert Decimal(spent[1]) == Decimal(TRUE_COST) + Decimal(cost[1]) <= 10
    assert "The books add up" in second

    problem = json.loads(refused)
    assert (problem["status"], problem["code"]) == (402, "over_limit")
    assert (problem["budget"], problem["policy"]) == ("Sample", "monthly usd hard_limit")
    assert (problem["limit"], problem["spent"]) == ("10.00", spent[1])
    # 20,000 x 2.50 + 4,000 x 10.00 per million
    assert problem["requested"] == "0.09"
    assert Decimal(problem["shortfall"]) == Decimal("0.09") - (10 - Decimal(spent[1]))
    assert problem["resets_at"]
    assert "/top-ups" in problem["how_to_raise"]

    assert "Created 'Default Budget (component code)'" in limited
    assert re.search(
        r"^Default Budget \(component code\) +daily +usd +0\.00 ", limited, re.MULTILINE
    )


def test_the_programs_of_the_readme_run(cold_user: dict[str, str], tmp_path: Path) -> None:
    told = []
    for block in blocks(README, "python"):
        heard = subprocess.run(
            [sys.executable, "-c", block.text],
            capture_output=True, text=True, env=cold_user, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert heard.stderr == ""
        told.append(heard.stdout)
    # 1,200 x 2.50 + 180 x 10.00 USD per million
    assert told == ["4800000 nano-USD\n", ""]
    assert (tmp_path / "budget.db").exists()
