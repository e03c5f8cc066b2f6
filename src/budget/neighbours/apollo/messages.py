"""Messages to Apollo: which it is sent of what happened, each known again by its correlation id.

    budget.allocated   tokens are held for a context
    budget.updated     they were used, returned, extended or ran out of time; or a limit was changed
    budget.exceeded    a call was refused, or a limit is reached or overrun
    budget.reset       a limit began a new window

Several updates of one context in one stretch of the journal are one message, the last of them. Not
here: how they are sent (`telling`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain import cursors
from budget.domain.answers import Event
from budget.domain.attributes import Attributes
from budget.domain.money import format_usd
from budget.domain.windows import to_rfc3339
from budget.engine.events.reading import Happened
from budget.neighbours.apollo.journal import Limit, Stretch

SOURCE: Final = "budget"
NORMAL: Final = 5
HIGH: Final = 8

MAX_BALANCES: Final = 2000
"""Of so many balances it is known which window was told of last."""

_OF_CALLS: Final = frozenset(
    {"recorded", "settled", "released", "extended", "expired", "reported", "corrected"}
)
_OF_LIMITS: Final = frozenset({
    "budget_created", "budget_changed", "budget_archived", "policy_created", "policy_changed",
    "policy_archived", "topped_up",
})  # fmt: skip
_EXCEEDING: Final = frozenset({"limit", "overrun"})
_RESET: Final = frozenset({"hourly", "daily", "weekly", "monthly", "quarterly", "yearly"})
"""The periods whose beginning is told; a minute passes too often."""
_FIGURES: Final = ("limit", "spent", "reserved", "assumed", "overrun", "requested", "shortfall")


class Message(NamedTuple):
    """What Apollo is sent. `correlation_id` is the same however often it is sent."""

    type: str
    correlation_id: str
    context_id: str | None
    payload: Mapping[str, Any]
    priority: int = NORMAL

    def body(self) -> dict[str, Any]:
        """The message as Apollo takes it."""
        told = {
            "type": self.type,
            "source": SOURCE,
            "priority": self.priority,
            "correlation_id": self.correlation_id,
            "payload": dict(self.payload),
            "metadata": {},
        }
        return told if self.context_id is None else {**told, "context_id": self.context_id}


Windows = Mapping[int, int]
"""By balance, the beginning of the window that was met last."""


def messages_of(stretch: Stretch, windows: Windows) -> tuple[list[Message], Windows]:
    """What Apollo is told of a stretch, in order, and the windows that are met now."""
    met = dict(windows)
    found: dict[tuple[str, str], Message] = {}
    for happened in stretch.happened:
        for message in _of(happened, stretch, met):
            key = (message.type, message.correlation_id)
            if message.type == "budget.updated" and message.context_id is not None:
                key = (message.type, f"context {message.context_id}")
                found.pop(key, None)
            found[key] = message
    return list(found.values()), dict(list(met.items())[-MAX_BALANCES:])


def _of(happened: Happened, stretch: Stretch, met: dict[int, int]) -> Iterator[Message]:
    event, subject = happened
    yield from _resets(event, stretch.limits, met)
    attributes: Attributes = (subject.attributes if subject is not None else None) or {}
    context = attributes.get("session")
    cursor = cursors.encode(event.cursor)
    if event.kind == "placed" and context is not None:
        yield Message("budget.allocated", cursor, context, _call(event, attributes, stretch))
    elif event.kind in _OF_CALLS and context is not None:
        yield Message("budget.updated", cursor, context, _call(event, attributes, stretch))
    elif event.kind in _OF_LIMITS:
        yield Message("budget.updated", cursor, None, _limit(happened))
    elif event.kind == "refused":
        detail = json.loads(event.detail)
        refused = (detail.get("attributes") or {}).get("session")
        yield Message("budget.exceeded", cursor, refused, _exceeded(happened, detail), HIGH)
    elif event.kind == "alert_raised":
        detail = json.loads(event.detail)
        if detail.get("alert") in _EXCEEDING:
            split = json.loads(detail.get("partition") or "{}")
            yield Message(
                "budget.exceeded", cursor, split.get("session"), _exceeded(happened, detail), HIGH
            )


def _resets(event: Event, limits: Mapping[int, Limit], met: dict[int, int]) -> Iterator[Message]:
    """A new window of a limit that was met before: the first that meets it is the reset."""
    for head_id, start_us, *_ in json.loads(event.legs):
        limit = limits.get(head_id)
        if limit is None or limit.period not in _RESET:
            continue
        before_us = met.pop(head_id, None)
        met[head_id] = start_us if before_us is None else max(before_us, start_us)
        if before_us is not None and start_us > before_us:
            payload = {
                **limit._asdict(),
                "partition": json.loads(limit.partition),
                "window_start": to_rfc3339(start_us),
            }
            yield Message("budget.reset", f"reset:{head_id}:{start_us}", None, payload)


def _call(event: Event, attributes: Attributes, stretch: Stretch) -> dict[str, Any]:
    """What is told of a call: who makes it, what it holds, and what it used."""
    named = ("component", "tier", "task_type", "provider", "model")
    told: dict[str, Any] = {
        "event": event.kind,
        "at": to_rfc3339(event.at_us),
        "context_id": attributes.get("session"),
        "allocation_id": event.allocation_id,
        **{name: attributes[name] for name in named if name in attributes},
    }
    hold = stretch.holds.get(event.allocation_id or "")
    if hold is not None:
        told |= {
            "status": hold.status,
            "priority": hold.priority,
            "allocated_tokens": hold.held_tokens,
            "remaining_tokens": hold.left_tokens,
            "allocated_cost": _usd(hold.held_nanos),
            "expiration": to_rfc3339(hold.expires_us),
        }
    used = stretch.used.get(event.usage_id or "")
    if used is not None:
        told |= {
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "cost": _usd(used.cost_nanos),
        }
    return told


def _limit(happened: Happened) -> dict[str, Any]:
    """What is told of a budget or a policy that was made or changed, and how."""
    event = happened.event
    return {
        "event": event.kind,
        "at": to_rfc3339(event.at_us),
        **_budget(happened),
        "policy_id": event.policy_id,
        "detail": json.loads(event.detail),
    }


def _budget(happened: Happened) -> dict[str, Any]:
    """Which budget something happened to, and what it is called."""
    event, subject = happened
    if subject is None or not subject.places:
        return {"budget_id": event.budget_id, "budget": None}
    budget = subject.places[-1].budget
    return {"budget_id": budget.budget_id, "budget": budget.name}


def _exceeded(happened: Happened, detail: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a limit that stopped a call, or that was passed."""
    event = happened.event
    unit = detail.get("unit")
    figures = {name: detail[name] for name in _FIGURES if type(detail.get(name)) is int}
    attributes: Attributes = detail.get("attributes") or {}
    told = {
        "event": event.kind if event.kind == "refused" else detail["alert"],
        "at": to_rfc3339(event.at_us),
        **_budget(happened),
        "policy_id": event.policy_id,
        "unit": unit,
        **{name: _usd(one) if unit == "usd" else one for name, one in figures.items()},
        **{name: attributes[name] for name in ("component", "tier", "task_type", "model")
           if name in attributes},
    }  # fmt: skip
    for name in ("message", "count"):
        if name in detail:
            told[name] = detail[name]
    return told


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)
