"""What tools answer and say: in the library, without the protocol."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from budget.domain.errors import BudgetError, InvalidInput, NotFound
from budget.domain.pricing import Rates
from budget.engine.budget import AsyncBudget, Budget
from budget.engine.callers import Caller
from budget.engine.jobs import Books
from budget.mcp.asking import EVERY_RIGHT, Guest, Told
from budget.mcp.tool import Tool, prepared
from budget.mcp.tools import TOOLS, find_tool
from budget.prices.book import PriceBook
from tests.engine.opened import Clock
from tests.support.databases import sqlite_url

START_US: Final = 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000
HOUR_US: Final = 3_600_000_000
M: Final = {"provider": "acme", "model": "m"}
WHO: Final = {"context_id": "c", "component": "x"}
PRICES: Final = PriceBook(
    None,
    {  # pico-USD a token: m costs 2 USD a million in, 10 out; cheap a tenth of that
        ("acme", "m"): Rates(2_000_000, 10_000_000),
        ("acme", "cheap"): Rates(200_000, 1_000_000),
    },
)

Call = Callable[..., Told]


class Opened:
    """Books, and their tools, called by whoever may do everything."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self.budget = Budget(books)
        self.clock = clock
        self._books = books

    def call(self, name: str, **given: Any) -> Told:
        """What a tool answers; as its schema says."""
        return self.call_as(Guest(AsyncBudget(self._books), EVERY_RIGHT), name, **given)

    def bound(self, **attributes: str) -> Guest:
        """A key that is bound to attributes."""
        caller = Caller("key_b", manage=False, bound=attributes)
        books = AsyncBudget(self._books).acting_as(caller)
        return Guest(books, frozenset(("spend", "read")), "key_b", tuple(attributes.items()))

    def call_as(self, guest: Guest, name: str, **given: Any) -> Told:
        """What a tool answers a guest."""
        tool = find_tool(name)

        async def run() -> Told:
            return await tool.run(prepared(tool, guest, given, self.clock()))

        told = asyncio.run(run())
        jsonschema_rs.validate(tool.tells, told.body)
        return told

    def limit(self, limit: str | int, unit: str = "usd", **more: Any) -> str:
        """A budget with one hard limit a day; its id."""
        policy: Any = {"unit": unit, "period": "daily", "limit": limit,
                       "enforcement": "hard_limit"}  # fmt: skip
        return self.budget.create_budget(name="Acme", policies=[policy], **more).budget_id


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    clock = Clock(START_US + 6 * HOUR_US)
    books = Books.open(sqlite_url(tmp_path / "budget.db"), clock=clock, prices=PRICES, sweep=False)
    yield Opened(books, clock)
    books.close()


