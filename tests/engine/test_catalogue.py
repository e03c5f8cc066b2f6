"""The catalogue's index held against a plain scan of every budget, and how little it looks at."""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.attributes import parse_per, parse_scope, partition_of, scope_matches
from budget.domain.budgets import Budget, Unpriced
from budget.domain.policy_terms import parse_policy
from budget.domain.pricing import Rates, flat_rates
from budget.engine import catalogue as catalogue_module
from budget.engine.catalogue import Catalogue

Scope = Mapping[str, str | list[str]]


def a_budget(
    number: int,
    scope: Scope | None = None,
    per: list[str] | None = None,
    *,
    archived: bool = False,
    unpriced: Unpriced | None = None,
    policies: int = 1,
) -> Budget:
    budget_id = f"bud_{number:05d}"
    split = parse_per(per)
    return Budget(
        budget_id=budget_id,
        name=f"Budget {number}",
        scope=parse_scope(scope),
        per=split,
        created_us=0,
        updated_us=0,
        unpriced=unpriced,
        archived_us=1 if archived else None,
        policies=tuple(
            parse_policy(
                {"unit": "usd", "period": "per_session" if at else "daily", "limit": "1"},
                policy_id=f"pol_{number:05d}_{at}",
                budget_id=budget_id,
                per=split,
                now_us=0,
            )
            for at in range(policies)
        ),
    )


