"""Components: which of a registry are worth a look, and what may be asked of them."""

import asyncio
from collections.abc import Iterator

import pytest

from budget.domain.errors import InvalidInput
from budget.neighbours.hermes.components import (
    Found,
    candidates,
    look,
    probe,
    read_components,
    read_origins,
)
from tests.fakes.tekton.component import BROKEN, GARBAGE, Answer, Asked, Component, Told, running
from tests.fakes.tekton.hermes import FakeHermes
from tests.neighbours.hermes.conftest import Join, until

pytestmark = pytest.mark.anyio

NOBODY: frozenset[str] = frozenset()


def _healthy(asked: Asked) -> Told:
    return (200, {"status": "healthy"}) if asked.path == "/health" else (404, {})


@pytest.fixture
def athena() -> Iterator[Component]:
    with running(Component(_healthy)) as one:
        yield one


def _entry(name: str, endpoint: str, at: object, *able: str) -> dict[str, object]:
    return {"component_id": f"{name}-{at}", "name": name, "endpoint": endpoint,
            "capabilities": list(able), "registered_at": at}  # fmt: skip


def _listed(*entries: object) -> dict[str, object]:
    return {"total": len(entries), "components": list(entries)}


def test_of_several_entries_the_newest_comes_first_whatever_the_order() -> None:
    listed = read_components(
        _listed(
            _entry("athena", "http://a:1", 100.5),
            _entry("athena", "http://a:3", 300.0),
            _entry("athena", "http://a:2", 200),
            _entry("athena", "http://a:3", 50),
            _entry("athena", "http://a:0", None),
        )
    )
    assert candidates(listed) == {"athena": ["http://a:3", "http://a:2", "http://a:1"]}


def test_times_may_be_texts_too() -> None:
    entries = (
        _entry("telos", "http://t:1", "2026-11-26T10:00:00"),
        _entry("telos", "http://t:2", "2026-11-26T10:00:01.5"),
    )
    assert candidates(read_components(_listed(*entries))) == {"telos": ["http://t:2", "http://t:1"]}


def test_one_of_another_name_is_known_by_what_only_it_can_do() -> None:
    entries = (
        _entry("memory", "http://m:1", 1, "semantic_search", "knowledge_graph_management"),
        _entry("other", "http://o:1", 1, "semantic_search"),
        _entry("Rhetor", "http://r:1", 1),
    )
    found = candidates(read_components(_listed(*entries)))
    assert found == {"athena": ["http://m:1"], "rhetor": ["http://r:1"]}


def test_entries_that_make_no_sense_are_left_out() -> None:
    odd: tuple[object, ...] = (
           {}, None, 7, [], {"component_id": 7}, {"component_id": "a", "name": 7},
           {"component_id": "b", "name": "athena", "endpoint": None, "capabilities": "all"},
           {"component_id": "c", "name": "telos", "endpoint": "", "capabilities": [7]})  # fmt: skip
    assert [one.id for one in read_components(_listed(*odd))] == ["a", "b", "c"]
    assert candidates(read_components(_listed(*odd))) == {}


def test_one_nearby_is_believed_when_it_says_how_it_is(athena: Component) -> None:
    assert probe(f"{athena.url}/", near=True, origins=NOBODY) == Found(athena.url, "healthy")
    assert athena.paths("GET") == ["/health"]


@pytest.mark.parametrize(
    ("body", "health"),
    [({"status": "degraded"}, "degraded"), ({"status": "<b>"}, "answering"), ([], "answering"),
     ({}, "answering"), ({"status": 1}, "answering")],
)  # fmt: skip
def test_what_it_says_of_itself_is_told_in_known_words(
    athena: Component, body: object, health: str
) -> None:
    athena.fault = lambda _: (200, body)
    assert probe(athena.url, near=True, origins=NOBODY).health == health


