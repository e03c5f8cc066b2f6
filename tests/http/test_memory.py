"""Memory: what a burst needed goes back to the system."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys, time
from pathlib import Path
from budget.http.memory import kept_small

def resident_mb():
    (line,) = (l for l in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in l)
    return int(line.split()[1]) / 1024

burst = [bytes(2_000) for _ in range(20_000)]
most_mb = resident_mb()
burst = burst[::50]  # too much is left in between for the library to give anything back by itself
assert resident_mb() > most_mb - 5, "the control: nothing went back"
with kept_small(every_seconds=0.01):
    while resident_mb() > most_mb - 30:
        time.sleep(0.01)
print(len(burst))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps it")
def test_what_a_burst_needed_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "400\n", done.stderr
