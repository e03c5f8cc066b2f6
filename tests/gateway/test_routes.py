"""Every route of every API is priced, free for a reason, or unknown and refused under a limit."""

import http.client
from typing import Any, Final

import httpx2
import openai
import pytest

from budget.gateway.formats.format import Format, Target
from budget.gateway.upstreams import FORMATS
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through

PRICED: Final = "tokens"
FREE: Final = "nothing"
BATCH: Final = "batch"
UNKNOWN: Final = None

ROUTES: Final[dict[str, dict[str, str | None]]] = {
    "openai": {
        "POST /v1/chat/completions": PRICED,
        "POST /chat/completions": PRICED,
        "POST /openai/v1/chat/completions": PRICED,
        "GET /v1/chat/completions": FREE,
        "GET /v1/chat/completions/id": FREE,
        "POST /v1/chat/completions/id": FREE,
        "DELETE /v1/chat/completions/id": FREE,
        "POST /v1/completions": PRICED,
        "POST /v1/responses": PRICED,
        "POST /v1/responses/compact": PRICED,
        "GET /v1/responses/id": FREE,
        "GET /v1/responses/id/input_items": FREE,
        "DELETE /v1/responses/id": FREE,
        "POST /v1/responses/id/cancel": FREE,
        "POST /v1/responses/input_tokens": FREE,
        "POST /v1/conversations": FREE,
        "POST /v1/conversations/id": FREE,
        "POST /v1/conversations/id/items": FREE,
        "POST /v1/embeddings": PRICED,
        "POST /v1/images/generations": PRICED,
        "POST /v1/images/edits": PRICED,
        "POST /v1/images/variations": PRICED,
        "POST /v1/audio/speech": PRICED,
        "POST /v1/audio/transcriptions": PRICED,
        "POST /v1/audio/translations": PRICED,
        "POST /v1/audio/voices": UNKNOWN,
        "POST /v1/moderations": FREE,
        "GET /v1/models": FREE,
        "GET /v1/models/id": FREE,
        "DELETE /v1/models/id": FREE,
        "POST /v1/files": FREE,
        "GET /v1/files": FREE,
        "GET /v1/files/id/content": FREE,
        "DELETE /v1/files/id": FREE,
        "POST /v1/uploads": FREE,
        "POST /v1/uploads/id/parts": FREE,
        "POST /v1/uploads/id/complete": FREE,
        "POST /v1/uploads/id/cancel": FREE,
        "POST /v1/batches": BATCH,
        "GET /v1/batches": FREE,
        "GET /v1/batches/id": FREE,
        "POST /v1/batches/id/cancel": FREE,
        "POST /v1/assistants": FREE,
        "POST /v1/assistants/id": FREE,
        "POST /v1/threads": FREE,
        "POST /v1/threads/id/messages": FREE,
        "POST /v1/threads/runs": UNKNOWN,
        "POST /v1/threads/id%2Fruns": UNKNOWN,
        "POST /v1/threads/id/runs": UNKNOWN,
        "POST /v1/threads/id/runs/id/submit_tool_outputs": UNKNOWN,
        "POST /v1/vector_stores": UNKNOWN,
        "POST /v1/vector_stores/id/search": UNKNOWN,
        "POST /v1/vector_stores/id/files": UNKNOWN,
        "GET /v1/vector_stores": FREE,
        "POST /v1/fine_tuning/jobs": UNKNOWN,
        "POST /v1/fine_tuning/jobs/id/resume": UNKNOWN,
        "POST /v1/fine_tuning/jobs/id/cancel": FREE,
        "POST /v1/fine_tuning/jobs/id/pause": FREE,
        "POST /v1/fine_tuning/alpha/graders/run": UNKNOWN,
        "POST /v1/evals": UNKNOWN,
        "POST /v1/evals/id/runs": UNKNOWN,
        "POST /v1/containers": UNKNOWN,
        "POST /v1/videos": UNKNOWN,
        "POST /v1/videos/id/remix": UNKNOWN,
        "GET /v1/videos/id/content": FREE,
        "POST /v1/realtime/client_secrets": UNKNOWN,
        "POST /v1/realtime/sessions": UNKNOWN,
        "POST /v1/realtime/transcription_sessions": UNKNOWN,
        "POST /v1/realtime/calls": UNKNOWN,
        "GET /v1/realtime": UNKNOWN,
        "POST /v1/chatkit/sessions": UNKNOWN,
        "POST /v1/organization/projects": UNKNOWN,
        "PUT /v1/chat/completions": UNKNOWN,
        "PATCH /v1/files/id": UNKNOWN,
    },
    "azure": {
        "POST /openai/deployments/name/chat/completions": PRICED,
        "POST /openai/deployments/name/embeddings": PRICED,
        "POST /openai/deployments/name/images/generations": PRICED,
        "POST /openai/deployments/name/audio/speech": PRICED,
        "POST /openai/deployments/name/extensions/chat/completions": UNKNOWN,
        "POST /openai/v1/chat/completions": PRICED,
        "POST /openai/responses": PRICED,
        "GET /openai/models": FREE,
        "POST /openai/batches": UNKNOWN,
        "POST /speechtotext/transcriptions": UNKNOWN,
    },
    "anthropic": {
        "POST /v1/messages": PRICED,
        "POST /v1/messages/count_tokens": FREE,
        "POST /v1/messages/batches": BATCH,
        "GET /v1/messages/batches": FREE,
        "GET /v1/messages/batches/id": FREE,
        "GET /v1/messages/batches/id/results": FREE,
        "POST /v1/messages/batches/id/cancel": FREE,
        "DELETE /v1/messages/batches/id": FREE,
        "GET /v1/models": FREE,
        "POST /v1/files": FREE,
        "GET /v1/files/id/content": FREE,
        "POST /v1/complete": UNKNOWN,
        "POST /v1/skills": UNKNOWN,
        "POST /v1/experimental/generate_prompt": UNKNOWN,
    },
    "gemini": {
        "POST /v1beta/models/name:generateContent": PRICED,
        "POST /v1beta/models/name:streamGenerateContent": PRICED,
        "POST /v1beta/models/name:embedContent": PRICED,
        "POST /v1beta/models/name:batchEmbedContents": PRICED,
        "POST /v1beta/models/name:countTokens": FREE,
        "GET /v1beta/models": FREE,
        "GET /v1beta/files/id": FREE,
        "POST /upload/v1beta/files": FREE,
        "POST /v1beta/models/name:batchGenerateContent": UNKNOWN,
        "POST /v1beta/models/name:asyncBatchEmbedContent": UNKNOWN,
        "POST /v1beta/models/name:predict": UNKNOWN,
        "POST /v1beta/models/name:predictLongRunning": UNKNOWN,
        "POST /v1beta/cachedContents": UNKNOWN,
        "POST /v1beta/tunedModels": UNKNOWN,
        "POST /v1beta/interactions": UNKNOWN,
        "POST /v1beta/auth_tokens": UNKNOWN,
    },
    "ollama": {
        "POST /api/chat": PRICED,
        "POST /api/generate": PRICED,
        "POST /api/embed": PRICED,
        "POST /api/embeddings": PRICED,
        "GET /api/tags": FREE,
        "GET /api/ps": FREE,
        "GET /api/version": FREE,
        "POST /api/show": FREE,
        "POST /api/pull": FREE,
        "POST /api/push": FREE,
        "POST /api/create": FREE,
        "POST /api/copy": FREE,
        "DELETE /api/delete": FREE,
    },
}  # fmt: skip
"""Each API's routes as its reference lists them, and what each costs."""
EACH: Final = [
    (name, route, costs) for name, all_of in ROUTES.items() for route, costs in all_of.items()
]
BODY: Final[Any] = {"model": "m", "messages": [], "input": "x", "contents": [], "requests": []}
CHAT: Final[Any] = {
    "model": "gpt-4o", "messages": [{"role": "user", "content": "Say five words."}]
}  # fmt: skip
# gpt-4o: 2.50 USD per million input tokens, 10 of output: 3 in and 5 out.
COST_NANOS: Final = 3 * 2_500 + 5 * 10_000


