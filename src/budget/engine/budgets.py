"""Budgets: creating, changing and archiving them.

Each act checks what it can at once and returns a change for the ledger to run. Names may repeat:
the id tells two budgets apart. A field given as null is as if left out. Not here: their policies
one by one (`policies`), how budgets lie in the tables (`catalogue_rows`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from budget.domain.asks_budgets import BudgetAsk
from budget.domain.attributes import parse_per, parse_scope
from budget.domain.budgets import Budget, Policy, budget_to_json, policy_to_json
from budget.domain.errors import InvalidInput
from budget.domain.ladders import parse_ladder
from budget.domain.policy_terms import parse_unpriced
from budget.domain.rights import pinned
from budget.engine import catalogue_rows
from budget.engine.backfill import backfill
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import (
    differences,
    find_budget,
    live_budget,
    once,
    requested,
    with_policies,
)
from budget.engine.fields import (
    MAX_LINE_CHARS,
    metadata_json,
    only_fields,
    parse_flag,
    parse_line,
    parse_text,
)
from budget.engine.ids import new_id
from budget.engine.policies import beginning, parse_policies, successor

MAX_DESCRIPTION_CHARS: Final = 2000


_FIELDS: Final = frozenset(BudgetAsk.__annotations__)


def creating(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `create_budget`."""
    only_fields(ask, _FIELDS)
    if ask.get("name") is None:
        raise InvalidInput("name", "is required.")
    fields = _budget_fields(ask)
    fields["scope"] = pinned(fields.get("scope", ()), caller.bound)
    backfilled = parse_flag(ask, "backfill")
    budget_id = new_id("bud")
    policies = parse_policies(ask.get("policies"), budget_id, fields.get("per", ()))
    draft = Budget(**{"per": (), **fields}, budget_id=budget_id, created_us=0,
                   updated_us=0)  # fmt: skip
    request = requested("create_budget", ask, caller)

    def create(batch: Batch) -> tuple[Budget, str]:
        now_us = batch.now_us
        budget = replace(
            draft,
            created_us=now_us,
            updated_us=now_us,
            policies=tuple(beginning(policy, now_us) for policy in policies),
        )
        catalogue_rows.add_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        written = {policy.policy_id: policy_to_json(policy) for policy in budget.policies}
        detail = {**budget_to_json(budget), "policies": written}
        batch.enter("budget_created", request.actor, [], detail, budget_id=budget_id)
        if backfilled:
            backfill(batch, budget, budget.policies, request.actor)
        return budget, budget_id

    return once(request, create, find_budget)


def changing(budget_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `change_budget`: the fields given; another scope or `per` by successors.

    Then every policy in force is archived and succeeded by one of the same terms, at zero or, with
    `backfill`, at what the past has used. Top-ups are not taken over.
    """
    only_fields(ask, _FIELDS)
    if ask.get("policies") is not None:
        raise InvalidInput(
            "policies",
            "is not changed through the budget: change, add or archive each policy by itself "
            "(PUT, POST, DELETE of /api/v1/policies).",
        )
    fields = _budget_fields(ask)
    if "scope" in fields:
        fields["scope"] = pinned(fields["scope"], caller.bound)
    backfilled = parse_flag(ask, "backfill")
    request = requested("change_budget", ask, caller, budget_id)

    def change(batch: Batch) -> tuple[Budget, str]:
        old = live_budget(batch, budget_id, caller.bound)
        now_us = batch.now_us
        new: Budget = replace(old, **fields)
        if new == old:
            return old, budget_id
        succession: dict[str, str] = {}
        successors: list[Policy] = []
        if (new.scope, new.per) != (old.scope, old.per):
            ids = sorted(new_id("pol") for _ in old.live_policies)
            successors = [
                successor(policy, policy, policy_id, new.per, now_us)
                for policy, policy_id in zip(old.live_policies, ids, strict=True)
            ]
            succession = {p.succeeds: p.policy_id for p in successors if p.succeeds is not None}
        archived = [
            replace(p, archived_us=now_us) for p in old.policies if p.policy_id in succession
        ]
        new = with_policies(new, [*archived, *successors], now_us)
        catalogue_rows.change_budget(batch.unit, new)
        for policy in archived:
            catalogue_rows.change_policy(batch.unit, policy)
        catalogue_rows.add_policies(batch.unit, successors)
        batch.catalogue = batch.catalogue.with_budget(new)
        detail: dict[str, Any] = {"changes": differences(budget_to_json(old), budget_to_json(new))}
        if succession:
            detail |= {"successors": succession, "backfill": backfilled}
        batch.enter("budget_changed", request.actor, [], detail, budget_id=budget_id)
        if backfilled and successors:
            backfill(batch, new, successors, request.actor)
        return new, budget_id

    return once(request, change, find_budget)


def archiving(budget_id: str, caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `archive_budget`, with its policies. Of an archived one: that one as it is."""
    request = requested("archive_budget", {}, caller, budget_id)

    def archive(batch: Batch) -> tuple[Budget, str]:
        old = find_budget(batch, budget_id, caller.bound)
        now_us = batch.now_us
        if old.archived_us is not None:
            return replace(old, replayed=True), budget_id
        policies = [replace(policy, archived_us=now_us) for policy in old.live_policies]
        new = with_policies(replace(old, archived_us=now_us), policies, now_us)
        catalogue_rows.change_budget(batch.unit, new)
        for policy in policies:
            catalogue_rows.change_policy(batch.unit, policy)
        batch.catalogue = batch.catalogue.with_budget(new)
        detail = {"name": new.name, "policies": [policy.policy_id for policy in policies]}
        batch.enter("budget_archived", request.actor, [], detail, budget_id=budget_id)
        return new, budget_id

    return once(request, archive, find_budget)


def _budget_fields(ask: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given of a budget, checked, by their names in `Budget`."""
    fields: dict[str, Any] = {}
    given = {name: value for name, value in ask.items() if value is not None}
    if "name" in given:
        fields["name"] = parse_line(given["name"], "name")
        if not fields["name"].strip():
            raise InvalidInput("name", f"must have 1 to {MAX_LINE_CHARS} characters.")
    if "description" in given:
        fields["description"] = parse_text(
            given["description"], "description", MAX_DESCRIPTION_CHARS
        )
    if "owner" in given:
        fields["owner"] = parse_line(given["owner"], "owner")
    if "scope" in given:
        fields["scope"] = parse_scope(given["scope"])
    if "per" in given:
        fields["per"] = parse_per(given["per"])
    if "unpriced" in given:
        fields["unpriced"] = parse_unpriced(given["unpriced"])
    if "degrade" in given:
        fields["degrade"] = parse_ladder(given["degrade"])
    if "metadata" in given:
        fields["metadata"] = msgspec.json.decode(metadata_json(given["metadata"]))
    return fields
