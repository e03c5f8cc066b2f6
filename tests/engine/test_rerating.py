"""Re-rating: what past usage costs under another book, and that booking it leaves clean books."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.domain.answers import UsageRecord
from budget.domain.answers_rating import Rerating
from budget.domain.errors import Forbidden, NotFound
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.past import PastRecord
from budget.prices.book import PriceBook
from budget.prices.layers import OwnEntry
from budget.prices.schedules import Piece, Schedule, Scheduled
from tests.engine.opened import (
    DAY,
    HOUR,
    MILLI,
    MINUTE,
    USD,
    Clock,
    allocated,
    balances,
    figures,
    open_books,
    refused,
    told,
    us,
)

START: Final = "2026-05-01T00:00:00Z"
END: Final = "2026-06-01T00:00:00Z"


def book(**models: Rates) -> PriceBook:
    """A book of own prices: `m` of one size, `n` of another."""
    prices: dict[tuple[str | None, str], Rates] = {
        (None, name): rates for name, rates in models.items()
    }
    return PriceBook(None, prices)


DOUBLE: Final = book(m=Rates(2_000_000_000, 4_000_000_000))
"""`m` at twice its price in `opened.PRICES`: 0.002 USD and 0.004 USD."""


class Own(NamedTuple):
    """Own prices of one model, which change."""

    basis: str
    entries: Mapping[tuple[str | None, str], tuple[OwnEntry, ...]]

    def discounted(self, found: Scheduled, names: object, context: object) -> Scheduled:
        del names, context
        return found


def dated(schedule: Schedule) -> PriceBook:
    """A book that has `m` alone, at prices that change."""
    return PriceBook(None, own=Own("later/1", {(None, "m"): (OwnEntry((), schedule),)}))


def a_budget(books: Books, *, limit: str = "100", **more: Any) -> str:
    """A budget by the day; the id of its policy in money."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": limit}
    made = books.create_budget(name="B", policies=[policy], **more)
    return made.policies[0].policy_id


def spent(books: Books, policy_id: str) -> int:
    (view,) = balances(books, policy_id)
    return view.spent


def rerate(books: Books, **ask: Any) -> Rerating:
    return books.rerate(**{"since": START, "until": END, **ask})


def applied(books: Books, **ask: Any) -> Rerating:
    return rerate(books, apply=True, reason="the price was wrong", **ask)


def in_force(books: Books) -> list[UsageRecord]:
    """The records that were not reversed."""
    records = books.usage_records(limit=1000).items
    gone = {record.reverses for record in records}
    return [r for r in records if r.reverses is None and r.usage_id not in gone]


# --- Looking -------------------------------------------------------------------------------------


def test_under_the_same_book_nothing_differs(light: Books) -> None:
    light.record_usage(model="m", input_tokens=10, output_tokens=5)
    found = rerate(light)
    assert (found.examined, found.unchanged, found.changed, found.unpriced) == (1, 1, 0, 0)
    assert found.old_nanos == found.new_nanos == 20 * MILLI
    assert found.applied is False


def test_an_empty_history_is_no_error(light: Books) -> None:
    found = applied(light, book=DOUBLE)
    assert (found.examined, found.old_nanos, found.models, found.largest) == (0, 0, (), ())


def test_looking_says_what_differs_and_books_nothing(books: Books) -> None:
    policy_id = a_budget(books)
    small = books.record_usage(model="m", input_tokens=10, output_tokens=5).usage_id
    large = books.record_usage(model="m", input_tokens=100, output_tokens=0).usage_id
    found = rerate(books, book=DOUBLE)
    assert (found.examined, found.changed) == (2, 2)
    assert (found.old_nanos, found.new_nanos) == (120 * MILLI, 240 * MILLI)
    assert [(one.usage_id, one.difference_nanos) for one in found.largest] == [
        (large, 100 * MILLI),
        (small, 20 * MILLI),
    ]
    (model,) = found.models
    assert (model.model, model.records, model.changed) == ("m", 2, 2)
    (basis,) = found.bases
    assert (basis.new_basis, basis.old_nanos, basis.new_nanos) == (
        DOUBLE.basis, 120 * MILLI, 240 * MILLI,
    )  # fmt: skip
    assert basis.old_basis != basis.new_basis
    assert spent(books, policy_id) == 120 * MILLI
    assert told(books, "corrected") == []