# --- Names and bad input -------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_bad_input_names_its_field_whatever_the_tool(opened: Opened, tool: Tool) -> None:
    filled: dict[str, Any] = {
        one.name: one.words[0] if one.words else 1 if one.kind in ("whole", "usd") else "x"
        for one in tool.fields
        if one.required
    }
    cases: list[tuple[str, dict[str, Any]]] = [("colour", {**filled, "colour": "red"})]
    cases += [(name, {k: v for k, v in filled.items() if k != name}) for name in filled]
    bad: dict[str, Any] = {"text": 5, "whole": "5", "usd": [], "flag": "yes", "object": "x"}
    cases += [(one.name, {**filled, one.name: bad[one.kind]}) for one in tool.fields]
    for name, given in cases:
        with pytest.raises(InvalidInput) as caught:
            opened.call(tool.name, **given)
        assert caught.value.field == name


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_odd_values_are_told_of_and_never_break_a_tool(opened: Opened, tool: Tool) -> None:
    odd: dict[str, list[Any]] = {
        "text": ["", "\x00", "é" * 300, "a/b", "../..", "🎈"], "whole": [-1, 10**30, 0],
        "usd": ["", "-1", "NaN", "1e5", "0.0000000001", 10**15], "flag": [True],
        "object": [{}, {"a": 1}, {"": ""}, {"a": {"b": []}}],
    }  # fmt: skip
    filled: dict[str, Any] = {
        one.name: one.words[0] if one.words else 1 if one.kind in ("whole", "usd") else "x"
        for one in tool.fields
        if one.required
    }
    for one in tool.fields:
        for value in odd[one.kind]:
            with contextlib.suppress(BudgetError):
                opened.call(tool.name, **{**filled, one.name: value})


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("AllocateBudget", {**WHO, "amount": -5}, "amount"),
        ("AllocateBudget", {**WHO, "amount": 5, "input_tokens": 4}, "amount"),
        ("AllocateBudget", {**WHO, "amount": 5, "agent": ""}, "agent"),
        ("CheckBudget", {**M, "agent": ""}, "agent"),
        ("RecordUsage", {**M, "input_tokens": 1, "output_tokens": 1, "request_id": "é"},
         "request_id"),
        ("RouteWithBudgetAwareness", {"input_tokens": 1, "default_model": ""}, "default_model"),
        ("budget_open_envelope", {}, "usd"),
        ("budget_extend", {"allocation_id": "a"}, "ttl_seconds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_as_the_tool_names_it(
    opened: Opened, name: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        opened.call(name, **given)
    assert caught.value.field == field
    assert caught.value.detail.startswith(f"{field}: ")
    assert field in find_tool(name).asks["properties"]


def test_an_envelope_of_nothing_is_told_what_it_may_hold(opened: Opened) -> None:
    with pytest.raises(InvalidInput, match=r"^usd: is required, or tokens: how much to hold"):
        opened.call("budget_open_envelope")


def test_an_unknown_tool_is_told_of_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match=r"There is no tool 'Spend'. Tools: budget_allocate_budget,"):
        find_tool("Spend")


# --- Holding and booking -------------------------------------------------------------------------


def test_a_refusal_says_what_is_cheaper_when_it_resets_and_how_to_get_more(opened: Opened) -> None:
    budget_id = opened.limit("0.01")
    # 2,000 tokens at 10 USD a million are 0.02 USD; with `cheap` they are 0.002.
    told = opened.call("AllocateBudget", **WHO, **M, amount=2000)
    refusal = told.body["refusal"]
    assert (told.body["allowed"], told.body["allocation_id"]) == (False, None)
    assert (refusal["code"], refusal["cheaper"]) == ("over_limit", ["cheap"])
    line = refusal["refused_by"][0]
    assert (line["limit"], line["requested"], line["shortfall"]) == ("0.01", "0.02", "0.01")
    assert told.text.startswith("Refused: Budget 'Acme' has 0.01 USD of its daily 0.01 USD left")
    assert "Use a cheaper model: cheap." in told.text
    assert f'budget_request_top_up, budget_id {budget_id}, amount "0.01".' in told.body["next"]


def test_a_refusal_that_time_cures_says_for_how_long_to_wait(opened: Opened) -> None:
    opened.limit("0.03")
    opened.call("AllocateBudget", **WHO, **M, amount=2000)
    told = opened.call("AllocateBudget", **WHO, **M, amount=2000)
    # It is six o'clock; the day ends in 18 hours.
    assert f"Wait {18 * 3600} seconds, until " in told.body["next"]
    assert told.body["refusal"]["retry_after_seconds"] == 18 * 3600


def test_usage_goes_to_the_open_hold_of_its_context(opened: Opened) -> None:
    held = opened.call("AllocateBudget", **WHO, **M, amount=1000).body
    told = opened.call("RecordUsage", **M, context_id="c", input_tokens=100, output_tokens=50)
    assert told.body["allocation_id"] == held["allocation_id"]
    # 100 * 2 + 50 * 10 = 700 of a million USD
    assert (told.body["cost"], told.body["remaining"]) == ("0.0007", 850)
    assert told.text.startswith("Booked 150 tokens for 0.0007 USD")


def test_usage_of_another_model_is_not_booked_on_the_hold_of_its_context(opened: Opened) -> None:
    opened.call("AllocateBudget", **WHO, **M, amount=1000)
    told = opened.call("RecordUsage", provider="acme", model="cheap", context_id="c",
                       input_tokens=1, output_tokens=1)  # fmt: skip
    assert (told.body["allocation_id"], told.body["flags"]) == (None, ["unreserved"])


