"""Sessions begin by a link that works once, have what their key has, and end with it or before."""

import json
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from budget.domain.answers_sessions import LoggedIn, Session
from budget.domain.errors import Conflict, NotFound, Unauthorized
from budget.domain.people import Person
from budget.domain.rights import UNBOUND, Bound
from budget.engine import sessions
from budget.engine.batch import Batch
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.job import Job
from budget.engine.sessions import KEPT_SECONDS, LINK_SECONDS, SESSION_SECONDS
from budget.engine.snapshots import snapshot
from budget.storage.key_tables import api_keys, login_links
from budget.storage.key_tables import sessions as table
from tests.engine.opened import SECOND, Clock, told

ANN = Person("ann", "Ann", ("manage", "read"), {}, 5)


def change(books: Books, act: Any) -> Any:
    """Run a change in the ledger."""

    def changing(batch: Batch) -> None:
        batch.unit.execute(act)

    return books.run(Job(change=changing))


def key(books: Books, name: str = "a", scopes: str = "read", bound: Bound = UNBOUND) -> Books:
    """The books in the hands of whoever has a new key."""
    key_id = f"key_{name}"
    row = {
        "key_id": key_id, "name": name, "secret_hash": "", "scopes": scopes, "created_us": 0,
        "bound": json.dumps(dict(bound)), "max_priority": 7,
    }  # fmt: skip
    change(books, insert(api_keys).values(row))
    return Books(books.books, Caller(key_id, manage=False, bound=bound, admin=scopes == "admin"))


def change_key(books: Books, name: str, **values: Any) -> None:
    """Change what the books say of a key."""
    change(books, update(api_keys).where(api_keys.c.key_id == f"key_{name}").values(values))


def log_in(books: Books, token: str) -> LoggedIn:
    """Use a link."""
    begun: LoggedIn = books.run(Job(change=sessions.logging_in(token)))
    return begun


def begin(books: Books, person: Person) -> LoggedIn:
    """Log in as the issuer's."""
    begun: LoggedIn = books.run(Job(change=sessions.beginning(person)))
    return begun


def found(books: Books, token: str) -> Session | None:
    """The open session of a token."""
    return sessions.read_session(books.books.database, sessions.token_hash(token))


# --- Links ---------------------------------------------------------------------------------------


def test_a_link_begins_a_session_with_the_rights_of_its_key(books: Books, clock: Clock) -> None:
    begun = log_in(books, key(books, "a", "read spend", {"team": "x"}).login_link().token)
    session = begun.session
    assert (session.actor, session.key_id, session.name) == ("key_a", "key_a", "a")
    assert (session.scopes, session.bound, session.max_priority) == (
        ("read", "spend"), {"team": "x"}, 7,
    )  # fmt: skip
    assert session.expires_us - session.created_us == SESSION_SECONDS * SECOND
    assert found(books, begun.token) == session
    right = sessions.key_of(session)
    assert (right.caller.actor, right.caller.bound) == ("key_a", {"team": "x"})
    assert right.allows("spend")
    assert not right.allows("manage")
    assert not right.caller.manage


def test_a_link_works_once_and_not_for_long(books: Books, clock: Clock) -> None:
    ann = key(books)
    database = books.books.database
    token = ann.login_link().token
    assert sessions.link_is_good(database, token)
    log_in(books, token)
    assert not sessions.link_is_good(database, token)
    with pytest.raises(Unauthorized):
        log_in(books, token)
    late = ann.login_link().token
    clock.move(LINK_SECONDS * SECOND)
    assert not sessions.link_is_good(database, late)
    with pytest.raises(Unauthorized):
        log_in(books, late)
    with pytest.raises(Unauthorized):
        log_in(books, "x" * 43)
    assert len(told(books, "session_started")) == 1


@pytest.mark.parametrize("gone", [{"revoked_us": 1}, {"expires_us": 1}])
def test_a_link_is_worth_nothing_once_its_key_is_gone(books: Books, gone: Any) -> None:
    ann = key(books)
    token = ann.login_link().token
    change_key(books, "a", **gone)
    with pytest.raises(Unauthorized):
        log_in(books, token)
    with pytest.raises(Conflict, match="API key"):
        ann.login_link()


def test_only_a_key_makes_links(light: Books) -> None:
    with pytest.raises(Conflict, match="API key") as caught:
        light.login_link()
    assert caught.value.code == "no_key"
    assert told(light, "login_link_made") == []


def test_no_token_lies_in_the_books(books: Books) -> None:
    token = key(books).login_link().token
    begun = log_in(books, token)
    with snapshot(books.books.database) as connection:
        rows = [connection.execute(select(one)).all() for one in (login_links, table)]
    entries = books.events(limit=1000).items
    kept = repr(rows) + repr(entries)
    assert token not in kept
    assert begun.token not in kept
    assert sessions.token_hash(token) in kept
    assert sessions.token_hash(begun.token) not in repr(entries)


