"""No limit is overspent, however many calls come at once, and what there is room for is served.

Not here: 2,000 calls for a room of 100, at two services too (`benchmarks.exactness`).
"""

import asyncio

import pytest

from tests.gateway.filling import APIS, OLLAMA, Case, Filled, fill
from tests.gateway.through import Through

ROOM = 20
CALLS = 120
AT_ONCE = 64


def filled(gateway: Through, case: Case, output_tokens: int) -> tuple[Filled, int, int, int]:
    """Fill a limit for ROOM such calls: what came of them, the limit, what is booked, the bill."""
    limit_nanos = ROOM * case.cost_nanos(output_tokens)
    gateway.books.set_price(**OLLAMA)
    policy_id = gateway.limit(f"{limit_nanos / 1_000_000_000:.9f}")
    found = asyncio.run(fill([gateway.url], gateway.key, case, CALLS, AT_ONCE))
    (balance,) = gateway.books.balances(policy_id=policy_id).items
    each_in, each_out = APIS[case.api].prices
    billed = sum(
        one.input_tokens * each_in + one.output_tokens * each_out
        for one in gateway.providers.billed()
    )
    assert found.others == ()
    assert found.whole + found.cut + found.refused == CALLS
    assert balance.limit == limit_nanos
    assert balance.reserved == 0
    assert gateway.open_holds() == 0
    return found, limit_nanos, balance.spent, billed


@pytest.mark.parametrize(
    "case",
    [
        Case("chat", "words=20", most_tokens=20),
        Case("chat", "words=20", streamed=True),
        Case("responses", "words=20"),
        Case("responses", "words=20", streamed=True, most_tokens=20),
        Case("messages", "words=20", most_tokens=20),
        Case("messages", "words=20", streamed=True, most_tokens=20),
        Case("gemini", "words=20", streamed=True),
        Case("gemini", "words=20", most_tokens=20),
        Case("ollama", "words=20"),
        Case("ollama", "words=20", streamed=True, most_tokens=20),
    ],
    ids=lambda case: f"{case.api} streamed={case.streamed} max={case.most_tokens}",
)
def test_all_but_one_of_those_that_there_is_room_for_are_served(
    gateway: Through, case: Case
) -> None:
    """The last has not enough for the bound of its input, which is a little above the truth."""
    found, limit, booked, billed = filled(gateway, case, output_tokens=20)
    assert found.whole >= ROOM - 1
    assert billed <= limit
    assert booked == billed


@pytest.mark.parametrize(
    ("api", "streamed"),
    [("chat", True), ("gemini", False), ("ollama", False)],
    ids=["chat streamed", "gemini whole", "ollama whole"],
)
def test_estimates_ten_times_too_low_overspend_nothing(
    gateway: Through, api: str, streamed: bool
) -> None:
    """Twelve calls teach that answers have 20 tokens; then each has 640, and all of it at once."""
    case = Case(api, "words=640", streamed)
    gateway.books.set_price(**OLLAMA)
    taught = case._replace(how="words=20")
    asyncio.run(fill([gateway.url], gateway.key, taught, 12, 4))
    gateway.providers.forget()
    found, limit, booked, billed = filled(gateway, case, output_tokens=640)
    assert billed <= limit
    assert booked <= limit
    assert found.whole >= ROOM // 2


@pytest.mark.parametrize("api", ["chat", "responses", "gemini"])
def test_thoughts_that_nobody_sees_overspend_nothing(gateway: Through, api: str) -> None:
    """500 tokens are thought before the first of 20 comes."""
    case = Case(api, "words=20 reasoning=500", streamed=True)
    found, limit, booked, billed = filled(gateway, case, output_tokens=520)
    assert billed <= limit
    assert booked == billed
    assert found.whole >= ROOM * 3 // 4


def test_an_upstream_that_keeps_to_no_limit_is_cut_within_a_few_pieces(gateway: Through) -> None:
    """Each call may have 20 tokens and would have 200, one in a piece."""
    case = Case("chat", "words=200 unlimited delay_ms=3", streamed=True, most_tokens=20)
    found, limit, _, billed = filled(gateway, case, output_tokens=20)
    assert found.whole == 0
    pieces = max(0, billed - limit) // (10_000 * max(1, found.cut))
    assert pieces <= 10
    overrun = [record for record in gateway.records() if record.usage.output_tokens > 20]
    assert all('"end":"cut"' in record.metadata for record in overrun)
