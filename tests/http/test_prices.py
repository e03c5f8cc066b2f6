"""Prices over HTTP: what holds, what held, sources read anew, and who may change what."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from budget.engine import keys
from tests.http.running import Json, Running, migrate, running
from tests.support.databases import SqliteTemplates, sqlite_url
from tests.support.priced import FOUR, Source

A_MODEL: Final = {"provider": "groq", "model": "a"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("feeds") / "litellm.json")


@pytest.fixture(scope="module")
def priced(
    source: Source, tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """A service that reads LiteLLM's map from a file; the tests of this file share it."""
    del sqlite_templates
    url = sqlite_url(tmp_path_factory.mktemp("priced") / "budget.db")
    migrate(url)
    with running(url, price_settings=source.settings) as service:
        yield service


def updated(service: Running, source: Source, prices: Any, **more: Any) -> Json:
    """The source says this from now on, and is read; how that went."""
    source.says(prices, **more)
    (told,) = service.post("/prices/update", {"sources": ["litellm"]}, status=200)["results"]
    assert isinstance(told, dict)
    return told


def problem(service: Running, method: str, path: str, status: int, body: Any = None) -> Json:
    answer = service.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    told: Json = answer.json()
    assert told["code"]
    assert told["detail"].endswith((".", "`"))
    return told


# --- Reading -------------------------------------------------------------------------------------


def test_prices_are_listed_page_by_page_and_found_by_any_part_of_their_name(
    priced: Running,
) -> None:
    first = priced.get("/prices", provider="openai", search="GPT-4o", limit=2)
    names = [item["model"] for item in first["items"]]
    more = priced.get("/prices", provider="openai", search="GPT-4o", limit=1000,
                      cursor=first["next_cursor"])  # fmt: skip
    names += [item["model"] for item in more["items"]]
    assert names == sorted(set(names))
    assert {"gpt-4o", "gpt-4o-mini"} <= set(names)
    assert more["next_cursor"] is None
    (one,) = priced.get("/prices", provider="openai", model="gpt-4o")["items"]
    # 2.50 and 10.00 USD per million tokens: the price page of OpenAI
    assert (one["prices"]["input"], one["prices"]["output"]) == ("2.50", "10.00")
    assert priced.get("/prices", status="conflict", provider="mistral")["items"] == []
    alias = priced.client.get("/api/providers/prices", params={"model": "gpt-4o"}).json()
    assert "gpt-4o" in {item["model"] for item in alias["items"]}


def test_a_price_has_the_fields_that_tekton_knows_beside_ours(priced: Running) -> None:
    told = priced.post("/prices/current", {"provider": "openai", "model": "gpt-4o"}, status=200)
    assert told == priced.get("/prices/current", provider="openai", model="gpt-4o") | {
        "at": told["at"]
    }
    assert told["input_cost_per_token"] == "0.0000025"
    assert told["output_cost_per_token"] == "0.00001"
    assert (told["price_type"], told["source"]) == ("token_based", "genai-prices")
    assert (told["status"], told["verified"]) == ("unverified", False)
    assert told["version"] == told["basis"].split("/")[1]
    assert (told["effective_date"], told["end_date"]) == (told["starts_at"], told["ends_at"])


def test_a_price_says_how_its_name_was_read_and_what_the_model_can_do(priced: Running) -> None:
    told = priced.get("/prices/current", model="azure/gpt-4o-2024-08-06")
    assert (told["provider"], told["model"]) == ("azure", "gpt-4o")
    assert told["resolved"][0] == "prefix azure/"
    usual = priced.get("/prices/current", provider="openai", model="gpt-4o")
    assert usual["resolved"] == []
    # The model's page of OpenAI: 128,000 tokens in all
    assert usual["capabilities"]["context_window"] == 128_000
    (listed,) = priced.get("/prices", provider="openai", model="gpt-4o")["items"]
    assert listed["capabilities"] is None
    for path in ("current", "compare"):
        told = problem(priced, "GET", f"/prices/{path}?model=gpt4o", 404)
        assert "openai/gpt-4o" in told["detail"]


def test_a_price_is_that_of_its_time_and_of_its_context(priced: Running) -> None:
    # OpenAI lowered o3 on 10 June 2025 from 10 to 2 USD per million tokens of input; half in batch.
    before = priced.get("/prices/current", model="o3", at="2025-06-01T00:00:00Z")
    assert (before["prices"]["input"], before["ends_at"]) == ("10.00", "2025-06-10T00:00:00Z")
    ask = {"model": "o3", "price_context": {"processing": "batch"}}
    assert priced.post("/prices/current", ask, status=200)["prices"]["input"] == "1.00"