def by_scanning(budgets: list[Budget], attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a call meets, found the slow way."""
    return [
        (policy.policy_id, partition_of(policy.partition_by, attributes))
        for budget in sorted(budgets, key=lambda budget: budget.budget_id)
        if scope_matches(budget.scope, attributes)
        for policy in budget.live_policies
    ]


def by_index(catalogue: Catalogue, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    match = catalogue.match(dict(sorted(attributes.items())))
    assert list(match.pairs) == [(policy.policy_id, part) for policy, part in match.policies]
    return list(match.pairs)


# --- by hand -------------------------------------------------------------------------------------


def test_a_call_meets_every_policy_in_force_whose_scope_holds_it() -> None:
    catalogue = Catalogue(
        1,
        [
            a_budget(1),
            a_budget(2, {"org": "acme"}, ["user"], policies=2),
            a_budget(3, {"org": "acme", "model": ["gpt-*", "o3"]}),
            a_budget(4, {"org": "other"}),
            a_budget(5, {"org": "acme"}, archived=True),
        ],
    )
    assert by_index(catalogue, {"org": "acme", "model": "gpt-4o", "user": "u", "session": "s"}) == [
        ("pol_00001_0", "{}"),
        ("pol_00002_0", '{"user":"u"}'),
        ("pol_00002_1", '{"session":"s","user":"u"}'),
        ("pol_00003_0", "{}"),
    ]
    assert by_index(catalogue, {"model": "o3"}) == [("pol_00001_0", "{}")]


def test_without_a_match_there_is_no_rule_for_unpriced_models() -> None:
    match = Catalogue(1, [a_budget(1, {"org": "acme"})]).match({})
    assert (match.policies, match.budgets, match.unpriced) == ((), (), None)


def test_the_strictest_rule_for_unpriced_models_wins() -> None:
    cheap, dear = flat_rates(10**9, 8 * 10**9), flat_rates(2 * 10**9, 4 * 10**9)

    def rule(*unpriced: Unpriced) -> object:
        budgets = [a_budget(at, unpriced=one) for at, one in enumerate(unpriced)]
        return Catalogue(1, budgets).match({}).unpriced

    assert rule("allow", cheap, "refuse") == "refuse"
    assert rule("allow", "allow") == "allow"
    assert rule("allow", cheap) == cheap
    # 1 and 8 USD against 2 and 4 USD per million tokens: the dearer of each kind.
    assert rule(cheap, dear) == flat_rates(2 * 10**9, 8 * 10**9)
    assert isinstance(rule(dear, "allow"), Rates)


def test_a_hard_money_limit_refuses_unpriced_models_unless_its_budget_says_otherwise() -> None:
    assert Catalogue(1, [a_budget(1)]).match({}).unpriced == "refuse"
    assert Catalogue(1, [a_budget(1, unpriced="allow")]).match({}).unpriced == "allow"


def test_the_next_version_leaves_the_one_before_as_it_was() -> None:
    first = Catalogue(7, [a_budget(1, {"org": "acme"}), a_budget(2, {"org": "acme"})])
    second = first.with_budget(a_budget(1, {"org": "other"}))
    third = second.with_budget(a_budget(3, {"org": "acme"}))
    assert [c.version for c in (first, second, third)] == [7, 8, 9]
    call = {"org": "acme"}
    assert [p for p, _ in by_index(first, call)] == ["pol_00001_0", "pol_00002_0"]
    assert [p for p, _ in by_index(second, call)] == ["pol_00002_0"]
    assert [p for p, _ in by_index(third, call)] == ["pol_00002_0", "pol_00003_0"]
    assert first.budgets["bud_00001"].scope == parse_scope({"org": "acme"})


def test_archived_budgets_and_policies_can_still_be_looked_up() -> None:
    catalogue = Catalogue(1, [a_budget(1)]).with_budget(a_budget(1, archived=True))
    assert catalogue.policies["pol_00001_0"].policy_id == "pol_00001_0"
    assert catalogue.budgets["bud_00001"].archived_us == 1
    assert by_index(catalogue, {}) == []


def test_calls_that_differ_only_where_no_budget_looks_share_one_match() -> None:
    catalogue = Catalogue(1, [a_budget(1, {"org": "acme"}, ["user"])])
    call = {"org": "acme", "session": "s1", "user": "u"}
    assert catalogue.match(call) is catalogue.match({**call, "session": "s2"})
    assert catalogue.match(call) is not catalogue.match({**call, "user": "v"})
    # A policy for each session makes every session another match.
    split = catalogue.with_budget(a_budget(2, policies=2))
    assert by_index(split, call)[-1] == ("pol_00002_1", '{"session":"s1"}')
    assert by_index(split, {**call, "session": "s2"})[-1] == ("pol_00002_1", '{"session":"s2"}')


# --- against a scan ------------------------------------------------------------------------------

KEYS = st.sampled_from(["org", "user", "model", "session", "tag.env"])
WORDS = st.text("ab", min_size=1, max_size=4)
WRITTEN = WORDS | WORDS.map(lambda word: word + "*") | st.just("*")
SCOPES = st.dictionaries(
    KEYS, WRITTEN | st.lists(WRITTEN, min_size=1, max_size=4, unique=True), max_size=4
)
CALLS = st.dictionaries(KEYS, WORDS, max_size=5)


@st.composite
def budgets(draw: st.DrawFn, number: int) -> Budget:
    return a_budget(
        number,
        draw(SCOPES),
        draw(st.lists(KEYS, unique=True, max_size=2)),
        archived=draw(st.booleans()) and draw(st.booleans()),
        policies=draw(st.integers(0, 2)),
    )


@given(st.data(), st.integers(0, 12), st.lists(CALLS, min_size=1, max_size=6))
def test_the_index_finds_what_a_scan_finds(
    data: st.DataObject, count: int, calls: list[dict[str, str]]
) -> None:
    every = [data.draw(budgets(number)) for number in range(count)]
    catalogue = Catalogue(1, every)
    for call in calls:
        assert by_index(catalogue, call) == by_scanning(every, call)


@given(
    st.data(),
    st.lists(st.integers(0, 6), max_size=10),
    st.lists(CALLS, min_size=1, max_size=6),
)
def test_after_any_history_of_changes_it_still_does(
    data: st.DataObject, changed: list[int], calls: list[dict[str, str]]
) -> None:
    now = {number: data.draw(budgets(number)) for number in range(4)}
    catalogue = Catalogue(1, list(now.values()))
    for number in changed:
        now[number] = data.draw(budgets(number))
        catalogue = catalogue.with_budget(now[number])
        for call in calls:
            assert by_index(catalogue, call) == by_scanning(list(now.values()), call)
    assert catalogue.version == 1 + len(changed)


def test_a_history_of_changes_leaves_nothing_behind() -> None:
    catalogue = Catalogue(1, [])
    for number in range(50):
        scope: Scope = {"user": [f"u{number}", "x*"], "org": "acme"}
        catalogue = catalogue.with_budget(a_budget(number, scope))
    for number in range(50):
        catalogue = catalogue.with_budget(replace(catalogue.budgets[f"bud_{number:05d}"],
                                                  archived_us=1))  # fmt: skip
    assert not catalogue._filed
    assert not catalogue._crowd
    assert not catalogue._anywhere


# --- how little it looks at ----------------------------------------------------------------------


def company(users: int) -> list[Budget]:
    """One budget for the whole, one for each team of ten, one for each user and a few prefixes."""
    made = [{}, {"org": "acme"}, {"org": "acme", "model": "gpt-*"}, {"tier": "remote_heavyweight"}]
    made += [{"org": "acme", "team": f"t{at}"} for at in range(users // 10)]
    made += [{"org": "acme", "user": f"u{at}"} for at in range(users - len(made))]
    return [a_budget(at, scope) for at, scope in enumerate(made)]


CALL = {
    "model": "gpt-4o", "org": "acme", "session": "s", "team": "t0", "tier": "remote_heavyweight",
    "user": "u3",
}  # fmt: skip


@pytest.mark.parametrize("built", ["at once", "one by one"])
def test_ten_thousand_budgets_are_not_looked_at_one_by_one(
    built: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = company(10_000 if built == "at once" else 1_000)
    catalogue = Catalogue(1, every if built == "at once" else [])
    if built == "one by one":
        for budget in every:
            catalogue = catalogue.with_budget(budget)
    tested = 0

    def counted(*args: object) -> bool:
        nonlocal tested
        tested += 1
        return scope_matches(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue_module, "scope_matches", counted)
    assert len(catalogue.match(CALL).policies) == 6
    assert tested <= 8  # the six, and at most two that were filed before their crowd was known


def test_the_time_of_a_match_is_told_for_10_and_10_000_budgets() -> None:
    for count in (10, 10_000):
        every = company(count)
        began = time.perf_counter()
        catalogue = Catalogue(1, every)
        compiled = time.perf_counter()
        changed = catalogue.with_budget(a_budget(5, {"org": "acme", "user": "u3"}))
        copied = time.perf_counter()
        for at in range(500):
            catalogue.match({**CALL, "model": f"gpt-{at}"})
        matched = time.perf_counter()
        assert changed.version == 2
        sys.stdout.write(
            f"{count:6} budgets: compiled in {(compiled - began) * 1e3:.1f} ms, one changed in "
            f"{(copied - compiled) * 1e3:.2f} ms, an unseen call matched in "
            f"{(matched - copied) / 500 * 1e6:.1f} us\n"
        )
