"""The outcome of a replay: what was spent against which limit, and whether the books are right.

Pure: a tally and what the service says afterwards go in, figures and verdicts come out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from budget.cli.driver import Tally, units
from budget.domain.money import NANOS_PER_USD
from budget.domain.shapes import BalanceShape

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """One balance after the run, the calls its policy refused, and by how much it was exceeded."""

    balance: BalanceShape
    refused: int
    overshoot: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's verdicts. `books_nanos` and `books_calls` are from the service's usage records."""

    policies: Sequence[PolicyOutcome]
    books_nanos: int
    books_calls: int
    agrees: bool

    @property
    def overshoots(self) -> bool:
        """Whether any hard limit was exceeded by what was admitted."""
        return any(policy.overshoot > 0 for policy in self.policies)


def judge(
    tally: Tally, balances: Sequence[BalanceShape], records: Sequence[Mapping[str, Any]]
) -> Outcome:
    """Hold the service's books after a run against our own sums of it."""
    # A settling that was not answered may be booked or not: neither side can tell.
    records = [one for one in records if one.get("allocation_id") not in tally.unanswered_ids]
    books_nanos = sum(units(record["cost"]) for record in records if record["cost"] is not None)
    agrees = (
        not tally.differing
        and tally.true_nanos == tally.booked_nanos == books_nanos
        and len(records) == tally.settled
    )
    policies = [
        PolicyOutcome(balance, _refused(tally, balance["policy_id"]), _overshoot(tally, balance))
        for balance in _each_once(balances)
    ]
    return Outcome(policies, books_nanos, len(records), agrees)


def _refused(tally: Tally, policy_id: str) -> int:
    refused = tally.refusals.get(policy_id)
    return 0 if refused is None else refused.calls


def _overshoot(tally: Tally, balance: BalanceShape) -> int:
    """By how much a hard limit was exceeded right after an admission, or lies exceeded unexplained.

    Excess that the service itself explains as overrun (a provider billed more than was held) is
    none.
    """
    if balance["enforcement"] != "hard_limit":
        return 0
    used = sum(units(balance[part]) for part in ("spent", "reserved", "assumed"))
    unexplained = used - units(balance["limit"]) - units(balance["overrun"])
    place = (balance["policy_id"], msgspec.json.encode(balance["partition"]).decode())
    seen = tally.beyond.get(place)
    return 0 if seen is None else max(0, seen, unexplained)


def _each_once(balances: Sequence[BalanceShape]) -> list[BalanceShape]:
    found = {
        (balance["policy_id"], str(balance["partition"]), balance["window"]["start"]): balance
        for balance in balances
    }
    return sorted(
        found.values(), key=lambda balance: (balance["budget"], balance["period"], balance["unit"])
    )


def percentile_ms(seconds: Sequence[float], share: float) -> float | None:
    """The value that so large a share of the measurements stays within, in milliseconds."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def nine_places(nanos: int) -> str:
    """Money with all its nine decimals, so that two sums can be held side by side."""
    return f"{nanos // NANOS_PER_USD}.{nanos % NANOS_PER_USD:09d}"


def as_json(
    tally: Tally, outcome: Outcome | None, session: str, interrupted: bool, error: str | None = None
) -> Json:
    """The whole outcome for a program. Without one, the service could not be asked for its books.

    `error` is what ended the run early, or kept the books from being compared.
    """
    policies = () if outcome is None else outcome.policies
    decided = tally.admitted + tally.refused
    return {
        "session": session,
        "interrupted": interrupted,
        "error": error,
        "calls": decided,
        "admitted": tally.admitted,
        "refused": tally.refused,
        "settled": tally.settled,
        "retried": tally.retried,
        "released": tally.released,
        "left_open": list(tally.open_ids),
        "unanswered": list(tally.unanswered_ids),
        "seconds": round(tally.seconds, 3),
        "calls_per_second": round(decided / tally.seconds, 1) if tally.seconds else None,
        "latency_ms": {
            act: {
                name: None if value is None else round(value, 3)
                for name, value in (
                    ("p50", percentile_ms(took, 0.50)),
                    ("p99", percentile_ms(took, 0.99)),
                )
            }
            for act, took in (
                ("allocate", tally.allocate_seconds),
                ("settle", tally.settle_seconds),
            )
        },
        "cost": {
            "true": nine_places(tally.true_nanos),
            "receipts": nine_places(tally.booked_nanos),
            "books": None if outcome is None else nine_places(outcome.books_nanos),
            "agrees": None if outcome is None else outcome.agrees,
            "unpriced_calls": tally.unpriced,
            "differing_lines": [line for line, _, _ in tally.differing[:100]],
        },
        "flags": tally.flags,
        "policies": [
            {
                **policy.balance,
                "refused_calls": policy.refused,
                "overshoot": nine_places(policy.overshoot)
                if policy.balance["unit"] == "usd"
                else policy.overshoot,
            }
            for policy in policies
        ],
        "first_refusals": [
            {"line": refused.line, "calls": refused.calls, **refused.first}
            for refused in tally.refusals.values()
        ],
    }
