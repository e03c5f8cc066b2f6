"""Allocations: money and tokens held for one call, or for an envelope of calls.

An allocation is its `Terms`, fixed when it was placed, and its `State`, which commands replace.
Not here: the rules by which a state changes (`decide`).
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from budget.domain.pricing import Rates
from budget.domain.usage import Usage

_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions

Status = Literal["open", "settled", "released", "expired"]

DEFAULT_TTL_SECONDS: Final = 900
MAX_TTL_SECONDS: Final = 86_400
DEFAULT_MIN_OUTPUT_TOKENS: Final = 16
NORMAL_PRIORITY: Final = 5

_DEFAULT_SIZES: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "default": (1_000, 2_000, 4_000, 8_000),
    "chat": (2_000, 4_000, 8_000, 16_000),
    "coding": (4_000, 8_000, 16_000, 32_000),
    "analysis": (4_000, 8_000, 16_000, 32_000),
    "embedding": (10_000, 25_000, 50_000, 100_000),
}
_SIZED_PRIORITIES: Final = (1, 5, 8, 10)


def default_size_tokens(task_type: str | None, priority: int) -> int:
    """Tokens held when a call states nothing, by task type and priority (Tekton's table)."""
    sizes = _DEFAULT_SIZES.get(task_type or "default", _DEFAULT_SIZES["default"])
    if priority not in _SIZED_PRIORITIES:
        priority = NORMAL_PRIORITY
    return sizes[_SIZED_PRIORITIES.index(priority)]


class Amounts(NamedTuple):
    """An amount in every unit, in the order of `budgets.UNITS`; None where none is stated."""

    usd: int | None
    tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    requests: int | None


def amounts_of(usage: Usage, cost_nanos: int | None) -> Amounts:
    """What usage adds to a limit in every unit; to one in money nothing while it has no cost."""
    input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
    tokens = input_tokens + output_tokens
    return _new(Amounts, (cost_nanos, tokens, input_tokens, output_tokens, usage.requests))


class Held(NamedTuple):
    """What an allocation holds as a whole: nano-USD, tokens and requests; None where not stated."""

    usd: int | None = None
    tokens: int | None = None
    requests: int | None = None

    def less(self, used: "Held") -> "Held":
        """What is left after a use; never below zero."""
        usd, tokens, requests = self
        return _new(
            Held,
            (
                None if usd is None else max(0, usd - (used.usd or 0)),
                None if tokens is None else max(0, tokens - (used.tokens or 0)),
                None if requests is None else max(0, requests - (used.requests or 0)),
            ),
        )

    def plus(self, more: "Held") -> "Held":
        """The sum, in the units stated here."""
        usd, tokens, requests = self
        return Held(
            None if usd is None else usd + (more.usd or 0),
            None if tokens is None else tokens + (more.tokens or 0),
            None if requests is None else requests + (more.requests or 0),
        )

    def grown(self, more: "Held") -> "Held":
        """The sum; what was not stated here is stated once more of it is held."""
        return Held(
            *(
                own if not extra else (own or 0) + extra
                for own, extra in zip(self, more, strict=True)
            )
        )

    def emptied(self) -> "Held":
        """Zero in every unit stated."""
        usd, tokens, requests = self
        return _new(
            Held,
            (
                None if usd is None else 0,
                None if tokens is None else 0,
                None if requests is None else 0,
            ),
        )

    def beyond(self, hold: "Held") -> "Held":
        """By how much this use goes beyond a hold, unit by unit."""
        return Held(
            max(0, (self.usd or 0) - (hold.usd or 0)),
            max(0, (self.tokens or 0) - (hold.tokens or 0)),
            max(0, (self.requests or 0) - (hold.requests or 0)),
        )


class Leg(NamedTuple):
    """An allocation's hold on one cell of one balance.

    `left` is what of it is still held: reserved while the allocation is open, assumed once it
    expired. `from_parent` (0 or 1): taken from the envelope's leg, to which the rest returns.
    """

    head_id: int
    cell_us: int
    held: int
    left: int
    from_parent: int = 0


class State(NamedTuple):
    """What commands change about an allocation."""

    status: Status
    expires_us: int
    ttl_us: int
    legs: tuple[Leg, ...]
    held: Held
    left: Held
    granted_output_tokens: int | None = None
    records: int = 0
    settled_by: str | None = None


class Terms(NamedTuple):
    """What was agreed when an allocation was placed, and stays.

    `rates` are those fixed at admission; None when the model is unpriced or none was named.
    `request_hash` recognises the same command when it comes again. `bound_tokens` is the plain
    bound of its input, and `bound_family` that of its model, where the call can teach about it.
    """

    allocation_id: str
    actor: str
    placed_us: int
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    priority: int
    envelope: bool
    parent_id: str | None
    rates: Rates | None
    first: Held
    first_granted_output_tokens: int | None
    input_tokens: int | None
    request_hash: str
    metadata: str
    attributes_json: str
    bound_tokens: int | None = None
    bound_family: str | None = None
    price_context: str | None = None
    """What it asked for beside its model, whether or not that has a price of its own."""


class Holding:
    """An allocation in a batch's hands: its terms, its state now, and that of the last commit."""

    __slots__ = ("new", "state", "status_before", "terms")

    def __init__(self, terms: Terms, state: State, *, new: bool = False) -> None:
        self.terms = terms
        self.state = state
        self.status_before = state.status
        self.new = new

    @property
    def is_open(self) -> bool:
        """Whether it still holds what it placed."""
        return self.state.status == "open"
