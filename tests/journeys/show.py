"""Shows what the commands of a transcript are answered now: `python -m tests.journeys.show PAGE`.

In an empty home, by a database of its own. A page under work is written with this beside it.
"""

import sys
import tempfile
from pathlib import Path

import pytest

from tests.journeys.test_transcripts import answer, keep, user
from tests.support.transcripts import Keep, read


def show(page: Path) -> None:
    """Print each command line of the page and what it is answered."""
    kept: dict[str, str] = {}
    heard = ""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Path(folder)
        with user(place, f"sqlite:///{place}/budget.db", None, patch):
            for piece in read(page):
                if isinstance(piece, Keep):
                    kept[piece.name] = keep(piece, heard)
                    continue
                code, told = answer(piece.words, kept)
                heard += told
                print(f"$ {piece.words}\n{told}" + (f"[exit {code}]\n" if code else ""), end="")  # noqa: T201


if __name__ == "__main__":
    show(Path(sys.argv[1]).resolve())
