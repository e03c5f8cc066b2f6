"""Calls are degraded before they are refused, as the ladder of a budget says, and never silently.

gpt-4o costs 2.50 USD per million tokens of input and 10 of output, gpt-4o-mini 0.15 and 0.60. With
100 tokens of output a call to gpt-4o holds a little more than 0.001 USD, one to gpt-4o-mini a
little more than 0.00006.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import anthropic
import httpx2
import openai
import pytest

from budget.domain.answers import Event
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through
from tests.support.databases import SqliteDatabases, SqliteTemplates

CHAT: Final = "/openai/v1/chat/completions"
ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
    "max_tokens": 100,
}
TOOL: Final[Any] = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_templates: SqliteTemplates,
    running_providers: Providers,
) -> Iterator[Through]:
    """One service for all tests of this file, which leave no budget in force."""
    databases = SqliteDatabases(tmp_path_factory.mktemp("degrading"), sqlite_templates)
    with through(databases.new(), running_providers) as running:
        yield running


@pytest.fixture
def gateway(service: Through, providers: Providers) -> Iterator[Through]:
    """The service without a budget, before a provider with a new bill; the key is a new one."""
    own = Through(service.running, providers)
    own.__dict__["books"] = service.books
    yield own
    for budget in service.books.budgets(limit=100).items:
        service.books.archive_budget(budget.budget_id)


def limit(
    gateway: Through, usd: str, *ladder: str, enforcement: str = "hard_limit", **given: Any
) -> str:
    """A daily limit on everything, with a ladder; the id of its budget."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": usd, "enforcement": enforcement}
    made = gateway.books.create_budget(
        name="Everything", policies=[policy], degrade=list(ladder), **given
    )
    return made.budget_id


def spend(gateway: Through, cents: int) -> None:
    """Have so much spent already, of which a thousand tokens of output make one."""
    gateway.books.record_usage(model="gpt-4o", input_tokens=0, output_tokens=1000 * cents)


def degraded(gateway: Through) -> list[tuple[Event, dict[str, Any]]]:
    """The events of degraded calls, with their details."""
    ours = {budget.budget_id for budget in gateway.books.budgets(limit=100).items}
    found = gateway.books.events(kind="degraded", limit=1000).items
    return [(one, json.loads(one.detail)) for one in found if one.budget_id in ours]


def _policies(gateway: Through) -> set[str]:
    budgets = gateway.books.budgets(limit=100).items
    return {policy.policy_id for budget in budgets for policy in budget.policies}


def sent(gateway: Through) -> list[Mapping[str, Any]]:
    """What the provider was asked."""
    return [body for _, body in gateway.providers.requests()]


def models(gateway: Through) -> list[str]:
    """The models that the provider was asked for."""
    return [body["model"] for body in sent(gateway)]


def test_openais_client_is_answered_by_the_cheaper_model_where_a_hard_limit_refuses(
    gateway: Through,
) -> None:
    budget_id = limit(gateway, "0.0005", "gpt-4o-mini")
    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=gateway.key) as client:
        raw = client.chat.completions.with_raw_response.create(**ASKED)
    assert raw.parse().model == "gpt-4o-mini"
    told = raw.headers["x-budget-degraded"]
    assert told.startswith("model gpt-4o -> gpt-4o-mini; Budget 'Everything' has 0.0005")
    ((event, detail),) = degraded(gateway)
    assert (event.budget_id, event.allocation_id) == (
        budget_id, raw.headers["x-budget-allocation"]
    )  # fmt: skip
    assert detail == {
        "step": "model", "from": "gpt-4o", "to": "gpt-4o-mini", "because": "hard_limit"
    }  # fmt: skip
    record = gateway.records()[0]
    # 3 tokens in and 5 out, at the rates of gpt-4o-mini.
    assert (record.model, record.cost_nanos) == ("gpt-4o-mini", 3 * 150 + 5 * 600)
    assert gateway.books.verify().count == 0


