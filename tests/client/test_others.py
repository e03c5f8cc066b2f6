"""Prices, the past, keys, alerts, channels, requests, settings and the journal are told alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from budget.client.request import DatabaseOnly
from budget.domain import wire
from budget.domain.cursors import encode
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire import alerts, channels, keys, requests, sessions, settings
from budget.domain.wire.audit import audit_record
from budget.domain.wire.recommendations import recommendations
from budget.domain.wire.trials import explanation, simulation
from budget.engine.price_book.settings import PriceSettings
from tests.client.ways import Ways, ways
from tests.http.running import migrate, running
from tests.support.databases import SqliteTemplates, sqlite_url

MODEL: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture(scope="module")
def priced(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Ways]:
    """Both ways to books with prices, with some calls in them."""
    file = tmp_path_factory.mktemp("priced") / "budget.db"
    file.write_bytes(sqlite_templates.file_from(migrate).read_bytes())
    with (
        running(sqlite_url(file), price_settings=PriceSettings()) as started,
        ways(started) as found,
    ):
        found.client.create_budget(
            name="A", scope={"team": "search"},
            policies=[{"unit": "usd", "period": "daily", "limit": "0.01", "enforcement": "warn"}],
        )  # fmt: skip
        for count in (1_000, 10_000):
            found.client.record_usage(
                **MODEL, input_tokens=count, output_tokens=10, attributes={"team": "search"}
            )
        found.client.check_alerts()
        yield found


def each(shape: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda told: [shape(one) for one in getattr(told, "items", told)]


def timeless(shape: Callable[[Any], Any], *names: str) -> Callable[[Any], Any]:
    """What is told, but for the instant that it is of."""
    return lambda told: {name: one for name, one in shape(told).items() if name not in names}


def test_prices_are_told_alike(priced: Ways) -> None:
    at = "2026-01-02T03:04:05Z"
    assert priced.read(wire.price, "current_price", "gpt-4o", at=at).model == "gpt-4o"
    priced.read(each(timeless(wire.price, "at")), "prices", provider="openai", limit=50)
    priced.read(each(wire.price_period), "price_history", "openai", "gpt-4o")
    compared = timeless(wire.price_comparison, "at", "in_force")
    priced.read(compared, "compare_prices", "gpt-4o", provider="openai")
    priced.read(each(wire.price_source), "price_sources")
    priced.read(each(wire.price_update), "price_updates", limit=20)
    made = priced.act(
        wire.price_override, "set_price", provider="own", model="m-1",
        input=[[0, "1.25"], [200_001, "2.50"]], output="3", reason="r", units={"images": "0.04"},
    )  # fmt: skip
    assert made.rates.input == ((0, 1_250_000), (200_001, 2_500_000))
    assert priced.client.end_price(made.override_id, reason="over").override_id


def test_the_past_is_told_alike(priced: Ways) -> None:
    time = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    priced.read(wire.coverage, "coverage", **time)
    rerated = timeless(wire.rerating, "until")
    assert priced.read(rerated, "rerate", since=time["since"]).examined == 2
    exchanged = {"models": {"gpt-4o": "gpt-4o-mini"}}
    whatif = timeless(wire.what_if, "until")
    assert priced.read(whatif, "what_if", since=time["since"], **exchanged).records == 2
    priced.read(timeless(simulation, "until"), "simulate", since=time["since"])
    (used, *_) = priced.client.usage_records(limit=1).items
    assert priced.read(explanation, "explain", used.usage_id).usage_id == used.usage_id
    asked = {**MODEL, "request": "Hello", "max_output_tokens": 5}
    priced.read(timeless(wire.estimate, "at"), "estimate", **asked)
    priced.read(wire.factors, "factors")
    asked = {**MODEL, "context_size": 2_000}
    told = priced.read(recommendations, "recommend", **asked)
    assert told == priced.budget.recommend(**asked)
    # gpt-4o: 2.50 USD per million tokens in, 10 out; in pico-USD per token
    assert told.current is not None
    assert (told.current.input_pico, told.current.output_pico) == (2_500_000, 10_000_000)


def test_the_journal_is_told_alike(priced: Ways) -> None:
    priced.read(each(lambda one: wire.event(one, encode(one.cursor))), "events", limit=200)
    priced.read(each(lambda one: audit_record(one, encode(one.cursor))), "audit")
    sealed = timeless(wire.verification, "sealed")
    assert priced.read(sealed, "verify").clean
    confirmed = priced.client.confirm_clock()
    assert not confirmed.was_paused
    assert priced.budget.audit(kind="clock_confirmed").items[0].at_us == confirmed.at_us


def test_keys_are_made_and_read_alike(priced: Ways) -> None:
    made = priced.client.create_key(name="k", scopes=["read"], bound={"team": "search"})
    assert made.text is not None
    unused = timeless(keys.key, "last_used_at")
    told = priced.read(unused, "key", made.key_id)
    assert told.text is None
    priced.read(each(unused), "keys", limit=10)
    priced.read(unused, "own_key")
    assert priced.client.change_key(made.key_id, name="other").name == "other"
    assert priced.client.rotate_key(made.key_id).rotates == made.key_id
    assert priced.client.revoke_key(made.key_id).status == "revoked"
    link = priced.client.login_link()
    assert link.url is not None
    assert link.url.endswith(link.token)
    priced.read(each(sessions.session), "sessions")


def test_alerts_are_told_alike(priced: Ways) -> None:
    found = priced.read(each(alerts.alert), "alerts", status="all")
    limit = next(one for one in found.items if one.unit == "usd")
    priced.read(alerts.alert, "alert", limit.alert_id)
    priced.act(alerts.changed_alert, "acknowledge_alert", limit.alert_id, note="seen")
    priced.act(alerts.changed_alert, "dismiss_alert", limit.alert_id)
    priced.read(alerts.alert_settings, "alert_settings")
    priced.act(alerts.changed_alert_settings, "change_alert_settings", runaway_factor=20)


def test_channels_requests_and_settings_are_told_alike(priced: Ways) -> None:
    made = priced.client.create_channel(
        name="c",
        kind="webhook",
        url="https://hooks.example.com/x",
        wanted={"topics": ["budget_alerts"]},
    )
    assert made.secret is not None
    priced.read(channels.channel, "channel", made.channel_id)
    priced.read(each(channels.channel), "channels", archived=True)
    priced.read(each(channels.delivery(encode)), "deliveries", made.channel_id)
    assert priced.client.archive_channel(made.channel_id).archived_us is not None
    policy = priced.client.budgets().items[0].policies[0]
    asked = priced.act(
        requests.changed_top_up_request, "make_request", policy.budget_id,
        policy_id=policy.policy_id, amount="2", reason="more",
    )  # fmt: skip
    priced.read(requests.top_up_request, "request", asked.request_id)
    priced.act(requests.changed_top_up_request, "approve_request", asked.request_id, amount="1.50")
    priced.read(each(requests.top_up_request), "requests", budget_id=policy.budget_id)
    priced.read(each(requests.top_up_request), "budget_requests", policy.budget_id)
    priced.read(lambda told: settings.settings(told, {}), "settings")
    priced.act(
        lambda told: settings.changed_settings(told, {}), "change_settings", how_to_raise="Ask Ann."
    )


@pytest.mark.parametrize(
    ("name", "ids", "asked", "error"),
    [
        ("current_price", ("no-such",), {}, NotFound),
        ("price_history", ("a/b", "..x"), {}, NotFound),
        ("set_price", (), {"model": "m"}, InvalidInput),
        ("rerate", (), {"since": "soon"}, InvalidInput),
        ("what_if", (), {}, InvalidInput),
        ("create_key", (), {"name": "k", "scopes": ["nope"]}, InvalidInput),
        ("key", ("key_nope",), {}, NotFound),
        ("alert", ("alr_nope",), {}, NotFound),
        ("alerts", (), {"status": "nope"}, InvalidInput),
        ("create_channel", (), {"name": "c", "kind": "nope"}, InvalidInput),
        ("request", ("req_nope",), {}, NotFound),
        ("change_settings", (), {"refusal_status": 200}, InvalidInput),
        ("events", (), {"after": "nope"}, InvalidInput),
        ("simulate", (), {"since": "soon"}, InvalidInput),
    ],
)  # fmt: skip
def test_what_is_wrong_is_the_same_error(
    priced: Ways, name: str, ids: tuple[str, ...], asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(priced.budget, name)(*ids, **asked)
    with pytest.raises(error):
        getattr(priced.client, name)(*ids, **asked)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("sweep", {}), ("seal", {}), ("learn", {}), ("rerate", {"book": object()}),
        ("update_prices", {"file": "x.json"}),
    ],
)  # fmt: skip
def test_what_a_service_does_by_itself_is_said(
    priced: Ways, name: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(DatabaseOnly, match="works on a database only"):
        getattr(priced.client, name)(**asked)
