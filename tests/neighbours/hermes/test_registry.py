"""The registry: Budget is in it under both its names while it runs, whatever Hermes forgets."""

import json
import threading

import pytest

from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.hermes.registry import Registry, lifetime_seconds
from tests.fakes.tekton.component import Asked, Component, Told
from tests.fakes.tekton.hermes import FakeHermes
from tests.neighbours.hermes.conftest import URL, Join, again, until

pytestmark = pytest.mark.anyio

IDS = {"budget", "penia"}


async def test_budget_is_there_under_both_its_names_and_says_what_it_is(
    join: Join, fake: FakeHermes
) -> None:
    async with join() as hermes:
        await until(lambda: hermes.contact.state == "working")
        assert set(fake.entries) == IDS
        for id, entry in fake.entries.items():
            assert (entry["name"], entry["type"], entry["endpoint"]) == (id, id, URL)
            assert entry["capabilities"] == [
                "budget_management", "model_recommendations", "budget_analytics",
            ]  # fmt: skip
            assert entry["metadata"]["instance"] == "test"
            assert entry["last_heartbeat"] is not None
        assert hermes.contact.facts["registered_as"] == "budget, penia"


async def test_the_token_is_sent_back_to_the_letter_with_each_heartbeat(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    async with join():
        await again(component, 3)
    assert component.paths("POST").count("/api/register") == 2
    beats = [one for one in component.asked if one.path == "/api/heartbeat"]
    assert len(beats) >= 6
    # The fake answers 401 to a token that was written anew, however alike.
    assert all(json.loads(one.headers["x-authentication-token"])["payload"] for one in beats)
    assert all(isinstance(one.body["status"], dict) for one in beats)


async def test_one_that_forgot_and_still_answers_heartbeats_is_told_again(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    async with join() as hermes:
        await until(lambda: set(fake.entries) == IDS)
        await again(component)
        fake.forget()
        await until(lambda: set(fake.entries) == IDS)
        await again(component)
        assert hermes.registry.registrations == 4
        assert hermes.contact.state == "working"
        assert hermes.contact.last_error is None


async def test_one_entry_that_is_missing_is_made_again_and_the_other_stays(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    async with join() as hermes:
        await until(lambda: set(fake.entries) == IDS)
        await again(component)
        del fake.entries["penia"]
        await until(lambda: set(fake.entries) == IDS)
        await again(component)
        assert hermes.registry.registrations == 3


async def test_a_ghost_of_our_name_is_not_taken_for_us(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    ghost = fake.register("penia", "http://localhost:8013")
    async with join():
        await until(lambda: {"budget", "penia"} <= set(fake.entries))
        await again(component)
        del fake.entries["penia"]
        await until(lambda: "penia" in fake.entries)
    assert set(fake.entries) == {ghost}


async def test_who_took_our_ids_over_is_told_and_not_fought(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    async with join() as hermes:
        await until(lambda: set(fake.entries) == IDS)
        fake.register("budget", "http://10.0.0.9:8013/?\x1b[31m", component_id="budget")
        await until(lambda: "taken_over_by" in hermes.contact.facts)
        assert hermes.contact.facts["taken_over_by"] == "an address that makes no sense"
        fake.register("budget", "http://10.0.0.9:8013/", component_id="budget")
        await until(lambda: hermes.contact.facts["taken_over_by"] == "http://10.0.0.9:8013")
        await again(component, 3)
        assert hermes.registry.registrations == 2
        del fake.entries["budget"]  # as it goes, it takes its entry back
        await until(lambda: "taken_over_by" not in hermes.contact.facts)
        assert fake.entries["budget"]["endpoint"] == URL


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_who_is_not_known_registers_anew(
    join: Join, fake: FakeHermes, component: Component, status: int
) -> None:
    refused: list[str] = []

    def odd(asked: Asked) -> Told:
        if asked.path == "/api/heartbeat" and len(refused) < 1:
            refused.append(asked.body["component_id"])
            return status, {"detail": "Invalid authentication token"}
        return fake.answer(asked)

    component.fault = odd
    async with join() as hermes:
        await until(lambda: set(fake.entries) == IDS and hermes.contact.state == "working")
        assert refused == ["budget"]
        assert hermes.registry.registrations == 3


async def test_a_heartbeat_answered_200_with_an_error_registers_anew(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    refused: list[str] = []

    def odd(asked: Asked) -> Told:
        if asked.path == "/api/heartbeat" and not refused:
            refused.append(asked.body["component_id"])
            return 200, {"success": False, "message": "Component not registered"}
        return fake.answer(asked)

    component.fault = odd
    async with join() as hermes:
        await until(lambda: hermes.contact.state == "working")
        assert hermes.registry.registrations == 3


async def test_a_token_is_replaced_before_its_time_is_up(component: Component) -> None:
    now = [0.0]
    line = Line("hermes", component.url)
    card = {"component_id": "budget", "name": "budget", "version": "1", "type": "budget",
            "endpoint": URL}  # fmt: skip
    registry = Registry(line, {"budget": card}, clock=lambda: now[0])
    await registry.keep()
    now[0] = 2699.0  # of 3600 s three quarters are 2700
    await registry.keep()
    assert registry.registrations == 1
    now[0] = 2700.0
    await registry.keep()
    assert registry.registrations == 2
    await line.close()


async def test_a_registry_that_does_not_list_us_is_an_error_each_time(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    def odd(asked: Asked) -> Told:
        if asked.path == "/api/components":
            return 200, {"total": 0, "components": []}
        return fake.answer(asked)

    component.fault = odd
    async with join() as hermes:
        await until(lambda: hermes.contact.last_error is not None)
        assert hermes.contact.last_error == (
            "hermes says that it has registered budget, penia, and does not list it."
        )


@pytest.mark.parametrize(
    "odd", [[], {"components": None}, {"total": 1, "components": {"id": "budget"}}]
)
async def test_a_list_that_is_none_is_an_error(
    component: Component, fake: FakeHermes, odd: object
) -> None:
    component.fault = lambda asked: (
        (200, odd) if asked.path == "/api/components" else fake.answer(asked)
    )
    line = Line("hermes", component.url)
    with pytest.raises(Unanswered, match="does not say which components"):
        await Registry(line, {"budget": CARD}).keep()
    await line.close()


CARD = {"component_id": "budget", "name": "budget", "version": "1", "type": "budget",
        "endpoint": URL}  # fmt: skip


@pytest.mark.parametrize("answer", [{"success": True}, {"token": 7}, {"token": "a\nb"}, [], None])
async def test_a_registration_without_a_token_that_fits_is_an_error(
    component: Component, answer: object
) -> None:
    component.fault = lambda _: (200, answer)
    line = Line("hermes", component.url)
    with pytest.raises(Unanswered, match="without a token"):
        await Registry(line, {"budget": CARD}).keep()
    await line.close()


async def test_both_entries_are_taken_back_at_the_end_and_ghosts_stay(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    ghost = fake.register("athena", "http://localhost:8005")
    async with join():
        await until(lambda: len(fake.entries) == 3)
        await again(component)
    assert set(fake.entries) == {ghost}
    gone = [one for one in component.asked if one.path == "/api/unregister"]
    assert {one.query["component_id"] for one in gone} == IDS
    assert all(one.raw == b"" for one in gone)


async def test_what_was_cut_off_while_it_registered_is_taken_back_too(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    lost: list[str] = []

    def odd(asked: Asked) -> Told:
        """Registers, and does not get to say so."""
        told = fake.answer(asked)
        if asked.path == "/api/register" and not lost:
            lost.append("budget")
            return 500, {"detail": "Internal Server Error"}
        return told

    component.fault = odd
    component.hold = threading.Event()
    async with join() as hermes:
        hermes.most_pause_seconds = 30.0
        component.hold.set()
        await until(lambda: lost)
    assert fake.entries == {}


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        ('{"payload": {"iat": 1795438234, "exp": 1795441834}, "signature": "ab"}', 3600),
        ('{"payload": {"iat": 100, "exp": 160}, "signature": "ab"}', 60),
        ('{"payload": {"iat": 100, "exp": 100}}', 3600),
        ('{"payload": {"exp": 100}}', 3600),
        ('{"payload": []}', 3600),
        ("opaque", 3600),
        ("7", 3600),
    ],
)
def test_a_token_says_itself_how_long_it_lives(token: str, seconds: int) -> None:
    assert lifetime_seconds(token) == seconds
