"""Races: 4N calls at once against room for exactly N, in several shapes, each drawn from a seed."""

import random
from dataclasses import dataclass, field
from typing import Any

from tests.support.workers import Act, shuffled

CALL_NANOS = 12_500_000
CALL_TOKENS = 300
SIZES = {"usd": CALL_NANOS, "tokens": CALL_TOKENS, "requests": 1}

SHAPES = (
    "usd", "org binds", "tokens", "team binds", "requests", "user binds", "envelope", "extend",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Race:
    """Budgets to create, what comes first, the calls to race, and how many there is room for."""

    shape: str
    budgets: list[dict[str, Any]]
    calls: list[Act]
    room: int
    before: list[Act] = field(default_factory=list)


def draw_race(seed: int, *, most_room: int = 24) -> Race:
    """The race of a seed.

    Each call holds 0.0125 USD, 300 tokens and 1 request. Either one limit binds; or one of three
    levels does, each in another unit; or the remainder of an envelope; or calls are extensions of
    holds of one token. Room is a multiple of 4, so that two teams or four users share it evenly.
    """
    rng = random.Random(seed)
    room = 4 * rng.randint(2, most_room // 4)
    shape = SHAPES[seed % len(SHAPES)]
    run = f"race-{seed}"
    calls = [_place(run, n) for n in range(4 * room)]
    before: list[Act] = []
    if shape in SIZES:
        limits = [_limit(shape, room, rng)]
        budgets = [_budget(run, run, [], limits)]
    elif shape == "extend":
        before = [
            ("allocate", {"allocation_id": f"{run}-{n}", "attributes": {"org": run}, "tokens": 1})
            for n in range(4 * room)
        ]
        calls = [
            ("extend", {"allocation_id": f"{run}-{n}", "tokens": CALL_TOKENS})
            for n in range(4 * room)
        ]
        limits = [_limit("tokens", room, rng, beside=4 * room)]
        budgets = [_budget(run, run, [], limits)]
    elif shape == "envelope":
        before = [("allocate", {**_amounts(room), "attributes": {"org": run, "team": "t0"},
                                "envelope": True, "allocation_id": run})]  # fmt: skip
        for _, ask in calls:
            ask["parent_id"] = run
        budgets = [_budget(run, run, ["team"], [_limit(unit, 5 * room, rng) for unit in SIZES])]
    else:
        budgets = _three_levels(run, shape.removesuffix(" binds"), room, rng)
    return Race(shape, budgets, shuffled(calls, seed), room, before)


def _three_levels(run: str, binding: str, room: int, rng: random.Random) -> list[dict[str, Any]]:
    units = list(SIZES)
    rng.shuffle(units)
    rooms = dict.fromkeys(("org", "team", "user"), 5 * room) | {binding: room}
    return [
        _budget(f"{run} org", run, [], [_limit(units[0], rooms["org"], rng)]),
        _budget(f"{run} team", run, ["team"], [_limit(units[1], rooms["team"] // 2, rng)]),
        _budget(f"{run} user", run, ["team", "user"], [_limit(units[2], rooms["user"] // 4, rng)]),
    ]


def _place(run: str, n: int) -> Act:
    attributes = {"org": run, "team": f"t{n % 2}", "user": f"u{n // 2 % 2}", "session": run}
    return "allocate", {
        **_amounts(1), "attributes": attributes, "idempotency_key": f"{run}-{n}"
    }  # fmt: skip


def _amounts(calls: int) -> dict[str, Any]:
    return {
        "usd": _usd(CALL_NANOS * calls), "tokens": CALL_TOKENS * calls, "requests": calls
    }  # fmt: skip


def _usd(nanos: int) -> str:
    return f"{nanos // 10**9}.{nanos % 10**9:09}"


def _limit(unit: str, calls: int, rng: random.Random, *, beside: int = 0) -> dict[str, Any]:
    """A hard limit for so many calls, in a period that does not end while they race."""
    limit = SIZES[unit] * calls + beside
    period = rng.choice(("total", "yearly", "rolling:24h"))
    return {"unit": unit, "period": period, "limit": _usd(limit) if unit == "usd" else limit}


def _budget(name: str, org: str, per: list[str], policies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "scope": {"org": org}, "per": per, "policies": policies}


def create_budgets(budget: Any, asks: list[dict[str, Any]]) -> dict[str, int]:
    """An errand: create budgets; the limit of each policy, by its id."""
    limits: dict[str, int] = {}
    for ask in asks:
        made = budget.create_budget(**ask)
        limits |= {policy.policy_id: policy.limit for policy in made.policies}
    return limits