def test_anthropics_client_is_answered_by_haiku_instead_of_opus(gateway: Through) -> None:
    # Of output a million tokens of Opus 4.1 cost 75 USD, of Haiku 4.5 5: 0.0075 and 0.0005 for 100.
    limit(gateway, "0.002", "claude-haiku-4-5")
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=gateway.key, max_retries=0
    ) as client:
        raw = client.messages.with_raw_response.create(
            model="claude-opus-4-1", max_tokens=100, messages=ASKED["messages"]
        )
    assert raw.parse().model == "claude-haiku-4-5"
    assert raw.headers["x-budget-degraded"].startswith("model claude-opus-4-1 -> claude-haiku-4-5;")


def test_a_stream_tells_in_its_headers_that_it_is_degraded(gateway: Through) -> None:
    limit(gateway, "0.0005", "gpt-4o-mini")
    answer = gateway.post(CHAT, {**ASKED, "stream": True})
    assert '"model":"gpt-4o-mini"' in answer.text.replace(" ", "")
    assert "gpt-4o -> gpt-4o-mini" in answer.headers["x-budget-degraded"]


def test_where_there_is_room_nothing_is_changed_nor_told(gateway: Through) -> None:
    limit(gateway, "1", "gpt-4o-mini", "refuse")
    answer = gateway.post(CHAT, ASKED)
    assert models(gateway) == ["gpt-4o"]
    assert "x-budget-degraded" not in answer.headers
    assert "x-budget-advice" not in answer.headers
    assert degraded(gateway) == []


def test_a_caller_may_forbid_it_and_is_refused(gateway: Through) -> None:
    limit(gateway, "0.0005", "gpt-4o-mini")
    told = gateway.post(CHAT, ASKED, status=402, X_Budget_Degrade="off", X_Budget_Fit="off")
    assert told.json()["error"]["code"] == "over_limit"
    assert (models(gateway), degraded(gateway)) == ([], [])


def test_where_no_step_fits_the_call_is_refused_as_the_provider_refuses(gateway: Through) -> None:
    limit(gateway, "0.00001", "gpt-4o-mini", "cheaper", "refuse")
    told = gateway.post(CHAT, ASKED, status=402)
    assert "Everything" in told.json()["error"]["message"]
    assert (gateway.open_holds(), degraded(gateway)) == (0, [])


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("gpt-4o", id="the model that was asked for"),
        pytest.param("no-such-model", id="a model without a price"),
        pytest.param("gpt-4", id="a dearer model"),
        pytest.param("text-embedding-3-small", id="a model that writes nothing"),
    ],
)
def test_a_step_that_will_not_do_is_passed_over(gateway: Through, step: str) -> None:
    limit(gateway, "0.0005", step, "gpt-4o-mini")
    gateway.post(CHAT, ASKED)
    assert models(gateway) == ["gpt-4o-mini"]


def test_a_model_that_cannot_do_what_the_call_needs_is_passed_over(gateway: Through) -> None:
    # 100 tokens of output of o3 are 0.0008 USD, of gpt-5-mini 0.0002; gpt-4o-mini does not reason.
    limit(gateway, "0.0006", "gpt-4o-mini", "gpt-5-mini")
    gateway.post(CHAT, {**ASKED, "model": "o3", "reasoning_effort": "low"})
    assert models(gateway) == ["gpt-5-mini"]


def test_cheaper_is_a_model_of_the_provider_for_which_there_is_money(gateway: Through) -> None:
    limit(gateway, "0.0005", "cheaper")
    answer = gateway.post(CHAT, {**ASKED, "tools": [TOOL]})
    ((_, detail),) = degraded(gateway)
    assert detail["to"] == models(gateway)[0] != "gpt-4o"
    assert answer.headers["x-budget-degraded"].startswith(f"model gpt-4o -> {detail['to']};")
    assert gateway.records()[0].cost_nanos is not None


