"""`budget neighbours`: those of the service, and without one that all are off."""

import re
import socket

import pytest

from tests.cli.conftest import Say
from tests.http.running import running
from tests.support.databases import SqliteDatabases
from tests.support.priced import empty_books


def test_without_a_service_all_are_off_and_say_what_turns_them_on(say: Say) -> None:
    said = say("neighbours")
    assert said.code == 0
    assert "No service runs here" in said.err
    assert re.search(r"^hermes +off +never .*set BUDGET_HERMES_URL", said.out, re.MULTILINE)
    names = [line.split()[0] for line in said.out.splitlines()[1:]]
    assert names == sorted(names)


def test_one_that_is_not_known_is_told_with_those_that_are(say: Say) -> None:
    said = say("neighbours", "apolo")
    assert said.code == 2
    assert "NAME: 'apolo' is no neighbour that is known. Allowed: apollo, athena, " in said.err


def test_those_of_a_service_are_shown_with_what_went_wrong_and_when(
    say: Say, sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:  # bound, and does not listen
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        target = sqlite_databases.new(empty_books)
        with running(target, env={"BUDGET_APOLLO_URL": address}) as service:
            monkeypatch.setenv("BUDGET_TARGET", service.url)
            monkeypatch.setenv("BUDGET_KEY", service.key)
            items = {"state": "connecting"}
            while items["state"] == "connecting":
                said = say("neighbours", "--json")
                (items,) = [one for one in said.json["items"] if one["name"] == "apollo"]
            assert items["state"] == "failing"
            doctor = say("doctor").out
            said, alone = say("neighbours"), say("neighbours", "apollo")
            assert say("neighbours", "apollo", "--json").json["name"] == "apollo"
    assert max(map(len, said.out.splitlines())) <= 140
    assert (
        f"warn  neighbour      apollo is failing: apollo could not be reached at {address}"
        in doctor
    )
    row = next(line for line in said.out.splitlines() if line.startswith("apollo"))
    assert row.split()[:4] == ["apollo", "failing", "never", address]
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert f"apollo could not be reached at {address}." in row
    line = rf"^  Last error +{moment} apollo could not be reached at {address}\.$"
    assert re.search(line, alone.out, re.MULTILINE)
    assert re.search(r"^  Setting +BUDGET_APOLLO_URL$", alone.out, re.MULTILINE)
