"""Every command there is: its help, and nonsense for each option and argument.

The tree of commands is walked, so that a new one is tested by being there. Not here: what the
commands answer when they are used well.
"""

import importlib.util
import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from budget.cli.app import _COMMANDS, _FORMER, _GROUPS, make_app, run
from budget.cli.face import Face
from tests.cli.conftest import Said, make_ledger

NONSENSE = "?nonsense?"
"""No period, time, name, path or number."""

TEXT = {
    "--actor", "--attribute", "--cache-read", "--component", "--context-id", "--description",
    "--input", "--kind", "--model", "--name", "--note", "--output", "--owner", "--parent-id",
    "--prefer-provider", "--provider", "--reason", "--request", "--search", "--source",
    "--task-type", "--tier", "--user-id", "FILE", "NAME", ("audit", "--policy-id"),
}  # fmt: skip
"""What takes any text: nothing is nonsense there."""

SPOKEN = {
    "AMOUNT": "5", "BUDGET": "Default Budget", "LIMIT": "5", "PERIOD": "monthly", "NAME": "new",
    "SHELL": "bash", "--from": "7d", "NAMES": "gpt-4o", "VALUE": "UTC", "MODEL": "gpt-4o",
}  # fmt: skip
"""What is said where a command demands it, beside what is nonsense."""

OWN = {
    ("calc-cost", "--model"): "gpt-4o", ("whatif", "--model"): "gpt-4o=gpt-4o-mini",
    ("config set", "NAME"): "timezone", ("report", "PERIOD"): "day",
}  # fmt: skip
BAD_INPUT = (2, 3, 4, 5)
BESIDE = {
    "init": ("--yes",),
    "simulate": ("--limit", "monthly=5"),
    "prices show": ("gpt-4o",),
    "prices compare": ("gpt-4o",),
}


def is_there(place: str) -> bool:
    """Whether the module that a command names is there."""
    return importlib.util.find_spec(f"budget.cli.{place.partition(':')[0]}") is not None


def commands() -> Iterator[tuple[str, ...]]:
    """The words of each command."""
    alone = (*_COMMANDS, *((place, name, "") for place, name in _FORMER))
    yield from ((name,) for place, name, _ in alone if is_there(place))
    for group, _, inner in _GROUPS:
        yield from ((group, name) for place, name, _ in inner if is_there(place))


COMMANDS = sorted(commands())


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One prepared ledger and one empty home for all; commands change neither by nonsense."""
    folder = tmp_path_factory.mktemp("every")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("BUDGET_", "XDG_")) and name != "BUDGET_TEST_POSTGRES_URL":
                patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setenv("COLUMNS", "200")
        patch.chdir(folder)
        url = f"sqlite:///{folder}/budget.db"
        make_ledger(url)
        patch.setenv("BUDGET_TARGET", url)
        assert say("set-limit", "monthly", "5").code == 0
        yield


def say(*words: str) -> Said:
    """Say `budget ...` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = run(list(words))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
    return Said(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Taken:
    """An argument or option that a command takes a value for."""

    name: str
    required: bool

    @property
    def typed(self) -> tuple[str, ...]:
        """What stands before the value."""
        return (self.name,) if self.name.startswith("--") else ()


def taken(words: tuple[str, ...]) -> list[Taken]:
    """What a command takes values for."""
    app = make_app()
    for word in words:
        app = app[word]
    found = app.assemble_argument_collection()
    return [Taken(one.names[0], one.required) for one in found
            if one.hint not in (bool, Face)]  # fmt: skip


def lines(words: tuple[str, ...]) -> Iterator[list[str]]:
    """Each command line that is wrong in one place."""
    command = " ".join(words)
    known = taken(words)
    for wrong in known:
        if not TEXT.isdisjoint((wrong.name, (command, wrong.name))):
            continue
        line = [*words, *BESIDE.get(command, ())]
        for one in known:
            if one is wrong:
                line += [*one.typed, NONSENSE]
            elif one.required:
                good = OWN.get((command, one.name)) or SPOKEN.get(one.name, "nobody")
                line += [*one.typed, good]
        yield line


def test_every_command_that_is_named_is_there() -> None:
    places = [place for place, *_ in (*_COMMANDS, *_FORMER)]
    places += [place for _, _, inner in _GROUPS for place, *_ in inner]
    assert [place for place in places if not is_there(place)] == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_tells_of_itself(ledger: None, words: tuple[str, ...]) -> None:
    said = say(*words, "--help")
    assert said.code == 0
    assert f"budget {' '.join(words)}" in said.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nonsense_is_answered_in_one_sentence(ledger: None, words: tuple[str, ...]) -> None:
    for line in lines(words):
        said = say(*line)
        assert said.code in BAD_INPUT, (line, said)
        complaints = [told for told in said.err.splitlines() if told.startswith("budget: ")]
        assert len(complaints) == 1, (line, said)
        assert "This should not happen" not in said.err, (line, said)
