"""`budget import litellm` of a proxy shows what it becomes, makes it once, and goes on counting."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import Say
from tests.cli.spent import opened, today
from tests.fakes import litellm_proxy as fake
from tests.fakes.answering import answering
from tests.support.databases import PostgresDatabases

EXPORT: Any = {
    "keys": fake.KEYS, "teams": fake.TEAMS, "users": fake.USERS, "budgets": [fake.BUDGET],
    "members": [{"user_id": "u1", "team_id": "t1", "spend": 0.2, "budget_id": "b1"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("export.json").write_text(json.dumps(EXPORT))


def spent() -> dict[str, int]:
    """What was spent of each limit in USD, in nano-USD."""
    with opened() as books:
        return {f"{one.budget} {one.policy.period.text}": one.spent
                for one in books.status() if one.policy.unit == "usd" and one.spent}  # fmt: skip


def test_a_plan_is_shown_and_nothing_made(local: Say) -> None:
    said = local("--json", "import", "litellm", "export.json")
    assert said.code == 0, said.err
    assert said.json["applied"] is False
    assert [one["name"] for one in said.json["budgets"]] == [
        "LiteLLM team Search", "LiteLLM user u1", "LiteLLM member t1/u1", "LiteLLM key bot",
        "LiteLLM key bot: gpt-4o", "LiteLLM key sk-...cccc",
    ]  # fmt: skip
    assert [key["alias"] for key in said.json["keys"]] == ["bot", "sk-...cccc"]
    assert said.json["notes"] == [
        "team Search: models: which models may be called is not limited",
        "key bot: max_parallel_requests: how many calls run at once is not limited",
        "key sk-...bbbb: left out, it is blocked or has expired",
    ]
    assert "USD monthly (hard_limit)" in local("import", "litellm", "export.json").out
    with opened() as books:
        assert books.budgets().items == []


def test_limits_go_on_from_what_was_spent_and_again_nothing_is_made(local: Say) -> None:
    said = local("--json", "import", "litellm", "export.json", "--apply")
    assert said.code == 0, said.err
    made = {key["alias"]: key["key"] for key in said.json["keys"]}
    assert all(text.startswith("bud_") for text in made.values())
    expected = {
        "LiteLLM key bot weekly": 3_500_000_000,
        "LiteLLM key sk-...cccc daily": 500_000_000,
        "LiteLLM member t1/u1 daily": 200_000_000,
        "LiteLLM team Search monthly": 12_345_678_901,
        "LiteLLM user u1 total": 200_000_000,
    }
    assert spent() == expected
    again = local("--json", "import", "litellm", "export.json", "--apply")
    assert (again.json["made"], again.json["carried"]) == ([], "0.00")
    assert [key["key"] for key in again.json["keys"]] == [None, None]
    assert spent() == expected
    with opened() as books:
        assert books.verify().clean


def test_a_moved_key_spends_as_its_team_and_within_its_own_limits(local: Say) -> None:
    local("import", "litellm", "export.json", "--apply")
    with opened() as books:
        key = next(one for one in books.keys().items if one.name.startswith("bot "))
        assert dict(key.bound) == {"team": "t1", "user": "u1"}
        who = {"key": key.key_id, "team": "t1", "user": "u1"}
        limited = {one.budget for one in books.status(**who)}
    assert limited >= {"LiteLLM key bot", "LiteLLM team Search", "LiteLLM user u1"}


def test_a_proxy_that_stays_keeps_its_keys(local: Say) -> None:
    said = local("--json", "import", "litellm", "export.json", "--apply", "--keep-keys")
    assert said.json["keys"] == []
    with opened() as books:
        limited = {one.budget for one in books.status(**{"tag.litellm_key": "bot"})}
    assert "LiteLLM key bot" in limited
    assert "LiteLLM key " + "c" * 64 in said.json["made"]


def test_its_http_api_is_read_page_by_page(local: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_LITELLM_MASTER_KEY", fake.MASTER_KEY)
    with answering(fake.proxy(page_rows=2)) as url:
        said = local("--json", "import", "litellm", url)
    assert said.code == 0, said.err
    assert len(said.json["budgets"]) == 6
    assert "organizations could not be read" in said.json["notes"][0]
    assert fake.MASTER_KEY not in said.out + said.err


def test_logs_are_booked_of_its_http_api_and_the_rest_of_the_spend_beside_them(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGET_LITELLM_MASTER_KEY", fake.MASTER_KEY)
    logs = tuple(fake.log(number, "a" * 64, f"{today()}T00:00:00Z", 0.001)
                 for number in range(1001))  # fmt: skip
    with answering(fake.proxy(logs=logs)) as url:
        said = local("--json", "import", "litellm", url, "--apply")
        assert said.code == 0, said.err
        assert said.json["logs_booked"] == 1001
        again = local("--json", "import", "litellm", url, "--apply")
    assert (again.json["logs_booked"], again.json["carried"]) == (0, "0.00")
    assert spent()["LiteLLM team Search monthly"] == 12_345_678_901
    assert spent()["LiteLLM key bot weekly"] == 3_500_000_000


def test_a_proxy_that_does_not_take_the_key_is_told_without_it(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(fake.proxy()) as url:
        said = local("import", "litellm", url)
        assert said.code != 0
        assert "BUDGET_LITELLM_MASTER_KEY" in said.err
        monkeypatch.setenv("BUDGET_LITELLM_MASTER_KEY", "sk-wrong-key")
        said = local("import", "litellm", url)
    assert said.code != 0
    assert "401" in said.err
    assert f"asked for {url}/key/list. See that the address of FILE and the key in " in said.err
    assert "sk-wrong-key" not in said.err
    said = local("import", "litellm", "http://127.0.0.1:9/there")
    assert "could not be reached, asked for http://127.0.0.1:9/there/key/list." in said.err


def test_what_is_no_limit_is_told_and_the_rest_is_moved(local: Say) -> None:
    odd = {**fake.TEAMS[0], "team_id": "t2", "team_alias": "Odd", "budget_duration": "soon"}
    Path("odd.json").write_text(json.dumps({"teams": [odd, *fake.TEAMS]}))
    said = local("--json", "import", "litellm", "odd.json")
    assert [one["name"] for one in said.json["budgets"]] == ["LiteLLM team Search"]
    assert "team Odd: left out: budget_duration 'soon'" in said.json["notes"][0]
    Path("none.json").write_text(json.dumps({"teams": [{"max_budget": 1}]}))
    said = local("import", "litellm", "none.json")
    assert (said.code, "no team_id" in said.err) == (2, True)


def test_apply_goes_with_a_proxy_alone(local: Say) -> None:
    Path("logs.json").write_text("[]")
    said = local("import", "litellm", "logs.json", "--apply")
    assert said.code == 2
    assert "--apply" in said.err


TABLES = """
CREATE TABLE "LiteLLM_VerificationToken" (token text PRIMARY KEY, key_name text, key_alias text,
  spend double precision DEFAULT 0, expires timestamp(3), models text[], user_id text,
  team_id text, organization_id text, project_id text, max_parallel_requests int, blocked boolean,
  metadata jsonb DEFAULT '{}', tpm_limit bigint, rpm_limit bigint, tpd_limit bigint,
  max_budget double precision, budget_duration text, model_max_budget jsonb DEFAULT '{}',
  budget_limits jsonb, budget_id text);
