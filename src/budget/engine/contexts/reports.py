"""Reports of contexts: one and all, as a caller may see them, of its own calls alone.

Not here: how much of their holds calls use by other attributes (`efficiency`).
"""

from collections.abc import Mapping
from typing import Final

from budget.analytics.contexts import (
    efficiency_bps,
    hints_of,
    limit_exhaustion,
    window_exhaustion,
)
from budget.domain.answers_contexts import Context
from budget.domain.answers_pages import Page
from budget.domain.errors import NotFound
from budget.domain.pricing import rate_at
from budget.domain.rights import Bound
from budget.domain.windows import parse_rfc3339
from budget.engine.books import Books
from budget.engine.contexts.gathering import Gathered, gather, sessions_of
from budget.engine.contexts.limits import ContextLimit, limits_of
from budget.engine.pages import check_limit, is_storable, text_cursor, texts_of
from budget.engine.reports.filters import Calls, calls
from budget.engine.snapshots import snapshot
from budget.prices.book import PriceBook

MILLION: Final = 1_000_000
_PICOS: Final = 1000
"""Pico-USD in a nano-USD."""


def contexts(
    books: Books,
    bound: Bound,
    *,
    component: str | None = None,
    tier: str | None = None,
    task_type: str | None = None,
    since: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Context]:
    """Contexts with calls or holds of these attributes since a time, by name."""
    check_limit(limit)
    named = {"component": component, "tier": tier, "task_type": task_type}
    asked = calls({key: one for key, one in named.items() if one is not None}, bound)
    since_us = None if since is None else parse_rfc3339(since, "since")
    after = None if cursor is None else texts_of(cursor, 1)[0]
    with snapshot(books.database) as connection:
        found = sessions_of(connection, asked, since_us, limit, after)
        shown = found[:limit]
        gathered = gather(connection, shown, Calls((), bound))
        now_us = books.database.now_us()
        attributes = {session: gathered[session].attributes for session in shown}
        limits = limits_of(connection, attributes, bound, now_us)
    items = [
        made(session, gathered[session], limits[session], books.prices, now_us) for session in shown
    ]
    more = len(found) > limit
    return Page(items, text_cursor([shown[-1]]) if more else None)


def context(books: Books, session: str, bound: Bound) -> Context:
    """One context with its calls; NotFound, for what the caller may not know of too."""
    missing = NotFound("context", str(session)[:80])
    if not is_storable(session):
        raise missing
    with snapshot(books.database) as connection:
        gathered = gather(connection, [session], Calls((), bound)).get(session)
        if gathered is None:
            raise missing
        now_us = books.database.now_us()
        limits = limits_of(connection, {session: gathered.attributes}, bound, now_us)
    told = made(session, gathered, limits[session], books.prices, now_us)
    return told._replace(by=tuple(gathered.by), uses=tuple(gathered.uses))


def made(
    session: str, one: Gathered, limits: list[ContextLimit], prices: PriceBook, now_us: int
) -> Context:
    """A context of what was gathered of it."""
    window_tokens, million_nanos = _model_of(one.attributes, prices, now_us, one)
    exhaustions = [
        limit_exhaustion(one.uses, limit.level, now_us, limit.policy_id, limit.budget)
        for limit in limits
    ]
    if window_tokens is not None:
        window = window_exhaustion(one.uses, window_tokens, now_us)
        exhaustions += [] if window is None else [window]
    newest = one.uses[-1] if one.uses else None
    return Context(
        session, one.attributes, one.first_us, one.last_us,
        sum(use.requests for use in one.by), sum(use.input_tokens for use in one.by),
        sum(use.output_tokens for use in one.by), sum(use.cost_nanos for use in one.by),
        sum(use.unpriced for use in one.by),
        one.allocations, one.open_allocations, one.reserved_tokens,
        one.allocated_tokens, one.used_tokens,
        efficiency_bps(one.used_tokens, one.allocated_tokens),
        window_tokens, None if newest is None else newest.input_tokens + newest.output_tokens,
        tuple(exhaustions), hints_of(one.uses, exhaustions, one.held, million_nanos),
    )  # fmt: skip


def _model_of(
    attributes: Mapping[str, str], prices: PriceBook, now_us: int, one: Gathered
) -> tuple[int | None, int | None]:
    """How many tokens its model takes at most, and what a million of its input costs; None where
    that is not known.
    """
    model, provider = attributes.get("model"), attributes.get("provider")
    if model is None:
        return None, None
    window_tokens = prices.capabilities(provider, model).context_window
    rates = prices.lookup(provider, model, now_us)
    if rates is None:
        return window_tokens, None
    input_tokens = one.uses[-1].input_tokens if one.uses else 0
    return window_tokens, rate_at(rates.input, input_tokens) * MILLION // _PICOS
