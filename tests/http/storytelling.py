"""Telling the story of the examples to a real service, and what it answers.

    python -m tests.http.storytelling

records the answers as the examples of the description. It is run after an operation was added.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from budget.http.openapi import examples
from budget.http.openapi.examples import STORY, Example, resolved
from budget.http.openapi.operations import operation_id
from budget.http.routes import ROUTES
from tests.fakes.tekton import component
from tests.fakes.tekton.rhetor import Rhetor
from tests.http.running import SHORT, Json, Running, running
from tests.support.databases import sqlite_url
from tests.support.priced import FOUR, Source

BY_ID = {operation_id(route): route for route in ROUTES}
ANSWERS = Path(examples.__file__).parent / "answers.json"
SECRETS = ("secret", "key", "csrf_token", "token")
"""Fields of answers that are told once, to whom they are for."""


class Told(NamedTuple):
    """A request of the story, and what was answered."""

    example: Example
    answer: httpx2.Response


@contextmanager
def stage(folder: Path) -> Iterator[Running]:
    """A service on an empty database, with a Rhetor beside it."""
    source = Source(folder / "litellm.json")
    source.says(FOUR)
    url = sqlite_url(folder / "budget.db")
    with (
        component.running(Rhetor()) as rhetor,
        running(
            url, price_settings=source.settings, limits=SHORT,
            env={"BUDGET_RHETOR_URL": rhetor.url},
        ) as service,
    ):  # fmt: skip
        service.post("/prices/update", {"sources": ["litellm"]}, status=200)
        source.says({**FOUR, "a": ("100", "2"), "b": ("300", "6")})
        yield service


def tell(service: Running) -> Iterator[Told]:
    """Send every request of the story in its order; a later one may refer to earlier answers."""
    heard: Json = {}
    for example in STORY:
        route = BY_ID[example.operation]
        path = route.path.replace(":path}", "}")
        for name, value in resolved(example.ids, heard).items():
            path = path.replace(f"{{{name}}}", value)
        answer = _answer(
            service,
            route.method,
            path,
            params=resolved(example.query, heard),
            json=None if example.ask is None else resolved(example.ask, heard),
            headers={"Origin": service.url} if example.operation == "post_login" else None,
        )
        if answer.headers.get("content-type", "").startswith("application/json"):
            heard[example.operation] = answer.json()
        if example.operation == "post_login_links":
            heard[example.operation]["token"] = answer.json()["url"].partition("token=")[2]
        service.client.cookies.clear()
        yield Told(example, answer)


def _answer(service: Running, method: str, path: str, **more: Any) -> httpx2.Response:
    """What is answered; of a stream, which has no end, its beginning."""
    with service.client.stream(method, path, **more) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
            return answer
        begun = next(answer.iter_bytes())
    return httpx2.Response(answer.status_code, headers=answer.headers, content=begun)


def without_secrets(answer: Any) -> Any:
    """An answer as it may be shown."""
    if isinstance(answer, dict):
        return {
            name: "…" if name in SECRETS and isinstance(value, str) else without_secrets(value)
            for name, value in answer.items()
        }
    return [without_secrets(one) for one in answer] if isinstance(answer, list) else answer


def shortened(answer: Any) -> Any:
    """An answer with no more than two of each list, so that the description stays short."""
    if isinstance(answer, dict):
        return {name: shortened(value) for name, value in answer.items()}
    return [shortened(one) for one in answer[:2]] if isinstance(answer, list) else answer


def record() -> None:
    """Write what the service answers beside the story."""
    answers: Json = {}
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as service:
        for example, answer in tell(service):
            if answer.status_code >= 400:
                sys.stderr.write(f"{example.operation} {answer.status_code} {answer.text}\n")
            elif answer.headers.get("content-type", "").startswith("application/json"):
                told = without_secrets(copy.deepcopy(answer.json()))
                if "openapi" not in example.operation:
                    answers[example.operation] = shortened(told)
        written = json.dumps(answers, indent=1, ensure_ascii=False)
        ANSWERS.write_text(written.replace(folder, "/var/lib/budget") + "\n")


if __name__ == "__main__":
    record()
