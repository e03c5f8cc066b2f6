"""The documents hold: their links lead somewhere, and what they say can be typed works.

Blocks marked `sh` in docs/ are run in order, each document in a shell and a home of its own, with a
service beside it; blocks marked `python` are run in order too, in one process for each document.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import ROOT
from tests.support.markdown import blocks, links, shell_script

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
)
GUIDES = [file for file in DOCUMENTS if file.is_relative_to(ROOT / "docs")]


def name(file: Path) -> str:
    """A document as it is called in the repository."""
    return str(file.relative_to(ROOT))


def anchor(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_link_within_the_repository_leads_somewhere(file: Path) -> None:
    for link in links(file):
        path, _, part = link.partition("#")
        to = (file.parent / path).resolve() if path else file
        assert to.exists(), f"{name(file)} points to {link}"
        if part:
            headings = re.findall(r"^#+ (.+)$", to.read_text(), re.MULTILINE)
            assert part in map(anchor, headings), f"{name(file)} points to {link}"


@pytest.mark.parametrize("file", [f for f in GUIDES if blocks(f, "sh")], ids=name)
def test_the_commands_of_a_guide_work(file: Path, user: dict[str, str], address: str) -> None:
    heard = subprocess.run(
        ["bash", "-c", shell_script(file, address)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=user, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stdout
    assert '"status":4' not in heard.stdout.replace('"status":402', ""), heard.stdout
    assert '"status":5' not in heard.stdout, heard.stdout


@pytest.mark.parametrize("file", [f for f in GUIDES if blocks(f, "python")], ids=name)
def test_the_programs_of_a_guide_run(file: Path, user: dict[str, str], tmp_path: Path) -> None:
    program = "\n".join(block.text for block in blocks(file, "python"))
    heard = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, env=user, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stderr