def test_the_same_request_is_booked_once(opened: Opened) -> None:
    used: dict[str, Any] = {**M, "input_tokens": 1, "output_tokens": 1, "request_id": "req-1"}
    first, again = (opened.call("RecordUsage", **used).body for _ in range(2))
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["usage_id"] == again["usage_id"]
    assert opened.call("GetUsageAnalytics").body["record_count"] == 1


def test_texts_are_estimated_and_the_answer_says_so(opened: Opened) -> None:
    told = opened.call("RecordUsage", **M, input_text="Why is the sky blue?", output_text="")
    assert told.body["estimated"]
    assert told.body["recorded_tokens"] >= 6


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "input_tokens"),
        ({"input_tokens": 1}, "output_tokens"),
        ({"input_tokens": 1, "input_text": "a", "output_tokens": 1}, "input_tokens"),
    ],
)
def test_usage_is_stated_once(opened: Opened, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        opened.call("RecordUsage", **M, **given)
    assert caught.value.field == field


def test_an_empty_envelope_says_how_to_extend_it(opened: Opened) -> None:
    opened.limit("1")
    run = opened.call("budget_open_envelope", usd="0.01", agent="planner").body["allocation_id"]
    told = opened.call("AllocateBudget", **WHO, **M, amount=2000, parent_id=run)
    assert told.body["refusal"]["code"] == "envelope_exhausted"
    assert f"Extend the envelope: budget_extend, allocation_id {run}." in told.text
    assert opened.call("budget_extend", allocation_id=run, usd="0.02").body["held_usd"] == "0.03"
    assert opened.call("AllocateBudget", **WHO, **M, amount=2000, parent_id=run).body["allowed"]


def test_a_check_holds_nothing(opened: Opened) -> None:
    opened.limit("0.05")
    for _ in range(3):
        told = opened.call("CheckBudget", **M, input_tokens=1000, max_output_tokens=100)
        # 1,000 * 2 + 100 * 10 = 3,000 of a million USD
        assert (told.body["allowed"], told.body["info"]["estimated_cost"]) == (True, "0.003")
    assert opened.call("GetBudgetStatus").body["summaries"][0]["cost_allocated"] == "0.00"


def test_a_price_that_is_not_known_is_not_nothing(opened: Opened) -> None:
    new: dict[str, Any] = {"provider": "acme", "model": "new"}
    told = opened.call("CheckBudget", **new, input_tokens=10, max_output_tokens=10)
    assert told.body["info"]["estimated_cost"] is None
    assert told.text.startswith("Allowed. It would hold at most 20 tokens (no known price).")
    told = opened.call("AllocateBudget", **WHO, **new, amount=20)
    assert told.body["held_usd"] is None
    booked = opened.call("budget_settle", allocation_id=told.body["allocation_id"], input_tokens=5)
    assert booked.body["cost"] is None
    assert "at no known price" in booked.text


# --- Standing ------------------------------------------------------------------------------------


def test_status_tells_of_money_and_tokens_of_a_budget_in_one_line(opened: Opened) -> None:
    policies: Any = [
        {"unit": "usd", "period": "daily", "limit": "0.01", "enforcement": "warn"},
        {"unit": "tokens", "period": "daily", "limit": 1000, "enforcement": "warn"},
    ]
    opened.budget.create_budget(name="Both", policies=policies)
    opened.call("RecordUsage", **M, input_tokens=500, output_tokens=700)
    (line,) = opened.call("GetBudgetStatus").body["summaries"]
    assert (line["tokens_used"], line["token_limit"], line["tokens_remaining"]) == (1200, 1000, 0)
    assert (line["token_limit_exceeded"], line["token_usage_percentage"]) == (True, "1.2")
    # 500 * 2 + 700 * 10 = 8,000 of a million USD
    assert (line["cost"], line["cost_usage_percentage"]) == ("0.008", "0.8")
    assert not line["cost_limit_exceeded"]


def test_status_of_a_provider_tells_of_the_limits_that_its_calls_meet(opened: Opened) -> None:
    opened.limit("1", scope={"provider": "acme"})
    opened.limit("2", scope={"provider": "other"})
    (line,) = opened.call("GetBudgetStatus", provider="acme").body["summaries"]
    assert (line["cost_limit"], line["provider"]) == ("1.00", "acme")
    assert opened.call("GetBudgetStatus", period="weekly").body["summaries"] == []


def test_a_forecast_goes_on_at_the_pace_of_the_window(opened: Opened) -> None:
    opened.limit("0.03")
    opened.call("RecordUsage", **M, input_tokens=0, output_tokens=1000)  # 0.01 USD by 06:00
    told = opened.call("budget_forecast")
    (line,) = told.body["items"]
    # 0.01 in 6 of 24 hours: 0.04 in all; 0.03 after 18 hours.
    assert (line["used"], line["projected"], line["sure"]) == ("0.01", "0.04", True)
    assert line["exhausted_at"].endswith("T18:00:00Z")
    assert "Acme, daily: 0.01 usd of 0.03 usd used; reached about" in told.text


# --- Usage, anomalies, explanations --------------------------------------------------------------


def test_analytics_add_up_by_provider_model_component_and_task(opened: Opened) -> None:
    for number in range(10):
        opened.call("RecordUsage", **M, input_tokens=10, output_tokens=1, task_type="chat",
                    component="x" if number else "y")  # fmt: skip
    told = opened.call("GetUsageAnalytics", period="daily").body
    # Each costs 10 * 2 + 10 = 30 of a million USD.
    assert (told["total_cost"], told["record_count"], told["total_tokens"]) == ("0.0003", 10, 110)
    assert told["providers"]["acme"]["models"]["m"]["cost"] == "0.0003"
    assert {name: one["count"] for name, one in told["components"].items()} == {"x": 9, "y": 1}
    assert told["task_types"]["chat"]["input_tokens"] == 100
    series = told["time_series"]
    assert (sum(series["counts"]), len(series["labels"]), series["counts"][6]) == (10, 24, 10)


def test_of_few_records_there_is_no_series(opened: Opened) -> None:
    opened.call("RecordUsage", **M, input_tokens=10, output_tokens=1)
    assert opened.call("GetUsageAnalytics").body["time_series"] is None


def test_what_nobody_held_is_unusual(opened: Opened) -> None:
    opened.limit("1")
    assert opened.call("budget_get_anomalies").body["items"] == []
    opened.call("RecordUsage", **M, input_tokens=10, output_tokens=1)
    told = opened.call("budget_get_anomalies")
    assert [one["kind"] for one in told.body["items"]] == ["unreserved"]
    assert "usage was booked that nobody had reserved" in told.text


def test_a_refusal_is_explained_with_the_figures_just_before(opened: Opened) -> None:
    opened.limit("0.01")
    with pytest.raises(NotFound):
        opened.call("budget_explain_refusal")
    opened.call("AllocateBudget", **WHO, **M, amount=2000)
    told = opened.call("budget_explain_refusal")
    (line,) = told.body["limits"]
    assert (line["refused"], line["requested"], line["shortfall"]) == (True, "0.02", "0.01")
    assert "it was short by 0.01." in told.text


# --- Keys that do not see everything -------------------------------------------------------------

UNSEEN: Final = "There may be limits that this key cannot see: it is bound to agent=planner."


def test_a_bound_key_is_not_told_that_nothing_refused_it(opened: Opened) -> None:
    opened.limit("0.01")
    planner = opened.bound(agent="planner")
    refused = opened.call_as(planner, "AllocateBudget", **WHO, **M, amount=2000)
    assert refused.body["refusal"]["refused_by"][0]["budget"] is None
    told = opened.call_as(planner, "budget_explain_refusal")
    assert (told.body["verdict"], told.body["limits"]) == ("refused", [])
    assert told.body["next"] == (
        f"None of the limits that this key can see refused it. {UNSEEN} Spend less, or ask "
        "whoever manages the budgets."
    )


def test_a_bound_key_is_told_that_there_may_be_limits_that_it_cannot_see(opened: Opened) -> None:
    opened.limit("0.01")
    planner = opened.bound(agent="planner")
    for name, more in (("GetBudgetStatus", {}), ("GetBudgetStatus", {"component": "rhetor"}),
                       ("budget_forecast", {})):  # fmt: skip
        told = opened.call_as(planner, name, **more)
        assert UNSEEN in told.body["next"]
        assert UNSEEN in told.text
        assert UNSEEN not in opened.call(name, **more).text
    told = opened.call_as(planner, "GetBudgetStatus")
    assert told.text.startswith("No limit of this period that this key can see")
    told = opened.call_as(planner, "budget_forecast")
    assert told.text.startswith("At this pace no limit that this key can see is reached")


def test_a_refusal_for_another_reason_than_a_limit_says_so(opened: Opened) -> None:
    opened.limit("1")
    run = opened.call("budget_open_envelope", tokens=5, usd="0.1").body["allocation_id"]
    opened.call("AllocateBudget", **WHO, **M, amount=2000, parent_id=run)
    told = opened.call("budget_explain_refusal")
    assert "Nothing refused it" not in told.text
    assert told.body["next"].endswith("for another reason: envelope_exhausted.")


def test_a_hold_is_settled_as_the_context_that_it_was_placed_for(opened: Opened) -> None:
    held = opened.call("AllocateBudget", **WHO, **M, amount=100).body["allocation_id"]
    told = opened.call("RecordUsage", **M, allocation_id=held, input_tokens=1, output_tokens=0)
    assert told.body["context_id"] == "c"
    told = opened.call("budget_settle", allocation_id=held, input_tokens=1, output_tokens=1)
    assert told.body["context_id"] == "c"


# --- Models --------------------------------------------------------------------------------------


def test_a_call_goes_to_what_fits_where_its_model_does_not(opened: Opened) -> None:
    opened.limit("0.005")
    told = opened.call("RouteWithBudgetAwareness", default_provider="acme", default_model="m",
                       input_tokens=1000, max_output_tokens=500, component="x")  # fmt: skip
    # m: 1,000 * 2 + 500 * 10 = 0.007 USD; cheap: 0.0007.
    assert (told.body["model"], told.body["is_downgraded"]) == ("cheap", True)
    assert (told.body["original_model"], told.body["estimated_cost"]) == ("m", "0.0007")
    assert told.body["warnings"] or told.body["reason"]


def test_where_nothing_fits_nothing_may_be_called(opened: Opened) -> None:
    opened.limit("0.0001")
    told = opened.call("RouteWithBudgetAwareness", default_provider="acme", default_model="m",
                       input_tokens=1000, max_output_tokens=500)  # fmt: skip
    assert (told.body["allowed"], told.body["model"]) == (False, None)
    assert told.body["refusal"]["code"] == "over_limit"
    assert told.text.startswith("No model may be called.")


def test_without_a_model_any_will_do_that_fits(opened: Opened) -> None:
    with pytest.raises(InvalidInput, match=r"^provider: is required"):  # acme is not well known
        opened.call("GetModelRecommendations", task_type="chat")
    told = opened.call("GetModelRecommendations", provider="acme", context_size=1000)
    assert [one["model"] for one in told.body["recommendations"]] == ["cheap", "m"]
    way = opened.call("RouteWithBudgetAwareness", default_provider="acme", input_text="")
    assert way.body["allowed"]


def test_a_cost_is_estimated_of_tokens_or_of_a_text(opened: Opened) -> None:
    told = opened.call("budget_estimate_cost", **M, input_tokens=1000, output_tokens=100).body
    assert (told["how"], told["input_cost"], told["output_cost"], told["total_cost"]) == (
        "stated", "0.002", "0.001", "0.003",
    )  # fmt: skip
    told = opened.call("budget_estimate_cost", **M, input_text="Hello there").body
    assert told["how"] in ("counted", "bound", "learnt")
    with pytest.raises(InvalidInput, match=r"^input_tokens: is required, or input_text"):
        opened.call("budget_estimate_cost", **M)
