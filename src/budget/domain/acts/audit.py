"""Acts about the journal: events, the audit log, the proof of the books, and the clock.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from collections.abc import Mapping
from typing import Protocol

from budget.domain.acts.act import Act, Progress
from budget.domain.answers import Event
from budget.domain.answers_audit import AuditRecord, ClockConfirmed, Verification
from budget.domain.answers_pages import Page


class AuditActs(Protocol):
    """The methods."""

    def events(
        self,
        *,
        after: str | None = None,
        limit: int = 100,
        topic: str | None = None,
        kind: str | None = None,
        budget_id: str | None = None,
        allocation_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        attributes: Mapping[str, str] | None = None,
        audited: bool = True,
    ) -> Act[Page[Event]]:
        """Entries of the journal in the order of their cursors, after one; none is ever skipped.

        Only those of a topic, a kind, a budget, an allocation, of [since, until) or of a call with
        attributes, where such are given. Where few are wanted, a page may have fewer than `limit`
        though more follow: the end is reached when `next_cursor` stays as it is.
        """

    def audit(
        self, *, actor: str | None = None, kind: str | None = None, budget_id: str | None = None,
        policy_id: str | None = None, since: str | None = None, until: str | None = None,
        limit: int = 100, cursor: str | None = None,
    ) -> Act[Page[AuditRecord]]:  # fmt: skip
        """Who changed what, when, from what to what; newest first."""

    def verify(
        self, *, anchor: str | None = None, progress: Progress | None = None
    ) -> Act[Verification]:
        """Recompute every balance from the entries and hold the books against their invariants.

        `anchor` is the `sealed.head` of an earlier time: that block must still be there.
        """

    def seal(self) -> Act[int]:
        """Seal every entry of the journal that is not sealed yet; how many blocks that made.

        A service does so itself, within a minute.
        """

    def confirm_clock(self) -> Act[ClockConfirmed]:
        """Trust the clock of this process as it is now: holds expire again, had that paused.

        Expiry pauses when the clock jumps ahead by over five minutes, until it has been steady for
        as long. Each process watches the clock by itself; a service is asked to confirm its own.
        """
