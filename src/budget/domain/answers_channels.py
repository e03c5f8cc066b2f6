"""Answers about channels: where notices go, what was sent there, and how that went.

Values only. Not here: how they look in JSON (`wire.channels`), who makes them (`engine.channels`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from budget.domain.quiet import Quiet
from budget.domain.rights import UNBOUND, Bound

KINDS: Final = ("webhook", "email", "chat")
STATUSES: Final = ("pending", "delivered", "dead", "skipped")
OWNER: Final = "owner"
"""In place of addresses: the owner of the budget that a notice is about."""


class Wanted(NamedTuple):
    """Which entries of the journal a channel is told of; of what is empty or None, any.

    `kinds` are always said: those asked for, and those of the topics asked for.
    """

    topics: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    budget_id: str | None = None
    owner: str | None = None
    attributes: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Channel:
    """Where notices go. `target` has `url`, `to` or `apprise_url`.

    `secret` is there only in the answer that made it; `former_until_us` is when the secret before
    it stops signing too. `after` is the last entry of the journal that was looked at for it; a
    service does not tell it, and then it is 0.
    """

    channel_id: str
    name: str
    kind: str
    target: Mapping[str, Any]
    wanted: Wanted
    quiet: Quiet | None = None
    digest_seconds: int | None = None
    bound: Bound = field(default_factory=lambda: UNBOUND)
    enabled: bool = True
    created_by: str = ""
    created_us: int = 0
    updated_us: int = 0
    archived_us: int | None = None
    former_until_us: int | None = None
    after: int = 0
    secret: str | None = field(default=None, repr=False)
    replayed: bool = False


class Delivery(NamedTuple):
    """One entry of the journal on its way to a channel. `answer` is what came of the last attempt.

    `due_us`: when it is tried next, while it is pending. `digest_id`: the message it went out in.
    """

    delivery_id: str
    channel_id: str
    entry_id: int
    kind: str
    status: str
    attempts: int
    due_us: int
    created_us: int
    done_us: int | None
    answer: str | None
    digest_id: str | None


class Tested(NamedTuple):
    """What came of a test notice."""

    channel_id: str
    delivered: bool
    answer: str


class Replay(NamedTuple):
    """What is sent again: deliveries that were there, and what else is wanted since `after`."""

    channel_id: str
    after: int
    deliveries: int
