r"""Transcripts: Markdown pages whose `console` blocks are command lines with what they answer.

    $ budget status
    Budget  …

A line that begins with `$ ` is typed; a line that ends in `\` goes on in the next. What follows is
what must be answered, errors too, in the order written. `…` stands for whatever a line has there; a
line of `…` alone for any lines. A last line `[exit 3]` is the exit code, 0 unless said.
`<!-- keep name: pattern -->` before a block keeps, of all that was answered so far, the last that
matches, and `$name` in later command lines is that. `<!-- database only -->` anywhere: the page is
about a database that the command opens itself. Not here: running them
(`tests/journeys/test_transcripts.py`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

_PIECE = re.compile(
    r"^<!-- keep (?P<name>\w+): (?P<pattern>.+?) -->$|^```console\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
DATABASE_ONLY = "<!-- database only -->"


@dataclass(frozen=True)
class Typed:
    """A command line, the line of the page it stands on, and what must be answered."""

    line: int
    words: str
    expected: str
    code: int


@dataclass(frozen=True)
class Keep:
    """What to keep, under a name, of what was answered."""

    name: str
    pattern: str


def read(page: Path) -> list[Typed | Keep]:
    """What a page types and keeps, in order."""
    document = page.read_text()
    found: list[Typed | Keep] = []
    for piece in _PIECE.finditer(document):
        if piece["name"]:
            found.append(Keep(piece["name"], piece["pattern"]))
        else:
            line = document.count("\n", 0, piece.start("text")) + 1
            found += _typed(piece["text"], line)
    return found


def _typed(text: str, first: int) -> list[Typed]:
    typed: list[Typed] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line, start = lines[at], at
        assert line.startswith("$ "), f"line {first + at}: a block begins with a command"
        words = line[2:]
        while words.endswith("\\"):
            at += 1
            words = words[:-1] + lines[at].strip()
        at += 1
        answer = []
        while at < len(lines) and not lines[at].startswith("$ "):
            answer.append(lines[at].rstrip())
            at += 1
        code = 0
        if answer and (told := re.fullmatch(r"\[exit (\d+)\]", answer[-1])):
            code = int(told[1])
            answer.pop()
        typed.append(Typed(first + start, words, "\n".join(answer).strip("\n"), code))
    return typed


def matches(expected: str, answered: str) -> bool:
    """Whether what was answered is what was expected, `…` aside."""
    shown = "\n".join(line.rstrip() for line in answered.splitlines()).strip("\n")
    pattern = ""
    for line in expected.splitlines():
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += re.escape(line).replace("…", r".*?") + "\n"
    return re.fullmatch(pattern, f"{shown}\n" if shown else "") is not None
