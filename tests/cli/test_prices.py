"""`budget prices ...`: the same on a database as on a service, and mistakes that people make."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.conftest import Say, make_ledger
from tests.http.running import running
from tests.support.databases import SqliteDatabases
from tests.support.priced import FOUR, Source

GPT = {
    "litellm_provider": "openai", "mode": "chat",
    "input_cost_per_token": 0.0000025, "output_cost_per_token": 0.00001,
}  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """LiteLLM's map in a file, with four models of Groq."""
    made = Source(tmp_path / "litellm.json")
    made.says(FOUR)
    return made


@pytest.fixture
def here(local: Say, source: Source, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `budget ...` to a database of the test's own, which reads that map."""
    monkeypatch.setenv("BUDGET_PRICE_SOURCES", f"litellm={source.path}")
    return local


@pytest.fixture(params=["database", "service"])
def priced(
    request: pytest.FixtureRequest, say: Say, source: Source, sqlite_databases: SqliteDatabases,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Say]:  # fmt: skip
    """The same, and a service that reads that map."""
    url = sqlite_databases.new(make_ledger)
    if request.param == "database":
        monkeypatch.setenv("BUDGET_PRICE_SOURCES", f"litellm={source.path}")
        monkeypatch.setenv("BUDGET_TARGET", url)
        yield say
        return
    with running(url, price_settings=source.settings) as service:
        monkeypatch.setenv("BUDGET_TARGET", service.url)
        monkeypatch.setenv("BUDGET_KEY", service.key)
        yield say


def cells(table: str, name: str) -> list[str]:
    """The words of the line that begins with a name."""
    return next(line.split() for line in table.splitlines() if line.startswith(name))


# --- Reading -------------------------------------------------------------------------------------


def test_prices_are_listed_shown_and_dated(here: Say) -> None:
    listed = here("prices", "list", "--provider", "openai", "--search", "gpt-4o")
    assert listed.code == 0
    # The price pages of OpenAI: 2.50 and 10.00, and for the small one 0.15 and 0.60
    assert "openai/gpt-4o " in listed.out
    assert re.search(
        r"^openai/gpt-4o-mini +0\.15 +0\.60 +unverified +genai-prices", listed.out, re.MULTILINE
    )
    shown = here("prices", "show", "gpt-4o")
    assert shown.out.startswith("openai/gpt-4o\nStatus    unverified: one source alone knows it\n")
    assert cells(shown.out, "cache read") == ["cache", "read", "1.25", "million", "tokens"]
    assert cells(shown.out, "searches") == ["searches", "0.01", "search"]
    assert "\nModel     128,000 tokens in all" in shown.out
    assert "\nRead as   prefix openai/\n" in here("prices", "show", "openai/gpt-4o").out
    tiers = here("prices", "show", "google", "gemini-2.5-pro").out
    assert re.search(r"^input +1\.25 +million tokens$", tiers, re.MULTILINE)
    assert re.search(r"^input +200001 +2\.50 +million tokens$", tiers, re.MULTILINE)
    # OpenAI lowered o3 on 10 June 2025 from 10 to 2 USD
    past = here("prices", "history", "o3")
    assert past.out.startswith("openai o3, USD per million tokens\n")
    assert re.search(r"^2025-06-10 +further on +2\.00 +8\.00", past.out, re.MULTILINE)
    then = here("prices", "show", "o3", "--at", "2025-06-01", "--json").json
    assert (then["prices"]["input"], then["ends_at"]) == ("10.00", "2025-06-10T00:00:00Z")
    batch = here("prices", "show", "o3", "--context", "processing=batch")
    assert batch.out.startswith("openai/o3 processing=batch\n")


def test_a_list_is_cut_for_people_and_whole_for_programs(here: Say) -> None:
    told = here("prices", "list", "--limit", "2")
    assert (told.code, len(told.out.splitlines())) == (0, 3)
    assert told.err == ("The first 2; --search or --provider finds others, --limit shows more.\n")
    assert len(here("prices", "list").out.splitlines()) == 101
    assert len(here("prices", "list", "--format", "json").json) > 1000
    none = here("prices", "list", "--search", "unheard-of")
    assert (none.code, none.out) == (0, "")
    assert "No price fits." in none.err


def test_without_a_ledger_prices_are_those_of_a_new_one_and_none_is_made(
    say: Say, home: Path
) -> None:
    assert say("prices", "show", "gpt-4o", "--json").json["prices"]["input"] == "2.50"
    assert say("prices", "compare", "gpt-4o").code == 0
    (bundled, *others) = say("prices", "sources", "--json").json
    assert (bundled["source"], bundled["place"]) == ("genai-prices", "installed")
    assert bundled["basis"]
    assert {other["models"] for other in others} == {0}
    assert list(home.rglob("*.db")) == []
    refused = say("prices", "accept", "pu_1", "--reason", "r")
    assert (refused.code, refused.err.count("\n")) == (4, 1)
    assert "There is no ledger at" in refused.err


# --- Sources -------------------------------------------------------------------------------------


def test_an_update_shows_what_changed_and_how_to_accept_what_is_held(
    priced: Say, source: Source
) -> None:
    source.says(FOUR, **{"gpt-4o": GPT})
    first = priced("prices", "update")
    assert first.code == 0
    # five models, all of them new
    assert cells(first.out, "litellm") == ["litellm", "applied", "5", "0", "5", "0", "0", "0"]
    assert "verified: other sources agree" in priced("prices", "show", "gpt-4o").out
    source.says({**FOUR, "b": ("3.30", "6"), "c": ("500", "10"), "d": ("7", "0.14")})
    told = priced("prices", "update", "litellm")
    assert told.code == 0
    assert re.search(r"groq/b +input +3\.00 +3\.30 +10\.00 +applied$", told.out, re.MULTILINE)
    assert re.search(
        r"groq/c +input +5\.00 +500\.00 +9900\.00 +quarantined +pu_", told.out, re.MULTILINE
    )
    assert "2 prices held in quarantine" in told.out
    assert "unverified, quarantined" in priced("prices", "list", "--model", "c").out
    (command,) = re.findall(r"^  budget (prices accept pu_\w+) --reason WHY   # groq/c$", told.out,
                            re.MULTILINE)  # fmt: skip
    assert command.split()[2] in priced("prices", "show", "groq", "c").out
    mistaken = priced(*command.split())
    assert (mistaken.code, "reason: is required" in mistaken.err) == (2, True)
    accepted = priced(*command.split(), "--reason", "their page says so")
    assert accepted.out.startswith("groq/c: accepted, the new price is in force.\n")
    assert priced("prices", "show", "groq", "c", "--json").json["prices"]["input"] == "500.00"
    again = priced(*command.split(), "--reason", "again")
    assert (again.code, again.err) == (1, "budget: It was accepted already; nothing waits.\n")
    (basis,) = {one["new_basis"] for one in priced("prices", "updates", "--status", "quarantined",
                                                   "--json").json}  # fmt: skip
    rejected = priced("prices", "reject", basis, "--reason", "a typing error")
    assert rejected.out.startswith("groq/d: rejected, the former price stays.\n")
    assert priced("prices", "updates", "--status", "quarantined").out == ""
    unset = priced("prices", "update", "openrouter")
    assert (unset.code, unset.err.count("\n")) == (2, 1)
    assert "openrouter is not configured: add it to BUDGET_PRICE_SOURCES." in unset.err
    there = os.environ["BUDGET_TARGET"].startswith("http://")
    assert ("It is read by the service at http://127.0.0.1:" in unset.err) is there


def test_a_source_that_cannot_be_read_ends_with_1_and_changes_nothing(
    here: Say, source: Source
) -> None:
    here("prices", "update")
    source.path.write_text("<!doctype html><title>Sign in</title>")
    told = here("prices", "update")
    assert told.code == 1
    assert "Its prices stay as they were." in told.out
    shown = here("prices", "sources").out
    assert cells(shown, "litellm ")[-1] == "failed"
    assert here("prices", "show", "groq", "a", "--json").json["prices"]["input"] == "1.00"
    source.path.unlink()
    assert here("prices", "update", "--json").json["results"][0]["status"] == "failed"


def test_a_feed_that_lost_its_models_is_held_and_the_answer_says_how_to_accept_it(
    here: Say, source: Source
) -> None:
    here("prices", "update")
    source.says({"a": ("1", "2")})
    told = here("prices", "update")
    assert (told.code, "half of its models or more are gone" in told.out) == (0, True)
    (basis,) = re.findall(r"budget prices accept (litellm/\S+) --reason", told.out)
    assert basis in here("prices", "sources").out
    accepted = here("prices", "accept", basis, "--reason", "they tidied up")
    assert accepted.out == f"The snapshot {basis} was accepted: it is in force.\n"


def test_a_file_is_read_as_the_one_source_it_is_named_for(here: Say, source: Source) -> None:
    source.says({"x": ("1", "2")})
    told = here("prices", "update", "litellm", "--file", str(source.path))
    assert cells(told.out, "litellm")[1] == "applied"
    assert here("prices", "show", "groq", "x").code == 0


# --- Setting -------------------------------------------------------------------------------------


def test_a_price_is_set_and_ended_and_costs_follow(priced: Say) -> None:
    made = priced("prices", "set", "openai", "gpt-4o", "--input", "2", "--output", "8",
                  "--cache-read", "0.50", "--reason", "contract")  # fmt: skip
    assert made.code == 0, made
    assert made.out.startswith("openai/gpt-4o: 2.00 in, 8.00 out (USD per million tokens), since ")
    assert "It was 2.50 in, 10.00 out (USD per million tokens), by genai-prices." in made.out
    cost = priced("calc-cost", "--model", "gpt-4o", "--input-tokens", "1000000")
    assert cost.out.splitlines()[-1] == "Total 2.00 USD"
    history = priced("prices", "history", "openai", "gpt-4o").out
    (override,) = re.findall(r"^The price set since .* is (price_\w+)\.$", history, re.MULTILINE)
    ended = priced("prices", "end", override, "--reason", "the contract ended")
    assert ended.out.startswith(f"openai/gpt-4o: the price {override} holds since ")
    cost = priced("calc-cost", "--model", "gpt-4o", "--input-tokens", "1000000")
    assert cost.out.splitlines()[-1] == "Total 2.50 USD"
    compared = priced("prices", "compare", "gpt-4o").out
    assert compared.startswith("openai gpt-4o: 2.50 in, 10.00 out in force, by genai-prices; ")


def test_a_price_may_have_dates_tiers_contexts_and_other_units(here: Say) -> None:
    told = here("prices", "set", "house-large", "--input", "1.25,200001=2.50", "--output", "10",
                "--unit", "searches=0.01", "--context", "processing=batch", "--from",
                "2031-01-01", "--to", "2032-01-01", "--reason", "ours", "--json").json  # fmt: skip
    assert told["prices"]["input"] == [[0, "1.25"], [200001, "2.50"]]
    assert (told["prices"]["units"], told["price_context"]) == (
        {"searches": "0.01"}, "processing=batch",
    )  # fmt: skip
    assert (told["starts_at"], told["ends_at"]) == ("2031-01-01T00:00:00Z", "2032-01-01T00:00:00Z")
    speech = here("prices", "set", "speech", "--unit", "characters=0.000015", "--request", "0.001",
                  "--reason", "ours")  # fmt: skip
    assert speech.out.startswith(
        "speech of any provider: 0.000015 USD per character, 0.001 USD per request, since "
    )
    row = cells(here("prices", "list", "--search", "speech").out, "speech ")
    assert row[:3] == ["speech", "-", "-"]


EVERY_CONTEXT = (
    "It holds for calls by this name in every context, batches among them; --context sets the "
    "price of one."
)


def test_a_price_that_looks_like_a_mistake_is_pointed_out(here: Say) -> None:
    told = here("prices", "set", "openai", "gpt-4o", "--input", "0.0000025", "--output", "0.00001",
                "--reason", "by the token")  # fmt: skip
    assert told.code == 2  # more decimals than a millionth
    told = here("prices", "set", "openai", "gpt-4o", "--input", "0.000025", "--output", "0.0001",
                "--reason", "by the token")  # fmt: skip
    # 2.50 and 10 USD before; the bundled price has one for the cache and for searches too.
    assert told.err.splitlines() == [
        "Input is 100000 times less; it is per million.",
        "Output is 100000 times less; it is per million.",
        "Cache read was 1.25 and costs as much as input now; --cache-read sets it.",
        "Searches have no price now; --unit searches=0.01 keeps the former.",
        EVERY_CONTEXT,
    ]


def test_a_price_that_is_free_by_mistake_is_pointed_out(here: Say) -> None:
    # What a shell makes of $2.00.
    told = here("prices", "set", "openai", "gpt-4o", "--input", ".00", "--output", "8", "--reason",
                "r")  # fmt: skip
    assert (told.code, "must begin with a digit" in told.err) == (2, True)
    told = here("prices", "set", "openai", "gpt-4o", "--input", "0", "--output", "8", "--reason",
                "r")  # fmt: skip
    assert told.err.startswith("Input is free now: was that meant?")


def test_a_price_of_a_model_that_no_source_knows_is_said_to_be_one(here: Say) -> None:
    told = here("prices", "set", "opnai", "gpt-4oo", "--input", "2", "--output", "8", "--reason",
                "r")  # fmt: skip
    assert told.err.startswith("No source knows this model: it is priced under exactly this name.")


def test_a_price_of_the_past_points_to_re_rating(here: Say) -> None:
    past = here("prices", "set", "openai", "o1", "--input", "1", "--output", "2", "--from",
                "2026-01-01", "--reason", "r")  # fmt: skip
    assert "`budget prices rerate --from 2026-01-01` says what they cost now." in past.err


# --- Mistakes ------------------------------------------------------------------------------------

SET = ("set", "m", "--reason", "r", "--output", "1")


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["show"], 2, "name one model, such as gpt-4o, or a provider and a model"),
        (["show", "a", "b", "c"], 2, "name one model"),
        (["show", "unheard-of"], 4, "'unheard-of'"),
        (["show", "gpt-4o", "--at", "yesterday"], 2, "at: "),
        (["show", "gpt-4o", "--at", "2026-13-01"], 2, "at: "),
        (["show", "gpt-4o", "--context", "batch"], 2, "as processing=batch"),
        (["show", "openai", "gpt-4o", "--provider", "azure"], 2, "--provider: "),
        (["history", "nobody", "gpt-4o"], 4, "'nobody'"),
        (["compare", "unheard-of"], 4, "'unheard-of'"),
        (["list", "--status", "sure"], 2, "Allowed: verified, unverified, conflict, own."),
        (["list", "--limit", "0"], 2, "--limit: must be 1 or more"),
        (["list", "--limit", "many"], 2, "--limit"),
        (["updates", "--status", "fine"], 2, "Allowed: applied, quarantined"),
        (["updates", "--source", "a-friend"], 2, "is not a source of prices"),
        (["update", "a-friend"], 2, "Allowed: genai-prices, litellm"),
        (["update", "openrouter"], 2, "BUDGET_PRICE_SOURCES"),
        (["update", "--all", "litellm"], 2, "--all: "),
        (["update", "--file", "map.json"], 2, "--file: "),
        (["accept"], 2, "WHAT"),
        (["accept", "pu_none", "--reason", "r"], 4, "'pu_none'"),
        (["reject", "litellm/1/2", "--reason", "r"], 4, "'litellm/1/2'"),
        (["end", "price_none", "--reason", "r"], 4, "'price_none'"),
        (["end", "price_none"], 2, "reason: is required"),
        (["set"], 2, "name one model"),
        (["set", "m", "--input", "1", "--output", "2"], 2, "--reason: is required"),
        ([*SET, "--input", "-1"], 2, "input: must be a price in USD of 0 or more"),
        ([*SET, "--input", "two"], 2, "input: must be a price"),
        ([*SET, "--input", "1,x"], 2, "--input: '1,x' is no price: write tiers as"),
        ([*SET, "--input", "1,5=2,3=1"], 2, "input: tiers must ascend"),
        ([*SET], 2, "input: is required"),
        ([*SET, "--input", "1", "--unit", "searches"], 2, "as searches=0.01"),
        ([*SET, "--input", "1", "--unit", "smells=1"], 2, "units.smells: is not a unit"),
        (
            [*SET, "--input", "1", "--from", "tomorrow"],
            2,
            "--from: must be a day, or a time with its offset",
        ),
        ([*SET, "--input", "1", "--to", "2020-01-01"], 2, "ends_at: must be after the start"),
    ],
)
def test_mistakes_are_one_sentence(here: Say, words: list[str], code: int, part: str) -> None:
    said = here("prices", *words)
    assert (said.code, said.out) == (code, ""), said
    assert part in said.err
    assert said.err.count("\n") == 1


def test_a_file_needs_a_database_not_a_service(say: Say, source: Source) -> None:
    said = say("prices", "update", "litellm", "--file", str(source.path), "--target",
               "http://127.0.0.1:1")  # fmt: skip
    assert (said.code, "target: must be a database" in said.err) == (2, True)


# --- Terminals -----------------------------------------------------------------------------------


def test_tables_fit_a_terminal_of_80_columns(
    here: Say, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.says(FOUR, **{"gpt-4o": GPT})
    here("prices", "update")
    here("prices", "set", "openai", "gpt-4o", "--input", "1", "--output", "2", "--reason",
         "a contract of several words that will not fit")  # fmt: skip
    source.says({**FOUR, "a": ("1000", "2")}, **{"gpt-4o": GPT})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    for words in (
        ["update"], ["list"], ["list", "--provider", "groq"], ["show", "gpt-4o"],
        ["history", "gpt-4o"], ["compare", "gpt-4o"], ["sources"], ["updates"],
    ):  # fmt: skip
        said = here("prices", *words)
        assert said.code == 0
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.out.splitlines()]
        rules = [cell_len(line) for line in lines if line and set(line) <= set("─ ")]
        assert rules, words
        assert max(rules) <= 80, words