def test_smaller_allows_as_much_output_as_there_is_money_for(gateway: Through) -> None:
    limit(gateway, "0.0005", "smaller")
    answer = gateway.post(CHAT, ASKED)
    (body,) = sent(gateway)
    assert body["model"] == "gpt-4o"
    assert 16 <= body["max_tokens"] <= 50  # for 50 there is money, but for the input
    assert answer.headers["x-budget-degraded"].startswith(
        f"output tokens 100 -> {body['max_tokens']};"
    )
    ((_, detail),) = degraded(gateway)
    assert (detail["step"], detail["from"]) == ("smaller", "100")


def test_smaller_is_passed_over_where_the_caller_wants_all_of_its_output(gateway: Through) -> None:
    limit(gateway, "0.0005", "smaller", "refuse")
    gateway.post(CHAT, ASKED, status=402, X_Budget_Fit="off")
    assert models(gateway) == []


def test_gemini_is_asked_for_the_other_model_by_its_address(gateway: Through) -> None:
    # 100 tokens of output of Gemini 2.5 Pro are 0.001 USD, of 2.5 Flash 0.00025.
    limit(gateway, "0.0005", "gemini-2.5-flash")
    body = {
        "contents": [{"parts": [{"text": "Say five words."}]}],
        "generationConfig": {"maxOutputTokens": 100},
    }
    answer = gateway.post("/gemini/v1beta/models/gemini-2.5-pro:generateContent", body)
    assert answer.headers["x-budget-degraded"].startswith(
        "model gemini-2.5-pro -> gemini-2.5-flash;"
    )
    ((path, _),) = gateway.providers.requests()
    assert "gemini-2.5-flash:" in path


def test_responses_are_degraded_as_chats_are(gateway: Through) -> None:
    limit(gateway, "0.0005", "gpt-4o-mini")
    body = {"model": "gpt-4o", "input": "Say five words.", "max_output_tokens": 100}
    answer = gateway.post("/openai/v1/responses", body)
    assert answer.json()["model"] == "gpt-4o-mini"
    assert "x-budget-degraded" in answer.headers


def test_a_soft_limit_past_its_action_threshold_degrades(gateway: Through) -> None:
    limit(gateway, "1", "gpt-4o-mini", enforcement="soft_limit")
    spend(gateway, 94)
    gateway.post(CHAT, ASKED)
    spend(gateway, 1)  # 95%, the threshold
    answer = gateway.post(CHAT, ASKED)
    assert models(gateway) == ["gpt-4o", "gpt-4o-mini"]
    assert "degraded from 0.95 of it" in answer.headers["x-budget-degraded"]
    ((_, detail),) = degraded(gateway)
    assert detail["because"] == "soft_limit"
    refused = gateway.books.events(kind="refused", limit=1000).items
    assert not [event for event in refused if event.policy_id in _policies(gateway)]


def test_past_a_soft_limit_smaller_is_half_and_refuse_refuses(gateway: Through) -> None:
    made = limit(gateway, "1", "smaller", enforcement="soft_limit")
    spend(gateway, 200)
    gateway.post(CHAT, ASKED)
    (body,) = sent(gateway)
    assert body["max_tokens"] == 50
    gateway.books.change_budget(made, degrade=["refuse"])
    told = gateway.post(CHAT, ASKED, status=402)
    assert told.json()["error"]["code"] == "over_limit"
    assert gateway.open_holds() == 0


def test_past_a_soft_limit_a_caller_who_forbids_it_is_refused(gateway: Through) -> None:
    limit(gateway, "1", "gpt-4o-mini", enforcement="soft_limit")
    spend(gateway, 100)
    gateway.post(CHAT, ASKED, status=402, X_Budget_Degrade="off")
    assert models(gateway) == []


def test_past_a_soft_limit_a_call_for_which_no_step_will_do_goes_as_it_came(
    gateway: Through,
) -> None:
    limit(gateway, "1", "no-such-model", enforcement="soft_limit")
    spend(gateway, 100)
    answer = gateway.post(CHAT, ASKED)
    assert models(gateway) == ["gpt-4o"]
    assert answer.headers["x-budget-advice"].startswith("no step of the ladder would do; Budget")


