"""Keys are made with no more rights than their maker has, shown once, rotated and revoked."""

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from budget.domain.answers_keys import ApiKey
from budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    KeyReused,
    NotFound,
    Unauthorized,
)
from budget.engine import keys
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.key_uses import KeyUses, write_uses
from budget.engine.snapshots import snapshot
from budget.storage.schema import api_keys, entries
from tests.engine.opened import Clock, open_books

DAY_US = 86_400_000_000
ADMIN = Caller("key_admin000", admin=True)
OF_A = ADMIN._replace(actor="key_admin00a", bound={"team": "a"})


def caller_of(books: Books, key: ApiKey) -> Caller:
    """Who the service would take the bearer of a key for, now; Unauthorized if for nobody."""
    assert key.text is not None
    presented = keys.read_key(key.text)
    assert presented is not None
    return keys.Keyring.of(books.books.database).find(presented).caller


def told(books: Books) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, actor and detail of every entry, oldest first."""
    wanted = select(entries.c.kind, entries.c.actor, entries.c.detail).order_by(entries.c.id)
    with snapshot(books.books.database) as connection:
        return [(kind, actor, json.loads(text)) for kind, actor, text in connection.execute(wanted)]


# --- Making --------------------------------------------------------------------------------------


def test_a_key_may_do_what_it_was_made_for_and_lets_in(books: Books, clock: Clock) -> None:
    made = books.acting_as(ADMIN).create_key(
        name=" Search, CI ", scopes=["spend", "read", "spend"], bound={"team": "search"},
        max_priority=8, ttl_seconds=3600,
    )  # fmt: skip
    assert (made.name, made.scopes, made.status) == ("Search, CI", ("read", "spend"), "live")
    assert made.expires_us == clock() + 3_600_000_000
    assert caller_of(books, made) == Caller(made.key_id, False, 8, {"team": "search"}, False)
    clock.move(3_599_999_999)
    caller_of(books, made)
    clock.move(1)
    with pytest.raises(Unauthorized):
        caller_of(books, made)
    assert books.key(made.key_id).status == "expired"


def test_the_key_itself_is_in_the_first_answer_and_nowhere_else(books: Books) -> None:
    made = books.create_key(name="ci", scopes=["read"], idempotency_key="1")
    assert made.text is not None
    again = books.create_key(name="ci", scopes=["read"], idempotency_key="1")
    assert (again.key_id, again.text, again.replayed) == (made.key_id, None, True)
    assert books.key(made.key_id).text is None
    assert [key.text for key in books.keys().items] == [None]
    with pytest.raises(KeyReused):
        books.create_key(name="other", scopes=["read"], idempotency_key="1")
    with snapshot(books.books.database) as connection:
        kept = repr(connection.execute(select(api_keys)).all())
    assert made.text[13:56] not in kept + repr(told(books))
    assert made.key_id in kept


def test_a_new_key_has_no_priority_above_normal_unless_that_is_said(books: Books) -> None:
    assert books.create_key(name="ci", scopes=["admin"]).max_priority == 5
    low = books.acting_as(ADMIN._replace(max_priority=5))
    assert low.create_key(name="ci", scopes=["spend"], max_priority=5).max_priority == 5
    with pytest.raises(Forbidden, match="max_priority"):
        low.create_key(name="ci", scopes=["spend"], max_priority=6)
    made = books.create_key(name="ci", scopes=["spend"])
    with pytest.raises(Forbidden, match="max_priority"):
        low.change_key(made.key_id, max_priority=10)


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("name", {"name": None}), ("name", {"name": "  "}), ("name", {"name": "x" * 201}),
        ("name", {"name": 5}), ("name", {"name": "a\nb"}), ("name", {"name": "\ud800"}),
        ("scopes", {"scopes": None}), ("scopes", {"scopes": []}), ("scopes", {"scopes": "read"}),
        ("scopes[1]", {"scopes": ["read", "root"]}), ("scopes[0]", {"scopes": [{}]}),
        ("scopes[0]", {"scopes": ["open"]}), ("scopes[0]", {"scopes": ["any"]}),
        ("bound", {"bound": "team"}), ("bound", {"bound": {"colour": "red"}}),
        ("bound.team", {"bound": {"team": ["a"]}}), ("bound.model", {"bound": {"model": "gpt-4o"}}),
        ("bound.key", {"bound": {"key": "key_12345678"}}),
        ("bound.task_type", {"bound": {"taskType": "chat"}}),
        ("max_priority", {"max_priority": 0}), ("max_priority", {"max_priority": 11}),
        ("max_priority", {"max_priority": "x"}), ("ttl_seconds", {"ttl_seconds": 0}),
        ("ttl_seconds", {"ttl_seconds": 315_360_001}),
        ("ttl_seconds", {"ttl_seconds": 1, "expires_at": "2027-01-01T00:00:00Z"}),
        ("expires_at", {"expires_at": "tomorrow"}),
        ("expires_at", {"expires_at": "2026-05-15T12:00:00Z"}),
        ("secret", {"secret": "x"}), ("idempotency_key", {"idempotency_key": "é"}),
    ],
)  # fmt: skip
def test_what_no_key_can_be_is_refused_by_name(
    light: Books, field: str, ask: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        light.create_key(**{"name": "ci", "scopes": ["read"], **ask})
    assert caught.value.field == field
    assert light.keys().items == []


def test_only_who_has_every_right_sees_or_changes_keys(light: Books) -> None:
    made = light.create_key(name="ci", scopes=["manage", "read", "spend", "audit"])
    manager = light.acting_as(caller_of(light, made))
    acts: list[Callable[[], object]] = [
        lambda: manager.create_key(name="x", scopes=["read"]),
        lambda: manager.change_key(made.key_id, scopes=["admin"]),
        lambda: manager.rotate_key(made.key_id),
        lambda: manager.revoke_key(made.key_id),
        lambda: manager.key(made.key_id),
        manager.keys,
    ]
    for act in acts:
        with pytest.raises(Forbidden, match="admin"):
            act()
    assert manager.own_key() == light.key(made.key_id)


# --- Bound admins --------------------------------------------------------------------------------


def test_a_bound_admin_makes_and_sees_only_keys_bound_to_at_least_the_same(books: Books) -> None:
    of_a = books.acting_as(OF_A)
    free = books.create_key(name="free", scopes=["read"])
    of_b = books.create_key(name="b", scopes=["read"], bound={"team": "b"})
    made = of_a.create_key(name="a", scopes=["admin"])
    narrower = of_a.create_key(name="ann", scopes=["read"], bound={"user": "ann"})
    assert made.bound == {"team": "a"}
    assert narrower.bound == {"team": "a", "user": "ann"}
    with pytest.raises(Forbidden, match="bound to 'a'"):
        of_a.create_key(name="x", scopes=["read"], bound={"team": "b"})
    assert {key.key_id for key in of_a.keys(revoked=True).items} == {made.key_id, narrower.key_id}
    assert len(books.keys().items) == 4
    for foreign in (free, of_b):
        acts: list[Callable[[str], object]] = [
            of_a.key, lambda id: of_a.change_key(id, name="y"), of_a.rotate_key, of_a.revoke_key,
        ]  # fmt: skip
        for act in acts:
            with pytest.raises(NotFound) as seen:
                act(foreign.key_id)
            with pytest.raises(NotFound) as missing:
                act("key_nowhere0")
            assert seen.value.detail.replace(foreign.key_id, "key_nowhere0") == missing.value.detail
    narrow = books.acting_as(caller_of(books, of_a.rotate_key(made.key_id)))
    assert narrow.create_key(name="z", scopes=["read"]).bound == {"team": "a"}


# --- Changing and revoking -----------------------------------------------------------------------


def test_a_change_is_told_in_the_journal_with_what_was_and_what_is(books: Books) -> None:
    admin = books.acting_as(ADMIN)
    made = admin.create_key(name="ci", scopes=["read"], bound={"team": "a"})
    changed = admin.change_key(made.key_id, name="cd", scopes=["spend"])
    assert (changed.name, changed.scopes, changed.max_priority) == ("cd", ("spend",), 5)
    assert admin.change_key(made.key_id, name="cd") == changed
    admin.revoke_key(made.key_id)
    first, second, third = told(books)
    assert first == (
        "key_created",
        ADMIN.actor,
        {
            "key_id": made.key_id, "name": "ci", "scopes": ["read"], "bound": {"team": "a"},
            "max_priority": 5, "expires_at": None,
        },
    )  # fmt: skip
    differences = {
        "name": {"old": "ci", "new": "cd"},
        "scopes": {"old": ["read"], "new": ["spend"]},
    }
    assert second == (
        "key_changed", ADMIN.actor, {"key_id": made.key_id, "changes": differences},
    )  # fmt: skip
    assert third == ("key_revoked", ADMIN.actor, {"key_id": made.key_id, "name": "cd"})


def test_what_a_key_is_bound_to_stays(light: Books) -> None:
    made = light.create_key(name="ci", scopes=["read"], bound={"team": "a"})
    with pytest.raises(InvalidInput) as caught:
        light.change_key(made.key_id, bound={"team": "b"})  # type: ignore[call-arg]
    assert caught.value.field == "bound"


def test_a_revoked_key_is_out_for_good(books: Books) -> None:
    made = books.create_key(name="ci", scopes=["read"])
    revoked = books.revoke_key(made.key_id)
    assert revoked.status == "revoked"
    again = books.revoke_key(made.key_id)
    assert (again.replayed, again.revoked_us) == (True, revoked.revoked_us)
    with pytest.raises(Unauthorized):
        caller_of(books, made)
    with pytest.raises(Conflict) as caught:
        books.change_key(made.key_id, name="back")
    assert caught.value.code == "key_revoked"
    with pytest.raises(Conflict) as caught:
        books.rotate_key(made.key_id)
    assert caught.value.code == "key_revoked"
    assert books.keys().items == []
    assert [key.key_id for key in books.keys(revoked=True).items] == [made.key_id]


def test_the_last_admin_cannot_lock_itself_out(books: Books, clock: Clock) -> None:
    first = books.create_key(name="first", scopes=["admin"])
    books.create_key(name="of a", scopes=["admin"], bound={"team": "a"})
    books.create_key(name="soon gone", scopes=["admin"], ttl_seconds=60)
    clock.move(60_000_000)
    admin = books.acting_as(caller_of(books, first))
    for act in (admin.revoke_key, lambda id: admin.change_key(id, scopes=["read"])):
        with pytest.raises(Conflict, match="last key that may administer") as caught:
            act(first.key_id)
        assert caught.value.code == "last_admin_key"
    second = admin.create_key(name="second", scopes=["admin"])
    assert admin.revoke_key(first.key_id).status == "revoked"
    # Whoever holds the books themselves is not locked out by anything.
    assert books.revoke_key(second.key_id).status == "revoked"


def outcomes_of(*acts: Callable[[], ApiKey]) -> list[str]:
    """What acts that are done at once end with: the status of the key, or the code of the error."""
    outcomes: list[str] = []

    def done(act: Callable[[], ApiKey]) -> None:
        try:
            outcomes.append(act().status)
        except BudgetError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=done, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


@pytest.fixture
def another(books: Books, books_url: str, clock: Clock) -> Iterator[Books]:
    """The same books, opened by a second process, as it were."""
    with open_books(books_url, clock) as opened:
        yield opened


def test_two_admins_that_revoke_each_other_through_two_services_leave_one(
    books: Books, another: Books
) -> None:
    for _ in range(5):
        one, two = (books.create_key(name=name, scopes=["admin"]) for name in ("one", "two"))
        first = books.acting_as(caller_of(books, one))
        second = another.acting_as(caller_of(books, two))
        outcomes = outcomes_of(
            partial(first.revoke_key, two.key_id), partial(second.revoke_key, one.key_id)
        )
        assert outcomes == ["last_admin_key", "revoked"]
        (left,) = books.keys().items
        books.revoke_key(left.key_id)


def test_a_key_that_two_services_rotate_at_once_has_one_successor(
    books: Books, another: Books
) -> None:
    for _ in range(5):
        key_id = books.create_key(name="ci", scopes=["read"]).key_id
        outcomes = outcomes_of(
            partial(books.rotate_key, key_id), partial(another.rotate_key, key_id)
        )
        assert outcomes == ["live", "rotation_underway"]


# --- Rotating ------------------------------------------------------------------------------------


def test_a_rotated_key_works_beside_the_new_one_until_the_overlap_ends(
    books: Books, clock: Clock
) -> None:
    old = books.create_key(name="ci", scopes=["spend"], bound={"team": "a"}, max_priority=7)
    new = books.rotate_key(old.key_id)
    assert (new.rotates, new.name, new.scopes) == (old.key_id, "ci", ("spend",))
    assert caller_of(books, new) == caller_of(books, old)._replace(actor=new.key_id)
    clock.move(DAY_US - 1)
    caller_of(books, old)
    clock.move(1)
    with pytest.raises(Unauthorized):
        caller_of(books, old)
    caller_of(books, new)
    kind, _, detail = told(books)[-1]
    assert kind == "key_rotated"
    assert detail == {
        "key_id": old.key_id, "successor": new.key_id, "expires_at": "2026-05-16T12:00:00Z",
    }  # fmt: skip


def test_of_a_chain_of_rotations_two_keys_work_at_most(books: Books, clock: Clock) -> None:
    first = books.create_key(name="ci", scopes=["spend"])
    second = books.rotate_key(first.key_id, overlap_seconds=60)
    for one in (first, second):
        with pytest.raises(Conflict) as caught:
            books.rotate_key(one.key_id)
        assert caught.value.code == "rotation_underway"
    clock.move(60_000_000)
    third = books.rotate_key(second.key_id)
    books.revoke_key(second.key_id)
    fourth = books.rotate_key(third.key_id, overlap_seconds=0)
    with pytest.raises(Unauthorized):
        caller_of(books, third)
    caller_of(books, fourth)
    with pytest.raises(Conflict) as caught:
        books.rotate_key(first.key_id)
    assert caught.value.code == "key_expired"


def test_an_end_that_was_set_is_not_put_off_by_a_rotation(light: Books, clock: Clock) -> None:
    old = light.create_key(name="ci", scopes=["spend"], ttl_seconds=600)
    new = light.rotate_key(old.key_id)
    assert new.expires_us == light.key(old.key_id).expires_us == clock() + 600_000_000


def test_a_rotation_sent_twice_makes_one_key(light: Books) -> None:
    old = light.create_key(name="ci", scopes=["spend"])
    new = light.rotate_key(old.key_id, idempotency_key="1")
    again = light.rotate_key(old.key_id, idempotency_key="1")
    assert (again.key_id, again.text, again.replayed) == (new.key_id, None, True)


@pytest.mark.parametrize("seconds", [-1, 2_592_001, "x", 1.5, True])
def test_an_overlap_is_at_most_thirty_days(light: Books, seconds: Any) -> None:
    old = light.create_key(name="ci", scopes=["spend"])
    with pytest.raises(InvalidInput) as caught:
        light.rotate_key(old.key_id, overlap_seconds=seconds)
    assert caught.value.field == "overlap_seconds"


# --- Lists, and when a key was used --------------------------------------------------------------


def test_a_list_of_keys_is_read_page_by_page_newest_first(books: Books, clock: Clock) -> None:
    made = []
    for number in range(7):
        clock.move(number % 2)  # some are of the same instant
        made.append(books.create_key(name=f"k{number}", scopes=["read"]).key_id)
    seen, cursor = [], None
    while True:
        page = books.keys(limit=3, cursor=cursor)
        seen += [(key.created_us, key.key_id) for key in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen, reverse=True) == seen
    assert sorted(key_id for _, key_id in seen) == sorted(made)


def test_who_has_no_key_is_told_so(light: Books) -> None:
    with pytest.raises(NotFound, match="No key asks here"):
        light.own_key()


def test_when_keys_were_used_is_written_without_an_entry(books: Books, clock: Clock) -> None:
    made = [books.create_key(name=name, scopes=["read"]) for name in ("used", "unused")]
    before = told(books)
    write_uses(books.books, [made[0].key_id, "key_nowhere0"])
    assert [books.key(one.key_id).last_used_us for one in made] == [clock(), None]
    assert told(books) == before


def test_a_noted_key_is_written_down_at_the_latest_when_the_round_is_closed(books: Books) -> None:
    made = books.create_key(name="used", scopes=["read"])
    uses = KeyUses(books.books)
    uses.note(made.key_id)
    uses.note(made.key_id)
    uses.close()
    assert books.key(made.key_id).last_used_us is not None
