"""What journeys share: a user who has never met Budget, and the service that `make run` starts."""

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import COLD_COMMAND, ROOT, clean_environ
from tests.support.nursery import shared


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """A user with an empty home and `budget` and `python` on the path, as in `.venv/bin`.

    Both are forked from a warm process, so that only the README pays for cold starts.
    """
    return user_with(tmp_path, warm_programs())


@pytest.fixture
def cold_user(tmp_path: Path) -> dict[str, str]:
    """The same, whose programs start as they do for people."""
    return user_with(
        tmp_path, {"budget": shlex.join(COLD_COMMAND), "python": shlex.quote(sys.executable)}
    )


def warm_programs() -> dict[str, str]:
    """What `budget` and `python` are when they are forked from a warm process, as shell words."""
    return {name: shlex.join(shared().program(name)) for name in ("budget", "python")}


def user_with(folder: Path, programs: dict[str, str]) -> dict[str, str]:
    """The environment of a user with an empty home, on whose path are commands of shell words."""
    home = folder / "home"
    home.mkdir()
    environ = clean_environ(home)
    found_in = write_programs(folder / "bin", programs)
    return {**environ, "PATH": f"{found_in}{os.pathsep}{environ['PATH']}"}


def write_programs(folder: Path, programs: dict[str, str]) -> Path:
    """A new folder of programs for the path, each given as shell words."""
    folder.mkdir()
    for name, words in programs.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


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