def test_a_soft_limit_without_a_ladder_only_advises(gateway: Through) -> None:
    limit(gateway, "1", enforcement="soft_limit")
    spend(gateway, 100)
    answer = gateway.post(CHAT, ASKED)
    assert models(gateway) == ["gpt-4o"]
    assert "x-budget-degraded" not in answer.headers
    told = answer.headers["x-budget-advice"]
    assert told.startswith("budget Everything is near or beyond its soft limit; cheaper: ")


def test_the_strictest_ladder_wins(gateway: Through) -> None:
    limit(gateway, "1", "gpt-4o-mini", enforcement="soft_limit")
    limit(gateway, "1", "gpt-4o-mini", "refuse", enforcement="soft_limit")
    spend(gateway, 100)
    answer = gateway.post(CHAT, ASKED)
    assert answer.headers["x-budget-degraded"].startswith("model gpt-4o -> gpt-4o-mini;")
    limit(gateway, "0.0005", "smaller", "refuse")  # a hard limit goes before
    answer = gateway.post(CHAT, ASKED)
    assert answer.headers["x-budget-degraded"].startswith("output tokens 100 -> ")


def test_many_calls_at_once_spend_no_more_than_there_is(gateway: Through) -> None:
    # Room for four calls to gpt-4o at once; what does not fit goes to gpt-4o-mini while that does.
    limit(gateway, "0.0045", "gpt-4o-mini", "refuse")

    def call(number: int) -> tuple[int, str]:
        content = f"words, call {number}"
        body = {**ASKED, "messages": [{"role": "user", "content": content}]}
        answer = httpx2.post(
            gateway.url + CHAT, json=body, timeout=60, trust_env=False, verify=False,
            headers={"Authorization": f"Bearer {gateway.key}", "x-fake": "words=100"},
        )  # fmt: skip
        return answer.status_code, answer.headers.get("x-budget-degraded", "")

    assert gateway.key
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(40)))
    assert {status for status, _ in answers} <= {200, 402}
    assert any("gpt-4o-mini" in told for _, told in answers)
    gateway.await_settled()
    (balance,) = gateway.books.status()
    assert 3_500_000 < balance.spent <= 4_500_000
    assert balance.overrun == 0


def test_a_caller_is_told_nothing_of_a_budget_that_its_key_may_not_see(gateway: Through) -> None:
    limit(gateway, "0.0005", "cheaper")
    made = gateway.books.create_key(name="bound", scopes=["spend"], bound={"team": "search"})
    gateway.__dict__["key"] = made.text
    answer = gateway.post(CHAT, ASKED)
    told = answer.headers["x-budget-degraded"]
    assert told == (
        f"model gpt-4o -> {models(gateway)[0]}; A limit that this key may not see has no room for "
        "this call."
    )
    assert "Everything" not in str(answer.headers)


def test_who_may_queue_waits_for_the_window_to_reset(gateway: Through) -> None:
    policy: Any = {
        "unit": "requests", "period": "rolling:2s", "limit": 1, "enforcement": "hard_limit"
    }  # fmt: skip
    gateway.books.create_budget(name="Slowly", policies=[policy], degrade=["queue", "refuse"])
    gateway.post(CHAT, ASKED)
    gateway.post(CHAT, ASKED, status=429)
    answer = gateway.post(CHAT, ASKED, X_Budget_Queue="allow")
    assert answer.headers["x-budget-degraded"].startswith("queued for ")
    ((_, detail),) = degraded(gateway)
    assert detail["step"] == "queue"


@pytest.mark.parametrize(
    ("header", "text", "allowed"),
    [("X-Budget-Degrade", "maybe", "on"), ("X-Budget-Queue", "yes", "allow")],
)
def test_words_that_cannot_be_are_named(
    gateway: Through, header: str, text: str, allowed: str
) -> None:
    told = gateway.post(CHAT, ASKED, status=400, **{header.replace("-", "_"): text})
    assert header in told.json()["error"]["message"]
    assert allowed in told.json()["error"]["message"]
