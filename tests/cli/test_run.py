"""`budget run`: a program spends within its envelope, is stopped when that is spent, is billed."""

import os
import signal
import sys
from pathlib import Path

import pytest

from budget.cli.run_process import Process
from budget.domain.errors import NotFound
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened

AGENT = """
import os, sys, time
from budget import Budget
with Budget.open(os.environ["BUDGET_TARGET"], sweep=False) as books:
    for _ in range({calls}):
        held = books.allocate(usd="0.5", parent_id=os.environ["BUDGET_PARENT_ID"])
        if hasattr(held, "allocation_id"):
            books.settle(held.allocation_id, model="unheard-of", input_tokens=100, cost="0.4")
    print("done", flush=True)
if {waits}:
    time.sleep(60)
"""


@pytest.fixture
def limited(local: Say) -> Say:
    limit("5", hard=True)
    return local


def agent(calls: int, waits: bool = False) -> list[str]:
    return [sys.executable, "-c", AGENT.format(calls=calls, waits=waits)]


def statuses() -> set[str]:
    with opened() as books:
        return {one.status for one in books.allocations().items}


def test_calls_draw_on_the_envelope_and_are_billed(limited: Say) -> None:
    said = limited("run", "--usd", "2", "--", *agent(2))
    assert said.code == 0
    assert "budget: 2 calls, 200 tokens, 0.80 USD; 1.20 USD left." in said.err
    assert statuses() == {"settled", "released"}
    with opened() as books:
        (balance,) = books.status()
        assert (balance.spent, balance.reserved) == (800_000_000, 0)


def test_a_program_whose_call_is_refused_is_stopped(limited: Say) -> None:
    said = limited("run", "--usd", "1", "--grace-seconds", "2", "--", *agent(3, waits=True))
    # 0.4 and 0.4 leave 0.2 USD: the third call, of 0.5, does not fit.
    assert said.code == 3
    assert "is spent" in said.err
    assert "0.20 USD left" in said.err
    assert "open" not in statuses()


def test_what_does_not_end_when_told_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"trap '' TERM; sleep 60 & echo $! > {started}; while :; do sleep 0.05; done"
    with Process(["sh", "-c", script], os.environ, 0.1) as process:
        while not (started.exists() and started.read_text().strip()):
            assert not process.ended(0.02)
        process.stop()
        assert process.exit_code == 128 + signal.SIGKILL
    state = Path(f"/proc/{started.read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"  # nobody may have reaped it


def test_signals_go_to_the_program() -> None:
    with Process(["sleep", "60"], os.environ, 1) as process:
        os.kill(os.getpid(), signal.SIGTERM)  # SIGINT is ignored in the background
        assert process.exit_code == 128 + signal.SIGTERM


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="no-such-program"):
        Process(["no-such-program"], os.environ, 1).__enter__()


def test_for_a_program_that_cannot_be_started_nothing_is_held_or_billed(
    limited: Say, tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no program")
    for name, code, said in (
        ("no-such-program", 4, "There is no program 'no-such-program'."),
        (str(tmp_path / "gone"), 4, "There is no program "),
        (str(file), 2, "is there, but cannot be executed."),
    ):
        heard = limited("run", "--usd", "2", "--", name)
        assert (heard.code, heard.err.count("\n")) == (code, 1), heard
        assert said in heard.err
    assert statuses() == set()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--usd", "2"], "COMMAND"),
        (["--", "true"], "--usd"),
        (["--usd", "much", "--", "true"], "--usd"),
        (["--usd", "-1", "--", "true"], "--usd"),
        (["--tokens", "1.5", "--", "true"], "--tokens"),
        (["--usd", "1", "--ttl", "soon", "--", "true"], "--ttl"),
        (["--usd", "1", "--ttl", "0s", "--", "true"], "--ttl"),
        (["--usd", "1", "--ttl", "2d", "--", "true"], "--ttl"),
        (["--usd", "1", "--attribute", "team", "--", "true"], "--attribute"),
        (["--usd", "1", "--grace-seconds", "-1", "--", "true"], "--grace-seconds"),
        (["--usd", "1", "--grace-seconds", "nan", "--", "true"], "--grace-seconds"),
        (["--usd", "1", "--grace-seconds", "long", "--", "true"], "--grace-seconds"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(local: Say, words: list[str], named: str) -> None:
    said = local("run", *words)
    assert said.code == 2, said
    assert named in said.err
    assert said.err.count("\n") == 1


ESCAPING = """
import os
from budget.client import Client
from budget.domain.errors import BudgetError
with Client(os.environ["BUDGET_TARGET"], os.environ["BUDGET_KEY"]) as books:
    for name, act in (
        ("new", lambda: books.allocate(usd="1", envelope=True)),
        ("more", lambda: books.extend(os.environ["BUDGET_PARENT_ID"], usd="9")),
        ("beside", lambda: books.record_usage(model="m", input_tokens=1, cost="9")),
        ("see", lambda: books.keys()),
        ("rights", lambda: books.create_key(name="k", scopes=["spend"])),
    ):
        try:
            print(name, act())
        except BudgetError as error:
            print(name, type(error).__name__)
    print("within", books.allocate(usd="0.5").parent_id == os.environ["BUDGET_PARENT_ID"])
"""


def test_the_key_of_a_program_draws_on_its_envelope_alone(remote: Say, tmp_path: Path) -> None:
    file = tmp_path / "told"
    script = f"{sys.executable} -c '{ESCAPING}' > {file}"
    assert remote("run", "--usd", "1", "--", "sh", "-c", script).code == 0
    told = file.read_text().splitlines()
    assert told[:5] == [f"{one} Forbidden" for one in ("new", "more", "beside", "see", "rights")]
    assert told[5:] == ["within True"]
    keys = remote("keys", "list", "--revoked", "--json").json["items"]
    assert [one["scopes"] for one in keys if one["name"] == "budget run"] == [["draw"]]


def test_the_tag_of_the_envelope_is_not_for_callers_to_say(local: Say) -> None:
    said = local("run", "--usd", "1", "--attribute", "tag.envelope=x", "--", "true")
    assert (said.code, "--attribute: tag.envelope" in said.err) == (2, True)
