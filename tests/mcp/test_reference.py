"""The reference has all that models are told; serving without the protocol costs nothing of it."""

import re
import subprocess
import sys
from pathlib import Path

from budget.mcp.messages import REPLIES
from budget.mcp.prompts import PROMPTS
from budget.mcp.resources import STATUS, TEMPLATES
from budget.mcp.tools import TOOLS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "mcp.md").read_text()
QUOTED = set(re.findall(r"`([^`]+)`", DOCUMENT))
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in DOCUMENT.splitlines()]


def test_the_reference_has_every_tool_with_its_names_its_right_and_what_it_needs() -> None:
    told = {tuple(row[:3]) for row in ROWS if len(row) == 4 and row[0].startswith("`budget_")}
    assert told == {
        (
            ", ".join(f"`{name}`" for name in (one.name, one.former) if name),
            one.right,
            ", ".join(f"`{field.name}`" for field in one.fields if field.required) or "nothing",
        )
        for one in TOOLS
    }


def test_the_reference_has_every_resource_prompt_and_message() -> None:
    arguments = {field.name for one in PROMPTS for field in one.fields}
    messages = set(REPLIES) | {reply for _, reply in REPLIES.values()}
    names = {STATUS, *TEMPLATES, *(one.name for one in PROMPTS), *arguments, *messages}
    assert names - QUOTED == set()


def test_the_protocol_is_not_loaded_until_somebody_speaks_it() -> None:
    program = (
        "import sys, budget.http.app, budget.http.serve, budget.mcp.transport, budget.mcp.tools; "
        "print({'mcp', 'mcp_types', 'pydantic', 'jsonschema'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == "set()", told.stderr
