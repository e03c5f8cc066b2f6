"""Sessions: logging in to the dashboard, by a link that works once or by OpenID Connect; and out.

A token is 256 random bits in 43 characters; the books keep its SHA-256 alone. A session has the
rights that its key had when it began, and loses what the key loses since. Not here: cookies and
pages (`http.door`), and whom an issuer vouches for (`domain.people`).
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, Select, and_, delete, insert, or_, select, update

from budget.domain.answers_pages import Page
from budget.domain.answers_sessions import LoggedIn, LoginLink, Session
from budget.domain.errors import Conflict, NotFound, Unauthorized
from budget.domain.people import Person
from budget.domain.rights import Bound, covers
from budget.domain.windows import to_rfc3339
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.ids import new_id
from budget.engine.keys import ADMIN, Key, caller_with
from budget.engine.pages import is_storable, read_page
from budget.engine.rows import to_json
from budget.engine.snapshots import snapshot
from budget.storage.attribute_columns import has_attributes
from budget.storage.database import Database
from budget.storage.key_tables import api_keys, login_links, sessions

LINK_SECONDS: Final = 300
SESSION_SECONDS: Final = 12 * 3600
KEPT_SECONDS: Final = 30 * 86_400
"""How long what has ended stays to be seen; the journal keeps it for ever."""
TOKEN_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{43}")

_US: Final = 1_000_000
_ACTOR: Final = re.compile(r"[\x21-\x7e]{1,200}")
_COLUMNS: Final = tuple(c for c in sessions.c if c.name != "session_hash")
_NAMES: Final = tuple(column.name for column in _COLUMNS)


def token_hash(token: str) -> str:
    """What the books keep of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(session: Session) -> Key:
    """What a session may do, as a key says it."""
    scopes = frozenset(session.scopes)
    return Key(caller_with(session.actor, scopes, session.max_priority, session.bound), scopes)


# --- Logging in and out --------------------------------------------------------------------------


def linking(caller: Caller) -> Callable[[Batch], LoginLink]:
    """The change of `login_link`."""

    def link(batch: Batch) -> LoginLink:
        now_us = batch.now_us
        if _live_key(batch, caller.actor) is None:
            raise Conflict("A link carries the rights of an API key: ask with one.", code="no_key")
        token = secrets.token_urlsafe(32)
        expires_us = now_us + LINK_SECONDS * _US
        gone = login_links.c.expires_us < now_us - KEPT_SECONDS * _US
        batch.unit.execute(delete(login_links).where(gone))
        batch.unit.execute(
            insert(login_links).values(
                link_hash=token_hash(token), key_id=caller.actor,
                created_us=now_us, expires_us=expires_us, used_us=None,
            )
        )  # fmt: skip
        batch.enter("login_link_made", caller.actor, [], {"expires_at": to_rfc3339(expires_us)})
        batch.write([])
        return LoginLink(token, expires_us)

    return link


def logging_in(token: str) -> Callable[[Batch], LoggedIn]:
    """The change that uses up a link and begins a session; Unauthorized if the link is no good."""
    hashed = token_hash(token)

    def log_in(batch: Batch) -> LoggedIn:
        key_id = _key_of_link(batch.unit.execute(_link(hashed)), batch.now_us)
        key = None if key_id is None else _live_key(batch, key_id)
        if key is None:
            raise no_such_link()
        used = update(login_links).where(login_links.c.link_hash == hashed)
        batch.unit.execute(used.values(used_us=batch.now_us))
        bound: Bound = json.loads(key.bound)
        person = Person(key.key_id, key.name, tuple(key.scopes.split()), bound, key.max_priority)
        return _begin(batch, key.key_id, person, key.key_id)

    return log_in


def link_is_good(database: Database, token: str) -> bool:
    """Whether a link would log in: asked before the writer is, which has better things to do."""
    with snapshot(database) as connection:
        found = [tuple(row) for row in connection.execute(_link(token_hash(token)))]
    return _key_of_link(found, database.now_us()) is not None


def beginning(person: Person) -> Callable[[Batch], LoggedIn]:
    """The change that begins the session of somebody whom the issuer vouches for."""
    actor = f"oidc:{person.subject}"
    if not _ACTOR.fullmatch(actor):
        actor = f"oidc:{token_hash(person.subject)[:32]}"
    return lambda batch: _begin(batch, actor, person, None)


def ending(session_id: str, caller: Caller) -> Callable[[Batch], Session]:
    """The change of `end_session`."""
    if not is_storable(session_id):
        raise NotFound("session", session_id)

    def end(batch: Batch) -> Session:
        wanted = select(*_COLUMNS).where(sessions.c.session_id == session_id)
        rows = (dict(zip(_NAMES, row, strict=True)) for row in batch.unit.execute(wanted))
        found = [_session(row) for row in rows]
        if not found or not _sees(caller, found[0]):
            raise NotFound("session", session_id)
        session = found[0]
        if session.ended_us is not None:
            return session
        live = update(sessions).where(sessions.c.session_id == session_id)
        batch.unit.execute(live.values(ended_us=batch.now_us))
        detail = {"session_id": session_id, "name": session.name}
        batch.enter("session_ended", caller.actor, [], detail)
        batch.write([])
        return replace(session, ended_us=batch.now_us)

    return end


def no_such_link() -> Unauthorized:
    """The one answer to a link that is wrong, used or too old."""
    return Unauthorized("This link is not valid, or no longer: each works once, for 5 minutes.")