def test_a_history_is_found_under_a_name_with_a_slash(priced: Running, source: Source) -> None:
    updated(priced, source, {**FOUR, "maker/e": ("1", "2")})
    for path in ("groq/maker/e", "groq/maker%2Fe", "GROQ/maker/e"):
        (period,) = priced.get(f"/prices/history/{path}")["items"]
        assert (period["model"], period["prices"]["output"]) == ("maker/e", "2.00")
    periods = priced.get("/prices/history/openai/o3")["items"]
    usual = [period for period in periods if period["price_context"] is None]
    assert [period["prices"]["input"] for period in usual] == ["2.00", "10.00"]
    assert usual[1]["end_date"] == usual[0]["effective_date"] == "2025-06-10T00:00:00Z"


def test_costs_are_calculated_from_what_tekton_sends(priced: Running) -> None:
    ask = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 500}
    told = priced.post("/prices/calculate", ask, status=200)
    # 1,000 x 2.50 and 500 x 10.00 USD per million
    assert (told["input_cost"], told["output_cost"], told["total_cost"]) == (
        "0.0025", "0.005", "0.0075",
    )  # fmt: skip


# --- Sources -------------------------------------------------------------------------------------


def test_an_update_says_what_was_read_and_what_it_changed(priced: Running, source: Source) -> None:
    updated(priced, source, FOUR)
    source.says({**FOUR, "b": ("3.30", "6")})
    told = priced.post("/prices/update", {}, status=200)
    assert (told["updates_started"], told["sources"]) == (1, ["litellm"])
    (result,) = told["results"]
    assert (result["status"], result["changed"], result["models"]) == ("applied", 1, 4)
    newest = priced.get("/prices/updates", source="litellm", limit=1)["items"][0]
    # from 3.00 to 3.30
    assert (newest["model"], newest["kind"], newest["percent"]) == ("b", "input", "10.00")
    assert (newest["old_price"], newest["new_price"]) == ("3.00", "3.30")
    again = priced.post("/prices/update", status=200)["results"][0]
    assert again["status"] == "unchanged"
    named = {item["source"]: item for item in priced.get("/prices/sources")["items"]}
    assert named["litellm"]["basis"] == result["basis"]
    assert named["openrouter"]["place"] is None


def test_a_source_that_sends_a_web_page_changes_nothing_and_is_reported(
    priced: Running, source: Source
) -> None:
    updated(priced, source, FOUR)
    source.path.write_text("<!doctype html><title>503</title>")
    (told,) = priced.post("/prices/update", {}, status=200)["results"]
    assert told["status"] == "failed"
    assert told["error"]
    assert priced.get("/prices/current", **A_MODEL)["prices"]["input"] == "1.00"
    (shown,) = [one for one in priced.get("/prices/sources")["items"] if one["error"]]
    assert (shown["source"], shown["error"]) == ("litellm", told["error"])


def test_what_waits_in_quarantine_is_accepted_or_rejected_with_a_reason(
    priced: Running, source: Source
) -> None:
    updated(priced, source, FOUR)
    assert updated(priced, source, {**FOUR, "a": ("100", "2")})["quarantined"] == 1
    (waiting,) = priced.get("/prices/updates", status="quarantined")["items"]
    place = f"/prices/updates/{waiting['update_id']}"
    assert problem(priced, "POST", f"{place}/accept", 422)["field"] == "reason"
    assert priced.get("/prices/current", **A_MODEL)["prices"]["input"] == "1.00"
    told = priced.post(f"{place}/reject", {"reason": "a typing error"}, status=200)
    assert (told["status"], told["updates"][0]["reason"]) == ("rejected", "a typing error")
    assert problem(priced, "POST", f"{place}/accept", 409, {"reason": "x"})["code"] == "decided"
    assert updated(priced, source, {**FOUR, "a": ("20", "2")})["quarantined"] == 1
    (waiting, *_) = priced.get("/prices/updates", status="quarantined")["items"]
    path = f"/prices/updates/{waiting['update_id']}/accept"
    assert priced.post(path, {"reason": "they say so"}, status=200)["status"] == "accepted"
    assert priced.get("/prices/current", **A_MODEL)["prices"]["input"] == "20.00"


