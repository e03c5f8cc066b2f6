"""`budget serve` says what is needed to use it, and the commands of this machine find it."""

import json
import shlex
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Say
from tests.support.command import (
    COLD_COMMAND,
    Served,
    clean_environ,
    command,
    start_service,
    stop_service,
)


def heard(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the user of a home."""
    return subprocess.run(
        [*command(), *words], capture_output=True, text=True, env=clean_environ(home), check=False
    )


def test_it_prints_where_it_is_and_where_the_key_lies_but_not_the_key(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    target = f"sqlite:///{tmp_path / 'budget.db'}"
    process = subprocess.Popen(
        [*COLD_COMMAND, "serve", "--port", "0", "--target", target],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environ(home),
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(7)]
    url = lines[1].removeprefix("Address").strip()
    urllib.request.urlopen(f"{url}/health", timeout=10).close()
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert (out, err) == ("", "")
    titles = [line.split("  ")[0] for line in lines[1:]]
    assert titles == ["Address", "Gateway", "Ledger", "Admin key", "Try", "Demo"]
    assert lines[2].split()[1:] == [f"{url}/openai/v1,", "/anthropic,", "/gemini,", "/ollama"]
    assert url.startswith("http://127.0.0.1:")
    key_file = Path(lines[4].removeprefix("Admin key").strip())
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "bud_" in key_file.read_text()
    assert not any("bud_" in line for line in lines)
    assert f"--target {target}" in lines[5]


def test_the_curl_it_prints_works(service: Served) -> None:
    curl = f'curl -sS -H "Authorization: Bearer {service.key}" {service.url}/api/v1/status'
    answer = subprocess.run(shlex.split(curl), capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["balances"] == []


def test_the_commands_of_this_machine_use_the_service_that_has_the_file_open(
    service: Served,
) -> None:
    said = heard(service.home, "set-limit", "daily", "5", "--target", service.target, "--json")
    assert said.returncode == 0, said.stderr
    # The service, not this command, has booked it: its actor is a key, not `local`.
    from budget.engine.budget import Budget

    with Budget.open(service.target, sweep=False) as books:
        (made,) = [event for event in books.events().items if event.kind == "budget_created"]
    assert made.actor.startswith("key_")


def test_of_two_services_on_one_file_each_is_found_and_the_one_that_stays_is_asked(
    tmp_path: Path,
) -> None:
    first = start_service(tmp_path)
    second = start_service(tmp_path)
    for served in (first, second):
        for words in (("key", "--target", served.url), ("status", "--target", served.url)):
            said = heard(first.home, *words)
            assert said.returncode == 0, said.stderr
    assert stop_service(second) == 0
    made = heard(first.home, "set-limit", "daily", "5", "--target", first.target)
    assert made.returncode == 0, made.stderr
    assert stop_service(first) == 0
    # The first service has booked it, with a key; `local` would be the command itself.
    from budget.engine.budget import Budget

    with Budget.open(first.target, sweep=False) as books:
        (event,) = [event for event in books.events().items if event.kind == "budget_created"]
    assert event.actor.startswith("key_")


def test_when_the_service_has_gone_the_file_is_opened_and_a_further_key_is_made_on_request(
    tmp_path: Path,
) -> None:
    first = start_service(tmp_path)
    assert stop_service(first) == 0
    said = heard(first.home, "status", "--target", first.target, "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == {"balances": []}
    second = start_service(tmp_path, "--new-admin-key")
    assert stop_service(second) == 0
    assert first.key != second.key


def test_a_port_that_is_taken_is_exit_5_and_says_what_to_do(service: Served) -> None:
    port = service.url.rpartition(":")[2]
    said = heard(service.home, "serve", "--port", port, "--target", service.target)
    assert said.returncode == 5
    assert "Choose another port with --port." in said.stderr
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--port", "99999"], "port: '99999' is not a port"),
        (["--port", "http"], "port: 'http' is not a port"),
        (["--host", "0.0.0.0"], "--insecure-behind-proxy"),
        (["--host", "no.such.host.invalid"], "is no address of this machine"),
        (["--port", "0", "--target", "http://h:1"], "is not the URL of a database"),
    ],
)
def test_what_cannot_be_served_is_exit_2(tmp_path: Path, words: list[str], part: str) -> None:
    said = heard(tmp_path, "serve", *words)
    assert said.returncode == 2
    assert part in said.stderr
    assert said.stderr.count("\n") == 1


def test_the_key_is_printed_alone_and_a_missing_one_is_exit_4(
    service: Served, tmp_path: Path
) -> None:
    said = heard(service.home, "key", "--target", service.target, "--json")
    assert json.loads(said.stdout)["key"] == service.key
    none = heard(tmp_path, "key")
    assert none.returncode == 4
    assert none.stdout == ""
    assert "--new-admin-key" in none.stderr


def test_a_target_that_is_typed_has_a_key_of_its_own_and_budget_key_is_that_of_the_usual_books(
    say: Say, service: Served, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("BUDGET_KEY", "bud_of_another_service")
    assert say("key").out == "bud_of_another_service\n"
    assert say("key", "--json").json["file"] is None
    none = say("key", "--target", service.url)
    assert (none.code, none.out) == (4, "")
    assert f"There is no key for {service.url} in {home}" in none.err
    assert "BUDGET_KEY is left aside" in none.err
    monkeypatch.setenv("BUDGET_CONFIG_DIR", str(service.home / ".config" / "budget"))
    for target in (service.url, service.target):
        assert say("key", "--target", target).out == f"{service.key}\n"
    monkeypatch.setenv("BUDGET_TARGET", service.url)
    assert say("key").out == "bud_of_another_service\n"
    assert say("key", "--target", service.url).out == f"{service.key}\n"


@pytest.mark.parametrize("key", ["wrong", "bud_00000000_" + "0" * 49])
def test_a_key_that_is_not_accepted_is_exit_3_and_named_by_where_it_came_from(
    say: Say, service: Served, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    from budget.engine import key_file
    from budget.engine.settings import Settings

    monkeypatch.setenv("BUDGET_TARGET", service.url)
    folder = Settings.read().config_dir
    with key_file.locked(folder):
        key_file.put(folder, service.target, key)
    key_file.note_url(folder, service.target, service.url)
    kept = say("status")
    assert kept.code == 3
    assert f"{service.url} does not accept the key that the key file has" in kept.err
    monkeypatch.setenv("BUDGET_KEY", key)
    named = say("status")
    assert named.code == 3
    assert f"{service.url} does not accept the key in BUDGET_KEY." in named.err
    for heard in (kept, named):
        assert "Authorization" not in heard.err
        assert key not in heard.err


@pytest.mark.parametrize("key", ["wr\u00f6ng", "two\nlines"])
def test_what_no_header_can_carry_is_no_key(
    say: Say, service: Served, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("BUDGET_KEY", key)
    said = say("status", "--target", service.url)
    assert said.code == 2
    assert "BUDGET_KEY: is no key" in said.err


def test_a_password_in_a_target_is_not_repeated(say: Say) -> None:
    none = say("key", "--target", "postgresql://ann:secret@db/budget")
    assert none.code == 4
    assert "postgresql://ann@db/budget" in none.err
    assert "secret" not in none.err
