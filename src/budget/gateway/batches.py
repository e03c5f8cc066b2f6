"""Batches: many requests given to a provider at once, held for together before it has them.

OpenAI's come in a file, which is read at the provider; Anthropic's in the call itself. Each request
counts as a call by itself would, at the price of batches. Not here: what is booked when a batch has
ended (`later`).
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.output_limits import answers_of, output_tokens_limit
from budget.domain.pricing import hold_nanos, lacks_measure
from budget.domain.usage import units_of
from budget.engine.callers import Caller
from budget.engine.estimates import input_of
from budget.engine.jobs import Books, Jobs
from budget.gateway import ceilings
from budget.gateway.addressing import address_of, below_version
from budget.gateway.admitting import answered
from budget.gateway.asking import attributes_of
from budget.gateway.batch_results import BATCH
from budget.gateway.formats.format import HELD_SECONDS, Asked, Body, Notice, Target
from budget.gateway.formats.openai import asked_of
from budget.gateway.formats.openai_routes import PRICED
from budget.gateway.holding import Holding
from budget.gateway.incoming import Incoming, Words
from budget.gateway.labels import labels_of
from budget.gateway.later import Fetch, fetching
from budget.gateway.marks import marked, unmarked
from budget.gateway.refusing import refusal_headers, refusal_notice
from budget.gateway.replying import Reply, Sending
from budget.gateway.runs import drawing
from budget.gateway.sending import Failed
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.works import Kind, begun, notes

MOST_REQUESTS: Final = 100_000
MOST_WRITTEN_TOKENS: Final = 16_384
"""What is held for a request that sets no limit to a model of which none is known."""

_JSON: Final = (b"content-type", b"application/json")
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder().decode


class Sum(NamedTuple):
    """What all requests of a batch may come to. `usd_nanos` None: a price is not known."""

    usd_nanos: int | None
    tokens: int
    requests: int
    models: frozenset[str]


class Batch(NamedTuple):
    """A batch that is asked for, as it came. `target.body` is there."""

    incoming: Incoming
    target: Target
    upstream: Upstream
    words: Words


async def create(shop: Shop, batch: Batch, sending: Sending) -> None:
    """Answer who asks for a batch. InvalidInput for one that cannot be read."""
    since = time.monotonic()
    fetch = fetching(shop, batch.incoming, batch.upstream)
    books, caller = shop.budget.books, batch.incoming.caller
    body, upstream = batch.target.body or {}, batch.upstream
    requests = await _requests(body, fetch)
    total = await asyncio.to_thread(_sum, requests, upstream.provider, books, caller)
    answer = await _held(shop, batch, total, since, sending)
    if isinstance(answer, Refusal):
        notice = refusal_notice(answer, sending.status_of_refusals)
        told = _encode(upstream.format.problem(notice))
        await sending.reply(Reply(notice.status, told, tuple(refusal_headers(answer, notice))))
        return
    await _sent(shop, batch, answer, sending)


async def _requests(body: Body, fetch: Fetch) -> Sequence[tuple[str, Any]]:
    """The API and the body of each request."""
    inline = body.get("requests")
    if inline is not None:
        if not isinstance(inline, list) or not inline:
            raise InvalidInput("requests", "must be a list of at least one request.")
        return [
            ("messages", one.get("params") if isinstance(one, dict) else None) for one in inline
        ]
    file_id = body.get("input_file_id")
    if not isinstance(file_id, str) or not file_id or "/" in file_id:
        raise InvalidInput("input_file_id", "is required: the id of a file of requests.")
    raw = await fetch(f"/files/{file_id}/content")
    if raw is None:
        raise InvalidInput(
            "input_file_id", f"{file_id[:80]!r} cannot be read at the provider, so what it would "
            "cost is not known; nothing was begun. Upload it through this gateway, and try again.",
        )  # fmt: skip
    return await asyncio.to_thread(lambda: list(_lines(raw)))


def _lines(raw: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value: Any = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("input_file_id", f"line {number} is not JSON.") from error
        url = value.get("url") if isinstance(value, dict) else None
        api = PRICED.get(below_version(url)) if isinstance(url, str) else None
        if api is None:
            raise InvalidInput(
                "input_file_id",
                f"line {number} is no request whose price is known.",
                sorted(PRICED),
            )
        yield api, value.get("body")


def _sum(requests: Sequence[tuple[str, Any]], provider: str, books: Books, caller: Caller) -> Sum:
    """All of them together, each as if it were alone."""
    if len(requests) > MOST_REQUESTS:
        raise InvalidInput("requests", f"are more than {MOST_REQUESTS}; send several batches.")
    usd_nanos: int | None = 0
    tokens, models, now_us = 0, set(), books.database.now_us()
    for number, (api, body) in enumerate(requests, 1):
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str) or not model:
            raise InvalidInput(f"requests[{number}].model", "is required.")
        ask = {"provider": provider, "model": model, "request": body}
        input_tokens = input_of(ask, caller, books.prices, books.factors, now_us).tokens
        asked = asked_of(api, body)
        output_tokens = _output_tokens(asked, body, provider, books)
        units = units_of(asked.most.units) if asked.most is not None else ()
        rates = books.prices.lookup(provider, model, now_us, BATCH)
        if rates is None or lacks_measure(rates, units):
            usd_nanos = None
        elif usd_nanos is not None:
            usd_nanos += hold_nanos(rates, input_tokens, output_tokens, 1, units)
        tokens += input_tokens + output_tokens
        models.add(model)
    return Sum(usd_nanos, tokens, len(requests), frozenset(models))


def _output_tokens(asked: Asked, body: Body, provider: str, books: Books) -> int:
    if asked.most is not None:
        return asked.most.output_tokens
    if asked.api == "embeddings":
        return 0
    limit = output_tokens_limit(body)
    if limit is not None:
        return limit
    known = books.prices.capabilities(provider, asked.model or "").max_output_tokens
    return (known or MOST_WRITTEN_TOKENS) * answers_of(body)


async def _held(
    shop: Shop, batch: Batch, total: Sum, since: float, sending: Sending
) -> Allocation | Refusal:
    caller, upstream = batch.incoming.caller, batch.upstream
    jobs = Jobs(shop.budget.books, caller)
    body = batch.target.body or {}
    named = upstream.format.attributes(body)
    attributes = attributes_of(named, batch.words, caller.bound)
    ask: dict[str, Any] = {
        "provider": upstream.provider, "attributes": attributes, "tokens": total.tokens,
        "requests": total.requests, "ttl_seconds": HELD_SECONDS,
        "metadata": notes(_kind_of(body), upstream, own_key=batch.incoming.own_key),
    }  # fmt: skip
    if total.usd_nanos is not None:
        ask["usd"] = format_usd(total.usd_nanos)
    if len(total.models) == 1:
        ask |= {"model": next(iter(total.models)), "price_context": dict(BATCH)}
    envelope_id = await shop.runs.envelope_of(
        shop.budget, jobs, attributes, batch.words, lambda job: answered(shop, job, since, sending)
    )
    if isinstance(envelope_id, Refusal):
        return envelope_id
    now_us, most_nanos = shop.budget.books.database.now_us(), batch.words.max_usd_nanos
    if envelope_id is not None:
        ask["parent_id"] = envelope_id
    elif most_nanos is not None:
        if total.usd_nanos is None:
            raise InvalidInput(
                ceilings.HEADER, "cannot be kept: a model of the batch has no price."
            )
        if total.usd_nanos > most_nanos:
            return ceilings.too_dear(most_nanos, total.usd_nanos, now_us)
    placing = answered(shop, jobs.allocate(**ask), since, sending)
    return await drawing(envelope_id, placing, now_us)


async def _sent(shop: Shop, batch: Batch, allocation: Allocation, sending: Sending) -> None:
    """Give it to the provider; nothing is held for what that does not take."""
    incoming, upstream = batch.incoming, batch.upstream
    body = dict(batch.target.body or {})
    is_file = _kind_of(body) == "batch"
    if is_file:
        body["metadata"] = marked(body.get("metadata"), allocation.allocation_id)
    path = below_version(batch.target.path) if is_file else batch.target.path
    url = address_of(upstream.base_url, path)
    headers = incoming.sent_headers(upstream.format.key_header, upstream.api_key)
    holding = Holding(shop.budget, Jobs(shop.budget.books, incoming.caller), shop.tasks, allocation)
    try:
        answer = await shop.sender.send(
            "POST", url, headers, _encode(body), upstream.silence_seconds
        )
        raw = await answer.whole()
    except Failed as error:
        # Unless it never came there it may have begun: the hold stays, for a day.
        if error.phase == "connecting":
            await holding.release(error.detail)
        status = 504 if error.timed_out else 502
        notice = Notice(status, "upstream_unreachable", f"{upstream.name}: {error.detail}.")
        told = _encode(upstream.format.problem(notice))
        await sending.reply(Reply(status, told, (_JSON,)))
        return
    if answer.status >= 400:
        await holding.release(f"the upstream answered {answer.status}")
        shown = upstream.hidden(raw)
        await sending.reply(Reply(answer.status, shown, (*answer.headers, *labels_of(allocation))))
        return
    value: Any = _decode(raw)
    if isinstance(value, dict):
        await begun(shop.budget, shop.works, allocation, str(value.get("id")))
    shown = _encode(unmarked(value)) if isinstance(value, dict) else raw
    await sending.reply(Reply(answer.status, shown, (*answer.headers, *labels_of(allocation))))


def _kind_of(body: Body) -> Kind:
    """OpenAI's are files of requests, Anthropic's have them within."""
    return "message_batch" if "requests" in body else "batch"