def test_a_feed_that_lost_half_its_models_is_accepted_by_its_basis(
    priced: Running, source: Source
) -> None:
    updated(priced, source, FOUR)
    told = updated(priced, source, {"b": ("4", "6")})
    assert (told["status"], told["changed"]) == ("quarantined", 0)
    (shown,) = [one for one in priced.get("/prices/sources")["items"] if one["held"]]
    assert shown["held"].startswith("litellm/")
    path = f"/prices/updates/{shown['held']}/accept"
    assert priced.post(path, {"reason": "they tidied up"}, status=200)["basis"] == shown["held"]
    b_model = {"provider": "groq", "model": "b"}
    assert priced.get("/prices/current", **b_model)["prices"]["input"] == "4.00"
    assert priced.get("/prices/current", provider="groq", model="c")["flags"] == ["dropped"]


def test_sources_are_compared(priced: Running, source: Source) -> None:
    gpt = {
        "litellm_provider": "openai", "mode": "chat",
        "input_cost_per_token": 0.000005, "output_cost_per_token": 0.00001,
    }  # fmt: skip
    updated(priced, source, FOUR, **{"gpt-4o": gpt})
    told = priced.get("/prices/compare", provider="openai", model="gpt-4o")
    theirs = {figure["source"]: figure for figure in told["sources"]}
    assert (theirs["litellm"]["agrees"], theirs["litellm"]["input_percent"]) == (False, "100.00")
    assert told["in_force"]["status"] == "conflict"
    assert told["in_force"]["prices"]["input"] == "2.50"


# --- Setting -------------------------------------------------------------------------------------


def test_a_price_that_is_set_wins_until_it_ends(priced: Running) -> None:
    ask = {"provider": "openai", "model": "o1", "input": "7.5", "output": 30, "reason": "contract"}
    made = priced.client.put("/api/v1/prices", json=ask, headers={"Idempotency-Key": "o1"})
    assert made.status_code == 200, made.text
    replayed = priced.client.put("/api/v1/prices", json=ask, headers={"Idempotency-Key": "o1"})
    assert replayed.headers["idempotency-replayed"] == "true"
    assert replayed.json()["override_id"] == made.json()["override_id"]
    told = priced.get("/prices/current", provider="openai", model="o1")
    assert (told["prices"]["input"], told["source"], told["status"]) == ("7.50", "override", "own")
    (period, *_) = priced.get("/prices/history/openai/o1")["items"]
    assert (period["id"], period["kind"]) == (made.json()["override_id"], "override")
    path = f"/prices/overrides/{made.json()['override_id']}/end"
    assert priced.post(path, {"reason": "the contract ended"}, status=200)["ends_at"]
    # 15 USD per million tokens of input: the price page of OpenAI
    assert (
        priced.get("/prices/current", provider="openai", model="o1")["prices"]["input"] == "15.00"
    )
    assert problem(priced, "POST", path, 409, {"reason": "again"})["code"] == "ended"


def test_prices_are_read_by_readers_and_changed_by_admins_alone(
    priced: Running, source: Source
) -> None:
    updated(priced, source, FOUR)
    reader = keys.make_key()
    keys.add_key(priced.books, reader, name="reader", scopes="read spend")
    with httpx2.Client(
        base_url=f"{priced.url}/api/v1",
        headers={"X-API-Key": reader.text},
        trust_env=False,
        verify=False,
    ) as client:
        for path in ("", "/sources", "/updates", "/history/groq/a", "/current?model=gpt-4o",
                     "/compare?model=gpt-4o"):  # fmt: skip
            assert client.get(f"/prices{path}").status_code == 200, path
        price = {"model": "gpt-4o", "input": 1, "output": 1, "reason": "mine"}
        assert client.put("/prices", json=price).status_code == 403
        for path in ("update", "updates/pu_1/accept", "updates/pu_1/reject", "overrides/x/end"):
            assert client.post(f"/prices/{path}", json={}).status_code == 403, path
    told = priced.get("/prices/current", model="gpt-4o")
    assert told["prices"]["input"] == "2.50"


# --- Bad input -----------------------------------------------------------------------------------

