"""Acts come to the same whoever does them: the library, the client, or the one for event loops.

Each test is run by each of them, on the same books.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from budget.domain.cursors import encode
from budget.domain.errors import Conflict, InvalidInput, NotFound
from budget.engine import sessions
from budget.engine.channels.settings import ChannelSettings
from tests.client.ways import Ways, ways
from tests.engine.channels.post import Post
from tests.http.running import migrate, running
from tests.support.databases import SqliteTemplates, sqlite_url
from tests.support.priced import FOUR, Source
from tests.support.receivers import Receiver, receiving

OF_GROQ: dict[str, tuple[str, str]] = dict(FOUR)
"""What the source of prices says; each way changes the price of a model of its own."""
POLICIES = [{"unit": "tokens", "period": "total", "limit": 1}]
MODEL_OF = {"library": "a", "client": "b", "async client": "c"}


class Awaited:
    """The client for event loops, waited for."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    def __getattr__(self, name: str) -> Any:
        return lambda *ids, **asked: self._ways.awaited(name, *ids, **asked)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("feeds") / "litellm.json")


@pytest.fixture(scope="module")
def all_ways(
    source: Source, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory,
    sqlite_templates: SqliteTemplates,
) -> Iterator[Ways]:  # fmt: skip
    """All ways to books with prices of one source, whose channels may reach the receiver."""
    file = tmp_path_factory.mktemp("acts") / "budget.db"
    file.write_bytes(sqlite_templates.file_from(migrate).read_bytes())
    url = sqlite_url(file)
    with running(url, price_settings=source.settings) as service, ways(service) as found:
        service.books.channel_settings = ChannelSettings(frozenset({receiver.origin}))
        yield found


