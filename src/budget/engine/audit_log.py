"""The audit log: who changed what, when, from what to what; newest first.

It is the journal without what calls did: the same entries, which nobody can edit and which are
sealed. Not here: the events of calls (`events`), and the proof that the books add up (`audit`).
"""

from typing import Final

from sqlalchemy import select

from budget.domain.answers_audit import AuditRecord
from budget.domain.answers_pages import Page
from budget.domain.errors import InvalidInput
from budget.domain.events import AUDITED_KINDS
from budget.domain.windows import parse_rfc3339
from budget.engine.callers import require_unbound
from budget.engine.job import Job, Maker
from budget.engine.journal import settled_below
from budget.engine.pages import is_storable, read_page
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import AUDITED, api_keys, entries

_RECORDS: Final = (
    select(
        entries.c.id, entries.c.at_us, entries.c.kind, entries.c.actor,
        api_keys.c.name.label("actor_name"), entries.c.usage_id, entries.c.budget_id,
        entries.c.policy_id, entries.c.detail,
    )
    .outerjoin(api_keys, api_keys.c.key_id == entries.c.actor)
    .where(AUDITED)
)  # fmt: skip


def audit_log(
    database: Database,
    *,
    actor: str | None = None,
    kind: str | None = None,
    budget_id: str | None = None,
    policy_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[AuditRecord]:
    """What was changed in [since, until), newest first."""
    if kind is not None and kind not in AUDITED_KINDS:
        raise InvalidInput("kind", "is not a kind of change.", sorted(AUDITED_KINDS))
    wanted = _RECORDS
    equal = {"actor": actor, "kind": kind, "budget_id": budget_id, "policy_id": policy_id}
    for name, value in equal.items():
        if value is None:
            continue
        if not is_storable(value):
            raise InvalidInput(name, "must be a text without NUL or lone surrogates.")
        wanted = wanted.where(entries.c[name] == value)
    if since is not None:
        wanted = wanted.where(entries.c.at_us >= parse_rfc3339(since, "since"))
    if until is not None:
        wanted = wanted.where(entries.c.at_us < parse_rfc3339(until, "until"))
    with snapshot(database) as connection:
        below = settled_below(connection)
        if below is not None:
            wanted = wanted.where(entries.c.id < below)
        found, after = read_page(connection, wanted, [entries.c.id], limit=limit, cursor=cursor)
        return Page([AuditRecord(*row.values()) for row in found], after)


class AuditJobs(Maker):
    """The methods about the audit log."""

    def audit(
        self, *, actor: str | None = None, kind: str | None = None, budget_id: str | None = None,
        policy_id: str | None = None, since: str | None = None, until: str | None = None,
        limit: int = 100, cursor: str | None = None,
    ) -> Job[Page[AuditRecord]]:  # fmt: skip
        """Who changed what, when, from what to what; newest first."""
        require_unbound(self.caller)
        return Job(
            read=lambda: audit_log(
                self.books.database, actor=actor, kind=kind, budget_id=budget_id,
                policy_id=policy_id, since=since, until=until, limit=limit, cursor=cursor,
            )
        )  # fmt: skip