def test_old_links_and_sessions_are_forgotten_but_by_the_journal(
    light: Books, clock: Clock
) -> None:
    ann = key(light)
    log_in(light, ann.login_link().token)
    clock.move((KEPT_SECONDS + SESSION_SECONDS + 1) * SECOND)
    log_in(light, ann.login_link().token)
    with snapshot(light.books.database) as connection:
        for one in (login_links, table):
            assert len(connection.execute(select(one)).all()) == 1
    assert len(told(light, "session_started")) == 2


# --- What a session may do -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("had", "has", "left"),
    [
        ("read spend", "read", {"read"}),
        ("read", "read manage", {"read"}),
        ("admin", "read", {"read"}),
        ("read", "admin", {"read"}),
        ("admin", "admin read", {"admin"}),
        ("read", "spend", set()),
    ],
)
def test_what_a_key_loses_its_session_loses_too(
    light: Books, had: str, has: str, left: set[str]
) -> None:
    begun = log_in(light, key(light, "a", had).login_link().token)
    for priority, most in ((3, 3), (9, 7)):
        change_key(light, "a", scopes=has, max_priority=priority)
        session = found(light, begun.token)
        assert session is not None
        assert (set(session.scopes), session.max_priority) == (left, most)


def test_a_session_ends_with_its_key(books: Books, clock: Clock) -> None:
    ann = key(books)
    one, other = (log_in(books, ann.login_link().token) for _ in range(2))
    change_key(books, "a", expires_us=clock.now_us + 60 * SECOND)
    session = found(books, one.token)
    assert session is not None
    assert session.expires_us == clock.now_us + 60 * SECOND
    change_key(books, "a", revoked_us=clock.now_us)
    assert found(books, one.token) is None
    assert found(books, other.token) is None
    assert books.sessions().items == []
    assert len(books.sessions(ended=True).items) == 2


def test_a_session_ends_after_twelve_hours(books: Books, clock: Clock) -> None:
    begun = log_in(books, key(books).login_link().token)
    clock.move(SESSION_SECONDS * SECOND - 1)
    assert found(books, begun.token) is not None
    clock.move(1)
    assert found(books, begun.token) is None


def test_whom_the_issuer_vouches_for_has_what_their_rule_says(books: Books) -> None:
    begun = begin(books, ANN._replace(bound={"team": "x"}))
    assert found(books, begun.token) == begun.session
    assert (begun.session.actor, begun.session.key_id) == ("oidc:ann", None)
    assert begun.session.bound == {"team": "x"}
    (detail,) = told(books, "session_started")
    assert (detail["by"], detail["name"], detail["scopes"]) == ("oidc", "Ann", ["manage", "read"])


@pytest.mark.parametrize("subject", ["a b", "ä", "x" * 300, "a\nb"])
def test_an_odd_subject_is_named_by_its_hash(light: Books, subject: str) -> None:
    actor = begin(light, ANN._replace(subject=subject)).session.actor
    assert actor == f"oidc:{sessions.token_hash(subject)[:32]}"


# --- Who sees and ends which ---------------------------------------------------------------------


def test_everybody_sees_and_ends_their_own_sessions_and_an_admin_all(books: Books) -> None:
    ann, bob = key(books, "a"), key(books, "b")
    of_ann, of_bob = (log_in(books, one.login_link().token).session for one in (ann, bob))
    assert ann.sessions().items == [of_ann]
    assert {one.session_id for one in books.sessions().items} == {
        of_ann.session_id, of_bob.session_id,
    }  # fmt: skip
    assert ann.session(of_ann.session_id) == of_ann
    for session_id in (of_bob.session_id, "sess_nothing", "\x00"):
        for act in (ann.session, ann.end_session):
            with pytest.raises(NotFound) as caught:
                act(session_id)
            assert caught.value.detail == f"There is no session {session_id!r}."
    ended = books.end_session(of_bob.session_id)
    assert ended.ended_us is not None
    assert books.end_session(of_bob.session_id) == ended
    assert books.session(of_bob.session_id) == ended
    assert [one.session_id for one in books.sessions().items] == [of_ann.session_id]
    (detail,) = told(books, "session_ended")
    assert detail == {"session_id": of_bob.session_id, "name": "b"}


def test_a_bound_admin_sees_the_sessions_of_its_own_attributes_alone(books: Books) -> None:
    admin = key(books, "x", "admin", {"team": "x"})
    inside = begin(books, ANN._replace(subject="in", bound={"team": "x", "user": "in"})).session
    outside = [
        begin(books, ANN._replace(subject=f"out{at}", bound=bound)).session
        for at, bound in enumerate(({}, {"team": "y"}, {"user": "x"}))
    ]
    assert [one.session_id for one in admin.sessions().items] == [inside.session_id]
    assert admin.end_session(inside.session_id).ended_us is not None
    for session in outside:
        with pytest.raises(NotFound):
            admin.session(session.session_id)
        with pytest.raises(NotFound):
            admin.end_session(session.session_id)


def test_sessions_come_in_pages(light: Books, clock: Clock) -> None:
    made = []
    for _ in range(5):
        clock.move(SECOND)
        made.append(begin(light, ANN).session.session_id)
    first = light.sessions(limit=3)
    rest = light.sessions(limit=3, cursor=first.next_cursor)
    seen = [one.session_id for one in (*first.items, *rest.items)]
    assert seen == made[::-1]
    assert rest.next_cursor is None
