"""The command itself: its help, its errors, and how it ends."""

import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from budget import __version__
from budget.cli.app import run
from tests.cli.conftest import Say
from tests.support.command import COLD_COMMAND, ROOT, clean_environ
from tests.support.results import report

COMMANDS = ("serve", "status", "set-limit", "verify", "replay", "key")


def test_the_help_names_every_command_and_what_goes_with_each(say: Say) -> None:
    said = say("--help")
    assert said.code == 0
    for word in (*COMMANDS, "--target", "BUDGET_TARGET", "--json", "--no-color", "--quiet"):
        assert word in said.out
    assert "\x1b" not in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_the_options_of_all(say: Say, command: str) -> None:
    said = say(command, "--help")
    assert said.code == 0
    assert f"budget {command}" in said.out
    assert "--json" in said.out
    assert "face" not in said.out.lower()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("serve", ["--host", "--port", "--insecure-behind-proxy", "--new-admin-key"]),
        ("status", ["--period", "--tier", "--provider", "--component", "--attribute", "--format"]),
        (
            "set-limit",
            ["PERIOD", "LIMIT", "--budget-id", "--name", "--provider", "--tier", "--component",
             "--policy-type", "--hard", "--unit", "--warning-threshold", "--action-threshold",
             "--timezone", "--policy-id"],
        ),
        (
            "replay",
            ["TRACE", "--url", "--speed", "--concurrency", "--limit", "--session", "--attribute",
             "--max-output-tokens"],
        ),
    ],
)  # fmt: skip
def test_each_option_is_in_the_help(say: Say, command: str, words: list[str]) -> None:
    said = say(command, "--help")
    for word in words:
        assert word in said.out


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_in_a_pipe_each_option_begins_a_line_and_is_wrapped_once(
    say: Say, monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = say(*filter(None, [command]), "--help").out.splitlines()
    assert max(map(len, lines)) <= columns
    panels = [number for number, line in enumerate(lines) if re.fullmatch(r"[A-Z][a-z ]+:", line)]
    assert lines[panels[-1]] == "With every command:"
    for number, (line, following) in enumerate(itertools.pairwise(lines)):
        if number > panels[0] and line and number not in panels:
            assert re.match(r"  (-|[A-Za-z]+:|[a-z]+-[a-z]+:)| {6}\S", line), line
        if following.startswith(" " * 6):  # it goes on, so its first word had no room
            assert len(line) + 1 + len(following.split()[0]) > columns


def test_on_a_terminal_the_help_keeps_no_line_breaks_of_the_source(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    assert "any call of the same service, rounded up to a" in say("replay", "--help").out


def test_without_a_command_the_help_is_shown(say: Say) -> None:
    assert say().out == say("--help").out


def test_the_version_is_that_of_the_package(say: Say) -> None:
    assert say("--version").out == f"budget {__version__}\n"


def test_what_goes_with_every_command_may_stand_before_or_behind_it(local: Say) -> None:
    assert local("set-limit", "daily", "5", "--quiet").code == 0
    assert local("--json", "status").out == local("status", "--json").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["spend"], "spend"),
        (["statsu"], 'Did you mean "status"?'),
        (["status", "--peroid", "daily"], "--peroid"),
        (["status", "daily"], "'daily' is more than `budget status` takes."),
        (["set-limit", "daily", "5", "6", "7"], "'6 7' is more than `budget set-limit` takes."),
        (["set-limit"], "PERIOD is required."),
        (["set-limit", "daily"], "LIMIT is required."),
        (["set-limit", "daily", "5", "--name"], "--name needs a value."),
        (["top", "--every", "x"], '--every: "x" is not a number.'),
        (["status", "--format", "yaml"], "yaml"),
        (["status", "--target"], "--target requires an argument"),
        (["replay", "x.csv", "--concurrency", "many"], '"many" is not a whole number.'),
        (["allocate", "create", "--tokens", "10.5"], '"10.5" is not a whole number.'),
        (["allocate", "create", "--tokens", "0x10"], '"0x10" is not a whole number.'),
    ],
)
def test_a_slip_of_the_tongue_is_one_sentence_and_exit_2(
    say: Say, words: list[str], said: str
) -> None:
    heard = say(*words)
    assert heard.code == 2
    assert heard.out == ""
    assert heard.err.startswith("budget: ")
    assert said in heard.err
    assert "--help`" in heard.err
    assert heard.err.count("\n") == 1


