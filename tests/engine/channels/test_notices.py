"""Notices: what programs and people are told of an entry."""

from typing import Any

from budget.domain import cursors, wire
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.channels.notices import Notice, notices_of
from tests.engine.channels.post import Post, hook, made
from tests.support.receivers import Receiver

POLICY: dict[str, Any] = {"unit": "usd", "period": "daily", "limit": "1"}


def notices(post: Post, **bound: str) -> list[Notice]:
    """What is to be told now."""
    post.gather()
    database = post.books.books.database
    found = [delivery for claimed in post.claim() for delivery in claimed.deliveries]
    return notices_of(database, found, bound)


def test_an_alert_is_told_in_its_own_words_with_its_figures(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    hook(light, receiver, "alert_raised")
    made(light, "Acme", owner="a@example.com", per=["team"], policies=[POLICY])
    light.allocate(usd="0.9", attributes={"team": "search"}, allocation_id="a")
    light.settle("a", model="m", input_tokens=850)  # 0.85 USD: above 80% of 1 USD
    (notice,) = notices(light_post)
    assert notice.title == f"[warning] {notice.shape['data']['detail']['message']}"
    assert "Acme (team=search)" in notice.title
    assert "0.85 USD" in notice.title
    assert notice.severity == "warning"
    assert notice.owners == ("a@example.com",)
    lines = notice.text.splitlines()
    assert {"budget: Acme", "alert: warning", "limit: 1.00", "spent: 0.85"} <= set(lines)
    (event,) = light.events(kind="alert_raised").items
    assert notice.shape["type"] == "alert.raised"
    assert notice.shape["data"] == wire.event(event, cursors.encode(event.cursor))


def test_of_a_call_a_bound_channel_hears_without_the_balances_of_others(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    made(light, "search's", scope={"team": "search"}, policies=[POLICY])
    made(light, "secret: everybody's", policies=[POLICY])
    search = light.acting_as(Caller("key", bound={"team": "search"}))
    hook(search, receiver, "placed")
    light.allocate(usd="0.1", attributes={"team": "search"})
    (notice,) = notices(light_post, team="search")
    assert len(notice.shape["data"]["legs"]) == 1
    assert "secret" not in repr(notice)


def test_a_long_entry_is_cut_for_people_and_not_for_programs(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    hook(light, receiver)
    made(light, "Acme", description="x" * 2000, metadata={f"k{n}": "v" for n in range(200)})
    (notice,) = notices(light_post)
    assert len(notice.text.splitlines()) <= 20
    assert max(map(len, notice.text.splitlines())) <= 300
    assert len(notice.shape["data"]["detail"]["metadata"]) == 200
