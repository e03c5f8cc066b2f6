"""The company: each neighbour is kept running, and none is anybody else's trouble."""

import asyncio

import pytest

from budget.neighbours.company import Company, listed
from budget.neighbours.neighbour import Neighbour

pytestmark = pytest.mark.anyio


class Flaky(Neighbour):
    """Fails as often as it is told, then works."""

    name = "flaky"
    address = "http://127.0.0.1:1"
    most_pause_seconds = 0.01

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.works = asyncio.Event()
        self.left = 0

    async def run(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not today")
        self.contact.went_well(seen=3)
        self.works.set()
        await super().run()

    async def leave(self) -> None:
        self.left += 1


class Rude(Flaky):
    """Does not let itself be left."""

    name = "rude"

    async def leave(self) -> None:
        raise OSError("gone")


async def test_one_that_fails_is_tried_again_and_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budget.neighbours.company.FIRST_PAUSE_SECONDS", 0.001)
    flaky = Flaky(failures=3)
    company = Company([flaky])
    assert company.states() == {"flaky": "connecting"}
    company.start()
    await flaky.works.wait()
    assert company.states() == {"flaky": "working"}
    assert flaky.contact.last_error == "RuntimeError: not today"
    assert flaky.contact.facts == {"seen": "3"}
    await company.close()
    assert flaky.left == 1


async def test_one_that_cannot_be_left_keeps_nobody_from_leaving() -> None:
    rude, flaky = Rude(failures=0), Flaky(failures=0)
    company = Company([rude, flaky])
    company.start()
    await asyncio.gather(rude.works.wait(), flaky.works.wait())
    await company.close()
    assert flaky.left == 1


async def test_a_company_that_never_started_closes() -> None:
    await Company([Flaky(failures=0)]).close()


async def test_without_a_company_all_are_off() -> None:
    assert {one["state"] for one in listed(None)} <= {"off"}
