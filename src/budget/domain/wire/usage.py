"""Usage as a whole in JSON: what it adds up to, and how policies stand."""

from budget.domain.answers_usage import Bucket, Figures, Group, Standing, UsageSummary
from budget.domain.money import format_usd
from budget.domain.shapes_usage import (
    BucketShape,
    FiguresShape,
    GroupShape,
    StandingShape,
    UsageSummaryShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.balances import balance
from budget.domain.wire.parts import amount, fraction, instant, window_of


def figures(answer: Figures) -> FiguresShape:
    """What records add up to."""
    return {
        "count": answer.records,
        "requests": answer.requests,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "cache_read_tokens": answer.cache_read_tokens,
        "cache_write_tokens": answer.cache_write_tokens,
        "reasoning_tokens": answer.reasoning_tokens,
        "cost": format_usd(answer.cost_nanos),
        "unpriced": answer.unpriced,
    }


def usage_summary(answer: UsageSummary) -> UsageSummaryShape:
    """What usage of a time adds up to."""
    total = figures(answer.total)
    return {
        "period": answer.period,
        "since": to_rfc3339(answer.window.start_us),
        "until": instant(answer.window.end_us),
        "timezone": answer.zone,
        "group_by": list(answer.group_by),
        "bucket": answer.bucket,
        "total": total,
        "total_input_tokens": total["input_tokens"],
        "total_output_tokens": total["output_tokens"],
        "total_tokens": total["total_tokens"],
        "total_cost": total["cost"],
        "count": total["count"],
        "groups": [_group(answer.group_by, one) for one in answer.groups]
        if answer.group_by
        else {
            key: {group.values[0]: figures(group.figures) for group in groups}
            for key, groups in answer.by.items()
        },
        "other": None if answer.other is None else figures(answer.other),
        "buckets": [_bucket(one) for one in answer.buckets],
    }


def _group(keys: tuple[str, ...], group: Group) -> GroupShape:
    return {
        "group": {key: value or None for key, value in zip(keys, group.values, strict=True)},
        **figures(group.figures),
        "buckets": [figures(one) for one in group.buckets],
    }


def _bucket(bucket: Bucket) -> BucketShape:
    return {
        "start": to_rfc3339(bucket.window.start_us),
        "end": instant(bucket.window.end_us),
        **figures(bucket.figures),
        "other": None if bucket.other is None else figures(bucket.other),
    }


def standing(answer: Standing) -> StandingShape:
    """How a policy stands."""
    policy = answer.policy
    unit = policy.unit
    fullest = None if answer.fullest is None else balance(answer.fullest)
    only = None if answer.partition_by else fullest
    return {
        "budget_id": policy.budget_id,
        "budget": answer.budget,
        "policy_id": policy.policy_id,
        "unit": unit,
        "period": policy.period.text,
        "timezone": answer.zone,
        "enforcement": policy.enforcement,
        "warning_threshold": fraction(policy.warning_bps),
        "action_threshold": fraction(policy.action_bps),
        "partition_by": list(answer.partition_by),
        "window": window_of(answer.window),
        "balances": answer.balances,
        "limit": amount(answer.limit, unit),
        "spent": amount(answer.spent, unit),
        "reserved": amount(answer.reserved, unit),
        "assumed": amount(answer.assumed, unit),
        "overrun": amount(answer.overrun, unit),
        "remaining": None if only is None else only["remaining"],
        "used_fraction": None if only is None else only["used_fraction"],
        "fullest": fullest,
        "active_allocations": answer.open_allocations,
        "total_tokens_used": answer.tokens,
        "total_cost": format_usd(answer.cost_nanos),
        "requests": answer.requests,
    }
