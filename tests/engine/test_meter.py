"""The meter: values in their buckets, and commands by what became of them."""

import pytest

from budget.domain.answers import Receipt
from budget.domain.errors import Conflict, Unavailable
from budget.engine.meter import Histogram, Meter, result_of
from tests.engine.opened import Clock, open_books


def test_a_value_counts_in_the_first_bucket_that_is_not_below_it() -> None:
    histogram = Histogram((1, 2, 4))
    for value in (0.5, 1, 1.5, 4, 9):
        histogram.add(value)
    assert histogram.buckets() == [("1", 2), ("2", 3), ("4", 4), ("+Inf", 5)]
    assert histogram.sum == 16


def test_a_batch_of_nothing_only_shows_that_the_database_can_be_written() -> None:
    meter = Meter()
    meter.writing = False
    meter.committed(0, 0.1)
    assert meter.writing
    assert meter.batch_sizes.buckets()[-1] == ("+Inf", 0)


@pytest.mark.parametrize(
    ("error", "result"),
    [(Conflict("no"), "rejected"), (Unavailable("no"), "unavailable"), (OSError(), "failed")],
)
def test_errors_are_told_apart(error: BaseException, result: str) -> None:
    assert result_of(None, error) == result


def test_the_ledger_counts_what_it_does(light_url: str, clock: Clock) -> None:
    with open_books(light_url, clock) as books:
        books.create_budget(
            name="B", policies=[{"unit": "requests", "period": "daily", "limit": 1}]
        )
        books.check(requests=1)
        books.allocate(requests=1, idempotency_key="k")
        books.allocate(requests=1, idempotency_key="k")
        books.allocate(requests=1)
        receipt = books.record_usage(attributes={"team": "a"}, input_tokens=1)
        assert isinstance(receipt, Receipt)
        with pytest.raises(Exception, match="no allocation"):
            books.release("none")
        assert books.books.ledger.meter.decisions == {
            ("change", "accepted"): 1,
            ("check", "accepted"): 1,
            ("allocate", "accepted"): 1,
            ("allocate", "replayed"): 1,
            ("allocate", "refused"): 1,
            ("record_usage", "accepted"): 1,
            ("release", "rejected"): 1,
        }
        assert books.books.ledger.meter.wait_seconds.buckets()[-1] == ("+Inf", 7)
        assert books.books.ledger.durability is not None
        assert books.books.ledger.durability.durable