CREATE TABLE "LiteLLM_SpendLogs" (request_id text PRIMARY KEY, call_type text, api_key text,
  spend double precision, prompt_tokens int, completion_tokens int, "startTime" timestamp(3),
  model text, custom_llm_provider text, "user" text, end_user text, team_id text, metadata jsonb,
  session_id text);
"""
"""The columns that are read of LiteLLM's own tables."""


def test_its_database_is_read_with_its_logs_which_are_booked_once(
    local: Say, postgres_databases: PostgresDatabases
) -> None:
    url = postgres_databases.new()
    with psycopg.connect(url) as proxy:
        proxy.execute(TABLES)
        proxy.execute(
            'INSERT INTO "LiteLLM_VerificationToken" (token, key_alias, spend, max_budget, '
            "budget_duration) VALUES ('h1', 'bot', 3.5, 10, '30d')"
        )
        proxy.execute(
            "INSERT INTO \"LiteLLM_SpendLogs\" VALUES ('r1', 'acompletion', 'h1', 1.5, 20, 10, "
            "now() AT TIME ZONE 'utc', 'no-such-model', 'acme', '', '', NULL, '{}', NULL)"
        )
    said = local("--json", "import", "litellm", url, "--apply")
    assert said.code == 0, said.err
    assert (said.json["logs_booked"], said.json["carried"]) == (1, "2.00")
    with opened() as books:
        (key,) = [one for one in books.keys().items if one.name.startswith("bot ")]
        by_key = [one.attributes["key"] for one in books.usage_records().items]
    assert by_key == [key.key_id] * 2
    assert spent() == {"LiteLLM key bot monthly": 3_500_000_000}
    again = local("--json", "import", "litellm", url, "--apply")
    assert (again.json["logs_booked"], again.json["carried"]) == (0, "0.00")


def test_a_database_that_cannot_be_opened_is_told_without_its_address(local: Say) -> None:
    said = local("import", "litellm", "postgresql://u:secret@127.0.0.1:1/x")
    assert said.code != 0
    assert "secret" not in said.err
