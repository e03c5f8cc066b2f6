"""Plans of tasks in JSON."""

from collections.abc import Iterable

from budget.domain.answers_plans import (
    Lack,
    OneMore,
    Plan,
    PlannedLimit,
    PlannedTask,
    PlannedValue,
)
from budget.domain.money import format_usd
from budget.domain.shapes_plans import (
    LackShape,
    OneMoreShape,
    PlannedLimitShape,
    PlannedTaskShape,
    PlannedValueShape,
    PlanShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, fraction, partition_of


def plan(answer: Plan) -> PlanShape:
    """The plan that is worth most."""
    return {
        "at": to_rfc3339(answer.at_us),
        "is_best": answer.is_best,
        "hold": format_usd(answer.hold_nanos),
        "values": _values(answer.values),
        "tasks": [_task(one) for one in answer.tasks],
        "limits": [_limit(one) for one in answer.limits],
        "one_more_usd": None if answer.one_more is None else _one_more(answer.one_more),
    }


def _values(values: Iterable[PlannedValue]) -> list[PlannedValueShape]:
    return [
        {"priority": one.priority, "value": one.value, "at_most": one.at_most} for one in values
    ]


def _task(one: PlannedTask) -> PlannedTaskShape:
    return {
        "id": one.task_id,
        "priority": one.priority,
        "done": one.model is not None,
        "value": one.value,
        "most_value": one.most_value,
        "provider": one.provider,
        "model": one.model,
        "tier": one.tier,
        "calls": one.calls,
        "input_tokens": one.input_tokens,
        "max_output_tokens": one.max_output_tokens,
        "hold": format_usd(one.hold_nanos),
        "tokens": one.tokens,
        "why": one.why,
        "lacks": [_lack(lack) for lack in one.lacks],
        "candidates": one.candidates,
        "excluded": [{"model": name, "why": why} for name, why in one.excluded.items()],
    }


def _lack(one: Lack) -> LackShape:
    policy = one.policy
    if policy is None:
        return {
            "budget_id": None, "budget": None, "policy_id": None, "unit": None, "period": None,
            "enforcement": None, "warning_threshold": None, "action_threshold": None,
            "amount": None,
        }  # fmt: skip
    return {
        "budget_id": policy.budget_id,
        "budget": one.budget,
        "policy_id": policy.policy_id,
        "unit": policy.unit,
        "period": policy.period.text,
        "enforcement": policy.enforcement,
        "warning_threshold": fraction(policy.warning_bps),
        "action_threshold": fraction(policy.action_bps),
        "amount": amount(one.amount or 0, policy.unit),
    }


def _limit(one: PlannedLimit) -> PlannedLimitShape:
    policy = one.policy
    return {
        "budget_id": policy.budget_id,
        "budget": one.budget,
        "policy_id": policy.policy_id,
        "partition": partition_of(one.partition),
        "unit": policy.unit,
        "period": policy.period.text,
        "enforcement": policy.enforcement,
        "warning_threshold": fraction(policy.warning_bps),
        "action_threshold": fraction(policy.action_bps),
        "limit": amount(one.limit, policy.unit),
        "free": amount(one.free, policy.unit),
        "takes": amount(one.takes, policy.unit),
    }


def _one_more(one: OneMore) -> OneMoreShape:
    return {
        "values": _values(one.values),
        "tasks": [
            {"id": task.task_id, "model_before": task.model_before, "model": task.model}
            for task in one.tasks
        ],
    }