def test_help_is_an_option_and_a_word(say: Say) -> None:
    assert say("help").out == say("--help").out
    assert say("help", "status").out == say("status", "--help").out


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("mysql://localhost/budget", 2, "is not the URL of a database or the address of a service"),
        ("nope.db", 2, "Allowed: sqlite:///file.db, sqlite:////folder/file.db, postgresql://user"),
        ("nope.db", 2, "name, http://host:port."),
        ("http://", 2, "is not the address of a service"),
        ("http://127.0.0.1:99999", 2, "is not the address of a service"),
        ("http://127.0.0.1:9", 5, "No service answers at http://127.0.0.1:9"),
        ("sqlite:////nowhere/at/all.db", 4, "There is no ledger at /nowhere/at/all.db yet"),
        ("postgresql://nobody@127.0.0.1:9/budget", 5, "cannot be"),
    ],
)
def test_a_target_that_cannot_be_had_is_one_sentence(
    say: Say, target: str, code: int, said: str
) -> None:
    heard = say("status", "--target", target)
    assert heard.code == code
    assert said in heard.err
    assert heard.err.count("\n") == 1
    assert "Traceback" not in heard.err


def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear friend,\n" * 100)
    heard = say("status", "--target", f"sqlite:///{file}")
    assert heard.code == 2
    assert "is not a SQLite database" in heard.err
    assert file.read_text() == "Dear friend,\n" * 100


def test_an_unforeseen_error_is_one_sentence_unless_asked_for_more(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("budget.cli.status.read_status", fail)
    heard = say("status")
    assert heard.code == 1
    assert heard.err.startswith("budget: This should not happen: ZeroDivisionError: by zero")
    monkeypatch.setenv("BUDGET_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["status"])


def test_who_has_read_enough_of_the_answer_may_leave(tmp_path: Path) -> None:
    environ = clean_environ(tmp_path)
    command = " ".join(f"'{word}'" for word in COLD_COMMAND)
    shell = f"{command} --help | head -1; test ${{PIPESTATUS[0]}} -ne 130"
    heard = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, env=environ, check=True
    )
    assert heard.stdout.startswith("Usage: budget")
    assert "Traceback" not in heard.stderr


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("budget --help", "from budget.cli.app import run; run(['--help'])"),
        ("import budget", "import budget"),
        ("python alone", "pass"),
    ],
)
def test_it_starts_quickly(what: str, code: str, tmp_path: Path) -> None:
    """Measured and printed, not asserted: other work on the machine is not the command's fault."""
    environ = clean_environ(tmp_path)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environ)
        best = min(best, time.perf_counter() - began)
    report("start-up", what=what, best_of_3_ms=round(best * 1000))


def test_the_help_needs_no_library_that_only_some_commands_need(tmp_path: Path) -> None:
    code = (
        "import sys; from budget.cli.app import run; run(['--help']); "
        "heavy = {'sqlalchemy', 'starlette', 'uvicorn', 'genai_prices', 'httpx2', 'psycopg'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    heard = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env=clean_environ(tmp_path), cwd=ROOT,
    )  # fmt: skip
    assert heard.stderr == "[]\n"
    assert os.linesep in heard.stdout


# --- The spellings of the program before this one ------------------------------------------------


def test_commands_are_found_with_either_stroke_in_their_names(local: Say) -> None:
    assert local("set_limit", "daily", "5").code == 0
    assert local("calc_cost", "--model", "gpt-4o", "--input-tokens", "1").code == 0
    assert local("prices", "show_", "gpt-4o").code == 2
    assert local("status", "set_limit").err.startswith("budget: 'set_limit' is more than")


def test_the_address_of_a_service_may_be_called_api_url(say: Say) -> None:
    assert "http://127.0.0.1:9 " in say("status", "--api-url", "http://127.0.0.1:9").err
    heard = say("status", "--api-url", "sqlite:///b.db")
    assert (heard.code, heard.err.count("\n")) == (2, 1)
    assert "--api-url: 'sqlite:///b.db' is not the address of a service" in heard.err
    both = say("status", "--api-url", "http://a", "--target", "http://b")
    assert "give one of them" in both.err
    assert "api-url" not in say("status", "--help").out


def test_debug_shows_where_an_error_came_from_unless_that_is_taken_back(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budget.cli.status.read_status", lambda *_: 1 // 0)
    assert "--debug shows where" in say("status", "--no-debug").err
    with pytest.raises(ZeroDivisionError):
        run(["status", "--debug"])
