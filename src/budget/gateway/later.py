"""Later: work that goes on at a provider when its call has been answered: batches, and answers in
the background. What it used is booked when an answer tells it.

The hold's id travels with the work (`marks`); where that has no metadata (Anthropic), the marker of
the work leads to it (`works`). Not here: how such work is begun (`attempt`, `batches`), and who
asks about it when no caller does (`poller`).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from budget.domain.errors import BudgetError, NotFound
from budget.domain.responses import Stream
from budget.engine.callers import LOCAL
from budget.engine.jobs import Jobs
from budget.gateway.addressing import address_of
from budget.gateway.batch_results import asks_of_results
from budget.gateway.holding import log
from budget.gateway.incoming import Incoming
from budget.gateway.marks import mark_of
from budget.gateway.sending import Failed
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.works import OPEN, marker_of
from budget.sdk.responses import usage_ask

Fetch = Callable[[str], Awaitable[bytes | None]]
"""Gets what is at a path of the upstream, with the caller's key; None if it cannot."""

_ENDED: Final = frozenset({"completed", "failed", "expired", "incomplete", "cancelled", "ended"})
_WORK: Final = frozenset({"response", "batch"})
_TELLING: Final = re.compile(r"/(?:responses|batches|messages/batches)(?:/[^/]+(?:/cancel)?)?")
_RESULTS: Final = re.compile(r"/messages/batches/([^/]+)/results")


def may_tell(path: str) -> bool:
    """Whether an answer at this path, below the version, may tell of such work."""
    return _TELLING.fullmatch(path) is not None


def results_of(path: str) -> str | None:
    """The batch whose results are at this path."""
    found = _RESULTS.fullmatch(path)
    return None if found is None else found[1]


def is_under_way(body: Mapping[str, Any]) -> bool:
    """Whether an answer says that the work has only begun."""
    return body.get("object") == "response" and body.get("status") not in _ENDED


def goes_on(work: Mapping[str, Any]) -> bool:
    """Whether a provider tells of work that has not ended."""
    status = work.get("processing_status", work.get("status"))
    return isinstance(status, str) and status not in _ENDED


def fetching(shop: Shop, incoming: Incoming, upstream: Upstream) -> Fetch:
    """Gets what is at paths of the upstream, with the key of this request."""
    headers = incoming.sent_headers(upstream.format.key_header, upstream.api_key)
    headers = {name: text for name, text in headers.items() if not name.startswith("content-")}
    return _fetching(shop, upstream, headers, upstream.silence_seconds)


def asking(shop: Shop, upstream: Upstream, silence_seconds: float) -> Fetch:
    """Gets what is at paths of the upstream, with the gateway's own key, for no caller."""
    return _fetching(shop, upstream, upstream.own_headers(), silence_seconds)


def _fetching(
    shop: Shop, upstream: Upstream, headers: Mapping[str, str], silence_seconds: float
) -> Fetch:
    async def fetch(path: str) -> bytes | None:
        try:
            answer = await shop.sender.send(
                "GET", address_of(upstream.base_url, path), headers, None, silence_seconds
            )
            raw = await answer.whole()
        except Failed as error:
            log.warning("%s: %s: %s", upstream.name, path[:120], error.detail)
            return None
        return raw if answer.status < 400 else None

    return fetch


async def hear(shop: Shop, upstream: Upstream, fetch: Fetch, body: Mapping[str, Any]) -> None:
    """Book what an answer tells of work that has ended, if that was not done before."""
    listed = body.get("data")
    for work in listed if isinstance(listed, list) else [body]:
        if isinstance(work, Mapping):
            await _hear_one(shop, upstream, fetch, work)


async def _hear_one(shop: Shop, upstream: Upstream, fetch: Fetch, work: Mapping[str, Any]) -> None:
    status = work.get("processing_status", work.get("status"))
    if status not in _ENDED:
        return
    try:
        allocation_id = await _hold_of(shop, work)
        if allocation_id is None:
            return
        asks = await _asks(shop, upstream, fetch, work)
        if asks is not None:
            await _book(shop, allocation_id, asks)
    except NotFound:
        return  # begun elsewhere, or long ago
    except BudgetError as error:
        log.error("not booked: %s: %s", str(work.get("id"))[:80], error)


async def _hold_of(shop: Shop, work: Mapping[str, Any]) -> str | None:
    """The hold of the work, if it waits for what was used."""
    jobs = Jobs(shop.budget.books, LOCAL)
    found: object = None
    if work.get("object") in _WORK:
        found = mark_of(work)
    elif work.get("type") == "message_batch":
        marker = await shop.budget.run(jobs.usage_record(marker_of(str(work.get("id")))))
        found = marker.allocation_id
    if not isinstance(found, str):
        return None
    allocation = await shop.budget.run(jobs.allocation(found))
    return found if allocation.status in OPEN and '"later"' in allocation.metadata else None


async def _asks(
    shop: Shop, upstream: Upstream, fetch: Fetch, work: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]] | None:
    """What was used, as the books take it; None if that cannot be known yet."""
    provider, books = upstream.provider, shop.budget.books
    if work.get("object") == "response":
        return _told(work, provider, {})
    raw = await _results(fetch, work)
    if raw is None:
        return _told(work, provider, {"processing": "batch"}) or None
    return await asyncio.to_thread(
        asks_of_results, raw, provider, books.prices, books.database.now_us()
    )


def _told(
    work: Mapping[str, Any], provider: str, context: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    stream = Stream(provider, "responses")
    stream.take(work)
    told = stream.told()
    if told.usage is None:
        return []
    ask = usage_ask(told.usage, told, provider, told.model)
    return [{**ask, "price_context": {**ask.get("price_context", {}), **context}}]


async def _results(fetch: Fetch, work: Mapping[str, Any]) -> bytes | None:
    """The lines that a batch left; None if they cannot be had."""
    if work.get("type") == "message_batch":
        return await fetch(f"/v1/messages/batches/{work.get('id')}/results")
    files = [work.get("output_file_id"), work.get("error_file_id")]
    lines: list[bytes] = []
    for file_id in files:
        if isinstance(file_id, str) and file_id:
            raw = await fetch(f"/files/{file_id}/content")
            if raw is None:
                return None
            lines.append(raw)
    return b"\n".join(lines)


async def _book(shop: Shop, allocation_id: str, asks: Sequence[Mapping[str, Any]]) -> None:
    """Book it, the last time for good; nothing used gives all of the hold back."""
    jobs = Jobs(shop.budget.books, LOCAL)
    if not asks:
        await shop.budget.run(jobs.release(allocation_id, reason="nothing of it was done"))
        return
    for number, ask in enumerate(asks, 1):
        usage_id = f"use_{allocation_id.removeprefix('alloc_')}_{number}"
        metadata = {**ask.get("metadata", {}), "usage_source": "provider", "end": "done"}
        told: Any = {**ask, "usage_id": usage_id, "metadata": metadata}
        await shop.budget.run(jobs.record(allocation_id, final=number == len(asks), **told))
