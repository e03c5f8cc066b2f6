"""Event lines: an event for people: when, what, who, how much, of which budget.

What an event does not say itself, such as whose call it is, is looked up. Not here: which events
(`watch`).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from budget.cli import refusals
from budget.cli.face import Face
from budget.cli.lists import moment
from budget.domain.answers import Event
from budget.domain.errors import BudgetError
from budget.domain.money import format_usd

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

_WHO: Final = ("user", "agent", "component", "team", "project", "session", "model")
_MOODS: Final = {"refused": "red", "warning": "yellow", "error": "bold red"}
_REMEMBERED: Final = 10_000


class Lines:
    """Tells events; remembers the names of budgets that it has looked up."""

    def __init__(self, books: "Books", face: Face) -> None:
        self._books = books
        self._face = face
        self._names: dict[str, str] = {}

    def tell(self, event: Event) -> None:
        """Print an event."""
        detail = json.loads(event.detail)
        parts = [self._when(event.at_us), f"{event.kind:<14}", *self._about(event, detail)]
        line = "  ".join(part for part in parts if part).rstrip()
        if self._face.pretty:
            from rich.text import Text

            mood = "refused" if event.kind == "refused" else str(detail.get("severity"))
            styled = Text(line, style=_MOODS.get(mood, ""))
            self._face.console().print(styled, soft_wrap=True)
        else:
            print(line, flush=True)

    def _when(self, at_us: int) -> str:
        if not self._face.pretty:
            return moment(self._face, at_us)
        at = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone()
        return f"{at:%H:%M:%S}"

    def _about(self, event: Event, detail: Mapping[str, Any]) -> tuple[str, ...]:
        budget = self._budget(event, detail)
        if event.kind == "refused":
            return who(detail.get("attributes") or {}), refusals.why(dict(detail)), budget
        if event.kind == "degraded":
            return degraded_words(detail), event.allocation_id or "", budget
        if event.kind.startswith("alert_"):
            return (str(detail.get("message") or detail.get("alert") or ""),)
        if event.usage_id is not None or event.allocation_id is not None:
            return self._call(event, detail)
        reason = str(detail.get("reason") or "")
        amount = f"{detail['amount']} {detail.get('unit', '')}" if "amount" in detail else ""
        return f"by {event.actor}", amount, budget, reason

    def _call(self, event: Event, detail: Mapping[str, Any]) -> tuple[str, ...]:
        """Whose call it is, and what it holds or cost."""
        flags = " ".join(detail.get("flags") or ())
        try:
            if event.usage_id is not None:
                record = self._books.usage_record(event.usage_id)
                tokens = record.usage.input_tokens + record.usage.output_tokens
                cost = "no price" if record.cost_nanos is None else (
                    f"{format_usd(record.cost_nanos)} USD"
                )  # fmt: skip
                return who(record.attributes), cost, f"{tokens:,} tokens", flags
            assert event.allocation_id is not None
            held = self._books.allocation(event.allocation_id)
            usd = held.reserved.usd
            amount = "" if usd is None else f"{format_usd(usd)} USD"
            return who(held.attributes), amount, event.allocation_id, flags
        except BudgetError:
            return (event.allocation_id or event.usage_id or "", flags)

    def _budget(self, event: Event, detail: Mapping[str, Any]) -> str:
        """The name of the budget that it is about."""
        key = event.budget_id or event.policy_id
        if key is None:
            return ""
        if key not in self._names:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            self._names[key] = str(detail.get("name") or self._look_up(event) or key)
        return self._names[key]

    def _look_up(self, event: Event) -> str | None:
        try:
            budget_id = event.budget_id
            if budget_id is None and event.policy_id is not None:
                budget_id = self._books.policy(event.policy_id).budget_id
            return None if budget_id is None else self._books.budget(budget_id).name
        except BudgetError:
            return None


def degraded_words(detail: Mapping[str, Any]) -> str:
    """What was changed of a call before it was refused."""
    before, after = detail.get("from"), detail.get("to")
    what = "" if before is None else f" {before} -> {after or 'what fits'}"
    return f"{detail.get('step')}{what}"


def who(attributes: Mapping[str, Any]) -> str:
    """Whose call it is, in the attributes that tell most."""
    return " ".join(f"{key}={attributes[key]}" for key in _WHO if key in attributes)
