"""`budget reconcile --api` asks the providers themselves, with keys that are never shown."""

import time
from typing import Any

import pytest

from budget.domain.windows import to_rfc3339
from tests.cli.conftest import Say
from tests.cli.spent import DAY_US, limit, opened, spend, today
from tests.fakes import anthropic_admin, openai_admin, openrouter
from tests.fakes.answering import answering


def book(provider: str, model: str, days_ago: int, **usage: Any) -> None:
    """Book usage of a provider, at a cost that is stated."""
    at = to_rfc3339(time.time_ns() // 1000 - days_ago * DAY_US)
    with opened() as books:
        books.record_usage(provider=provider, model=model, occurred_at=at, **usage)


def day_s(days_ago: int) -> int:
    now_s = int(time.time()) - days_ago * openai_admin.DAY_S
    return now_s - now_s % openai_admin.DAY_S


def test_openai_is_asked_for_usage_and_cost_page_by_page(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    book("openai", "m-one", 2, input_tokens=100, cache_read_tokens=40, output_tokens=7, cost="1.5")
    book("openai", "m-two", 1, input_tokens=10, output_tokens=1, cost="0.25")
    spend(1, "m-other", "9")  # of another provider: it is none of theirs
    usage = [(day_s(2), "m-one", 100, 40, 7), (day_s(1), "m-two", 10, 0, 1)]
    costs = [(day_s(2), "m-one, input", "1.2"), (day_s(2), "m-one, output", "0.3"),
             (day_s(1), "m-two, input", "0.25")]  # fmt: skip
    monkeypatch.setenv("BUDGET_OPENAI_ADMIN_KEY", openai_admin.ADMIN_KEY)
    with answering(openai_admin.openai_admin(usage, costs)) as url:
        monkeypatch.setenv("BUDGET_OPENAI_ADMIN_URL", url)
        said = local("--json", "reconcile", "--api", "openai", "--from", today(3))
        assert said.code == 0, said.out + said.err
        first = said.json["rows"][0]
        assert (first["model"], first["theirs"]) == ("m-one", {"tokens": 107, "cost": "1.50"})
        assert len(said.json["rows"]) == 2
        book("openai", "m-two", 1, input_tokens=5, output_tokens=0, cost="0.1")
        said = local("reconcile", "--api", "openai", "--from", today(3))
    assert said.code == 1
    assert "differs" in said.out
    assert openai_admin.ADMIN_KEY not in said.out + said.err


def test_anthropic_is_asked_whose_input_leaves_out_what_is_cached(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    book("anthropic", "m-a", 1, input_tokens=37, cache_read_tokens=20, cache_write_tokens=7,
         output_tokens=4, cost="0.0125")  # fmt: skip
    usage = [(today(1), "m-a", 10, 20, 5, 2, 4)]
    costs = [(today(1), "m-a", "1.25")]  # cents
    monkeypatch.setenv("BUDGET_ANTHROPIC_ADMIN_KEY", anthropic_admin.ADMIN_KEY)
    with answering(anthropic_admin.anthropic_admin(usage, costs)) as url:
        monkeypatch.setenv("BUDGET_ANTHROPIC_ADMIN_URL", f"{url}/")
        said = local("--json", "reconcile", "--api", "anthropic", "--from", today(2))
    assert said.code == 0, said.out + said.err
    assert said.json["rows"][0]["theirs"] == {"tokens": 41, "cost": "0.0125"}


def test_keys_of_openrouter_stand_beside_the_budgets_of_their_names(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("100", "monthly", name="Search")
    limit("5", "daily", name="Bots", scope={"project": "bots"})
    spend(0, "m", "1.25", project="bots")
    limit("7", "total", name="Loose", scope={"project": "loose"})
    keys = [
        openrouter.key("search", 100, "monthly", usage_monthly=1.25, usage=90),
        openrouter.key("bots", 6, "daily", usage_daily=1.25),
        openrouter.key("nobody", 1.5, None, usage=0.5),
        openrouter.key("loose", None, None),
        openrouter.key("free", None, None),
    ]
    monkeypatch.setenv("BUDGET_OPENROUTER_KEY", openrouter.MANAGEMENT_KEY)
    with answering(openrouter.openrouter(keys)) as url:
        monkeypatch.setenv("BUDGET_OPENROUTER_URL", f"{url}/api/v1")
        said = local("--json", "reconcile", "--api", "openrouter")
        assert said.code == 1, said.err
        assert {row["name"]: row["verdict"] for row in said.json["keys"]} == {
            "search": "agrees", "bots": "limits differ", "nobody": "no limit here",
            "loose": "no limit there", "free": "agrees",
        }  # fmt: skip
        monkeypatch.setenv("BUDGET_OPENROUTER_KEY", openrouter.PLAIN_KEY)
        said = local("reconcile", "--api", "openrouter")
    assert said.code == 0, said.out + said.err
    assert "1 key: agrees." in said.out


@pytest.mark.parametrize("key", ["", "sk-not-the-one", "two words"])
def test_a_key_that_is_missing_or_wrong_is_told_and_not_shown(
    local: Say, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("BUDGET_OPENAI_ADMIN_KEY", key)
    with answering(openai_admin.openai_admin([], [])) as url:
        monkeypatch.setenv("BUDGET_OPENAI_ADMIN_URL", url)
        said = local("reconcile", "--api", "openai", "--from", today(2))
    assert said.code not in (0, 1)
    assert "BUDGET_OPENAI_ADMIN_KEY" in said.err
    if key == "sk-not-the-one":
        assert f"status 401, asked for {url}/v1/organization/usage/completions. " in said.err
        assert "the address of BUDGET_OPENAI_ADMIN_URL" in said.err
    assert not key or key not in said.err


@pytest.mark.parametrize("answer", [b"no json", [], {"data": 1}])
def test_answers_that_are_none_are_told(
    local: Say, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setenv("BUDGET_OPENAI_ADMIN_KEY", openai_admin.ADMIN_KEY)
    monkeypatch.setenv("BUDGET_OPENROUTER_KEY", "k")
    with answering(lambda _asked: (200, answer)) as url:
        monkeypatch.setenv("BUDGET_OPENAI_ADMIN_URL", url)
        monkeypatch.setenv("BUDGET_OPENROUTER_URL", url)
        for asked in (("openai", "--from", today(2)), ("openrouter",)):
            said = local("reconcile", "--api", *asked)
            assert said.code not in (0, 1)
            assert "answer" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "FILE"),
        (("--api", "acme"), "--api"),
        (("--api", "openai"), "--from"),
        (("--api", "openai", "--from", "2026-11-20", "--to", "2026-11-19"), "--from"),
        (("x.csv", "--format", "csv", "--api", "openai"), "--api"),
    ],
)
def test_what_is_asked_must_make_sense(local: Say, words: tuple[str, ...], told: str) -> None:
    said = local("reconcile", *words)
    assert said.code == 2
    assert told in said.err
