"""Models: one list of those that all upstreams have which speak as OpenAI does, each under the name
by which `/v1` leads to it.

What an upstream tells of a model is kept, but for its name. Not here: where a name leads
(`leading`).
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from budget.gateway.addressing import address_of, below_version
from budget.gateway.formats.frames import object_of
from budget.gateway.leading import led_by
from budget.gateway.replying import Reply
from budget.gateway.sending import Failed, Sender
from budget.gateway.upstreams import Upstream

KEPT_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 5.0
"""How long an upstream may take to tell its models."""
LEFT_OUT: Final = b"x-budget-left-out"

_PATH: Final = "/models"
_FIRST: Final = "openai"
"""Where names lead that tell nothing else."""
_AS_EVER: Final = frozenset({"anthropic", "azure"})
"""Formats whose upstreams are told their key here as they are elsewhere."""
_ALL: Final = {"anthropic": "?limit=1000"}
"""What has an upstream tell all, not a page."""
_JSON: Final = (b"content-type", b"application/json")
_encode: Final = msgspec.json.Encoder().encode


class _Listed(NamedTuple):
    """What was found: the answers, and until when they are good."""

    whole: Reply
    each: Mapping[str, Reply]
    until: float


class Models:
    """The list, asked for when somebody wants it, and kept for a minute. Of one event loop.

    `shaped` are the `upstreams` where they speak as OpenAI does, by name.
    """

    def __init__(
        self, sender: Sender, upstreams: Mapping[str, Upstream], shaped: Mapping[str, Upstream]
    ) -> None:
        self._sender = sender
        self._upstreams = upstreams
        self._shaped = shaped
        self._asking: asyncio.Task[_Listed] | None = None

    async def answer(self, path: str) -> Reply | None:
        """The answer to who asks for the list, or for one that is in it; None for anything else."""
        path = below_version(path)
        if path != _PATH and not path.startswith(_PATH + "/"):
            return None
        listed = await self._listed()
        return listed.whole if path == _PATH else listed.each.get(unquote(path[len(_PATH) + 1 :]))

    async def _listed(self) -> _Listed:
        """The list; who comes while it is asked for waits for the same."""
        task = self._asking
        if task is None or (task.done() and not _is_good(task)):
            task = self._asking = asyncio.ensure_future(self._ask())
        return await asyncio.shield(task)

    async def _ask(self) -> _Listed:
        asked = [
            one
            for one in self._upstreams.values()
            if one.name in self._shaped and (one.is_set_up or one.needs_no_key)
        ]
        answers = await asyncio.gather(*map(self._models_of, asked))
        models: dict[str, Mapping[str, Any]] = {}
        left_out: list[str] = []
        for upstream, answer in zip(asked, answers, strict=True):
            if not isinstance(answer, str):
                models.update(self._named(upstream, answer))
            elif upstream.is_set_up:
                left_out.append(f"{upstream.name} ({answer})")
        told = ((LEFT_OUT, ", ".join(left_out).encode()),) if left_out else ()
        whole = _encode({"object": "list", "data": list(models.values())})
        each = {name: Reply(200, _encode(model), (_JSON,)) for name, model in models.items()}
        return _Listed(Reply(200, whole, (_JSON, *told)), each, time.monotonic() + KEPT_SECONDS)

    async def _models_of(self, upstream: Upstream) -> list[Any] | str:
        """What an upstream tells, or why it does not."""
        shaped = self._shaped[upstream.name]
        url = address_of(shaped.base_url, _PATH + _ALL.get(upstream.format.name, ""))
        headers = (upstream if upstream.format.name in _AS_EVER else shaped).own_headers()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._sender.send("GET", url, headers, None, PATIENCE_SECONDS)
                raw = await answer.whole()
        except TimeoutError:
            return "did not answer in time"
        except Failed as error:
            return "did not answer in time" if error.timed_out else "cannot be reached"
        if answer.status != 200:
            return f"answered {answer.status}"
        data = (object_of(raw) or {}).get("data")
        return data if isinstance(data, list) else "told no list"

    def _named(
        self, upstream: Upstream, listed: list[Any]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for model in listed:
            told = model.get("id") if isinstance(model, Mapping) else None
            if not isinstance(told, str) or not told:
                continue
            name = self._name(upstream, told.removeprefix("models/"))
            created = model.get("created")
            yield (
                name,
                {
                    **model,
                    "id": name,
                    "object": "model",
                    "created": created if isinstance(created, int) else 0,
                    "owned_by": str(model.get("owned_by") or upstream.provider),
                },
            )

    def _name(self, upstream: Upstream, there: str) -> str:
        """The name that leads to a model of an upstream."""
        plain = upstream.name == _FIRST and led_by(there, self._shaped, own_key=False) is None
        return there if plain else f"{upstream.name}/{there}"


def _is_good(task: "asyncio.Task[_Listed]") -> bool:
    if task.cancelled() or task.exception() is not None:
        return False
    return time.monotonic() < task.result().until
