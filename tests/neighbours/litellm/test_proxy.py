"""The callback in LiteLLM's own proxy: what it books is what the provider bills.

These need LiteLLM in a venv of its own: `make litellm`.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from budget import Budget
from budget.client import Client
from tests.fakes.providers import Providers
from tests.neighbours.litellm import proxy as proxies
from tests.neighbours.litellm.conftest import statuses, used
from tests.support.nursery import shared
from tests.support.services import Service

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not proxies.is_there(), reason="there is no LiteLLM: make litellm"),
]

MESSAGES: Any = [{"role": "user", "content": "one two three"}]
SAID: Any = {"model": "chat", "max_tokens": 50, "messages": MESSAGES}


class Running:
    """A proxy, the service that it asks, and the provider behind it."""

    def __init__(self, proxy: proxies.Proxy, service: Service, providers: Providers) -> None:
        self.service, self.providers = service, providers
        self.client = httpx2.Client(
            base_url=proxy.url, timeout=60, trust_env=False,
            headers={"authorization": f"Bearer {proxies.MASTER_KEY}"},
        )  # fmt: skip
        self.books: Any = Client(f"http://127.0.0.1:{service.port}", service.key)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_of: object) -> None:
        self.client.close()
        self.books.close()

    def chat(self, how: str = "", path: str = "/v1/chat/completions", **more: Any) -> Any:
        """One call, answered as `how` says."""
        headers = {"x-fake": how, "x-fake-id": f"id-{how}"} if how else {}
        return self.client.post(path, json={**SAID, **more}, headers=headers)

    def generate(self, model: str, act: str = ":generateContent") -> Any:
        """One call by Google's API."""
        asked = {"contents": [{"role": "user", "parts": [{"text": "one two three"}]}],
                 "generationConfig": {"maxOutputTokens": 50}}  # fmt: skip
        return self.client.post(f"/v1beta/models/{model}{act}", json=asked)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("litellm")
    service = Service(shared(), folder, f"sqlite:///{folder / 'books.db'}")
    service.start()
    with (
        Providers() as providers,
        Client(f"http://127.0.0.1:{service.port}", service.key) as admin,
    ):
        key = admin.create_key(name="proxy", scopes=["spend"]).text or ""
        target = f"http://127.0.0.1:{service.port}"
        with (
            proxies.Proxy(folder, providers.url, target, key, {}) as proxy,
            Running(proxy, service, providers) as running,
        ):
            yield running
    service.stop()


def _settled(running: Running, tries: int) -> list[str]:
    """How the newest allocations stand, once none is open."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        newest = running.books.allocations(limit=tries).items
        if len(newest) == tries and all(one.status != "open" for one in newest):
            return sorted(one.status for one in newest)
        time.sleep(0.05)
    raise AssertionError("they stay open")


def test_what_is_booked_is_what_was_billed(running: Running) -> None:
    running.providers.forget()
    before = len(used(running.books))
    assert running.chat().status_code == 200
    assert running.chat(stream=True).text.endswith("data: [DONE]\n\n")
    assert running.chat(model="claude").status_code == 200
    assert running.chat(model="claude", stream=True).status_code == 200
    assert running.chat(path="/v1/messages", model="claude").status_code == 200
    assert running.chat(path="/v1/messages", model="claude", stream=True).status_code == 200
    assert running.chat(path="/v1/responses", input="a b", max_output_tokens=9).status_code == 200
    assert running.generate("gemini").status_code == 200
    assert running.generate("gemini", ":streamGenerateContent?alt=sse").status_code == 200
    assert running.generate("chat").status_code == 200  # which LiteLLM asks by chat
    assert _settled(running, 11) == ["released", *["settled"] * 10]
    booked = used(running.books)[: len(used(running.books)) - before]
    billed = [(one.input_tokens, one.output_tokens) for one in running.providers.billed()]
    assert sorted(booked) == sorted(billed)


def test_failed_tries_give_back_what_they_held(running: Running) -> None:
    assert running.chat("status=429 times=1").status_code == 200
    assert _settled(running, 2) == ["released", "settled"]
    assert running.chat("status=400").status_code == 400
    assert _settled(running, 1) == ["released"]


def test_a_stream_that_its_client_leaves_is_settled(running: Running) -> None:
    with running.client.stream(
        "POST", "/v1/chat/completions", json={**SAID, "stream": True},
        headers={"x-fake": "words=40 delay_ms=50"},
    ) as answer:  # fmt: skip
        for number, _ in enumerate(answer.iter_lines()):
            if number == 6:
                break
    assert _settled(running, 1) == ["settled"]
    assert 0 < used(running.books)[0][1] < 50


def test_of_64_calls_at_once_exactly_those_that_fit_pass(running: Running) -> None:
    running.books.create_budget(
        name="ten", scope={"project": "ten"},
        policies=[{"unit": "requests", "period": "total", "limit": 10}],
    )  # fmt: skip
    running.providers.forget()
    said: Any = {"metadata": {"budget": {"project": "ten"}}}
    with ThreadPoolExecutor(64) as pool:
        came = list(pool.map(lambda _: running.chat(**said), range(64)))
    assert Counter(one.status_code for one in came) == {200: 10, 402: 54}
    assert len(running.providers.billed()) == 10
    refused = next(one for one in came if one.status_code == 402).json()["error"]
    assert refused["provider_specific_fields"]["code"] == "over_limit"
    assert running.chat().status_code == 200  # the deployment is not blamed


def test_what_cannot_be_held_for_is_refused(running: Running) -> None:
    answer = running.client.post("/v1/images/generations", json={"model": "chat", "prompt": "x"})
    assert answer.status_code == 403
    assert "BUDGET_LITELLM_UNMETERED" in answer.text


def test_nothing_is_sent_while_the_service_is_away(running: Running) -> None:
    running.service.stop()
    running.providers.forget()
    answer = running.chat()
    assert answer.status_code == 503
    assert running.providers.billed() == []
    running.service.start()
    assert running.chat().status_code == 200


def test_fail_open_sends_without_a_service_and_books_when_it_is_back(
    tmp_path: Path, sqlite_databases: Any
) -> None:
    service = Service(shared(), tmp_path, f"sqlite:///{tmp_path / 'books.db'}")
    service.start()
    with Client(f"http://127.0.0.1:{service.port}", service.key) as admin:
        key = admin.create_key(name="proxy", scopes=["spend"]).text or ""
    service.stop()
    settings = {"BUDGET_LITELLM_FAIL_OPEN": "on"}
    target = f"http://127.0.0.1:{service.port}"
    with (
        Providers() as providers,
        proxies.Proxy(tmp_path, providers.url, target, key, settings) as proxy,
        Running(proxy, service, providers) as running,
    ):
        assert running.chat().status_code == 200
        service.start()
        until = time.monotonic() + 30
        while not used(running.books) and time.monotonic() < until:
            time.sleep(0.1)
        assert used(running.books) == [(3, 5)]
        assert statuses(running.books) == []
    service.stop()


def test_books_of_the_trial_add_up(running: Running) -> None:
    running.service.stop()
    with Budget.open(running.service.target) as books:
        assert books.verify().clean
    running.service.start()
