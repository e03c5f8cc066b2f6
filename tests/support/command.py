"""The command `budget` as people run it: in a process of its own, from an empty home.

Mostly warm, since most tests are not about Python's start; `COLD_COMMAND` starts an interpreter.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.nursery import shared

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "azure-2023-sample.csv"
COLD_COMMAND = [sys.executable, "-c", "from budget.cli.app import main; main()"]


def command() -> list[str]:
    """The command in a process of its own that is forked from a warm one."""
    return shared().program("budget")


def clean_environ(home: Path) -> dict[str, str]:
    """The environment of a user who has never met Budget."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BUDGET_", "XDG_")) or name == "BUDGET_TEST_POSTGRES_URL"
    }
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    return {**kept, "HOME": str(home), "PYTHONPATH": path}


@dataclass(frozen=True)
class Served:
    """A running service: where it is, what it printed, and its process."""

    url: str
    key: str
    target: str
    home: Path
    process: subprocess.Popen[str]


def start_service(folder: Path, *words: str, **variables: str) -> Served:
    """`budget serve`, as a person would start it, on a fresh SQLite file and any free port.

    What it logs is in `service.log` in the folder. `variables` are those of its environment.
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    target = f"sqlite:///{folder / 'budget.db'}"
    environ = clean_environ(home) | variables
    log = (folder / "service.log").open("w")
    process = subprocess.Popen(
        [*command(), "serve", "--json", "--port", "0", "--target", target, *words],
        stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environ,
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if line == "}\n":
            break
    assert told, (folder / "service.log").read_text()
    key = subprocess.run(
        [*command(), "key", "--target", target],
        capture_output=True, text=True, check=True, cwd=folder, env=environ,
    ).stdout.strip()  # fmt: skip
    return Served(json.loads(told)["url"], key, target, home, process)


def stop_service(served: Served) -> int:
    """Ask a service to stop, as Ctrl-C or the system does; its exit status."""
    served.process.terminate()
    code = served.process.wait(30)
    assert served.process.stdout is not None
    served.process.stdout.close()
    return code