@pytest.mark.parametrize(("name", "route", "costs"), EACH, ids=[f"{n} {r}" for n, r, _ in EACH])
def test_every_route_is_priced_or_free_or_unknown(name: str, route: str, costs: str | None) -> None:
    method, path = route.split(" ")
    written: Format = FORMATS[name]
    model = {} if path.endswith("/moderations") else {"model": BODY["model"]}
    body = {**{key: value for key, value in BODY.items() if key != "model"}, **model}
    asked = written.asked(Target(method, path, "", None if method == "GET" else body))
    assert (None if asked is None else asked.costs) == costs


def test_what_nobody_can_price_is_refused_under_a_hard_limit(gateway: Through) -> None:
    gateway.limit("100")
    answer = gateway.post("/openai/v1/threads/runs", CHAT, status=402)
    assert answer.json()["error"]["code"] == "unmetered_route"
    assert not gateway.providers.requests()


def test_what_nobody_can_price_is_booked_by_what_it_tells_where_no_limit_is(
    gateway: Through,
) -> None:
    """The fake answers any path that ends like a chat's, also one that we do not know."""
    gateway.post("/openai/v1/unheard/of/chat/completions", CHAT)
    (record,) = gateway.records()
    assert record.cost_nanos == COST_NANOS


def test_a_websocket_to_a_provider_is_refused_in_words(gateway: Through) -> None:
    host = gateway.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request(
        "GET", "/openai/v1/realtime?model=gpt-realtime",
        headers={
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization": f"Bearer {gateway.key}",
        },
    )  # fmt: skip
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    assert answer.status == 403
    assert b"not passed on to providers" in told


