"""A folder in memory, for tests: books and servers there cost no waiting for a disk.

A process that is killed leaves there what it would leave on a disk, so that only the crash of a
whole machine would make a difference, and no test crashes one.
"""

import os
import shutil
from pathlib import Path

PLACE = Path("/dev/shm")
FREE_BYTES = 2 * 10**9
"""What must be free: a run of all tests, on four workers, takes well under half of it."""


def ram_disk() -> Path | None:
    """The folder, where this machine has one that is large enough and may be written."""
    if not os.access(PLACE, os.W_OK | os.X_OK) or shutil.disk_usage(PLACE).free < FREE_BYTES:
        return None
    return PLACE
