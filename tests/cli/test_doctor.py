"""`budget doctor`, `db check`, `init`, `config`, `login`, `completion`: a start, and whether all is
well.
"""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Say
from tests.support.command import Served, clean_environ, command


def test_a_start_writes_the_config_file_and_a_first_budget(say: Say, home: Path) -> None:
    said = say("init", "--yes", "--limit", "50", "--hard", "--timezone", "Europe/Berlin")
    assert said.code == 0
    assert "50.00 USD monthly (hard_limit, Europe/Berlin)" in said.out
    file = home / ".config" / "budget" / "config.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'timezone = "Europe/Berlin"' in file.read_text()
    assert say("config", "get", "timezone").out == "Europe/Berlin\n"
    again = say("init", "--yes", "--timezone", "UTC", "--json")
    assert again.json["limit"] is None  # a budget is there


def test_on_a_terminal_what_no_option_says_is_asked_until_it_is_understood(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environ = {**clean_environ(tmp_path), "NO_COLOR": "1", "TERM": "dumb"}
    with subprocess.Popen(
        [*command(), "init", "--period", "daily"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=tmp_path,
    ) as process:  # fmt: skip
        os.close(theirs)
        # The place that is proposed; a zone, a limit and whether to refuse, each mistyped at first.
        os.write(ours, b"\nMars\nEurope/Berlin\nmuch\n12.50\nperhaps\ny\n")
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(30) == 0, shown
    os.close(ours)
    said = shown.decode()
    assert said.count("Where do the books lie") == 1
    for question in ("In which time zone", "How many USD may be spent daily?", "Refuse calls"):
        assert said.count(question) == 2, question
    for mistake in ("time zone: ", "limit: ", "answer: must be y or n."):
        assert mistake in said
    assert "12.50 USD daily (hard_limit, Europe/Berlin)" in said
    assert "Traceback" not in said
    assert 'timezone = "Europe/Berlin"' in (tmp_path / ".config/budget/config.toml").read_text()


def _read(terminal: int) -> bytes:
    """What a terminal shows next; nothing once nobody has it open."""
    try:
        return os.read(terminal, 65_536)
    except OSError:  # as Linux tells the end of a terminal
        return b""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["init"], "--yes: is needed where nobody can be asked"),
        (["init", "--yes", "--limit", "much"], "--limit"),
        (["init", "--yes", "--period", "dayly"], "--period"),
        (["init", "--yes", "--timezone", "Mars"], "--timezone"),
        (["init", "--yes", "--target", "nope.db"], "target"),
        (["config", "get", "nope"], "NAME: 'nope' cannot be set here."),
        (["config", "set", "target", "nope.db"], "target"),
        (["config", "set", "timezone", "Mars"], "timezone"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_written(
    say: Say, home: Path, words: list[str], said: str
) -> None:
    heard = say(*words)
    assert (heard.code, heard.err.count("\n")) == (2, 1)
    assert said in heard.err
    assert not (home / ".config").exists()


def test_doctor_and_db_check_find_all_well_or_say_what_is_broken(local: Say) -> None:
    assert local("set-limit", "daily", "5").code == 0
    well = local("doctor")
    assert (well.code, well.out.splitlines()[-1]) == (0, "All is well.")
    assert local("db", "check", "--json").json["ok"] is True
    missing = local("doctor", "--target", "sqlite:////nowhere/b.db")
    assert missing.code == 1
    assert "FAIL  database       There is no ledger at /nowhere/b.db yet." in missing.out
    nobody = local("doctor", "--target", "http://127.0.0.1:9")
    assert (nobody.code, "FAIL  service" in nobody.out) == (1, True)


def test_doctor_tells_of_settings_that_nobody_reads_and_of_neighbours_that_are_set(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local("set-limit", "daily", "5").code == 0
    monkeypatch.setenv("BUDGET_HERMS_URL", "http://secret.example")
    monkeypatch.setenv("BUDGET_ATHENA_URL", "http://127.0.0.1:9")
    said = local("doctor")
    assert said.code == 0
    assert "BUDGET_HERMS_URL is no setting, so nobody reads it" in said.out
    assert "Did you mean BUDGET_HERMES_URL?" in said.out
    assert "secret" not in said.out
    assert "neighbour      athena is set, and no service runs here" in said.out
    monkeypatch.setenv("BUDGET_OTLP", "yes")
    wrong = local("doctor")
    assert (wrong.code, "FAIL  neighbour      BUDGET_OTLP: 'yes'" in wrong.out) == (1, True)


def test_the_clock_of_a_service_is_confirmed(remote: Say) -> None:
    heard = remote("doctor", "--confirm-clock")
    assert "clock          confirmed; it had not jumped" in heard.out
    assert remote("audit", "--kind", "clock_confirmed", "--json").json["items"]


def test_a_file_has_no_clock_to_confirm(local: Say) -> None:
    assert local("set-limit", "daily", "5").code == 0
    alone = local("doctor", "--confirm-clock")
    assert (alone.code, "clock          nothing to confirm" in alone.out) == (0, True)
    assert local("audit", "--kind", "clock_confirmed", "--json").json["items"] == []
    nobody = local("doctor", "--confirm-clock", "--target", "http://127.0.0.1:9")
    assert (nobody.code, "It is not confirmed." in nobody.out) == (1, True)


def test_a_login_needs_a_service(local: Say) -> None:
    heard = local("login")
    assert (heard.code, "needs a service" in heard.err) == (5, True)


def test_a_login_is_a_link_to_the_service(remote: Say, service: Served) -> None:
    told = remote("login", "--json").json
    assert told["url"].startswith(service.url)
    heard = remote("login")
    assert (heard.code, heard.out.count("\n")) == (0, 1)
    assert heard.out != f"{told['url']}\n"


def test_a_start_that_is_left_writes_nothing(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", leave)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert say("init").code == 130
    assert not (home / ".config").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(say: Say, shell: str) -> None:
    heard = say("completion", shell)
    assert heard.code == 0
    for word in ("set-limit", "top-up", "doctor"):
        assert word in heard.out
