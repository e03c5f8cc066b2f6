"""`budget gateway`: the demo tells of a budget that runs dry, without any provider; and programs
that `budget run` points to the gateway.
"""

import sys
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from budget import Budget
from budget.engine.price_book.settings import PriceSettings
from budget.gateway.mock import Mock
from budget.gateway.upstreams import read_upstreams
from tests.cli.conftest import Say
from tests.http.running import running


def test_the_demo_spends_is_cut_is_refused_and_goes_on(say: Say) -> None:
    said = say("gateway", "demo", "--json")
    assert said.code == 0, said.err
    told = said.json
    short, long, cut, refused, again = told["calls"]
    assert [short["words"], long["words"], again["words"]] == [100, 250, 40]
    # 13 words and a full stop, 16 times, and 6 of the question; three for each of two messages:
    # 236 tokens at 2.50 USD a million, and 100 of output at 10.
    assert short["cost_usd"] == "0.00159"
    assert (cut["cut"], cut["finish_reason"]) == (True, "length")
    assert 0 < cut["words"] < 2000
    assert (refused["status"], refused["cost_usd"]) == (402, "0.00")
    assert "Demo" in refused["message"]
    assert again["status"] == 200
    assert told["clean"] is True
    # 0.01 and 0.01 USD, of which nothing was spent twice or beyond.
    spent = sum(Decimal(one["cost_usd"]) for one in told["calls"])
    assert Decimal(again["left_usd"]) == Decimal("0.02") - spent


def test_the_upstreams_are_listed_without_their_keys(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "sk-secret")
    monkeypatch.setenv("BUDGET_GATEWAY_VLLM_BASE_URL", "http://10.0.0.5:8000/v1")
    said = local("gateway", "list")
    assert (said.code, "sk-secret" in said.out) == (0, False)
    lines = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert lines["groq"] == ["/groq/v1", "openai", "https://api.groq.com/openai/v1", "yes"]
    assert lines["vllm"] == ["/vllm/v1", "openai", "http://10.0.0.5:8000/v1", "no"]
    assert lines["ollama"][-2:] == ["needs", "none"]


def test_the_upstreams_of_a_service_are_its_own(
    say: Say, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(sqlite_url, upstreams=read_upstreams({"XAI_API_KEY": "sk-secret"})) as service:
        monkeypatch.setenv("BUDGET_TARGET", service.url)
        monkeypatch.setenv("BUDGET_KEY", service.key)
        told = say("gateway", "list", "--json").json["upstreams"]
    assert [one["name"] for one in told if one["has_key"]] == ["xai"]


def test_a_service_without_a_gateway_has_no_upstreams(
    say: Say, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(sqlite_url) as service:
        monkeypatch.setenv("BUDGET_TARGET", service.url)
        monkeypatch.setenv("BUDGET_KEY", service.key)
        said = say("gateway", "list")
    assert said.code == 4
    assert "has no gateway" in said.err


def test_doctor_asks_upstreams_without_a_key_and_warns_of_keys_in_the_clear(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local("set-limit", "daily", "5").code == 0
    with closing(Mock()) as mock:
        monkeypatch.setenv("BUDGET_GATEWAY_NEAR_BASE_URL", mock.upstream.base_url)
        monkeypatch.setenv("BUDGET_GATEWAY_NEAR_API_KEY", "sk-secret")
        monkeypatch.setenv("BUDGET_GATEWAY_GONE_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("BUDGET_GATEWAY_FAR_BASE_URL", "http://far.invalid/v1")
        monkeypatch.setenv("BUDGET_GATEWAY_FAR_API_KEY", "sk-secret")
        said = local("doctor")
    assert said.code == 0, said.out
    assert "ok    gateway        answering: near" in said.out
    assert "gone does not answer at http://127.0.0.1:9/v1" in said.out
    assert "the key of far goes in the clear to http://far.invalid/v1" in said.out
    assert "the key of near" not in said.out
    assert "sk-secret" not in said.out


def test_doctor_names_a_setting_with_which_no_service_starts(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local("set-limit", "daily", "5").code == 0
    monkeypatch.setenv("BUDGET_GATEWAY_SECRETS", "/nowhere/keys.env")
    said = local("doctor")
    assert (said.code, "BUDGET_GATEWAY_SECRETS" in said.out) == (1, True)


PROGRAM = """
import sys, time
import openai
told = open(sys.argv[1], "w")
client = openai.OpenAI(max_retries=0)
asked = [{"role": "user", "content": "Write 200 words."}]
try:
    while True:
        answer = client.chat.completions.create(model="gpt-4o", messages=asked, max_tokens=200)
        print(answer.usage.completion_tokens, file=told, flush=True)
except openai.APIStatusError as error:
    print(error.status_code, error.code, file=told, flush=True)
time.sleep(60)
"""


def test_a_program_under_run_spends_its_envelope_through_the_gateway_unchanged(
    say: Say, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    with closing(Mock(word_seconds=0)) as mock:
        provider = replace(mock.upstream, name="openai", api_key="sk-mock")
        upstreams = {**read_upstreams({}), "openai": provider}
        prices = PriceSettings()
        with running(sqlite_url, price_settings=prices, upstreams=upstreams) as service:
            monkeypatch.setenv("BUDGET_TARGET", service.url)
            monkeypatch.setenv("BUDGET_KEY", service.key)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-which-is-not-used")
            program = (sys.executable, "-c", PROGRAM, str(told))
            said = say("run", "--usd", "0.01", "--grace-seconds", "2", "--", *program)
            balance = Budget(service.books).usage_records().items
    assert said.code == 3, said
    assert "The envelope is spent" in said.err
    *calls, end = told.read_text().splitlines()
    # 7 tokens of input are 0.0000175 USD, 200 of output 0.002: four calls fit, and most of a fifth.
    assert calls[:4] == ["200"] * 4
    assert end == "402 envelope_exhausted"
    spent = sum(record.cost_nanos or 0 for record in balance)
    assert 4 * 2_017_500 <= spent <= 10_000_000
    assert f"budget: {len(calls)} calls" in said.err
