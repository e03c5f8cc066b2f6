"""Answers look in JSON as the API promises: money as strings, counts as numbers, never as null."""

import json
import time
from collections.abc import Mapping
from typing import Any

from budget.domain import wire
from budget.domain.allocations import Held
from budget.domain.answers import (
    Allocation,
    BalanceView,
    Check,
    Correction,
    Event,
    Receipt,
    Refusal,
    RefusalLine,
    UsageRecord,
)
from budget.domain.answers_audit import Sealed, Verification, Violation
from budget.domain.attributes import parse_scope
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.policy_terms import POLICY_FIELDS, parse_policy
from budget.domain.pricing import flat_rates
from budget.domain.usage import Usage
from budget.domain.windows import MAX_US, Window

DAY_US = 86_400_000_000
# 2026-03-01T00:00:00Z is 20,513 days after 1970-01-01: 56 years of 365 days, 14 leap days, 59 days.
MARCH_US = (56 * 365 + 14 + 59) * DAY_US
NOON_US = MARCH_US + DAY_US // 2
USD = 10**9
THE_DAY = Window(MARCH_US, MARCH_US + DAY_US)


def policy(**given: Any) -> Policy:
    asked: Mapping[str, Any] = {"unit": "usd", "period": "daily", "limit": "10", **given}
    return parse_policy(asked, policy_id="pol_1", budget_id="bud_1", per=("user",), now_us=MARCH_US)


def view(
    of: Policy | None = None,
    *,
    limit: int = 10 * USD,
    spent: int = 0,
    reserved: int = 0,
    assumed: int = 0,
    window: Window = THE_DAY,
    partition: str = '{"user":"ann"}',
) -> BalanceView:
    return BalanceView(
        (of or policy()).terms, "Acme", partition, window, limit, spent, reserved, assumed, 0
    )


def allocation(*legs: BalanceView, **given: Any) -> Allocation:
    placed = Allocation(
        allocation_id="alloc_1",
        status="open",
        reserved=Held(6_000_000, 1_500, 1),
        remaining=Held(1_000_000, 100, 0),
        granted_output_tokens=300,
        placed_us=NOON_US,
        expires_us=NOON_US + 900_000_001,
        basis="genai-prices/1",
        legs=legs,
        attributes={"user": "ann"},
        provider="openai",
        model="gpt-4o",
        priority=5,
        envelope=False,
        parent_id=None,
        metadata="{}",
    )
    return placed._replace(**given)


# --- Allocations ---------------------------------------------------------------------------------


def test_an_allocation_shows_its_hold_and_the_balances_it_holds_on() -> None:
    told = wire.allocation(allocation(view(spent=2 * USD, reserved=6_000_000)))
    assert told == {
        "allocation_id": "alloc_1",
        "status": "open",
        "reserved": {"usd": "0.006", "tokens": 1_500, "requests": 1},
        "remaining": {"usd": "0.001", "tokens": 100, "requests": 0},
        "granted_output_tokens": 300,
        "placed_at": "2026-03-01T12:00:00Z",
        "expires_at": "2026-03-01T12:15:00.000001Z",
        "basis": "genai-prices/1",
        "legs": [
            {
                "budget_id": "bud_1",
                "budget": "Acme",
                "policy_id": "pol_1",
                "partition": {"user": "ann"},
                "unit": "usd",
                "period": "daily",
                "enforcement": "hard_limit",
                "warning_threshold": "0.8",
                "action_threshold": "0.95",
                "window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"},
                "limit": "10.00",
                "spent": "2.00",
                "reserved": "0.006",
                "assumed": "0.00",
                "overrun": "0.00",
                "remaining": "7.994",
            }
        ],
        "warnings": [],
        "attributes": {"user": "ann"},
        "provider": "openai",
        "model": "gpt-4o",
        "priority": 5,
        "envelope": False,
        "parent_id": None,
        "metadata": {},
        "replayed": False,
    }


def test_what_was_not_stated_is_null_and_metadata_is_an_object() -> None:
    told = wire.allocation(
        allocation(
            reserved=Held(None, 5, None),
            granted_output_tokens=None,
            basis=None,
            metadata='{"trace":{"id":[1,2.5]}}',
        )
    )
    assert told["reserved"] == {"usd": None, "tokens": 5, "requests": None}
    assert told["granted_output_tokens"] is None
    assert told["basis"] is None
    assert told["metadata"] == {"trace": {"id": [1, 2.5]}}


