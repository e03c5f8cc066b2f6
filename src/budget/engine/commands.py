"""Commands: what the ledger is asked to do, checked and complete, before it is decided.

`engine.intake` makes them from what a caller wrote; `engine.acts` carries them out.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import msgspec

from budget.domain.pricing import Rates
from budget.domain.rights import UNBOUND, Bound
from budget.domain.usage import Units, Usage


class OnBehalf(msgspec.Struct, gc=False, kw_only=True):
    """The attributes that the caller is bound to: what has not these is not there for it."""

    bound: Bound = UNBOUND


class Command(OnBehalf, gc=False):
    """Who asks, under which idempotency key, and a hash that recognises the same request again.

    `manage`: whether the caller's key may do what only `manage` keys may.
    """

    act: ClassVar[str] = ""

    actor: str
    key: str | None
    request_hash: str
    manage: bool


class Way(NamedTuple):
    """How a call goes that may be degraded.

    `at_soft`: what is done where a soft limit with a ladder is past its action threshold: the hold
    is placed all the same; nothing is held, and the ladder told; or the call is refused. `degraded`
    is told by an event beside the hold, of the budget `budget_id`.
    """

    at_soft: Literal["pass", "yield", "refuse"] = "pass"
    degraded: Mapping[str, str] | None = None
    budget_id: str | None = None


class Place(Command, gc=False):
    """Hold money for a call or an envelope: an estimate, stated amounts, or the default size."""

    act: ClassVar[str] = "allocate"

    allocation_id: str
    chosen: bool
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    rates: Rates | None
    input_tokens: int | None
    max_output_tokens: int | None
    usd_nanos: int | None
    tokens: int | None
    requests: int | None
    units: Units
    fit: bool
    min_output_tokens: int
    priority: int
    ttl_us: int
    envelope: bool
    parent_id: str | None
    metadata: str
    dry: bool = False
    """Only say what would be: nothing is held (`check`)."""
    price_context: str | None = None
    """What of the call decides its price beside model and time, as records keep it; so below."""
    bound_tokens: int | None = None
    """The plain bound of the input, where it is known and can be held against the true count."""
    bound_family: str | None = None
    way: Way | None = None
    """None: no ladder is looked at for soft limits."""
    tentative: bool = False
    """It is asked again, perhaps for less: a refusal is not the last word, and counts as none."""
    learnt_tokens: int | None = None
    """What such calls use, in place of the table's size where that is more, or this has room."""
    budget_id: str | None = None
    """A budget that has to count such a call; None: whichever do."""


class Record(Command, gc=False):
    """Book usage on an allocation. `requests` None: 1 on the first record, else 0.

    `attributes` are what the model and the provider told with the usage say: they and the tier.
    """

    act: ClassVar[str] = "record"

    allocation_id: str
    usage_id: str
    chosen: bool
    usage: Usage
    requests: int | None
    reported_cost_nanos: int | None
    final: bool
    occurred_us: int | None
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    in_context: bool
    """Whether the price context was told with the usage, and so decides."""
    rates: Rates | None
    metadata: str
    price_context: str | None = None


class Release(Command, gc=False):
    """Return what an allocation still holds."""

    act: ClassVar[str] = "release"

    allocation_id: str
    reason: str


class Extend(Command, gc=False):
    """More time, more money, or both."""

    act: ClassVar[str] = "extend"

    allocation_id: str
    ttl_us: int | None
    usd_nanos: int | None
    tokens: int | None
    requests: int | None
    max_output_tokens: int | None


class Report(Command, gc=False):
    """Book usage that nobody reserved."""

    act: ClassVar[str] = "record_usage"

    usage_id: str
    chosen: bool
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    rates: Rates | None
    usage: Usage
    reported_cost_nanos: int | None
    occurred_us: int | None
    metadata: str
    price_context: str | None = None
    history: bool = False
    """Whether it counts in no window that is over, rather than in that of now."""


class Correct(Command, gc=False):
    """Reverse a whole usage record, once, and perhaps book a replacement."""

    act: ClassVar[str] = "correct"

    usage_id: str
    reversal_id: str
    replacement_id: str | None
    replacement: Usage | None
    reported_cost_nanos: int | None
    """The replacement's, where the model has no price; None: that of the record."""
    reason: str
    rates: Rates | None = None
    """Those of a re-rating, at which the replacement is priced; None: those of the record."""


class Sweep(Command, gc=False):
    """Expire the holds that are due (the ledger's own command)."""

    act: ClassVar[str] = "expire"

    allocation_ids: list[str]