PRICE: Final = {"model": "m", "input": "1", "output": "2", "reason": "r"}
WRONG: Final[tuple[tuple[str, str, Any, int, str | None], ...]] = (
    ("GET", "/prices?status=sure", None, 422, "status"),
    ("GET", "/prices?limit=0", None, 422, "limit"),
    ("GET", "/prices?cursor=x", None, 422, "cursor"),
    ("GET", "/prices?vendor=openai", None, 422, "vendor"),
    ("GET", "/prices/current", None, 422, "model"),
    ("GET", "/prices/current?model=unheard-of", None, 404, None),
    ("GET", "/prices/current?model=gpt-4o&at=yesterday", None, 422, "at"),
    ("POST", "/prices/current", {}, 422, "model"),
    ("POST", "/prices/current", {"model": 5}, 422, "model"),
    ("POST", "/prices/current", {"model": ["gpt-4o"]}, 422, "model"),
    ("POST", "/prices/current", {"model": "gpt-4o", "provider": {}}, 422, "provider"),
    ("POST", "/prices/current", {"model": "gpt-4o", "at": 3}, 422, "at"),
    ("POST", "/prices/current", {"model": "o3", "price_context": {"mood": "x"}}, 422,
     "price_context.mood"),
    ("GET", "/prices/history/openai/unheard-of", None, 404, None),
    ("GET", "/prices/history/openai/", None, 404, None),
    ("GET", "/prices/history/openai/%00", None, 404, None),
    ("GET", "/prices/compare", None, 422, "model"),
    ("GET", "/prices/compare?model=unheard-of", None, 404, None),
    ("GET", "/prices/updates?status=fine", None, 422, "status"),
    ("GET", "/prices/updates?source=a-friend", None, 422, "source"),
    ("PUT", "/prices", {}, 422, "model"),
    ("PUT", "/prices", {**PRICE, "input": "-1"}, 422, "input"),
    ("PUT", "/prices", {**PRICE, "input": "NaN"}, 422, "input"),
    ("PUT", "/prices", {**PRICE, "input": True}, 422, "input"),
    ("PUT", "/prices", {**PRICE, "output": None}, 422, "output"),
    ("PUT", "/prices", {**PRICE, "output": [[1, "2"]]}, 422, "output"),
    ("PUT", "/prices", {**PRICE, "units": {"smells": 1}}, 422, "units.smells"),
    ("PUT", "/prices", {**PRICE, "units": [1]}, 422, "units"),
    ("PUT", "/prices", {**PRICE, "reason": " "}, 422, "reason"),
    ("PUT", "/prices", {**PRICE, "starts_at": "2026"}, 422, "starts_at"),
    ("PUT", "/prices", {**PRICE, "ends_at": "2020-01-01T00:00:00Z"}, 422, "ends_at"),
    ("PUT", "/prices", {**PRICE, "price": "1"}, 422, "price"),
    ("POST", "/prices/update", {"sources": "litellm"}, 422, "sources"),
    ("POST", "/prices/update", {"sources": ["a-friend"]}, 422, "sources"),
    ("POST", "/prices/update", {"sources": ["openrouter"]}, 422, "sources"),
    ("POST", "/prices/update", {"sources": [{}]}, 422, "sources"),
    ("POST", "/prices/update", {"file": "/etc/passwd"}, 422, "file"),
    ("POST", "/prices/update", {"url": "http://169.254.169.254/"}, 422, "url"),
    ("POST", "/prices/updates/pu_none/accept", {"reason": "r"}, 404, None),
    ("POST", "/prices/updates/litellm/1/none/reject", {"reason": "r"}, 404, None),
    ("POST", "/prices/overrides/price_none/end", {"reason": "r"}, 404, None),
    ("POST", "/prices/overrides/price_none/end", {"reason": "r", "ends_at": "soon"}, 422,
     "ends_at"),
)  # fmt: skip


def test_bad_input_is_refused_by_name_and_changes_nothing(priced: Running, source: Source) -> None:
    updated(priced, source, FOUR)
    before = (priced.written(), priced.get("/prices/updates", limit=1000)["items"])
    for method, path, body, status, field in WRONG:
        told = problem(priced, method, path, status, body)
        assert told.get("field") == field, (method, path, body, told)
    assert (priced.written(), priced.get("/prices/updates", limit=1000)["items"]) == before


def test_books_with_prices_of_their_own_say_so(shared: Running) -> None:
    for method, path, body in (
        ("GET", "/prices", None),
        ("PUT", "/prices", PRICE),
        ("POST", "/prices/update", {"sources": ["genai-prices"]}),
    ):
        assert problem(shared, method, path, 409, body)["code"] == "prices_given"
