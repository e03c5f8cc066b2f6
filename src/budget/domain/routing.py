"""Routing: which model a call should go to, of those that were tried against its limits.

Pure: what each model would hold, and whether every limit has room for it, is found before. The
model that was asked for goes first, and only a limit takes another in its place; where none may be
called, none is named. Not here: what may stand in for a model, and in which order
(`engine.routing`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from budget.domain.answers import BalanceView, Check, Refusal
from budget.domain.answers_routing import Considered, Reason, Routing, Step
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction

SOFT_SHARE: Final = 2
"""Past a soft limit, a model stands in only for at most this part of the hold."""
MOST_TOLD_AFTER: Final = 3
"""So many are told that would have come after the one that is taken."""


class Tried(NamedTuple):
    """A model, what the call would hold with it, and what its limits say."""

    provider: str | None
    model: str
    tier: str | None
    step: Step
    hold_nanos: int | None
    answer: Check | Refusal

    @property
    def fits(self) -> bool:
        """Whether every hard limit has room."""
        return isinstance(self.answer, Check)


class Size(NamedTuple):
    """How large the call is with the model that was asked for, and when that was asked."""

    input_tokens: int
    max_output_tokens: int
    at_us: int


def pressing(tried: Tried) -> tuple[BalanceView, ...]:
    """The soft limits that are past their action threshold, holds counted."""
    if isinstance(tried.answer, Refusal):
        return ()
    return tuple(leg for leg in tried.answer.legs if _is_past_action(leg))


def _is_past_action(leg: BalanceView) -> bool:
    used = leg.limit - leg.remaining
    return (
        leg.policy.enforcement == "soft_limit" and used * BPS >= leg.limit * leg.policy.action_bps
    )


def why_not(asked: Tried | None) -> Reason:
    """Why the model that was asked for is not simply taken; `fits`: it is."""
    if asked is None:
        return "no_model"
    if isinstance(asked.answer, Refusal):
        return "unpriced" if asked.answer.code == "model_unpriced" else "hard_limit"
    return "soft_limit" if pressing(asked) else "fits"


def most_instead_of(asked: Tried) -> int | None:
    """What a model may hold at most to stand in for the one that was asked for; None: anything."""
    if asked.hold_nanos is None:
        return None
    if isinstance(asked.answer, Refusal):
        return asked.hold_nanos - 1
    return asked.hold_nanos // SOFT_SHARE


def routed(
    asked: Tried | None, others: Sequence[Tried], size: Size, warnings: tuple[str, ...] = ()
) -> Routing:
    """What to do with a call: `asked` is the model that was asked for, `others` are what may stand
    in for it, the best first.
    """
    reason = why_not(asked)
    stands = _first(asked, others, reason) if reason != "fits" else None
    taken = stands
    if taken is None and asked is not None and asked.fits:
        taken = asked
    told = (*warnings, *_warned(asked, stands, taken, reason))
    return Routing(
        allowed=taken is not None,
        reason=reason,
        why=_why(asked, taken, reason),
        provider=None if taken is None else taken.provider,
        model=None if taken is None else taken.model,
        tier=None if taken is None else taken.tier,
        hold_nanos=None if taken is None else taken.hold_nanos,
        original_provider=None if asked is None else asked.provider,
        original_model=None if asked is None else asked.model,
        original_hold_nanos=None if asked is None else asked.hold_nanos,
        input_tokens=size.input_tokens,
        max_output_tokens=size.max_output_tokens,
        warnings=tuple(dict.fromkeys(told)),
        considered=_considered(asked, others, taken, reason),
        at_us=size.at_us,
        refusal=asked.answer if asked is not None and isinstance(asked.answer, Refusal) else None,
    )


def _first(asked: Tried | None, others: Sequence[Tried], reason: Reason) -> Tried | None:
    return next((one for one in others if not _against(asked, one, reason)), None)


def _against(asked: Tried | None, one: Tried, reason: Reason) -> str:
    """What speaks against a model that would stand in; empty: nothing."""
    if isinstance(one.answer, Refusal):
        return one.answer.detail
    if one.hold_nanos is None:
        return "Its price is not known, which is not free."
    most = None if asked is None else most_instead_of(asked)
    if most is None or one.hold_nanos <= most:
        return ""
    if one.step == "given" and reason == "hard_limit":
        return ""
    if reason == "soft_limit":
        return "It costs more than half of what was asked for."
    return "It costs no less than what was asked for."


def _considered(
    asked: Tried | None, others: Sequence[Tried], taken: Tried | None, reason: Reason
) -> tuple[Considered, ...]:
    """What was looked at until one was taken, and some of what comes after."""
    told = [] if asked is None else [_told(asked, _why_left(asked, taken, reason))]
    at = next((at for at, one in enumerate(others) if one is taken), len(others))
    for one in others[: at + 1 + MOST_TOLD_AFTER]:
        against = _against(asked, one, reason)
        told.append(_told(one, "" if one is taken else against or "Another came first."))
    return tuple(told)


def _why_left(asked: Tried, taken: Tried | None, reason: Reason) -> str:
    if taken is asked:
        return ""
    if isinstance(asked.answer, Refusal):
        return asked.answer.detail
    return _soft_words(pressing(asked)[0]) if reason == "soft_limit" else ""


def _told(one: Tried, why: str) -> Considered:
    return Considered(one.provider, one.model, one.tier, one.step, one.hold_nanos, one.fits, why)


def _why(asked: Tried | None, taken: Tried | None, reason: Reason) -> str:
    if asked is None:
        return "No model was asked for." if taken else "No model that will do may be called."
    if isinstance(asked.answer, Refusal):
        return asked.answer.detail
    if reason == "soft_limit":
        return _soft_words(pressing(asked)[0])
    return "Every limit has room for the model that was asked for."


def _soft_words(leg: BalanceView) -> str:
    return (
        f"Budget {leg.budget!r} is past {format_fraction(leg.policy.action_bps)} of its "
        f"{leg.policy.period.text} soft limit."
    )


def _warned(
    asked: Tried | None, stands: Tried | None, taken: Tried | None, reason: Reason
) -> list[str]:
    told = []
    if taken is None:
        told.append("No model that will do fits within the limits: the call will be refused.")
    elif asked is None or taken is asked:
        if reason == "soft_limit":
            told.append(f"{_soft_words(pressing(taken)[0])} Nothing cheaper will do.")
    else:
        told.append(_downgraded(asked, taken))
    if stands is not None and asked is not None and stands.provider != asked.provider:
        told.append(f"{stands.model} is of another provider: {stands.provider}.")
    if taken is not None and taken.hold_nanos is None:
        told.append(f"The price of {taken.model} is not known, which is not free.")
    if taken is not None and taken is not asked:
        told += [_soft_words(leg) for leg in pressing(taken)]
    return told


def _downgraded(asked: Tried, taken: Tried) -> str:
    words = f"{asked.model} gives way to {taken.model}"
    if asked.hold_nanos and taken.hold_nanos is not None:
        saved = (asked.hold_nanos - taken.hold_nanos) * 100 // asked.hold_nanos
        if saved > 0:
            words += f", which holds {saved}% less"
    return f"{words}."
