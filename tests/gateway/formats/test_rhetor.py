"""Rhetor behind the gateway: counted here, at the price of the model that was asked for."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates
from budget.gateway.upstreams import read_upstreams
from budget.prices.book import PriceBook
from tests.fakes.tekton import component
from tests.fakes.tekton.rhetor import UNTRUE_MODEL, Rhetor
from tests.http.running import Running, running
from tests.support.databases import SqliteDatabases
from tests.support.priced import empty_books

PRICES: Final = PriceBook(
    None,
    {
        ("anthropic", "claude-3-5-haiku-20241022"): Rates(800_000, 4_000_000),
        ("ollama", "llama3.3:70b"): Rates(0, 0),
    },
)
HAIKU: Final = "claude-3-5-haiku-20241022"
ASK: Final = {"prompt": "Say hello to everybody.", "model": HAIKU, "max_tokens": 100}


@pytest.fixture
def rhetor() -> Iterator[Rhetor]:
    """One that runs."""
    with component.running(Rhetor()) as started:
        assert isinstance(started, Rhetor)
        yield started


@pytest.fixture
def service(rhetor: Rhetor, sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """A service whose gateway leads to it."""
    upstreams = read_upstreams({"BUDGET_RHETOR_URL": rhetor.url, "BUDGET_GATEWAY_RETRIES": "0"})
    url = sqlite_databases.new(empty_books)
    with running(url, prices=PRICES, upstreams=upstreams) as started:
        yield started


def used(service: Running) -> list[dict[str, Any]]:
    """What was booked."""
    items: list[dict[str, Any]] = service.get("/usage/records")["items"]
    return items


def limit(service: Running, usd: str, **scope: str) -> None:
    """A hard limit a day."""
    policy = {"unit": "usd", "period": "daily", "limit": usd, "enforcement": "hard_limit"}
    service.post("/budgets", {"name": "Team", "scope": scope, "policies": [policy]}, status=201)


@pytest.mark.parametrize(
    ("path", "ask", "text"),
    [
        ("generate", ASK, "response"),
        ("chat", {"messages": [{"role": "user", "content": "Hello"}], "model": HAIKU}, "content"),
    ],
)
def test_the_body_passes_and_what_is_used_is_counted_here(
    service: Running, rhetor: Rhetor, path: str, ask: dict[str, Any], text: str
) -> None:
    answer = service.client.post(f"/rhetor/api/v1/{path}", json={**ask, "component": "telos"})
    assert answer.status_code == 200
    assert (answer.json()[text], answer.json()["model"]) == (rhetor.says, UNTRUE_MODEL)
    sent = rhetor.asked[-1]
    assert sent.path == f"/api/v1/{path}"
    assert sent.body["model"] == HAIKU
    assert service.key not in str(sent.headers)
    (record,) = used(service)
    assert (record["provider"], record["model"]) == ("anthropic", HAIKU)
    assert record["attributes"]["component"] == "telos"
    assert record["metadata"]["usage_source"] == "estimated"
    words = len(rhetor.says.split())
    assert words < record["output_tokens"] < 8 * words
    nanos = record["input_tokens"] * 800 + record["output_tokens"] * 4_000
    assert record["cost"] == f"{nanos / 10**9:.9f}".rstrip("0")


def test_a_limit_of_the_models_provider_counts_and_refuses(
    service: Running, rhetor: Rhetor
) -> None:
    limit(service, "0", provider="anthropic")
    answer = service.client.post("/rhetor/api/v1/generate", json=ASK)
    assert answer.status_code == 402
    assert answer.json()["code"] == "over_limit"
    assert "Team" in answer.json()["detail"]
    free = {**ASK, "model": "llama3.3:70b"}
    assert service.client.post("/rhetor/api/v1/generate", json=free).status_code == 200
    assert [one.body["model"] for one in rhetor.asked] == ["llama3.3:70b"]
    (record,) = used(service)
    assert (record["provider"], record["cost"]) == ("ollama", "0.00")


@pytest.mark.parametrize(
    ("limit_usd", "more", "status"),
    [
        # 100 tokens of output are 0.0004 USD, and FIRST_GRANT of them 0.002048; input is less
        # than 0.0001 USD.
        ("0.00225", {}, 200),
        ("0.0020", {}, 402),
        ("0.0079", {"max_tokens": None}, 402),  # 2,000 are 0.008
        ("0.0082", {"max_tokens": None}, 200),
        ("0.0100", {"max_tokens": 2_500}, 402),
    ],
)
def test_what_it_may_write_is_held_whole_because_it_knows_no_limit(
    service: Running, rhetor: Rhetor, limit_usd: str, more: dict[str, Any], status: int
) -> None:
    limit(service, limit_usd)
    ask = {name: value for name, value in (ASK | more).items() if value is not None}
    answer = service.client.post("/rhetor/api/v1/generate", json=ask)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert rhetor.asked[-1].body == ask


@pytest.mark.parametrize("model", ["who-knows", "gpt-oss:20b"])
def test_a_model_without_a_price_is_refused_where_money_is_limited(
    service: Running, rhetor: Rhetor, model: str
) -> None:
    limit(service, "1")
    answer = service.client.post("/rhetor/api/v1/generate", json={**ASK, "model": model})
    assert (answer.status_code, answer.json()["code"]) == (402, "model_unpriced")
    assert rhetor.asked == []


def test_an_address_that_is_none_names_the_setting_that_says_it() -> None:
    for setting in ("BUDGET_RHETOR_URL", "RHETOR_API_URL"):
        with pytest.raises(InvalidInput) as caught:
            read_upstreams({setting: "127.0.0.1:8003"})
        assert caught.value.field == setting
    assert "rhetor" not in read_upstreams({"BUDGET_RHETOR_URL": "off", "RHETOR_API_URL": "here"})


def test_a_call_that_names_no_model_is_not_sent(service: Running, rhetor: Rhetor) -> None:
    answer = service.client.post("/rhetor/api/v1/generate", json={"prompt": "Hello"})
    assert answer.status_code == 400
    assert "'reasoning': name one" in answer.json()["detail"]
    assert rhetor.asked == []


def test_what_rhetor_has_assigned_is_called_where_no_model_is_named(
    rhetor: Rhetor, sqlite_databases: SqliteDatabases
) -> None:
    env = {"BUDGET_RHETOR_URL": rhetor.url}
    upstreams = read_upstreams(env)
    url = sqlite_databases.new(empty_books)
    with running(url, prices=PRICES, upstreams=upstreams, env=env) as service:
        assert service.get("/neighbours/rhetor/models")["total"] == 24
        ask: Any = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}
        for path, component_of, model in (
            ("/rhetor/api/v1/chat", "telos", HAIKU),  # it has one for reasoning alone
            ("/rhetor/api/v1/chat", "penia", "gpt-3.5-turbo"),
            ("/rhetor/api/v1/generate", "telos", "gpt-4o"),
            ("/rhetor/v1/chat/completions", "penia", "gpt-3.5-turbo"),
        ):
            body = {**ask, "prompt": "Hello", "component": component_of}
            answer = service.client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            assert [one for one in rhetor.asked if one.body][-1].body["model"] == model
            assert used(service)[0]["model"] == model
        answer = service.client.post("/rhetor/api/v1/chat", json={**ask, "capability": "vision"})
        assert answer.status_code == 400
        assert "'vision': name one" in answer.json()["detail"]
        limit(service, "0", provider="anthropic")
        refused = service.client.post("/rhetor/api/v1/chat", json=ask)
        assert (refused.status_code, refused.json()["code"]) == (402, "over_limit")


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("generate", None),
        ("generate", component.BROKEN),
        ("generate", lambda _: (200, {"error": "the specialist is away"})),
        ("chat/stream", component.BROKEN),
    ],
)
def test_an_answer_that_is_an_error_costs_nothing(
    service: Running, rhetor: Rhetor, path: str, fault: Any
) -> None:
    limit(service, "1")
    rhetor.listens, rhetor.fault = False, fault
    ask = {**ASK, "messages": [{"role": "user", "content": "Hello"}]}
    answer = service.client.post(f"/rhetor/api/v1/{path}", json=ask)
    assert answer.json().get("detail") or answer.json().get("error")
    assert used(service) == []
    (balance,) = service.get("/status")["balances"]
    assert (balance["spent"], balance["reserved"]) == ("0.00", "0.00")


def test_a_stream_that_is_an_error_costs_nothing_and_one_of_pieces_is_counted(
    service: Running, rhetor: Rhetor
) -> None:
    limit(service, "1")
    ask = {"messages": [{"role": "user", "content": "Hello"}], "model": HAIKU}
    rhetor.streams = b'data: {"error": "No stream", "done": true}\n\n'
    answer = service.client.post("/rhetor/api/v1/chat/stream", json=ask)
    assert "No stream" in answer.text
    assert used(service) == []
    rhetor.streams = (
        b'data: {"chunk": "Hello "}\n\ndata: {"chunk": "you"}\n\ndata: {"done": true}\n\n'
    )
    answer = service.client.post("/rhetor/api/v1/chat/stream", json=ask)
    assert answer.content == rhetor.streams
    (record,) = used(service)
    assert 2 <= record["output_tokens"] <= 16


def test_what_is_broken_off_is_booked_at_an_estimate(service: Running, rhetor: Rhetor) -> None:
    rhetor.cut = True
    assert service.client.post("/rhetor/api/v1/generate", json=ASK).status_code == 502
    (record,) = used(service)
    assert record["metadata"]["end"] == "broken"


def test_what_costs_nothing_passes_and_what_costs_unseen_does_not(
    service: Running, rhetor: Rhetor
) -> None:
    limit(service, "1")
    assert len(service.client.get("/rhetor/api/models/").json()) == 24
    chosen = {"component": "penia", "capability": "chat"}
    answer = service.client.post("/rhetor/api/models/select", json=chosen)
    assert answer.json()["model_id"] == "gpt-3.5-turbo"
    asked = len(rhetor.asked)
    for method, path in (
        ("GET", "api/v1/ai/stream/chat/numa-ai?message=Hello"),
        ("POST", "api/v1/ai/specialists/numa-ai/message"),
        ("POST", "api/team-chat"),
    ):
        answer = service.client.request(method, f"/rhetor/{path}", json={"message": "Hello"})
        assert answer.status_code == 402, answer.text
    assert len(rhetor.asked) == asked


def test_where_it_is_comes_from_the_setting_of_the_neighbour_unless_the_gateway_has_its_own() -> (
    None
):
    both = {"BUDGET_RHETOR_URL": "http://a:1", "BUDGET_GATEWAY_RHETOR_BASE_URL": "http://b:2"}
    assert read_upstreams(both)["rhetor"].base_url == "http://b:2"
    assert read_upstreams({"RHETOR_API_URL": "http://a:1/"})["rhetor"].base_url == "http://a:1"
    assert "rhetor" not in read_upstreams({"BUDGET_RHETOR_URL": "off"})
    assert "rhetor" not in read_upstreams({})
    with pytest.raises(InvalidInput):
        read_upstreams({"BUDGET_RHETOR_URL": "rhetor"})


# --- For clients that speak as OpenAI's do -------------------------------------------------------


@pytest.fixture
def client(service: Running) -> Iterator[Any]:
    """OpenAI's own client, pointed to it."""
    import openai

    with openai.OpenAI(
        base_url=f"{service.url}/rhetor/v1", api_key=service.key, max_retries=0,
        http_client=None,
    ) as made:  # fmt: skip
        yield made


