"""What fault tests found out, one line a test: to stdout, and to `build/faults.txt` for the README.

Lines are appended, with the time, so that one file holds a whole run and the runs before it.
"""

import datetime as dt
import fcntl
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "build" / "faults.txt"


def report(test: str, **figures: object) -> str:
    """Print and keep one line: the test's name, then its figures in the order given."""
    told = " ".join(f"{name}={_told(figure)}" for name, figure in figures.items())
    line = f"{test}: {told}"
    sys.stdout.write(line + "\n")
    FILE.parent.mkdir(exist_ok=True)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with FILE.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the workers of one run share the file
        file.write(f"{now} {line}\n")
    return line


def _told(figure: object) -> str:
    return f"{figure:.2f}" if isinstance(figure, float) else str(figure)
