"""`budget watch` tells events in lines that say when, what, who, how much and of which budget."""

import json
import threading

import pytest

from budget.cli import watch
from budget.cli.app import run
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, spend


@pytest.fixture
def used(local: Say) -> Say:
    """A limit, a call of 0.75 USD, and one that was refused."""
    limit("1", hard=True, name="All")
    spend(0, "m-small", "0.75", user="ann")
    with opened() as books:
        books.allocate(usd="0.5", attributes={"user": "bob"})
    return local


def test_the_last_events_are_lines_of_what_happened(used: Say) -> None:
    said = used("watch", "--last", "10", "--once")
    assert said.code == 0
    lines = [" ".join(line.split()[1:]) for line in said.out.splitlines()]
    assert lines[0] == "budget_created by local All"
    assert lines[1].startswith("reported user=ann model=m-small 0.75 USD 110 tokens unreserved")
    assert "refused user=bob asked 0.50 USD, 0.25 USD over the limit of 1.00 USD All" in lines


def test_json_lines_have_cursors_to_go_on_from(used: Say) -> None:
    lines = used("watch", "--last", "10", "--once", "--json").out.splitlines()
    first, *rest = [json.loads(line) for line in lines]
    assert first["kind"] == "budget_created"
    again = used("watch", "--since", first["cursor"], "--once", "--json").out.splitlines()
    assert [json.loads(line) for line in again] == rest


def test_filters_choose_events(used: Say) -> None:
    refused = used("watch", "--last", "9", "--once", "--kind", "refused").out
    assert refused.count("\n") == 1
    of_ann = used("watch", "--last", "9", "--once", "--attribute", "user=ann").out
    assert "ann" in of_ann
    assert "bob" not in of_ann
    assert used("watch", "--last", "9", "--once", "--budget", "All", "--kind", "placed").out == ""


def test_without_a_beginning_only_what_comes_is_told(
    used: Say, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as books:
        assert books.events(after=watch.newest(books)).items == []
    looked = threading.Event()

    def wait(seconds: float) -> None:
        """The first time something happens meanwhile, the second time somebody says Ctrl-C."""
        assert seconds == watch.LOOK_SECONDS
        if looked.is_set():
            raise KeyboardInterrupt
        looked.set()
        spend(0, "m-new", "0.01", user="cid")

    monkeypatch.setattr("budget.cli.watch.time.sleep", wait)
    assert run(["watch"]) == 130
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "m-new" in out


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["--topic", "weather"], 2, "--topic"),
        (["--kind", "nonsense"], 2, "--kind"),
        (["--budget", "nobody"], 4, "nobody"),
        (["--attribute", "team"], 2, "--attribute"),
        (["--since", "now"], 2, "--since"),
        (["--last", "-1"], 2, "--last"),
        (["--last", "many"], 2, "--last"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(
    local: Say, words: list[str], code: int, named: str
) -> None:
    said = local("watch", "--once", *words)
    assert said.code == code, said
    assert named in said.err
    assert said.err.count("\n") == 1
