"""Event jobs: the method of the facade that reads the journal as events."""

from collections.abc import Mapping

from budget.domain.answers import Event
from budget.domain.answers_pages import Page
from budget.domain.windows import parse_rfc3339
from budget.engine.events import reading
from budget.engine.events.asks import parse_filter
from budget.engine.fields import chosen_id
from budget.engine.job import Job, Maker


class EventJobs(Maker):
    """The methods that read events."""

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
    ) -> Job[Page[Event]]:
        """Entries of the journal in the order of their cursors, after one; none is ever skipped.

        Only those of a topic, a kind, a budget, an allocation, of [since, until) or of a call with
        attributes, where such are given. Where few are wanted, a page may have fewer than `limit`
        though more follow: the end is reached when `next_cursor` stays as it is.
        """
        asked = {
            "topic": topic, "kind": kind, "budget_id": budget_id, "attributes": attributes,
        }  # fmt: skip
        narrow = any(value is not None for value in asked.values()) or not audited
        wanted = parse_filter(asked, audited=audited) if narrow else None
        chosen_id({"allocation_id": allocation_id}, "allocation_id")
        since_us = None if since is None else parse_rfc3339(since, "since")
        until_us = None if until is None else parse_rfc3339(until, "until")
        return Job(
            read=lambda: reading.events(
                self.books.database, after=after, limit=limit, wanted=wanted,
                allocation_id=allocation_id, since_us=since_us, until_us=until_us,
                bound=self.caller.bound,
            )
        )  # fmt: skip
