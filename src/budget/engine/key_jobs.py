"""Key jobs: the methods of the facade that are about API keys; `Jobs` has them with all others.

All but `own_key` need every right. Not here: how a key is recognised (`keys`).
"""

from typing import Unpack

from sqlalchemy import select

from budget.domain.answers_keys import ApiKey
from budget.domain.answers_pages import Page
from budget.domain.asks_keys import ChangeKeyAsk, NewKeyAsk, RotateKeyAsk
from budget.domain.errors import NotFound
from budget.domain.rights import Bound, covers
from budget.engine import key_acts
from budget.engine.callers import Caller
from budget.engine.job import Job, Maker
from budget.engine.key_acts import ALL_KEYS
from budget.engine.pages import is_storable, read_page
from budget.engine.snapshots import snapshot
from budget.storage.attribute_columns import has_attributes
from budget.storage.database import Database
from budget.storage.key_tables import api_keys


class KeyJobs(Maker):
    """The methods about keys. Raise InvalidInput at once for bad input."""

    def create_key(self, **ask: Unpack[NewKeyAsk]) -> Job[ApiKey]:
        """Make a key. The key itself is in this answer and in no other."""
        return Job(change=key_acts.creating(ask, self.caller))

    def change_key(self, key_id: str, **ask: Unpack[ChangeKeyAsk]) -> Job[ApiKey]:
        """Change the fields given, effective within a second. What a key is bound to stays."""
        return Job(change=key_acts.changing(key_id, ask, self.caller))

    def rotate_key(self, key_id: str, **ask: Unpack[RotateKeyAsk]) -> Job[ApiKey]:
        """Make a new key with the rights of another, which works on for `overlap_seconds`, a day
        unless said.
        """
        return Job(change=key_acts.rotating(key_id, ask, self.caller))

    def revoke_key(self, key_id: str) -> Job[ApiKey]:
        """Take a key out of use for good, within a second."""
        return Job(change=key_acts.revoking(key_id, self.caller))

    def key(self, key_id: str) -> Job[ApiKey]:
        """One key, without what opens the door."""
        database, caller = self.books.database, self.caller
        key_acts.require_admin(caller)
        return Job(read=lambda: one_key(database, key_id, caller.bound))

    def own_key(self) -> Job[ApiKey]:
        """The key that asks: what it is called, what it may do, and until when."""
        database, caller = self.books.database, self.caller
        return Job(read=lambda: _own_key(database, caller))

    def keys(
        self, *, revoked: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Job[Page[ApiKey]]:
        """Keys, newest first; revoked ones only when asked for."""
        database, bound = self.books.database, self.caller.bound
        key_acts.require_admin(self.caller)
        return Job(
            read=lambda: list_keys(database, bound, revoked=revoked, limit=limit, cursor=cursor)
        )


def one_key(database: Database, key_id: str, bound: Bound) -> ApiKey:
    """One key that the caller may see, revoked ones too; NotFound."""
    found = None
    if is_storable(key_id):
        with snapshot(database) as connection:
            found = connection.execute(ALL_KEYS.where(api_keys.c.key_id == key_id)).first()
    if found is None:
        raise NotFound("key", key_id)
    key = key_acts.key_of(tuple(found), database.now_us())
    if not covers(bound, key.bound):
        raise NotFound("key", key_id)
    return key


def _own_key(database: Database, caller: Caller) -> ApiKey:
    try:
        return one_key(database, caller.actor, caller.bound)
    except NotFound:
        raise NotFound(
            "key", caller.actor,
            "No key asks here; a session is told at /api/v1/sessions/current.",
        ) from None  # fmt: skip


def list_keys(
    database: Database, bound: Bound, *, revoked: bool, limit: int, cursor: str | None
) -> Page[ApiKey]:
    """Keys that a caller of these attributes may see, newest first."""
    wanted = select(*ALL_KEYS.selected_columns)
    if bound:
        wanted = wanted.where(has_attributes(api_keys.c.bound, bound, database.engine.dialect.name))
    if not revoked:
        wanted = wanted.where(api_keys.c.revoked_us.is_(None))
    keys = [api_keys.c.created_us, api_keys.c.key_id]
    with snapshot(database) as connection:
        found, after = read_page(connection, wanted, keys, limit=limit, cursor=cursor)
    now_us = database.now_us()
    return Page([key_acts.key_of(tuple(row.values()), now_us) for row in found], after)