def test_openais_client_is_answered_in_its_own_shape(
    client: Any, service: Running, rhetor: Rhetor
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
    ]
    answer = client.chat.completions.create(model=HAIKU, messages=messages, max_tokens=100)
    assert answer.choices[0].message.content == rhetor.says
    assert (answer.model, answer.choices[0].finish_reason) == (HAIKU, "stop")
    assert answer.usage is None
    sent = rhetor.asked[-1]
    assert sent.path == "/api/v1/chat"
    assert sent.body == {
        "messages": [{"role": "user", "content": "system: Be brief.\n\nuser: Hello"}],
        "model": HAIKU, "max_tokens": 100,
    }  # fmt: skip
    chunks = list(client.chat.completions.create(model=HAIKU, messages=messages, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == rhetor.says
    first, second = used(service)
    assert first["provider"] == second["provider"] == "anthropic"
    assert first["output_tokens"] == second["output_tokens"] > 0


def test_openais_client_is_refused_and_told_of_errors_in_its_own_way(
    client: Any, service: Running, rhetor: Rhetor
) -> None:
    import openai

    ask: Any = {"model": HAIKU, "messages": [{"role": "user", "content": "Hello"}]}
    rhetor.listens = False
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(**ask)
    assert "numa-ai" in failed.value.response.json()["detail"]
    assert used(service) == []
    with pytest.raises(openai.BadRequestError, match="tools"):
        client.chat.completions.create(**ask, tools=[{"type": "function"}])
    image = [{"type": "image_url", "image_url": {"url": "http://x"}}]
    with pytest.raises(openai.BadRequestError, match=r"messages\[0\]"):
        client.chat.completions.create(model=HAIKU, messages=[{"role": "user", "content": image}])
    limit(service, "0", provider="anthropic")
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**ask)
    assert refused.value.status_code == 402
    assert refused.value.code == "over_limit"
    assert len(rhetor.asked) == 1
