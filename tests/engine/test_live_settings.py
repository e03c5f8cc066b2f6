"""Live settings: set for every process, told in the journal, read in the ledger and beside it."""

from typing import Any

from budget.engine import live_settings
from budget.engine.batch import Batch
from budget.engine.budget import Budget as Books
from budget.engine.callers import LOCAL
from budget.engine.changes import Request, once
from budget.engine.job import Job
from tests.engine.opened import Clock, open_books, told


def put(books: Books, **values: Any) -> None:
    """Set some, as an act of the engine does."""

    def act(batch: Batch) -> tuple[tuple[()], str]:
        live_settings.put(batch, values, LOCAL.actor)
        return (), ""

    change = once(Request("put", LOCAL.actor, None, ""), act, lambda _batch, _ref: ())
    books.run(Job(change=change))
    live_settings.forget(books.books.database)


def test_what_was_never_set_is_its_default(books: Books) -> None:
    assert live_settings.read(books.books.database, "alerts", {"on": True}) == {"on": True}


def test_a_setting_is_told_with_what_it_was_and_what_it_is(books: Books) -> None:
    put(books, alerts={"factor": 10})
    put(books, alerts={"factor": 12}, motto="Spend well")
    assert live_settings.read(books.books.database, "alerts", None) == {"factor": 12}
    assert told(books, "settings_changed") == [
        {"changes": {"alerts": {"old": None, "new": {"factor": 10}}}},
        {
            "changes": {
                "alerts": {"old": {"factor": 10}, "new": {"factor": 12}},
                "motto": {"old": None, "new": "Spend well"},
            }
        },
    ]


def test_what_is_so_already_is_not_told_again_and_none_unsets(books: Books) -> None:
    put(books, motto="Spend well")
    put(books, motto="Spend well")
    assert len(told(books, "settings_changed")) == 1
    put(books, motto=None)
    assert live_settings.read_all(books.books.database) == {}
    assert live_settings.read(books.books.database, "motto", "none") == "none"


def test_the_ledger_has_them_in_its_catalogue_also_that_of_another_process(
    books: Books, books_url: str, clock: Clock
) -> None:
    with open_books(books_url, clock) as other:
        put(books, motto="Spend well")
        assert books.books.ledger.catalogue.settings == {"motto": "Spend well"}
        seen = other.books.ledger.do_change(lambda batch: batch.catalogue.settings)
        assert seen == {"motto": "Spend well"}


def test_what_was_read_is_believed_for_a_second_unless_it_is_forgotten(
    books: Books, books_url: str, clock: Clock
) -> None:
    database = books.books.database
    assert live_settings.read(database, "motto", "none") == "none"
    with open_books(books_url, clock) as other:
        put(other, motto="Spend well")
    live_settings.forget(database)
    assert live_settings.read(database, "motto", "none") == "Spend well"
