"""Resources: what a client may read and follow under an address of ours, as JSON.

budget://status    budget://budgets/{budget_id}    budget://prices/{provider}/{model}
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, unquote

from budget.domain import wire
from budget.domain.errors import BudgetError, NotFound
from budget.domain.windows import to_rfc3339
from budget.domain.wire.prices import price
from budget.domain.wire.usage import standing
from budget.mcp.asking import Guest, check_right

STATUS: Final = "budget://status"
BUDGETS: Final = "budget://budgets/"
PRICES: Final = "budget://prices/"

TEMPLATES: Final[Mapping[str, tuple[str, str]]] = {
    "budget://budgets/{budget_id}": ("Budget", "One budget, its limits and how each stands."),
    "budget://prices/{provider}/{model}": ("Price", "What a model costs, and who says so."),
}
ABOUT_STATUS: Final = "How every limit in force stands: spent, held, left, and when it resets."

_MOST: Final = 200
_MOST_CHARS: Final = 512
_FIT: Final = re.compile(r"[^\x00-\x20\x7f]+")


class Place(NamedTuple):
    """What an address leads to."""

    kind: Literal["status", "budgets", "prices"]
    names: tuple[str, ...] = ()


def place_of(uri: str) -> Place:
    """What an address leads to; NotFound if nothing of ours."""
    if len(uri) <= _MOST_CHARS and _FIT.fullmatch(uri):
        if uri == STATUS:
            return Place("status")
        if uri.startswith(BUDGETS) and (budget_id := uri.removeprefix(BUDGETS)):
            return Place("budgets", (unquote(budget_id),))
        provider, _, model = uri.removeprefix(PRICES).partition("/")
        if uri.startswith(PRICES) and provider and model:
            return Place("prices", (unquote(provider), unquote(model)))
    listed = ", ".join((STATUS, *TEMPLATES))
    raise NotFound("resource", uri[:80], f"There is no resource {uri[:80]!r}. Resources: {listed}.")


def budget_uri(budget_id: str) -> str:
    """The address of a budget."""
    return f"{BUDGETS}{quote(budget_id, safe='')}"


async def read(guest: Guest, uri: str, now_us: int) -> Any:
    """What lies at an address, as JSON; NotFound, or Forbidden without the right `read`."""
    place = place_of(uri)
    check_right(guest, "read")
    acts, do = guest.books.acts, guest.books.run
    match place.kind:
        case "status":
            page = await do(acts.standings(limit=_MOST))
            items = wire.page(page.items, page.next_cursor, standing)
            return {"at": to_rfc3339(now_us), **items}
        case "budgets":
            found = await do(acts.budget(*place.names))
            stands = await do(acts.budget_summary(*place.names, limit=_MOST))
            return {**wire.budget(found), "standings": [standing(one) for one in stands.items]}
        case "prices":
            provider, model = place.names
            return price(await do(acts.current_price(model, provider=provider)))


async def readable(guest: Guest, uris: list[str], now_us: int) -> list[str]:
    """Those of the addresses that the guest may read now."""
    found = []
    for uri in dict.fromkeys(uris):
        try:
            await read(guest, uri, now_us)
        except BudgetError:
            continue
        found.append(uri)
    return found
