"""Refusals read: why a call may not go. What it asked to hold (`asked`) is not told on the wire."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import balance
from budget.client.reading.parts import amount, amount_or_none, us, us_or_none
from budget.domain.answers import HiddenLine, Refusal, RefusalLine


def refusal(shape: Mapping[str, Any]) -> Refusal:
    """Why a call may not go."""
    lines = [_line(one) for one in shape["refused_by"]]
    envelope: dict[str, Any] = {}
    if not lines:
        envelope = {
            "unit": shape["unit"],
            "limit": amount_or_none(shape["limit"]),
            "requested": amount_or_none(shape["requested"]),
            "shortfall": amount_or_none(shape["shortfall"]),
        }
    return Refusal(
        shape["code"],
        shape["detail"],
        us(shape["at"]),
        tuple(line for line in lines if isinstance(line, RefusalLine)),
        parent_id=shape["parent_id"],
        provider=shape["provider"],
        model=shape["model"],
        cheaper=tuple(shape["cheaper"]),
        advice=shape["advice"],
        hidden=tuple(line for line in lines if isinstance(line, HiddenLine)),
        **envelope,
    )


def _line(shape: Mapping[str, Any]) -> RefusalLine | HiddenLine:
    resets_us = us_or_none(shape["resets_at"])
    if shape["policy_id"] is None:
        return HiddenLine(shape["unit"], resets_us, shape["soon"])
    return RefusalLine(
        balance(shape), amount(shape["requested"]), amount(shape["shortfall"]), resets_us
    )
