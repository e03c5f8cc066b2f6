"""Labels: the headers that tell a caller what its call did to the budget.

    X-Budget-Allocation: alloc_...        the hold, as `budget explain` takes it
    X-Budget-Envelope: run_...            the envelope that it draws on, of its run
    X-Budget-Reserved: 0.0021             the most that it may cost, held before it began
    X-Budget-Cost: 0.0009                 what it has cost; not on streams, whose headers go before
    X-Budget-Degraded: model gpt-4o -> ...  what was changed, and why
    X-Budget-Advice: ...                  what might be
    X-Budget-Budget, -Remaining, -Unit, -Resets-At: the limit that is nearest to its end

Streams tell them before their end too, as a comment, to who sends `X-Budget-Events: on`.

Not here: what refusals say (`refusing`).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from budget.domain.answers import Allocation, BalanceView, Receipt
from budget.domain.money import format_usd
from budget.domain.windows import MAX_US, to_rfc3339

Header = tuple[bytes, bytes]

_encode: Final = msgspec.json.Encoder().encode
_LOOSE: Final = frozenset({"ignore"})


def labels_of(allocation: Allocation, receipt: Receipt | None = None) -> list[Header]:
    """The headers for a call that is held, or settled."""
    found = [_header(b"x-budget-allocation", allocation.allocation_id)]
    if allocation.parent_id is not None:
        found.append(_header(b"x-budget-envelope", allocation.parent_id))
    if allocation.reserved.usd is not None:
        found.append(_header(b"x-budget-reserved", format_usd(allocation.reserved.usd)))
    if receipt is not None and receipt.cost_nanos is not None:
        found.append(_header(b"x-budget-cost", format_usd(receipt.cost_nanos)))
    nearest = nearest_of(allocation.legs if receipt is None else receipt.balances)
    if nearest is not None:
        found += balance_labels(nearest)
    return found


def balance_labels(view: BalanceView) -> list[Header]:
    """What one balance has left, and until when."""
    unit = view.policy.unit
    found = [
        _header(b"x-budget-budget", view.budget),
        _header(
            b"x-budget-remaining",
            format_usd(view.remaining) if unit == "usd" else str(view.remaining),
        ),
        _header(b"x-budget-unit", unit),
    ]
    if view.window.end_us < MAX_US:
        found.append(_header(b"x-budget-resets-at", to_rfc3339(view.window.end_us)))
    return found


def comment_of(labels: Iterable[Header]) -> bytes:
    """Labels in a stream of events, as a comment, which clients pass over."""
    told = {name.decode(): text.decode("latin-1") for name, text in labels}
    return b": budget " + _encode(told) + b"\n\n"


def without_type(headers: Iterable[Header]) -> tuple[Header, ...]:
    """Headers without the kind of the body, which is another one now."""
    return tuple(pair for pair in headers if pair[0].lower() != b"content-type")


def nearest_of(views: Iterable[BalanceView]) -> BalanceView | None:
    """The limit of which the least is left, in parts of it; None without any."""
    held = [view for view in views if view.policy.enforcement not in _LOOSE]
    return held[0] if len(held) == 1 else min(held, key=_left, default=None)


def _left(view: BalanceView) -> tuple[bool, int]:
    """Hard limits first; then by millionths of the limit."""
    parts = view.remaining * 1_000_000 // view.limit if view.limit else 0
    return view.policy.enforcement != "hard_limit", parts


def label(name: str, text: str) -> Header:
    """A header of ours; letters that no header may have are written as in an address."""
    return _header(b"x-budget-" + name.lower().encode(), text)


def _header(name: bytes, text: str) -> Header:
    if text.isascii() and text.isprintable():
        return name, text.encode()
    return name, "".join(c if " " <= c <= "~" else f"%{ord(c):X}" for c in text).encode()
