"""Beside: requests that cost nothing, and those of which nobody knows what they cost.

The former pass. The latter pass where no hard limit in money or tokens meets their caller, and are
booked by what their answers tell; else they are refused: nothing escapes a budget.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from budget.domain.errors import BudgetError
from budget.domain.responses import Stream
from budget.engine.jobs import Jobs
from budget.gateway import later
from budget.gateway.addressing import address_of, below_version
from budget.gateway.formats.format import Asked, Notice, Target
from budget.gateway.holding import log
from budget.gateway.incoming import Incoming, Words
from budget.gateway.marks import unmarked
from budget.gateway.replying import Reply, Sending
from budget.gateway.sending import Answer, Failed
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.sdk.responses import usage_ask

_JSON: Final = ((b"content-type", b"application/json"),)
_BATCH: Final = "/v1/messages/batches/"
_READ_BYTES: Final = 4 * 1024 * 1024
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


async def pass_on(
    shop: Shop,
    incoming: Incoming,
    target: Target,
    asked: Asked | None,
    upstream: Upstream,
    words: Words,
    sending: Sending,
) -> None:
    """Answer such a request."""
    known = asked is not None and asked.costs == "nothing"
    attributes = _attributes(incoming, upstream, words)
    jobs = Jobs(shop.budget.books, incoming.caller)
    if not known and (
        _is_limited(shop, attributes)
        or await shop.runs.limits(shop.budget, jobs, attributes, words)
    ):
        await _reply(sending, upstream, _unmetered(target))
        return
    path = below_version(target.path) if upstream.format.name == "openai" else target.path
    url = address_of(upstream.base_url, path + (f"?{target.query}" if target.query else ""))
    headers = incoming.sent_headers(upstream.format.key_header, upstream.api_key)
    batch_id = later.results_of(below_version(target.path)) if known else None
    if batch_id is not None:
        await _ask_again(shop, incoming, upstream, _BATCH + batch_id)
    try:
        answer = await shop.sender.send(
            incoming.method, url, headers, incoming.body or None, upstream.silence_seconds
        )
    except Failed as error:
        await _reply(sending, upstream, _failure(upstream, error))
        return
    try:
        tells = known and later.may_tell(below_version(target.path))
        if tells and await _told(shop, incoming, upstream, answer, sending):
            return
        await _relay(shop, incoming, upstream, answer, sending, attributes, known=known)
        if tells:
            await _ask_again(shop, incoming, upstream, below_version(target.path))
    finally:
        answer.close()


async def _told(
    shop: Shop,
    incoming: Incoming,
    upstream: Upstream,
    answer: Answer,
    sending: Sending,
) -> bool:
    """Answer with what is told of work, once that is booked; False if it is no JSON."""
    if "application/json" not in answer.header("content-type").lower():
        return False
    try:
        raw = await answer.whole()
    except Failed as error:
        await _reply(sending, upstream, _failure(upstream, error))
        return True
    body = _object(raw)
    if body is not None:
        await later.hear(shop, upstream, later.fetching(shop, incoming, upstream), body)
    shown = raw if body is None else _encode(unmarked(body))
    await sending.reply(Reply(answer.status, shown, answer.headers))
    return True


async def _ask_again(shop: Shop, incoming: Incoming, upstream: Upstream, path: str) -> None:
    """Book what is told at a path of work whose answer to the caller is a stream, or lines."""
    fetch = later.fetching(shop, incoming, upstream)
    body = _object(await fetch(path) or b"")
    if body is not None:
        await later.hear(shop, upstream, fetch, body)


async def _relay(
    shop: Shop,
    incoming: Incoming,
    upstream: Upstream,
    answer: Answer,
    sending: Sending,
    attributes: Mapping[str, str],
    *,
    known: bool,
) -> None:
    await sending.start(answer.status, answer.headers)
    held: list[bytes] | None = None if known else []
    total_bytes = 0
    try:
        async for piece in answer.pieces():
            total_bytes += len(piece)
            if held is not None and total_bytes <= _READ_BYTES:
                held.append(piece)
            await sending.more(piece)
    except Failed as error:
        log.warning("%s: %s", upstream.name, error.detail)
        return  # the connection is closed: what came is not whole
    answer.close()
    if held is not None:
        await _book(shop, incoming, upstream, b"".join(held), attributes)
    await sending.end()


async def _book(
    shop: Shop,
    incoming: Incoming,
    upstream: Upstream,
    raw: bytes,
    attributes: Mapping[str, str],
) -> None:
    """Book what an answer tells of its usage, if it does."""
    body = _object(raw)
    if body is None:
        return
    stream = Stream(upstream.provider)
    stream.take(body)
    told = stream.told()
    if told.usage is None:
        return
    ask = usage_ask(told.usage, told, upstream.provider, told.model)
    jobs = Jobs(shop.budget.books, incoming.caller)
    try:
        await shop.budget.run(jobs.record_usage(**ask, attributes=dict(attributes)))
    except BudgetError as error:
        log.error("not booked: %s: %s", ask, error)


def _attributes(incoming: Incoming, upstream: Upstream, words: Words) -> dict[str, str]:
    bound = incoming.caller.bound
    return {
        "provider": upstream.provider,
        **words.attributes,
        "key": incoming.caller.actor,
        **bound,
    }


def _is_limited(shop: Shop, attributes: Mapping[str, str]) -> bool:
    """Whether a hard limit in money or tokens meets such a call."""
    match = shop.budget.books.ledger.catalogue.match(dict(sorted(attributes.items())))
    return any(
        policy.enforcement == "hard_limit" and policy.unit != "requests"
        for policy, _ in match.policies
    )


def _failure(upstream: Upstream, error: Failed) -> Notice:
    status = 504 if error.timed_out else 502
    return Notice(status, "upstream_unreachable", f"{upstream.name}: {error.detail}.")


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _unmetered(target: Target) -> Notice:
    return Notice(
        402,
        "unmetered_route",
        f"What {target.method} {target.path[:120]} costs cannot be known before it is called, and "
        "a hard limit meets this call; nothing was sent. Use a key that no hard limit meets.",
    )


async def _reply(sending: Sending, upstream: Upstream, notice: Notice) -> None:
    body = _encode(upstream.format.problem(notice))
    await sending.reply(Reply(notice.status, body, (*_JSON, (b"x-should-retry", b"false"))))
