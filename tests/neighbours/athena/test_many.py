"""Ten thousand entities are brought in step with a bounded number of requests, a few at once."""

import threading
from collections import Counter
from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from tests.fakes.tekton.component import Asked
from tests.neighbours.athena.conftest import Beside, in_step, until

pytestmark = pytest.mark.anyio


@pytest.mark.faults
async def test_ten_thousand_entities_are_sent_once_and_found_again_after_a_loss(
    books: Books, beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.neighbours.athena.conftest.PATIENCE_SECONDS", 300.0)
    policies: Any = [
        {"unit": "requests", "period": "daily", "limit": 1000 + n, "enforcement": "warn"}
        for n in range(49)
    ]
    for n in range(200):
        books.create_budget(name=f"B{n}", scope={"team": f"t{n}"}, policies=policies)
    at_once, most, lock = [0], [0], threading.Lock()
    answer = beside.component.answer

    def counted(asked: Asked) -> Any:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        try:
            return answer(asked)
        finally:
            with lock:
                at_once[0] -= 1

    beside.component.answer = counted
    async with in_step(books, beside) as athena:
        await until(lambda: athena.contact.facts.get("relations") == "9800")
        assert athena.contact.facts["entities"] == "10000"
        sent = Counter(one.method for one in beside.component.asked)
        # 10,000 entities and 9,800 relations, each once; a mark and a sync for each 200 of them.
        assert 19_800 < sent["POST"] <= 19_800 + 2 * 101
        assert most[0] <= 4
        beside.graph.disk = ({}, {})
        beside.kill()
        beside.component.start()
        await until(lambda: len(beside.graph.entities) == 10_001)
        await until(lambda: len(beside.graph.relations) == 9_800)
