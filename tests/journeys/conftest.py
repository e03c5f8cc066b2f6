"""What journeys share: a user who has never met Budget, and the service that `make run` starts."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import COMMAND, ROOT, clean_environ


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """A user with an empty home and `budget` and `python` on the path, as in `.venv/bin`."""
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    command = programs / "budget"
    command.write_text(f"#!{sys.executable}\n{COMMAND[-1]}\n")
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in (command, python):
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environ = clean_environ(home)
    return {**environ, "PATH": f"{programs}{os.pathsep}{environ['PATH']}"}


@pytest.fixture
def address(user: dict[str, str]) -> Iterator[str]:
    """Where `budget serve`, which `make run` starts, answers; its ledger is the user's own."""
    with serving(user) as address:
        yield address


@contextmanager
def serving(user: dict[str, str], *words: str) -> Iterator[str]:
    """Start `budget serve` with further words, on any free port; where it answers."""
    process = subprocess.Popen(
        ["budget", "serve", "--port", "0", "--json", *words],
        stdout=subprocess.PIPE, text=True, env=user, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if line == "}\n":
            break
    try:
        yield json.loads(told)["url"].removeprefix("http://")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