def test_who_breaks_off_or_fails_or_leads_elsewhere_is_silent(athena: Component) -> None:
    answers: tuple[Answer, ...] = (BROKEN, lambda _: (307, {}))
    for athena.fault in answers:
        assert probe(athena.url, near=True, origins=NOBODY).health == "silent"
    athena.fault = GARBAGE
    assert probe(athena.url, near=True, origins=NOBODY).health == "answering"
    athena.fault, athena.cut = None, True
    assert probe(athena.url, near=True, origins=NOBODY).health == "silent"
    athena.stop()
    assert probe(athena.url, near=True, origins=NOBODY).health == "silent"


@pytest.mark.parametrize(
    "endpoint",
    ["http://10.0.0.5:8005", "https://example.com", "http://169.254.169.254/latest",
     "http://athena.lan:8005", "http://127.0.0.1.example.com", "http://[::ffff:7f00:1]:80",
     "ftp://localhost", "http://user:pw@localhost:1", "javascript:alert(1)", "localhost:8005",
     "http://localhost:8005#x", "http://local host"],
)  # fmt: skip
def test_nothing_is_asked_that_is_not_nearby_or_named(endpoint: str) -> None:
    assert probe(endpoint, near=True, origins=NOBODY).health is None


def test_nothing_nearby_is_asked_for_a_hermes_that_is_elsewhere(athena: Component) -> None:
    assert probe(athena.url, near=False, origins=NOBODY) == Found(athena.url, None)
    assert athena.asked == []
    assert probe(athena.url, near=False, origins=frozenset({athena.url})).health == "healthy"


async def test_a_newer_entry_at_which_nobody_is_gives_way_to_an_older_one(
    athena: Component,
) -> None:
    with running(Component(_healthy)) as gone:
        pass
    listed = read_components(
        _listed(_entry("athena", gone.url, 9.0), _entry("athena", athena.url, 5.0))
    )
    assert await look(listed, True, NOBODY) == {"athena": Found(athena.url, "healthy")}
    athena.stop()
    assert await look(listed, True, NOBODY) == {"athena": Found(gone.url, "silent")}


async def test_what_is_found_is_told_with_the_setting_that_it_takes(
    join: Join, fake: FakeHermes, athena: Component
) -> None:
    fake.register("athena", "http://localhost:1")
    fake.register("athena", athena.url)
    fake.register("telos", "http://10.1.2.3:8008")
    fake.register("engram", athena.url)
    async with join(BUDGET_TELOS_URL="http://10.1.2.3:8008") as hermes:
        await until(lambda: len({"athena", "telos", "engram"} & set(hermes.contact.facts)) == 3)
        facts = hermes.contact.facts
        assert facts["athena"] == (
            f"healthy at {athena.url} (set BUDGET_ATHENA_URL={athena.url} to speak with it)"
        )
        assert facts["telos"] == (
            "http://10.1.2.3:8008 is not asked (BUDGET_NEIGHBOUR_ORIGINS does not name it)"
        )
        assert facts["engram"] == f"healthy at {athena.url}"
        athena.stop()
        await until(lambda: facts["athena"].endswith("does not answer"))
        fake.entries = {id: one for id, one in fake.entries.items() if one["name"] != "athena"}
        await until(lambda: "athena" not in facts)


def test_origins_are_read_and_what_is_none_is_an_error_that_names_the_setting() -> None:
    env = {"BUDGET_NEIGHBOUR_ORIGINS": "http://athena.lan:8005, https://telos.lan"}
    assert read_origins(env) == {"http://athena.lan:8005", "https://telos.lan:443"}
    assert read_origins({}) == NOBODY
    for text in ("athena.lan", "http://a/b", "*", "http://a b"):
        with pytest.raises(InvalidInput) as caught:
            read_origins({"BUDGET_NEIGHBOUR_ORIGINS": text})
        assert caught.value.field == "BUDGET_NEIGHBOUR_ORIGINS"
        assert "origins:" not in caught.value.detail


async def test_a_look_at_nobody_finds_nobody() -> None:
    async with asyncio.timeout(5):
        assert await look([], True, NOBODY) == {}