def test_each_record_is_priced_at_its_own_time(books: Books, clock: Clock) -> None:
    books.record_usage(
        model="m", input_tokens=1, output_tokens=0, occurred_at="2026-05-15T10:00:00Z"
    )
    books.record_usage(model="m", input_tokens=1, output_tokens=0)
    dearer = Schedule(
        (
            Piece(Rates(1_000_000_000, 2_000_000_000, model="m", basis="later/1")),
            Piece(Rates(7_000_000_000, 0, model="m", basis="later/1"), us("2026-05-15 11:00")),
        )
    )
    found = rerate(books, book=dated(dearer))
    assert (found.unchanged, found.changed) == (1, 1)
    assert found.new_nanos == (1 + 7) * MILLI


def test_a_hold_keeps_the_price_of_its_own_time(light: Books, clock: Clock) -> None:
    call = allocated(light, model="m", input_tokens=10, max_output_tokens=10).allocation_id
    clock.move(10 * MINUTE)
    light.settle(call, input_tokens=1, output_tokens=0)
    later = Schedule(
        (
            Piece(Rates(1_000_000_000, 2_000_000_000, model="m", basis="later/1")),
            Piece(Rates(7_000_000_000, 0, model="m", basis="later/1"), us("2026-05-15 12:05")),
        )
    )
    assert rerate(light, book=dated(later)).changed == 0


def in_contexts(basis: str, model: str, **pico: int) -> PriceBook:
    """A book of one model, at so much for a token of input: `usual`, or in `processing`."""
    entries = tuple(
        OwnEntry(
            () if name == "usual" else (("processing", name),),
            Schedule((Piece(Rates(rate, 0, model=model, basis=basis)),)),
        )
        for name, rate in pico.items()
    )
    return PriceBook(None, own=Own(basis, {(None, model): entries}))