@pytest.fixture(params=["library", "client", "async client"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def books(way: str, all_ways: Ways) -> Any:
    return {
        "library": all_ways.budget, "client": all_ways.client, "async client": Awaited(all_ways),
    }[way]  # fmt: skip


# --- Prices --------------------------------------------------------------------------------------


def read_anew(books: Any, source: Source, **prices: tuple[str, str]) -> Any:
    """The source says this from now on, and is read; how that went."""
    OF_GROQ.update(prices)
    source.says(OF_GROQ)
    (told,) = books.update_prices(sources=["litellm"]).sources
    return told


def usd_per_mtok(books: Any, model: str) -> int:
    """What a million tokens of input cost now, in USD."""
    asked = {"provider": "groq", "model": model, "input_tokens": 10**6}
    return int(books.calculate(**asked).cost.cost_nanos) // 10**9


def test_a_price_that_leaps_waits_to_be_rejected_or_accepted(
    books: Any, way: str, source: Source
) -> None:
    model, before = MODEL_OF[way], FOUR[MODEL_OF[way]]
    read_anew(books, source)
    told = read_anew(books, source, **{model: ("100", before[1])})
    assert (told.source, told.models, told.quarantined, told.error) == ("litellm", 4, 1, None)
    (waiting,) = books.price_updates(status="quarantined").items
    assert (waiting.model, waiting.new_pico) == (model, 100 * 10**6)
    with pytest.raises(InvalidInput) as caught:
        books.accept_price(waiting.update_id, reason=" ")
    assert caught.value.field == "reason"
    rejected = books.reject_price(waiting.update_id, reason="a typing error")
    assert (rejected.status, rejected.updates[0].reason) == ("rejected", "a typing error")
    assert usd_per_mtok(books, model) == int(before[0])
    with pytest.raises(Conflict) as decided:
        books.accept_price(waiting.update_id, reason="x")
    assert decided.value.code == "decided"

    read_anew(books, source, **{model: ("200", before[1])})
    (waiting,) = books.price_updates(status="quarantined").items
    accepted = books.accept_price(waiting.update_id, reason="they say so")
    assert (accepted.status, accepted.basis) == ("accepted", None)
    assert usd_per_mtok(books, model) == 200


def test_a_source_that_is_none_is_named(books: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        books.update_prices(sources=["nobody"])
    assert caught.value.field == "sources"
    with pytest.raises(NotFound):
        books.reject_price("upd_nope", reason="x")


# --- Channels ------------------------------------------------------------------------------------


def hook(books: Any, receiver: Receiver) -> Any:
    receiver.received.clear()
    return books.create_channel(
        name="hook", kind="webhook", url=receiver.url, wanted={"kinds": ["budget_created"]}
    )


def test_a_channel_is_tried_out_and_its_secret_changed(books: Any, receiver: Receiver) -> None:
    channel = hook(books, receiver)
    tested = books.test_channel(channel.channel_id)
    assert (tested.channel_id, tested.delivered, tested.answer) == (
        channel.channel_id, True, "HTTP 204",
    )  # fmt: skip
    assert [one.told["type"] for one in receiver.received] == ["test"]
    changed = books.rotate_channel_secret(channel.channel_id, idempotency_key=channel.channel_id)
    assert changed.secret.startswith("whsec_")
    assert changed.secret != channel.secret
    assert changed.former_until_us > changed.updated_us
    renamed = books.change_channel(channel.channel_id, name="other", digest_seconds=60)
    assert (renamed.name, renamed.digest_seconds, renamed.secret) == ("other", 60, None)
    again = books.rotate_channel_secret(channel.channel_id, idempotency_key=channel.channel_id)
    assert again.replayed
    assert books.channel(channel.channel_id).secret is None
    books.archive_channel(channel.channel_id)
    with pytest.raises(Conflict) as archived:
        books.test_channel(channel.channel_id)
    assert archived.value.code == "archived"


def test_what_was_delivered_is_sent_again(books: Any, all_ways: Ways, receiver: Receiver) -> None:
    channel = hook(books, receiver)
    begun = encode(books.events(limit=200).items[-1].cursor)
    with Post(all_ways.budget) as post:
        books.create_budget(name="A", policies=POLICIES)
        post.turn()
        (first,) = books.deliveries(channel.channel_id).items
        assert (first.status, first.attempts, first.answer) == ("delivered", 1, "HTTP 204")
        again = books.replay_delivery(channel.channel_id, first.delivery_id)
        assert (again.delivery_id, again.status) == (first.delivery_id, "pending")
        post.turn()
        replay = books.replay_channel(channel.channel_id, since=begun)
        assert (replay.channel_id, replay.deliveries) == (channel.channel_id, 1)
        assert encode(replay.after) == begun
        post.turn()
    assert len({one.id for one in receiver.received}) == 1
    assert [one.told["type"] for one in receiver.received] == ["budget_created"] * 3
    with pytest.raises(InvalidInput) as caught:
        books.replay_channel(channel.channel_id, since="soon")
    assert caught.value.field == "since"
    with pytest.raises(NotFound):
        books.replay_delivery(channel.channel_id, "dlv_nope")
    books.archive_channel(channel.channel_id)


# --- Requests and sessions -----------------------------------------------------------------------


def test_a_request_is_rejected_or_withdrawn(books: Any) -> None:
    budget = books.create_budget(name="A", policies=POLICIES)
    first = books.make_request(budget.budget_id, amount=5, reason="more")
    assert (first.status, first.amount, first.policy_id) == (
        "pending", 5, budget.policies[0].policy_id,
    )  # fmt: skip
    rejected = books.reject_request(first.request_id, reason="no money")
    assert (rejected.status, rejected.decision) == ("rejected", "no money")
    with pytest.raises(Conflict):
        books.withdraw_request(first.request_id)
    second = books.make_request(budget.budget_id, amount=5, reason="more")
    withdrawn = books.withdraw_request(second.request_id, idempotency_key=second.request_id)
    assert (withdrawn.status, withdrawn.top_up_id) == ("withdrawn", None)
    assert books.withdraw_request(second.request_id, idempotency_key=second.request_id).replayed
    told = books.budget_requests(budget.budget_id).items
    assert [one.status for one in told] == ["withdrawn", "rejected"]


def test_somebody_who_is_logged_in_is_logged_out(books: Any, all_ways: Ways) -> None:
    link = books.login_link()
    begun = all_ways.service.books.ledger.do_change(sessions.logging_in(link.token))
    session_id = begun.session.session_id
    told = books.session(session_id)
    assert (told.session_id, told.ended_us) == (session_id, None)
    assert told in books.sessions().items
    assert books.end_session(session_id).ended_us is not None
    assert session_id not in [one.session_id for one in books.sessions().items]
    assert session_id in [one.session_id for one in books.sessions(ended=True).items]
    with pytest.raises(NotFound):
        books.end_session("ses_nope")
