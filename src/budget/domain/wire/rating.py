"""History priced again in JSON: re-ratings, what-ifs and coverage."""

from typing import Final

from budget.domain.answers_rating import (
    UNPRICED,
    Coverage,
    DayTotal,
    Exchange,
    Rerated,
    Rerating,
    Seen,
    SeenModel,
    WhatIf,
)
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes_rating import (
    CoverageShape,
    DayTotalShape,
    ExchangeShape,
    ReratedShape,
    ReratingShape,
    SeenModelShape,
    SeenShape,
    WhatIfShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import money

SAME_TOKENS: Final = (
    "Token counts are taken over as they were booked; another model's tokenizer would count "
    "otherwise."
)


def rerating(answer: Rerating) -> ReratingShape:
    """What usage costs under a book, and what was booked of it."""
    return {
        "basis": answer.basis,
        "since": to_rfc3339(answer.since_us),
        "until": to_rfc3339(answer.until_us),
        "examined": answer.examined,
        "unchanged": answer.unchanged,
        "changed": answer.changed,
        "unpriced": answer.unpriced,
        "old_cost": format_usd(answer.old_nanos),
        "new_cost": format_usd(answer.new_nanos),
        "difference": format_usd(answer.new_nanos - answer.old_nanos),
        "models": [
            {
                "provider": one.provider,
                "model": one.model,
                "records": one.records,
                "changed": one.changed,
                "unpriced": one.unpriced,
                "old_cost": format_usd(one.old_nanos),
                "new_cost": format_usd(one.new_nanos),
                "difference": format_usd(one.new_nanos - one.old_nanos),
            }
            for one in answer.models
        ],
        "bases": [
            {
                "old_basis": one.old_basis,
                "new_basis": one.new_basis,
                "records": one.records,
                "changed": one.changed,
                "old_cost": format_usd(one.old_nanos),
                "new_cost": format_usd(one.new_nanos),
                "difference": format_usd(one.new_nanos - one.old_nanos),
            }
            for one in answer.bases
        ],
        "largest": [_rerated(one) for one in answer.largest],
        "applied": answer.applied,
        "booked": answer.booked,
        "corrected_meanwhile": answer.corrected_meanwhile,
        "failed": answer.failed,
        "failures": [{"usage_id": name, "detail": why} for name, why in answer.failures],
    }


def _rerated(one: Rerated) -> ReratedShape:
    return {
        "usage_id": one.usage_id,
        "occurred_at": to_rfc3339(one.occurred_us),
        "provider": one.provider,
        "model": one.model,
        "old_cost": money(one.old_nanos),
        "new_cost": format_usd(one.new_nanos),
        "difference": format_usd(one.difference_nanos),
        "old_basis": one.old_basis,
        "new_basis": one.new_basis,
    }


def what_if(answer: WhatIf) -> WhatIfShape:
    """What history would cost with models exchanged; `notes` say what the figures leave out."""
    return {
        "basis": answer.basis,
        "since": to_rfc3339(answer.since_us),
        "until": to_rfc3339(answer.until_us),
        "at_now": answer.at_now,
        "records": answer.records,
        "unpriced": answer.unpriced,
        "old_cost": format_usd(answer.old_nanos),
        "new_cost": format_usd(answer.new_nanos),
        "difference": format_usd(answer.new_nanos - answer.old_nanos),
        "percent": percent(answer.old_nanos, answer.new_nanos),
        "others": answer.others,
        "others_cost": format_usd(answer.others_nanos),
        "exchanges": [_exchange(one) for one in answer.exchanges],
        "days": [_day(one) for one in answer.days],
        "notes": [SAME_TOKENS, *(note for one in answer.exchanges for note in _notes(one))],
    }


def _exchange(one: Exchange) -> ExchangeShape:
    return {
        "model": one.model,
        "instead": one.instead,
        "provider": one.provider,
        "priced_model": one.priced_model,
        "records": one.records,
        "unpriced": one.unpriced,
        "old_cost": format_usd(one.old_nanos),
        "new_cost": format_usd(one.new_nanos),
        "difference": format_usd(one.new_nanos - one.old_nanos),
        "percent": percent(one.old_nanos, one.new_nanos),
        "context_window": one.context_window,
        "over_context_window": one.over_context_window,
        "max_output_tokens": one.max_output_tokens,
        "over_max_output": one.over_max_output,
        "retired": one.retired,
        "unpriced_units": list(one.unpriced_units),
    }


def _notes(one: Exchange) -> list[str]:
    """What does not fit, or is in no figure, in words."""
    name = repr(one.instead)
    said = []
    if not one.records:
        said.append(f"No usage of {one.model!r} was found in this time.")
    if one.over_context_window:
        said.append(
            f"{one.over_context_window} of {one.records} records are longer than the "
            f"{one.context_window} tokens that {name} takes."
        )
    if one.over_max_output:
        said.append(
            f"{one.over_max_output} of {one.records} records have more output than the "
            f"{one.max_output_tokens} tokens that {name} gives."
        )
    if one.retired:
        said.append(f"{one.retired} of {one.records} records are of a time when {name} had ended.")
    if one.unpriced:
        said.append(
            f"{one.unpriced} of {one.records} records of {one.model!r} have no price on one of "
            "the two; they are in no total."
        )
    if one.unpriced_units:
        kinds = ", ".join(one.unpriced_units)
        said.append(f"{name} has no price for {kinds}: that is in no figure of it.")
    if one.records and one.context_window is None:
        said.append(f"How much fits into a call of {name} is not known.")
    return said


def _day(one: DayTotal) -> DayTotalShape:
    return {
        "day": to_rfc3339(one.day_us)[:10],
        "records": one.records,
        "old_cost": format_usd(one.old_nanos),
        "new_cost": format_usd(one.new_nanos),
        "difference": format_usd(one.new_nanos - one.old_nanos),
    }


def percent(old: int, new: int) -> str | None:
    """A change in percent with one decimal, rounded half away from zero; null from zero."""
    if not old:
        return None
    tenths = (abs(new - old) * 2000 // abs(old) + 1) // 2
    sign = "-" if new < old and tenths else ""
    return f"{sign}{tenths // 10}.{tenths % 10}"


def coverage(answer: Coverage) -> CoverageShape:
    """How much of what was seen has a price, and how sure that is."""
    total, by_status = answer.total, answer.by_status
    unpriced = by_status[UNPRICED]
    priced = Seen(*(whole - part for whole, part in zip(total, unpriced, strict=True)))
    return {
        "since": to_rfc3339(answer.since_us),
        "until": to_rfc3339(answer.until_us),
        "basis": answer.basis,
        "total": _seen(total, total),
        "priced": _seen(priced, total),
        "unpriced": _seen(unpriced, total),
        "verified": _seen(by_status["verified"], total),
        "unverified": _seen(by_status["unverified"], total),
        "conflict": _seen(by_status["conflict"], total),
        "own": _seen(by_status["own"], total),
        "without_cost": answer.without_cost,
        "uncovered": [_seen_model(one) for one in answer.uncovered],
    }


def _seen(part: Seen, whole: Seen) -> SeenShape:
    models, calls, tokens, cost = (
        format_fraction(own * BPS // of) if of > 0 else "0"
        for own, of in zip(part, whole, strict=True)
    )
    return {
        "models": part.models,
        "calls": part.calls,
        "tokens": part.tokens,
        "cost": format_usd(part.cost_nanos),
        "models_share": models,
        "calls_share": calls,
        "tokens_share": tokens,
        "cost_share": cost,
    }


def _seen_model(one: SeenModel) -> SeenModelShape:
    return {
        "provider": one.provider,
        "model": one.model,
        "status": one.status,
        "calls": one.calls,
        "tokens": one.tokens,
        "cost": format_usd(one.cost_nanos),
        "without_cost": one.without_cost,
        "last_seen": to_rfc3339(one.last_us),
    }