def test_counts_are_numbers_and_a_window_without_an_end_ends_in_null() -> None:
    tokens = policy(unit="tokens", period="total", limit=100)
    leg = wire.leg(
        view(tokens, limit=100, spent=90, reserved=20, window=Window(0, MAX_US), partition="{}")
    )
    assert (leg["limit"], leg["spent"], leg["reserved"], leg["remaining"]) == (100, 90, 20, 0)
    assert leg["window"] == {"start": "1970-01-01T00:00:00Z", "end": None}
    assert leg["partition"] == {}


def test_a_partition_of_calls_without_the_attribute_is_null_there() -> None:
    assert wire.leg(view(partition='{"user":null}'))["partition"] == {"user": None}


def test_answers_share_nothing_that_a_caller_could_change() -> None:
    first, second = wire.leg(view()), wire.leg(view())
    first["partition"]["user"] = "bob"
    first["window"]["end"] = None
    assert second["partition"] == {"user": "ann"}
    assert second["window"]["end"] == "2026-03-02T00:00:00Z"


def test_the_answer_in_full_has_records_and_children() -> None:
    child = allocation(allocation_id="alloc_2", parent_id="alloc_1")
    told = wire.allocation_in_full(allocation(children=(child,), records=(usage_record(),)))
    assert [one["allocation_id"] for one in told["children"]] == ["alloc_2"]
    assert [one["usage_id"] for one in told["records"]] == ["use_1"]


def test_an_allocation_on_six_balances_is_told_in_little_time() -> None:
    legs = [view(spent=n * USD + 123_456, reserved=n * 7_001) for n in range(6)]
    answer = allocation(*legs)
    began = time.perf_counter()
    for _ in range(1_000):
        wire.allocation(answer)
    # 25 microseconds on a quiet machine; this one may have much else to do.
    assert (time.perf_counter() - began) / 1_000 < 0.000_25


# --- Warnings ------------------------------------------------------------------------------------


def codes(of: Policy, spent: int, assumed: int = 0, limit: int = 10 * USD) -> list[str]:
    return [
        warning["code"]
        for warning in wire.warnings([view(of, spent=spent, assumed=assumed, limit=limit)])
    ]


def test_a_warning_begins_at_the_threshold_and_holds_do_not_count() -> None:
    hard = policy()  # warns at 8.00, acts at 9.50
    assert codes(hard, 8 * USD - 1) == []
    assert codes(hard, 8 * USD) == ["warning"]
    assert codes(hard, 7 * USD, assumed=USD) == ["warning"]
    assert codes(hard, 9_500_000_000 - 1) == ["warning"]
    assert codes(hard, 9_500_000_000) == ["action"]
    assert codes(hard, 10 * USD) == ["limit"]
    assert wire.warnings([view(hard, reserved=10 * USD)]) == []


def test_a_soft_limit_recommends_something_cheaper_from_its_action_threshold_on() -> None:
    soft = policy(enforcement="soft_limit")
    assert codes(soft, 9_500_000_000 - 1) == ["warning"]
    assert codes(soft, 9_500_000_000) == ["recommend_cheaper"]
    assert codes(soft, 10 * USD) == ["limit", "recommend_cheaper"]


def test_a_policy_that_only_tracks_does_not_warn_and_an_unused_one_neither() -> None:
    assert codes(policy(enforcement="ignore"), 20 * USD) == []
    assert codes(policy(limit="0", enforcement="warn"), 0, limit=0) == []


def test_a_warning_names_the_budget_and_its_figures() -> None:
    (warning,) = wire.warnings([view(spent=9 * USD)])
    assert warning == {
        "code": "warning",
        "budget": "Acme",
        "policy_id": "pol_1",
        "detail": "Budget 'Acme' has spent 9.00 USD of its daily 10.00 USD.",
    }


# --- Balances ------------------------------------------------------------------------------------


def test_a_balance_tells_how_much_is_used_and_when_it_starts_afresh() -> None:
    told = wire.balance(view(spent=5 * USD, assumed=USD, reserved=2 * USD)._replace(overrun=7))
    assert told["used_fraction"] == "0.6"  # (5 + 1) / 10; holds are not used
    assert told["remaining"] == "2.00"
    assert told["resets_at"] == "2026-03-02T00:00:00Z"
    assert told["enforcement"] == "hard_limit"
    assert told["overrun"] == "0.000000007"


def test_the_used_fraction_is_cut_so_that_it_never_shows_a_threshold_too_early() -> None:
    assert wire.balance(view(spent=8 * USD - 1))["used_fraction"] == "0.7999"
    assert wire.balance(view(spent=12_500_000_000))["used_fraction"] == "1.25"
    assert wire.balance(view(spent=0))["used_fraction"] == "0"
    assert wire.balance(view(limit=0, spent=1))["used_fraction"] is None


