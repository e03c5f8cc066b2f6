"""One list of the models of all upstreams, under the names by which `/v1` leads to them."""

import openai
import pytest

from budget.gateway.models import LEFT_OUT
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through

HEADER = LEFT_OUT.decode()


def client_of(gateway: Through, **given: str) -> openai.OpenAI:
    """OpenAI's own client, led by the model's name."""
    return openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, default_headers=given
    )


def paths(providers: Providers) -> list[str]:
    return [path for path, _ in providers.requests()]


def test_the_list_has_the_models_of_all_upstreams_by_the_names_that_lead_to_them(
    gateway: Through, providers: Providers
) -> None:
    with client_of(gateway) as client:
        listed = client.models.list().data
        assert [model.id for model in listed] == [
            "anthropic/claude-haiku-4-5",
            "gemini/gemini-2.5-flash",
            "ollama/llama3.2:1b",
            "gpt-4o",
            "openai/groq/gpt",  # plainly named it would lead to groq
        ]
        assert [model.owned_by for model in listed][:3] == ["anthropic", "google", "library"]
        assert [model.created for model in listed] == [0, 0, 5, 1715367049, 1]
        assert {model.object for model in listed} == {"model"}
        assert client.models.retrieve("gemini/gemini-2.5-flash").owned_by == "google"
        assert "/v1/models?limit=1000" in paths(providers)
        assert len(paths(providers)) == 4  # and is not asked for again within a minute
        for name in ("ollama/llama3.2:1b", "gpt-4o"):
            client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": "Hi"}], max_tokens=4
            )
        assert [body["model"] for _, body in providers.requests()[4:]] == ["llama3.2:1b", "gpt-4o"]


def test_upstreams_that_cannot_be_asked_are_left_out_and_named(
    sqlite_url: str, providers: Providers
) -> None:
    told = {
        "BUDGET_GATEWAY_GROQ_BASE_URL": f"{providers.url}/groq/v1",
        "BUDGET_GATEWAY_GONE_BASE_URL": "http://127.0.0.1:9/v1",
        "BUDGET_GATEWAY_ODD_BASE_URL": f"{providers.url}/odd/v1",
        "BUDGET_GATEWAY_WRONG_BASE_URL": f"{providers.url}/wrong/v1",
        "BUDGET_GATEWAY_MUTE_BASE_URL": f"{providers.url}/mute/v1",
        "BUDGET_GATEWAY_OLLAMA_BASE_URL": "",
        "ANTHROPIC_API_KEY": "",
        "BUDGET_GATEWAY_ANTHROPIC_BASE_URL": "",
    }
    with through(sqlite_url, providers, told) as gateway, client_of(gateway) as client:
        answer = client.models.with_raw_response.list()
        assert [model.id for model in answer.parse().data] == [
            "gemini/gemini-2.5-flash", "groq/llama-3.3-70b", "odd/good", "gpt-4o",
            "openai/groq/gpt",
        ]  # fmt: skip
        assert answer.headers[HEADER] == (
            "gone (cannot be reached), mute (answered 404), wrong (told no list)"
        )
        assert answer.parse().data[2].model_extra == {"context_window": 8192}


def test_who_brings_a_key_of_its_own_sees_what_that_shows(
    gateway: Through, providers: Providers
) -> None:
    with client_of(gateway, **{"X-Budget-Key": gateway.key}) as client:
        listed = client.with_options(api_key="sk-mine").models.list().data
        assert [model.id for model in listed] == ["gpt-4o", "groq/gpt"]
    assert providers.headers()[-1]["authorization"] == "Bearer sk-mine"


def test_a_model_that_is_in_no_list_is_asked_for_at_openai(gateway: Through) -> None:
    with client_of(gateway) as client, pytest.raises(openai.NotFoundError, match="no such path"):
        client.models.retrieve("gpt-none")