def test_azures_client_calls_a_deployment_by_its_name(
    sqlite_url: str, providers: Providers
) -> None:
    env = {
        "BUDGET_GATEWAY_AZURE_BASE_URL": providers.url, "AZURE_OPENAI_API_KEY": "key-of-azure"
    }  # fmt: skip
    with through(sqlite_url, providers, env) as gateway:
        gateway.books.set_price(
            provider="azure", model="our-gpt", input="2.50", output="10", reason="It is gpt-4o."
        )
        gateway.limit("1")
        with openai.AzureOpenAI(
            azure_endpoint=f"{gateway.url}/azure",
            api_key=gateway.key,
            api_version="2026-01-01",
            max_retries=0,
        ) as client:
            client.chat.completions.create(**{**CHAT, "model": "our-gpt"})
        (record,) = gateway.records()
        assert (record.provider, record.model, record.cost_nanos) == (
            "azure",
            "our-gpt",
            COST_NANOS,
        )
        ((path, _),) = providers.requests()
        assert path == "/openai/deployments/our-gpt/chat/completions?api-version=2026-01-01"
        assert providers.headers()[0]["api-key"] == "key-of-azure"


def test_a_deployment_that_is_named_as_its_model_costs_what_the_bundled_book_says(
    sqlite_url: str, providers: Providers
) -> None:
    """gpt-4o at Azure: 2.50 USD per million input tokens, 10 of output."""
    env = {
        "BUDGET_GATEWAY_AZURE_BASE_URL": providers.url, "AZURE_OPENAI_API_KEY": "key-of-azure"
    }  # fmt: skip
    with through(sqlite_url, providers, env) as gateway:
        gateway.limit("1")
        with openai.AzureOpenAI(
            azure_endpoint=f"{gateway.url}/azure", api_key=gateway.key,
            api_version="2026-01-01", max_retries=0,
        ) as client:  # fmt: skip
            client.chat.completions.create(**CHAT)
            chunks = list(client.chat.completions.create(**CHAT, stream=True))
            client.embeddings.create(model="text-embedding-3-small", input="two words")
            with pytest.raises(openai.APIStatusError, match="team-seven") as raised:
                client.chat.completions.create(**{**CHAT, "model": "team-seven"})
        assert raised.value.status_code == 402
        assert all(chunk.usage is None for chunk in chunks)
        costs = [(record.provider, record.cost_nanos) for record in gateway.records()]
        assert costs == [("azure", 2 * 20), ("azure", COST_NANOS), ("azure", COST_NANOS)]
        paths = [path.partition("?")[0] for path, _ in providers.requests()]
        assert paths == [
            "/openai/deployments/gpt-4o/chat/completions",
            "/openai/deployments/gpt-4o/chat/completions",
            "/openai/deployments/text-embedding-3-small/embeddings",
        ]


