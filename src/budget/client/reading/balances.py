"""Balances read: as a leg or in full, which tell the same."""

from collections.abc import Iterable, Mapping
from typing import Any

from budget.client.reading.parts import amount, bps, partition, window
from budget.domain.answers import BalanceView
from budget.domain.budgets import PolicyTerms
from budget.domain.windows import parse_period


def terms(shape: Mapping[str, Any]) -> PolicyTerms:
    """What a balance, or a standing, tells of its policy."""
    return PolicyTerms(
        shape["policy_id"], shape["budget_id"], shape["unit"], parse_period(shape["period"]),
        shape["enforcement"], bps(shape["warning_threshold"]), bps(shape["action_threshold"]),
    )  # fmt: skip


def balance(shape: Mapping[str, Any]) -> BalanceView:
    """A balance, from a leg or from a balance in full."""
    return BalanceView(
        terms(shape), shape["budget"], partition(shape["partition"]), window(shape["window"]),
        amount(shape["limit"]), amount(shape["spent"]), amount(shape["reserved"]),
        amount(shape["assumed"]), amount(shape["overrun"]),
    )  # fmt: skip


def balances(shapes: Iterable[Mapping[str, Any]]) -> tuple[BalanceView, ...]:
    """Several."""
    return tuple(balance(one) for one in shapes)


def status(shape: Mapping[str, Any]) -> list[BalanceView]:
    """The balances that calls with some attributes meet."""
    return [balance(one) for one in shape["balances"]]
