"""`budget watch` tells events in lines that say when, what, who, how much and of which budget."""

import json

import pytest

from budget.cli import watch
from budget.cli.event_lines import Lines
from budget.cli.face import Face
from budget.domain.answers import Event
from budget.domain.facade import Facade as Books
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


@pytest.mark.parametrize("where", ["local", "remote"])
def test_without_a_beginning_only_what_comes_is_told(
    where: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    say: Say = request.getfixturevalue(where)
    assert say("set-limit", "daily", "5").code == 0
    find, tell = watch.newest, watch._tell

    def found(books: Books) -> str | None:
        """Something happens right after it was found out where now is."""
        at = find(books)
        assert books.events(after=at).items == []
        books.record_usage(model="m-new", input_tokens=1, cost="0.01")
        return at

    def told(face: Face, lines: Lines, one: Event) -> None:
        """Somebody says Ctrl-C once a line is there."""
        tell(face, lines, one)
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "newest", found)
    monkeypatch.setattr(watch, "_tell", told)
    heard = say("watch", "--topic", "allocation_updates", "--kind", "reported")
    assert (heard.code, heard.out.count("\n")) == (130, 1)
    assert "m-new" in heard.out


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
