"""Calling a neighbour: what it answers, and in one sentence why it did not."""

import socket
import threading
from collections.abc import Iterator

import pytest

from budget.domain.errors import InvalidInput
from budget.neighbours.calling import Line, Unanswered, read_address
from tests.fakes.tekton.component import BROKEN, GARBAGE, Asked, Component, Told, running

pytestmark = pytest.mark.anyio


def _echo(asked: Asked) -> Told:
    return 200, {"path": asked.path, "query": dict(asked.query), "body": asked.body}


@pytest.fixture
def component() -> Iterator[Component]:
    with running(Component(_echo)) as one:
        yield one


async def _fails(line: Line) -> Unanswered:
    with pytest.raises(Unanswered) as caught:
        await line.ask("GET", "/thing")
    await line.close()
    return caught.value


async def test_what_is_asked_arrives_and_the_answer_comes_back(component: Component) -> None:
    line = Line("athena", component.url)
    told = await line.ask("POST", "/a/b", {"n": 1}, query={"limit": 2})
    assert told == {"path": "/a/b", "query": {"limit": "2"}, "body": {"n": 1}}
    await line.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": "error", "message": "Error", "data": None, "errors": ["no such argument"]},
         "apollo says: no such argument"),
        ({"success": False, "message": "Not yours"}, "apollo says: Not yours"),
        ({"error": "no attribute 'add'"}, "apollo says: no attribute 'add'"),
    ],
)  # fmt: skip
async def test_an_error_in_an_answer_of_200_is_an_error(
    component: Component, answer: object, sentence: str
) -> None:
    component.fault = lambda _: (200, answer)
    error = await _fails(Line("apollo", component.url))
    assert (error.detail, error.status) == (sentence, 200)


async def test_a_status_is_told_with_its_reason(component: Component) -> None:
    component.fault = BROKEN
    error = await _fails(Line("athena", component.url))
    assert error.detail == "athena answered 500: Internal Server Error."
    assert error.status == 500


async def test_what_is_not_json_or_breaks_off_or_leads_elsewhere_is_an_error(
    component: Component,
) -> None:
    component.fault = GARBAGE
    error = await _fails(Line("athena", component.url))
    assert error.detail == "athena answered, but not in JSON."
    component.fault, component.cut = None, True
    error = await _fails(Line("athena", component.url))
    assert error.detail.startswith("athena broke off")
    component.fault, component.cut = (lambda _: (307, {})), False
    assert (await _fails(Line("athena", component.url))).status == 307


async def test_silence_is_an_error(component: Component) -> None:
    component.hold = threading.Event()
    error = await _fails(Line("athena", component.url, timeout_seconds=0.05))
    assert error.detail == f"athena did not answer in time at {component.url}."
    assert error.status is None


async def test_nobody_there_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await _fails(Line("athena", f"http://127.0.0.1:{port}"))
    assert error.detail == f"athena could not be reached at http://127.0.0.1:{port}."


def test_an_address_is_read_without_a_slash_at_its_end() -> None:
    env = {"BUDGET_HERMES_URL": "", "HERMES_URL": "http://localhost:8001/"}
    assert (
        read_address(env, "BUDGET_HERMES_URL", "HERMES_URL", port=8001) == "http://localhost:8001"
    )


@pytest.mark.parametrize("text", ["localhost:8001", "http://", "ftp://a", "http://a?b=c", "on"])
def test_what_is_no_address_is_an_error_that_names_the_setting(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_address({"BUDGET_HERMES_URL": text}, "BUDGET_HERMES_URL", "HERMES_URL", port=8001)
    assert caught.value.field == "BUDGET_HERMES_URL"
    assert caught.value.detail.startswith(
        "BUDGET_HERMES_URL: must be an http or https address such as http://127.0.0.1:8001: "
    )
