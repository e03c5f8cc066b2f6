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