def _begin(batch: Batch, actor: str, person: Person, key_id: str | None) -> LoggedIn:
    now_us = batch.now_us
    token = secrets.token_urlsafe(32)
    session = Session(
        new_id("sess"), actor, person.name, person.scopes, person.bound, person.max_priority,
        key_id, now_us, now_us + SESSION_SECONDS * _US, None,
    )  # fmt: skip
    gone = sessions.c.expires_us < now_us - KEPT_SECONDS * _US
    batch.unit.execute(delete(sessions).where(gone))
    values = {name: getattr(session, name) for name in _NAMES}
    values |= {"scopes": " ".join(session.scopes), "bound": to_json(dict(session.bound))}
    batch.unit.execute(insert(sessions).values(session_hash=token_hash(token), **values))
    detail = {
        "session_id": session.session_id, "name": session.name, "by": "oidc" if key_id is None
        else "link", "scopes": list(session.scopes), "bound": dict(session.bound),
        "expires_at": to_rfc3339(session.expires_us),
    }  # fmt: skip
    batch.enter("session_started", actor, [], detail)
    batch.write([])
    return LoggedIn(session, token)


# --- Links and keys ------------------------------------------------------------------------------


class _LiveKey(NamedTuple):
    key_id: str
    name: str
    scopes: str
    bound: str
    max_priority: int


def _live(now_us: int) -> ColumnElement[bool]:
    """A key that is neither revoked nor expired."""
    unexpired = or_(api_keys.c.expires_us.is_(None), api_keys.c.expires_us > now_us)
    return and_(api_keys.c.revoked_us.is_(None), unexpired)


def _live_key(batch: Batch, key_id: str) -> _LiveKey | None:
    columns = [api_keys.c[name] for name in _LiveKey._fields]
    wanted = select(*columns).where(api_keys.c.key_id == key_id, _live(batch.now_us))
    found = batch.unit.execute(wanted)
    return _LiveKey(*found[0]) if found else None


def _link(hashed: str) -> Select[Any]:
    columns = (login_links.c.key_id, login_links.c.expires_us, login_links.c.used_us)
    return select(*columns).where(login_links.c.link_hash == hashed)


def _key_of_link(found: list[tuple[Any, ...]], now_us: int) -> str | None:
    if not found:
        return None
    key_id, expires_us, used_us = found[0]
    return key_id if used_us is None and now_us < expires_us else None


# --- Reading -------------------------------------------------------------------------------------


def read_session(database: Database, hashed: str) -> Session | None:
    """The session of a token, by its hash, with what its key allows still; None once it ended."""
    now_us = database.now_us()
    names = ("scopes", "max_priority", "expires_us")
    of_key = [api_keys.c[name].label(f"key_{name}") for name in names]
    joined = sessions.outerjoin(api_keys, api_keys.c.key_id == sessions.c.key_id)
    wanted = select(*_COLUMNS, *of_key).select_from(joined)
    with snapshot(database) as connection:
        found = connection.execute(
            wanted.where(sessions.c.session_hash == hashed, _open(now_us))
        ).mappings().first()  # fmt: skip
    if found is None:
        return None
    session = _session(found)
    return session if session.key_id is None else _narrowed(session, found)


def list_sessions(
    database: Database, caller: Caller, *, ended: bool, limit: int, cursor: str | None
) -> Page[Session]:
    """Sessions, newest first: the caller's own, an admin's are those of all; `ended` ones too."""
    joined = sessions.outerjoin(api_keys, api_keys.c.key_id == sessions.c.key_id)
    wanted = select(*_COLUMNS).select_from(joined)
    if not caller.admin:
        wanted = wanted.where(sessions.c.actor == caller.actor)
    if caller.bound:
        dialect = database.engine.dialect.name
        wanted = wanted.where(has_attributes(sessions.c.bound, caller.bound, dialect))
    if not ended:
        wanted = wanted.where(_open(database.now_us()))
    keys = [sessions.c.created_us, sessions.c.session_id]
    with snapshot(database) as connection:
        found, after = read_page(connection, wanted, keys, limit=limit, cursor=cursor)
    return Page([_session(row) for row in found], after)


def one_session(database: Database, session_id: str, caller: Caller) -> Session:
    """One session, ended ones too; NotFound."""
    if is_storable(session_id):
        wanted = select(*_COLUMNS).where(sessions.c.session_id == session_id)
        with snapshot(database) as connection:
            found = connection.execute(wanted).mappings().first()
        if found is not None and _sees(caller, session := _session(found)):
            return session
    raise NotFound("session", session_id)


def _open(now_us: int) -> ColumnElement[bool]:
    of_live_key = or_(sessions.c.key_id.is_(None), and_(api_keys.c.key_id.is_not(None),
                                                        _live(now_us)))  # fmt: skip
    return and_(sessions.c.ended_us.is_(None), sessions.c.expires_us > now_us, of_live_key)


def _sees(caller: Caller, session: Session) -> bool:
    own = caller.admin or session.actor == caller.actor
    return own and covers(caller.bound, session.bound)


def _narrowed(session: Session, row: RowMapping) -> Session:
    """A session with what its key may do now, and for no longer than that lives."""
    had, has = set(session.scopes), set(row["key_scopes"].split())
    left = had if ADMIN in has else has if ADMIN in had else had & has
    until_us = row["key_expires_us"]
    expires_us = session.expires_us if until_us is None else min(until_us, session.expires_us)
    priority = min(session.max_priority, row["key_max_priority"])
    scopes = tuple(sorted(left))
    return replace(session, scopes=scopes, max_priority=priority, expires_us=expires_us)


def _session(row: Any) -> Session:
    values = {name: row[name] for name in _NAMES}
    values |= {"scopes": tuple(row["scopes"].split()), "bound": json.loads(row["bound"])}
    return Session(**values)
