"""The gateway: which mount a request belongs to, and what is done with it there.

    /openai/v1/..., /anthropic/..., /<upstream>/...   one upstream
    /v1/...                                           OpenAI's shape, led by the model's name

Not here: one call (`passing`), and connections of callers (`http.gateway`).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.errors import BudgetError, InvalidInput
from budget.engine.budget import AsyncBudget
from budget.gateway import batches, beside, passing
from budget.gateway.addressing import check_path
from budget.gateway.batches import Batch
from budget.gateway.behind import with_seller
from budget.gateway.breaking import Breakers
from budget.gateway.call import Call, Route
from budget.gateway.formats import rhetor, rhetor_openai
from budget.gateway.formats.format import Asked, Target
from budget.gateway.formats.multipart import fields_of, is_form
from budget.gateway.holding import Tasks
from budget.gateway.incoming import Incoming, words_of
from budget.gateway.leading import below_endpoint, in_openai_shape, led_by
from budget.gateway.learning import Outputs
from budget.gateway.loops import Loops
from budget.gateway.models import Models
from budget.gateway.poller import Poller
from budget.gateway.refusing import error_notice
from budget.gateway.replying import Reply, Sending
from budget.gateway.rules import NO_RULES, Rules, read_rules
from budget.gateway.runs import Runs
from budget.gateway.sending import Sender
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream, read_upstreams
from budget.gateway.waiting import Room

LED_BY_MODEL: Final = "v1"
CLOSE_SECONDS: Final = 30.0
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_QUICKLY_PARSED_BYTES: Final = 64 * 1024

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder().decode


Assigned = Callable[[str, str], str | None]
"""The model that Rhetor has assigned to a component for a capability, if that is known."""


class Mount(NamedTuple):
    """Where a path leads: an upstream and the path there. `by_model`: its name may say another."""

    upstream: Upstream
    path: str
    by_model: bool = False


class Gateway:
    """Open on one event loop until `close`, over books that it does not close."""

    def __init__(
        self,
        budget: AsyncBudget,
        upstreams: Mapping[str, Upstream],
        rules: Rules = NO_RULES,
        assigned: Assigned | None = None,
    ) -> None:
        self.upstreams = upstreams
        shaped = {name: in_openai_shape(one) for name, one in upstreams.items()}
        self._assigned = assigned
        self._in_openai_shape = {name: one for name, one in shaped.items() if one is not None}
        self._shop = Shop(
            budget, Sender(), Room(rules.wait_seconds), Tasks(), Outputs(), Breakers(),
            runs=Runs(rules.templates), loops=Loops(rules.loops),
        )  # fmt: skip
        self._models = Models(self._shop.sender, upstreams, self._in_openai_shape)
        self._poller = Poller(self._shop, upstreams, self._in_openai_shape, rules.ask_seconds)

    @classmethod
    def read(cls, budget: AsyncBudget, env: Mapping[str, str]) -> "Gateway":
        """A gateway to what the environment says. InvalidInput, naming the variable."""
        return cls(budget, read_upstreams(env), read_rules(env))

    def mount(self, path: str) -> Mount | None:
        """Where a path leads; None if that is nowhere of the gateway's."""
        name, _, rest = path[1:].partition("/")
        if name == LED_BY_MODEL:
            return Mount(self.upstreams["openai"], path, by_model=True)
        upstream = self.upstreams.get(name)
        if upstream is None or not rest:
            return None
        if upstream.format is rhetor.FORMAT and f"/{rest}".startswith(rhetor_openai.PREFIX):
            return Mount(replace(upstream, format=rhetor_openai.FORMAT, fallback=()), f"/{rest}")
        below = below_endpoint(upstream, f"/{rest}")
        if below is not None:
            return Mount(self._in_openai_shape[name], below)
        return Mount(upstream, f"/{rest}")

    def problem(self, mount: Mount, error: BudgetError, status: int) -> Reply:
        """An error of ours in the shape of the provider's."""
        notice = error_notice(error, status)
        body = _encode(mount.upstream.format.problem(notice))
        return Reply(notice.status, body, ((b"content-type", b"application/json"),))

    async def answer(self, mount: Mount, incoming: Incoming, sending: Sending) -> None:
        """Answer a request. BudgetError for what is wrong with it, before anything is sent."""
        upstream = mount.upstream
        _check_method(incoming.method)
        check_path(mount.path, incoming.query)
        _check_coding(incoming.headers)
        if mount.by_model and incoming.method == "GET" and not incoming.own_key:
            listed = await self._models.answer(mount.path)
            if listed is not None:
                await sending.reply(listed)
                return
        body = await _parsed(incoming)
        target = Target(incoming.method, mount.path, incoming.sent_query(), body)
        asked = upstream.format.asked(target)
        words = words_of(incoming.headers)
        if asked is not None and asked.costs == "batch":
            batch = Batch(incoming, target, upstream, words)
            await batches.create(self._shop, batch, sending)
            return
        if asked is None or asked.costs != "tokens":
            await beside.pass_on(self._shop, incoming, target, asked, upstream, words, sending)
            return
        if asked.model is None:
            asked = asked._replace(model=self._assigned_model(upstream, target))
            route = self._route(mount, asked, own_key=incoming.own_key)._replace(renamed=True)
        else:
            route = self._route(mount, asked, own_key=incoming.own_key)
        call = Call(incoming, target, asked, route, words)
        await passing.pass_on(self._shop, call, sending)

    def _assigned_model(self, upstream: Upstream, target: Target) -> str:
        """The model of a call that names none; InvalidInput where nobody knows it."""
        if upstream.format.name != rhetor.NAME:
            raise InvalidInput("model", "is required: the name of the model to call.")
        component, capability = rhetor.chosen_for(target)
        model = None if self._assigned is None else self._assigned(component, capability)
        if model is None:
            raise InvalidInput(
                "model",
                "is required where it is not known which model Rhetor has assigned for "
                f"{capability[:80]!r}: name one, or see `budget neighbours rhetor`.",
            )
        return model

    def _route(self, mount: Mount, asked: Asked, *, own_key: bool) -> Route:
        upstream, model = mount.upstream, asked.model
        renamed = False
        if mount.by_model and model is not None:
            led = led_by(model, self._in_openai_shape, own_key=own_key)
            if led is not None:
                renamed = led.model != model
                upstream, model = led
        wanted = (upstream, *(self.upstreams[name] for name in upstream.fallback))
        if model is None:
            return Route(wanted, model, renamed)
        books = self._shop.budget.books
        now_us = books.database.now_us()
        sold = tuple(with_seller(one, model, books.prices, now_us) for one in wanted)
        return Route(sold, model, renamed)

    def left_out(self) -> tuple[str, ...]:
        """The upstreams that are not called just now, because they failed again and again."""
        return self._shop.breakers.left_out()

    def start(self) -> None:
        """Begin to look after what goes on at upstreams. It need not be called."""
        self._poller.start()

    async def close(self) -> None:
        """Settle what is under way, and let go of the connections."""
        await self._poller.close()
        await self._shop.tasks.finish(CLOSE_SECONDS)
        await self._shop.sender.close()


def _check_method(method: str) -> None:
    if method not in _METHODS:
        raise InvalidInput("method", f"{method[:20]!r} is passed on to no provider.", _METHODS)


def _check_coding(headers: Mapping[bytes, bytes]) -> None:
    """A body is as it is: what is squeezed would be passed on unread."""
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise InvalidInput("Content-Encoding", "must not be given: send the body as it is.")


async def _parsed(incoming: Incoming) -> Mapping[str, Any] | None:
    """The body, if it is a JSON object, or a form."""
    body, content_type = incoming.body, incoming.headers.get(b"content-type", b"")
    if is_form(content_type):
        return fields_of(body, content_type)
    if body.lstrip()[:1] != b"{":
        return None
    try:
        if len(body) <= _QUICKLY_PARSED_BYTES:
            value = _decode(body)
        else:
            value = await asyncio.to_thread(_decode, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("body", "is not JSON; send one object.") from error
    return value if isinstance(value, dict) else None
