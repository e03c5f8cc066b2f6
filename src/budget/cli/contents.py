"""Contents: what a file that was typed holds, or standard input, which is typed as -.

Not here: what it means (each command).
"""

import sys
from pathlib import Path

from budget.domain.errors import InvalidInput


def content_of(file: str, most_bytes: int) -> bytes:
    """The bytes; InvalidInput of FILE if they cannot be read, or are too many."""
    try:
        if file == "-":
            content = sys.stdin.buffer.read(most_bytes + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(most_bytes + 1)
    except OSError as error:
        raise InvalidInput("FILE", f"{file[:200]} cannot be read: {error.strerror}.") from None
    if len(content) > most_bytes:
        raise InvalidInput("FILE", f"has more than {most_bytes} bytes.")
    return content