def test_each_record_is_priced_in_the_context_that_it_asked_for(books: Books) -> None:
    """Whether it was told at the hold or with the usage, and had a price then or not."""
    policy_id = a_budget(books, unpriced="allow")
    batch = {"processing": "batch"}
    for model in ("m", "n"):
        ask: dict[str, Any] = {"input_tokens": 10, "output_tokens": 0}
        hold = {"model": model, "input_tokens": 10, "max_output_tokens": 0}
        books.record_usage(model=model, price_context=batch, **ask)
        early = allocated(books, **hold, price_context=batch).allocation_id
        books.settle(early, **ask)
        late = allocated(books, **hold).allocation_id
        books.settle(late, model=model, price_context=batch, **ask)
        books.record_usage(model=model, **ask)
    for model in ("m", "n"):
        now = in_contexts("now/1", model, batch=250_000_000, usual=1_000_000_000)
        found = applied(books, book=now, model=model)
        assert found.new_nanos == 3 * 10 * MILLI // 4 + 10 * MILLI, model
        # What was corrected remembers it too.
        dearer = in_contexts("now/2", model, batch=500_000_000, usual=1_000_000_000)
        found = applied(books, book=dearer, model=model)
        assert (found.changed, found.new_nanos) == (3, 3 * 10 * MILLI // 2 + 10 * MILLI), model
    assert spent(books, policy_id) == 2 * (3 * 10 * MILLI // 2 + 10 * MILLI)


def test_a_record_that_did_not_keep_its_context_has_that_of_its_rates() -> None:
    old = PastRecord("u", 0, 0, {}, None, "m", Usage(1, 1), 1, None,
                     Rates(1, 1, context="processing=batch"))  # fmt: skip
    assert old.context == (("processing", "batch"),)
    assert old._replace(rates=None).context == ()
    assert old._replace(price_context="speed=fast").context == (("speed", "fast"),)


def test_only_what_was_asked_for_is_priced_again(books: Books, clock: Clock) -> None:
    books.record_usage(model="m", input_tokens=1, output_tokens=0, attributes={"team": "a"})
    books.record_usage(model="openai/M", input_tokens=1, output_tokens=0, attributes={"team": "b"})
    books.record_usage(model="n", input_tokens=1, output_tokens=0, attributes={"team": "b"})
    clock.move(HOUR)

    def examined(**ask: Any) -> int:
        return rerate(books, **ask).examined

    assert examined() == 3
    assert examined(model="M") == 2
    assert examined(model="m", scope={"team": "b"}) == 1
    assert examined(scope={"team": ["a", "b"], "model": "n"}) == 1
    assert examined(provider="anthropic") == 0
    assert examined(since="2026-05-15T12:00:00.000001Z") == 0
    assert examined(until="2026-05-15T12:00:00Z") == 0


# --- Booking -------------------------------------------------------------------------------------


def test_applied_the_difference_is_booked_once(books: Books) -> None:
    policy_id = a_budget(books)
    record = books.record_usage(model="m", input_tokens=10, output_tokens=5).usage_id
    found = applied(books, book=DOUBLE)
    assert (found.applied, found.booked, found.failed) == (True, 1, 0)
    assert spent(books, policy_id) == 40 * MILLI
    (left,) = in_force(books)
    assert (left.replaces, left.cost_nanos, left.basis) == (record, 40 * MILLI, DOUBLE.basis)
    assert (left.flags, left.reason) == (("correction", "rerated"), "the price was wrong")
    (detail,) = told(books, "corrected")
    assert detail["basis"] == DOUBLE.basis
    again = applied(books, book=DOUBLE)
    assert (again.examined, again.unchanged, again.booked) == (1, 1, 0)
    assert spent(books, policy_id) == 40 * MILLI
    back = applied(books)
    assert (back.changed, back.booked) == (1, 1)
    assert spent(books, policy_id) == 20 * MILLI


def test_usage_without_a_price_gets_one(books: Books) -> None:
    policy_id = a_budget(books, unpriced="allow")
    call = allocated(books, model="n", input_tokens=10, max_output_tokens=10).allocation_id
    books.settle(call, input_tokens=10, output_tokens=5)
    books.record_usage(model="n", input_tokens=3, output_tokens=0)
    assert spent(books, policy_id) == 0
    still = applied(books)
    assert (still.unpriced, still.booked) == (2, 0)
    found = applied(books, book=book(n=Rates(1_000_000_000, 1_000_000_000)))
    assert (found.unpriced, found.changed, found.booked) == (0, 2, 2)
    assert spent(books, policy_id) == 18 * MILLI
    assert figures(books, policy_id)["{}"] == (18 * MILLI, 0, 0)
    assert all("unpriced" not in record.flags for record in in_force(books))


def test_a_model_that_turns_out_to_be_free_is_booked_so(light: Books) -> None:
    a_budget(light, unpriced="allow")
    light.record_usage(model="n", input_tokens=3, output_tokens=0)
    found = applied(light, book=book(n=Rates(0, 0)))
    assert (found.changed, found.booked, found.new_nanos) == (1, 1, 0)
    assert [record.cost_nanos for record in in_force(light)] == [0]


def test_a_reported_cost_yields_to_a_price(light: Books) -> None:
    policy_id = a_budget(light, unpriced="allow")
    light.record_usage(model="n", input_tokens=3, output_tokens=0, cost="0.5")
    assert spent(light, policy_id) == USD // 2
    applied(light, book=book(n=Rates(1_000_000_000, 0)))
    assert spent(light, policy_id) == 3 * MILLI
    (left,) = in_force(light)
    assert left.reported_cost_nanos == USD // 2


def test_a_model_that_the_book_does_not_know_stays_as_it_was_booked(light: Books) -> None:
    policy_id = a_budget(light)
    light.record_usage(model="m", input_tokens=10, output_tokens=5)
    found = applied(light, book=book(n=Rates(1, 1)))
    assert (found.unpriced, found.changed, found.old_nanos) == (1, 0, 20 * MILLI)
    assert found.new_nanos == found.old_nanos
    assert spent(light, policy_id) == 20 * MILLI


def test_a_book_that_lacks_a_unit_does_not_make_it_free(light: Books) -> None:
    searching = Rates(0, 0, units=(("searches", 10**10),))
    light.record_usage(
        model="n", input_tokens=0, output_tokens=0, units={"searches": 2}, cost="0.5"
    )
    applied(light, book=book(n=searching))
    assert [record.cost_nanos for record in in_force(light)] == [20 * MILLI]
    found = applied(light, book=book(n=Rates(5, 5)))
    assert (found.unpriced, found.changed) == (1, 0)


def test_records_that_were_corrected_are_priced_as_corrected(light: Books) -> None:
    policy_id = a_budget(light)
    first = light.record_usage(model="m", input_tokens=10, output_tokens=0).usage_id
    gone = light.record_usage(model="m", input_tokens=99, output_tokens=0).usage_id
    light.correct(first, reason="r", replacement={"input_tokens": 4})
    light.correct(gone, reason="r")
    found = applied(light, book=DOUBLE)
    assert (found.examined, found.booked) == (1, 1)
    assert spent(light, policy_id) == 8 * MILLI


def test_the_difference_goes_to_the_window_of_the_record(books: Books, clock: Clock) -> None:
    policy_id = a_budget(books)
    call = allocated(books, model="m", input_tokens=10, max_output_tokens=0).allocation_id
    books.settle(call, input_tokens=10, output_tokens=0)
    clock.move(DAY)
    books.record_usage(model="m", input_tokens=1, output_tokens=0)
    found = applied(books, book=DOUBLE, until="2026-05-16T00:00:00Z")
    assert found.booked == 1
    assert spent(books, policy_id) == 1 * MILLI


def test_what_goes_beyond_a_hard_limit_is_flagged(light: Books) -> None:
    policy_id = a_budget(light, limit="0.015")
    light.record_usage(model="m", input_tokens=10, output_tokens=0)
    applied(light, book=DOUBLE)
    (view,) = balances(light, policy_id)
    assert (view.spent, view.overrun) == (20 * MILLI, 5 * MILLI)
    assert in_force(light)[0].flags == ("correction", "rerated", "overrun")


def test_open_holds_and_their_rates_stay(light: Books) -> None:
    policy_id = a_budget(light)
    call = allocated(light, model="m", input_tokens=10, max_output_tokens=0).allocation_id
    light.record(call, input_tokens=4, output_tokens=0)
    applied(light, book=DOUBLE)
    assert figures(light, policy_id)["{}"] == (8 * MILLI, 6 * MILLI, 0)
    light.settle(call, input_tokens=2, output_tokens=0)
    assert figures(light, policy_id)["{}"] == (10 * MILLI, 0, 0)


def test_a_record_that_would_cost_too_much_is_told_and_left(light: Books) -> None:
    light.record_usage(model="m", input_tokens=10**9, output_tokens=0, usage_id="big")
    light.record_usage(model="m", input_tokens=1, output_tokens=0)
    found = applied(light, book=book(m=Rates(10**13, 0)))
    assert (found.changed, found.booked, found.failed) == (2, 1, 1)
    ((usage_id, why),) = found.failures
    assert usage_id == "big"
    assert "1000000.00 USD" in why


def test_a_run_that_was_interrupted_goes_on_where_it_ended(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy_id = a_budget(books)
    monkeypatch.setattr("budget.engine.past.PAGE", 3)
    for _ in range(10):
        books.record_usage(model="m", input_tokens=1, output_tokens=0)
    heard: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        heard.append((done, total))
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        applied(books, book=DOUBLE, progress=stop)
    assert heard == [(0, 10), (3, 10), (6, 10)]
    assert spent(books, policy_id) == 16 * MILLI
    found = applied(books, book=DOUBLE)
    assert (found.examined, found.unchanged, found.booked) == (10, 6, 4)
    assert spent(books, policy_id) == 20 * MILLI


def test_of_two_runs_at_once_each_record_is_corrected_once(books: Books) -> None:
    import threading

    policy_id = a_budget(books, limit="1000")
    for _ in range(60):
        books.record_usage(model="m", input_tokens=1, output_tokens=0)
    found: list[Rerating] = []
    threads = [
        threading.Thread(target=lambda: found.append(applied(books, book=DOUBLE))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.booked for one in found) == 60
    assert spent(books, policy_id) == 120 * MILLI


def test_groups_and_differences_are_bounded(light: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budget.engine.rerating.MAX_GROUPS", 3)
    monkeypatch.setattr("budget.engine.rerating.MAX_LARGEST", 2)
    for count in range(1, 7):
        light.record_usage(model=f"m{count}", input_tokens=count, output_tokens=0, cost="0")
    sold = book(**{f"m{count}": Rates(1_000_000_000, 0) for count in range(1, 7)})
    found = rerate(light, book=sold)
    assert len(found.models) == 4
    assert sum(one.records for one in found.models) == 6
    assert [one.model for one in found.largest] == ["m6", "m5"]


def test_a_contract_from_a_date_on_reaches_what_was_called_since(
    light_url: str, clock: Clock
) -> None:
    """On the database's own price book, as a service has it."""
    with Books.open(light_url, clock=clock, sweep=False) as books:
        ask: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "output_tokens": 0}
        for day in (13, 14):
            books.record_usage(
                input_tokens=1_000_000, occurred_at=f"2026-05-{day}T12:00:00Z", **ask
            )
        books.set_price(
            provider="openai", model="gpt-4o", input="1", output="4", reason="a contract",
            starts_at="2026-05-14T00:00:00Z",
        )  # fmt: skip
        found = applied(books)
        assert (found.examined, found.changed, found.booked) == (2, 1, 1)
        assert (found.old_nanos, found.new_nanos) == (5 * USD, USD * 7 // 2)
        assert found.bases[0].new_basis is not None
        assert found.bases[0].new_basis.startswith("override/")
        with pytest.raises(NotFound):
            rerate(books, basis="genai-prices/0/0")
        assert books.verify().violations == ()


# --- Bad input -----------------------------------------------------------------------------------


WRONG: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"since": None}, "since"),
    ({"since": "yesterday"}, "since"),
    ({"until": "2026-05-01T00:00:00Z"}, "since"),
    ({"since": "2026-06-01T00:00:00Z"}, "since"),
    ({"since": "2027-06-01T00:00:00Z", "until": None}, "since"),
    ({"model": ""}, "model"),
    ({"scope": {"colour": "red"}}, "scope"),
    ({"apply": "yes"}, "apply"),
    ({"apply": True}, "reason"),
    ({"apply": True, "reason": " "}, "reason"),
    ({"reason": "because"}, "reason"),
    ({"budget": "B"}, "budget"),
)


def test_bad_input_is_refused_by_name(light: Books) -> None:
    for ask, field in WRONG:
        assert refused(rerate, light, **ask).field.startswith(field), ask


def test_only_who_manages_may_apply(light: Books) -> None:
    light.record_usage(model="m", input_tokens=1, output_tokens=0)
    ann = light.acting_as(Caller("ann", manage=False))
    with pytest.raises(Forbidden):
        applied(ann, book=DOUBLE)
    assert rerate(ann, book=DOUBLE).changed == 1


def test_who_applied_it_is_in_the_books(light: Books) -> None:
    light.record_usage(model="m", input_tokens=1, output_tokens=0)
    applied(light.acting_as(Caller("bob")), book=DOUBLE)
    assert in_force(light)[0].actor == "bob"


# --- Property ------------------------------------------------------------------------------------

_COUNTS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
_CALLS = st.lists(st.tuples(st.sampled_from("mnx"), _COUNTS, st.booleans()), max_size=12)
_RATE = st.integers(0, 10**9)
_BOOKS = st.lists(st.fixed_dictionaries({}, optional={name: st.tuples(_RATE, _RATE, _RATE)
                  for name in "mnx"}), min_size=1, max_size=3)  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(calls=_CALLS, others=_BOOKS)
def test_afterwards_every_record_costs_what_the_book_says(
    tmp_path_factory: pytest.TempPathFactory, calls: Any, others: Any
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('rerated')}/books.db"
    clock = Clock(us("2026-05-15 12:00"))
    with open_books(url, clock) as books:
        policy_id = a_budget(books, unpriced="allow", limit="1000000000")
        for model, (inputs, cached, outputs), held in calls:
            ask = {
                "input_tokens": inputs + cached, "cache_read_tokens": cached,
                "output_tokens": outputs,
            }  # fmt: skip
            if held:
                call = allocated(books, model=model, input_tokens=9, max_output_tokens=9)
                books.settle(call.allocation_id, **ask)
            else:
                books.record_usage(model=model, **ask)
            clock.move(HOUR // 4)
        for other in others:
            prices = book(**{
                name: Rates(input, output, cache_read=read)
                for name, (input, output, read) in other.items()
            })  # fmt: skip
            applied(books, book=prices)
            for record in in_force(books):
                assert record.model is not None
                rates = prices.lookup(None, record.model, clock.now_us)
                if rates is not None:
                    assert record.cost_nanos == cost_nanos(rates, record.usage)
            assert rerate(books, book=prices).changed == 0
        if calls:
            total = sum(record.cost_nanos or 0 for record in in_force(books))
            assert spent(books, policy_id) == total
        assert books.verify().violations == ()
