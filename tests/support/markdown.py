"""Documents: the fenced blocks of a Markdown file, so that what is printed there can be run."""

import re
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)(?P<to>[^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: its kind, the line it begins on, and its text."""

    kind: str
    line: int
    text: str


def blocks(file: Path, kind: str) -> list[Block]:
    """The blocks of one kind, in order."""
    document = file.read_text()
    return [
        Block(found["kind"], document.count("\n", 0, found.start()) + 2, found["text"])
        for found in _FENCE.finditer(document)
        if found["kind"] == kind
    ]


def links(file: Path) -> list[str]:
    """Where a document points to within the repository."""
    return [found["to"] for found in _LINK.finditer(file.read_text())]


PORT = "127.0.0.1:8013"
"""Where documents say that the service answers."""


def shell_script(file: Path, address: str) -> str:
    """The `sh` blocks of a document as one script, for a service at another address.

    It prints the line of each block before it runs it, and stops at the first command that fails.
    """
    script = "set -euo pipefail\n"
    for block in blocks(file, "sh"):
        # The command is on the path already, as activating puts it there.
        text = block.text.replace("source .venv/bin/activate\n", "").replace(PORT, address)
        script += f"echo '=== line {block.line}'\n{text}\necho\n"
    return script