LED: Final = {
    "groq/llama-3.3-70b-versatile": ("groq", "/groq/chat/completions", "llama-3.3-70b-versatile"),
    "anthropic/claude-haiku-4-5": ("anthropic", "/v1/chat/completions", "claude-haiku-4-5"),
    "claude-haiku-4-5": ("anthropic", "/v1/chat/completions", "claude-haiku-4-5"),
    "gemini-2.5-flash": ("google", "/v1beta/openai/chat/completions", "gemini-2.5-flash"),
    "gpt-4o": ("openai", "/v1/chat/completions", "gpt-4o"),
    "openrouter/openai/gpt-4o": ("openrouter", "/router/chat/completions", "openai/gpt-4o"),
}
"""A model's name at /v1: the provider, and the path and the model that come there."""


def test_the_name_of_a_model_leads_to_its_provider(sqlite_url: str, providers: Providers) -> None:
    env = {
        "BUDGET_GATEWAY_GROQ_BASE_URL": f"{providers.url}/groq",
        "BUDGET_GATEWAY_OPENROUTER_BASE_URL": f"{providers.url}/router",
    }
    with through(sqlite_url, providers, env) as gateway:
        gateway.limit("1", unpriced={"input": "1", "output": "1"})
        for model in LED:
            gateway.post("/v1/chat/completions", {**CHAT, "model": model})
        came = [(path, body["model"]) for path, body in providers.requests()]
        assert came == [(path, name) for _, path, name in LED.values()]
        booked = [record.provider for record in reversed(gateway.records())]
        assert booked == [provider for provider, _, _ in LED.values()]
        gateway.post("/anthropic/v1/chat/completions", {**CHAT, "model": "claude-haiku-4-5"})
        gateway.post(
            "/gemini/v1beta/openai/chat/completions", {**CHAT, "model": "gemini-2.5-flash"}
        )
        assert [record.provider for record in gateway.records()][:2] == ["google", "anthropic"]
        gateway.post(
            "/v1/chat/completions", {**CHAT, "model": "claude-haiku-4-5"},
            Authorization="Bearer sk-of-openai", X_Budget_Key=gateway.key,
        )  # fmt: skip
        assert providers.requests()[-1][0] == "/v1/chat/completions"
        assert providers.headers()[-1]["authorization"] == "Bearer sk-of-openai"
        assert gateway.records()[0].provider == "openai"


def test_the_cost_that_openrouter_tells_is_kept_beside_ours(
    sqlite_url: str, providers: Providers
) -> None:
    env = {"BUDGET_GATEWAY_OPENROUTER_BASE_URL": f"{providers.url}/router"}
    with through(sqlite_url, providers, env) as gateway:
        gateway.limit("1")
        gateway.post(
            "/openrouter/v1/chat/completions", {**CHAT, "model": "openai/gpt-4o"},
            x_fake="cost_nanos=60000",
        )  # fmt: skip
        (record,) = gateway.records()
    assert (record.cost_nanos, record.reported_cost_nanos) == (COST_NANOS, 60_000)


def test_a_key_in_a_form_field_that_comes_twice_is_an_error(gateway: Through) -> None:
    form = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n' * 2 + b"--b--"
    )
    answer = httpx2.post(
        f"{gateway.url}/openai/v1/audio/transcriptions", content=form, trust_env=False,
        verify=False,
        headers={
            "Authorization": f"Bearer {gateway.key}",
            "Content-Type": "multipart/form-data; boundary=b",
        },
    )  # fmt: skip
    assert answer.status_code == 400
    assert "comes twice" in answer.json()["error"]["message"]