def test_a_total_never_resets_and_a_rolling_one_is_clear_a_period_after_its_bucket() -> None:
    total = view(policy(period="total"), window=Window(0, MAX_US))
    assert wire.balance(total)["resets_at"] is None
    # Buckets of 60 s; the current one began at noon and counts for 60 more after its own.
    rolling = policy(period="rolling:1h")
    span = Window(NOON_US - 60 * 60_000_000, NOON_US + 60_000_000)
    assert wire.balance(view(rolling, window=span))["resets_at"] == "2026-03-01T13:01:00Z"


# --- Checks and refusals -------------------------------------------------------------------------


def refusal_line(of: Policy, resets_us: int | None) -> RefusalLine:
    return RefusalLine(view(of, spent=9 * USD, reserved=USD // 2), USD, USD // 2, resets_us)


def test_a_check_that_allows_shows_what_would_be_held() -> None:
    told = wire.check(Check(Held(USD, 10, 1), 16, "b", (view(),)))
    assert told["allowed"] is True
    assert told["reserved"] == {"usd": "1.00", "tokens": 10, "requests": 1}
    assert set(told) == {
        "allowed", "reserved", "granted_output_tokens", "basis", "legs", "warnings",
    }  # fmt: skip


def test_a_refusal_has_every_field_and_carries_the_line_that_resets_last() -> None:
    late, soon = refusal_line(policy(), MARCH_US + DAY_US), refusal_line(policy(), NOON_US + 1)
    told = wire.refusal(
        Refusal("over_limit", "No.", NOON_US, (late, soon), provider="openai", model="gpt-4o",
                cheaper=("gpt-4o-mini",))
    )  # fmt: skip
    line = {
        "budget": "Acme",
        "budget_id": "bud_1",
        "policy": "daily usd hard_limit",
        "policy_id": "pol_1",
        "partition": {"user": "ann"},
        "unit": "usd",
        "period": "daily",
        "enforcement": "hard_limit",
        "warning_threshold": "0.8",
        "action_threshold": "0.95",
        "window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"},
        "limit": "10.00",
        "spent": "9.00",
        "reserved": "0.50",
        "assumed": "0.00",
        "overrun": "0.00",
        "remaining": "0.50",
        "requested": "1.00",
        "shortfall": "0.50",
        "resets_at": "2026-03-02T00:00:00Z",
        "retry_after_seconds": 43_200,
        "soon": False,
    }
    assert told == {
        **line,
        "code": "over_limit",
        "detail": "No.",
        "at": "2026-03-01T12:00:00Z",
        "provider": "openai",
        "model": "gpt-4o",
        "parent_id": None,
        "cheaper": ["gpt-4o-mini"],
        "advice": "",
        "how_to_raise": "Top it up by at least 0.50 USD: POST /api/v1/policies/pol_1/top-ups; or "
        "ask for that: POST /api/v1/budgets/bud_1/requests; or "
        "raise its limit: PATCH /api/v1/policies/pol_1. 1 more refuse; see refused_by.",
        "refused_by": [
            line,
            {**line, "resets_at": "2026-03-01T12:00:00.000001Z", "retry_after_seconds": 1},
        ],
    }


def test_what_no_reset_cures_has_no_time_to_try_again() -> None:
    told = wire.refusal(Refusal("over_limit", "No.", NOON_US, (refusal_line(policy(), None),)))
    assert told["resets_at"] is None
    assert told["retry_after_seconds"] is None
    assert wire.retry_after_seconds(MAX_US, NOON_US) is None


def test_an_empty_envelope_is_named_with_what_it_lacks() -> None:
    told = wire.refusal(
        Refusal("envelope_exhausted", "Empty.", NOON_US, parent_id="alloc_9", unit="usd",
                limit=2 * USD, requested=USD, shortfall=USD // 4)
    )  # fmt: skip
    assert told["parent_id"] == "alloc_9"
    assert (told["unit"], told["limit"]) == ("usd", "2.00")
    assert (told["requested"], told["shortfall"]) == ("1.00", "0.25")
    assert (told["policy"], told["resets_at"], told["refused_by"]) == (None, None, [])
    assert told["how_to_raise"] == (
        "Extend the envelope by at least 0.25 USD: POST /api/v1/allocations/alloc_9/extend."
    )


def test_an_unpriced_model_is_refused_with_the_way_to_allow_it() -> None:
    told = wire.refusal(Refusal("model_unpriced", "No price.", NOON_US, model="llm-9"))
    assert told["model"] == "llm-9"
    assert '"unpriced"' in told["how_to_raise"]


def test_a_check_that_refuses_says_so_beside_the_refusal() -> None:
    refusal = Refusal("over_limit", "No.", NOON_US, (refusal_line(policy(), None),))
    assert wire.check(refusal) == {"allowed": False, **wire.refusal(refusal)}


# --- Usage ---------------------------------------------------------------------------------------


def usage_record(**given: Any) -> UsageRecord:
    record = UsageRecord(
        usage_id="use_1",
        allocation_id="alloc_1",
        actor="key_1",
        recorded_us=NOON_US,
        occurred_us=MARCH_US,
        attributes={"user": "ann"},
        provider=None,
        model="gpt-4o",
        usage=Usage(1_000, 200, 300, 20, 10, 50, 1),
        cost_nanos=1_234,
        reported_cost_nanos=None,
        basis="b",
        flags=("late", "overrun"),
        final=True,
        reverses=None,
        replaces=None,
        reason=None,
        metadata="{}",
    )
    return record._replace(**given)


def test_a_usage_record_shows_every_count_by_name() -> None:
    told = wire.usage_record(usage_record())
    assert dict(told) == {
        "usage_id": "use_1",
        "allocation_id": "alloc_1",
        "actor": "key_1",
        "recorded_at": "2026-03-01T12:00:00Z",
        "occurred_at": "2026-03-01T00:00:00Z",
        "attributes": {"user": "ann"},
        "provider": None,
        "model": "gpt-4o",
        "input_tokens": 1_000,
        "output_tokens": 200,
        "cache_read_tokens": 300,
        "cache_write_tokens": 20,
        "cache_write_1h_tokens": 10,
        "reasoning_tokens": 50,
        "units": {},
        "price_context": None,
        "requests": 1,
        "cost": "0.000001234",
        "reported_cost": None,
        "basis": "b",
        "flags": ["late", "overrun"],
        "final": True,
        "reverses": None,
        "replaces": None,
        "reason": None,
        "metadata": {},
    }


def test_a_reversal_shows_its_negated_cost() -> None:
    told = wire.usage_record(usage_record(cost_nanos=-1_500_000_000, reverses="use_0"))
    assert (told["cost"], told["reverses"]) == ("-1.50", "use_0")


def test_a_receipt_tells_the_cost_and_what_is_left_of_the_allocation() -> None:
    told = wire.receipt(
        Receipt("use_1", 5_000_000, "b", (), (view(),), "alloc_1", "open", NOON_US, Held(1, 2, 3))
    )
    assert told["cost"] == "0.005"
    assert told["allocation"] == {
        "allocation_id": "alloc_1",
        "status": "open",
        "expires_at": "2026-03-01T12:00:00Z",
        "remaining": {"usd": "0.000000001", "tokens": 2, "requests": 3},
    }
    assert told["balances"] == [wire.balance(view())]


def test_unreserved_usage_has_no_allocation_and_an_unpriced_one_no_cost() -> None:
    told = wire.receipt(Receipt("use_1", None, None, ("unreserved", "unpriced"), ()))
    assert dict(told) == {
        "usage_id": "use_1",
        "cost": None,
        "basis": None,
        "flags": ["unreserved", "unpriced"],
        "replayed": False,
        "allocation": None,
        "balances": [],
    }


def test_a_correction_names_the_reversal_and_its_replacement() -> None:
    assert wire.correction(Correction("use_2", "use_3", 10_000_000, (), replayed=True)) == {
        "reversal_id": "use_2",
        "replacement_id": "use_3",
        "cost": "0.01",
        "replayed": True,
        "balances": [],
    }


# --- Budgets -------------------------------------------------------------------------------------


def test_a_policy_is_told_in_the_words_in_which_it_may_be_written() -> None:
    monthly = policy(
        period="monthly", reset_day="last", timezone="Europe/Berlin", warning_threshold="0.5",
        rollover="unused", reserved_for_priority={"8": "10%", "10": "2.5%"},
    )  # fmt: skip
    told = dict(wire.policy(monthly))
    assert told == {
        "policy_id": "pol_1",
        "budget_id": "bud_1",
        "unit": "usd",
        "period": "monthly",
        "limit": "10.00",
        "enforcement": "hard_limit",
        "warning_threshold": "0.5",
        "action_threshold": "0.95",
        "timezone": "Europe/Berlin",
        "reset_day": "last",
        "on_expiry": "assume",
        "rollover": "unused",
        "reserved_for_priority": {"8": "10%", "10": "2.5%"},
        "partition_by": ["user"],
        "top_ups": [],
        "succeeds": None,
        "created_at": "2026-03-01T00:00:00Z",
        "archived_at": None,
    }
    written = {name: value for name, value in told.items() if name in POLICY_FIELDS}
    assert policy(**written) == monthly


def test_only_a_monthly_policy_shows_a_reset_day() -> None:
    assert wire.policy(policy())["reset_day"] is None


def test_a_top_up_is_in_the_unit_of_its_policy_and_may_never_end() -> None:
    raised = TopUp("top_1", "pol_1", None, 5 * USD, MARCH_US, MAX_US, "key_1", "launch")
    assert wire.top_up(raised, "usd") == {
        "top_up_id": "top_1",
        "policy_id": "pol_1",
        "partition": None,
        "amount": "5.00",
        "at": "2026-03-01T00:00:00Z",
        "until": None,
        "actor": "key_1",
        "reason": "launch",
    }
    one = TopUp("top_2", "pol_1", '{"user":"ann"}', 5, MARCH_US, NOON_US, "key_1", "more")
    told = wire.top_up(one, "tokens")
    assert (told["amount"], told["partition"]) == (5, {"user": "ann"})
    assert told["until"] == "2026-03-01T12:00:00Z"


def test_a_budget_shows_its_scope_and_the_prices_it_gives_unpriced_models() -> None:
    budget = Budget(
        "bud_1", "Acme", parse_scope({"org": ["a", "b"], "model": "gpt-*"}), ("user",),
        MARCH_US, NOON_US, owner="ann", policies=(policy(),), metadata={"cost_centre": 7},
        unpriced=flat_rates(2_500_000_000, 10_000_000_000),
    )  # fmt: skip
    assert wire.budget(budget) == {
        "budget_id": "bud_1",
        "name": "Acme",
        "description": "",
        "owner": "ann",
        "scope": {"model": "gpt-*", "org": ["a", "b"]},
        "per": ["user"],
        "unpriced": {"input": "2.50", "output": "10.00"},
        "degrade": [],
        "policies": [wire.policy(policy())],
        "metadata": {"cost_centre": 7},
        "created_at": "2026-03-01T00:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
        "archived_at": None,
    }


# --- Verifying -----------------------------------------------------------------------------------


def found(*violations: Violation, count: int = 0) -> Verification:
    return Verification(4, 3, 2, 1, Sealed(2, 3, "5f"), violations, count)


def test_a_verification_is_clean_when_it_counts_no_violation() -> None:
    assert wire.verification(found()) == {
        "clean": True,
        "count": 0,
        "entries": 4,
        "usage_records": 3,
        "allocations": 2,
        "balances": 1,
        "sealed": {"blocks": 2, "entries": 3, "head": "2:5f"},
        "violations": [],
    }
    told = wire.verification(found(Violation("I6", "head 1", "is off by 2"), count=1_001))
    assert told["clean"] is False
    assert told["violations"] == [
        {"invariant": "I6", "subject": "head 1", "detail": "is off by 2"},
    ]


# --- Events and pages ----------------------------------------------------------------------------


def event(legs: str = "[]", detail: str = "{}") -> Event:
    return Event(7, NOON_US, "settled", "key_1", "alloc_1", "use_1", None, None, legs, detail)


def test_an_event_shows_its_postings_in_the_smallest_part_of_their_unit() -> None:
    told = wire.event(event(f"[[3,{MARCH_US},5,-6,0,0,2,null]]"), "ent_7")
    assert told["cursor"] == "ent_7"
    assert told["legs"] == [
        {
            "balance": 3,
            "version": 2,
            "window_start": "2026-03-01T00:00:00Z",
            "spent": 5,
            "reserved": -6,
            "assumed": 0,
            "overrun": 0,
            "limit": None,
        }
    ]


def test_the_figures_of_a_refusal_event_are_amounts_of_their_unit() -> None:
    usd = wire.event(event(detail='{"unit":"usd","limit":1500000000,"count":3}'), "ent_7")
    assert usd["detail"] == {"unit": "usd", "limit": "1.50", "count": 3}
    tokens = wire.event(event(detail='{"unit":"tokens","limit":15,"count":3}'), "ent_7")
    assert tokens["detail"] == {"unit": "tokens", "limit": 15, "count": 3}


def test_a_page_has_its_items_in_shape_and_where_to_go_on() -> None:
    assert wire.page([1, 2], "next", str) == {"items": ["1", "2"], "next_cursor": "next"}
    assert wire.page([], None, str) == {"items": [], "next_cursor": None}


def test_every_answer_is_plain_json() -> None:
    json.dumps(wire.allocation_in_full(allocation(view(), records=(usage_record(),))))
    json.dumps(wire.event(event(), "ent_7"))
