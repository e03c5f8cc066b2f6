"""Races: 4N calls at once against room for exactly N, in several shapes, each drawn from a seed."""

import random
from dataclasses import dataclass
from typing import Any

from tests.support.workers import Act, shuffled

CALL_NANOS = 12_500_000
CALL_TOKENS = 300


@dataclass(frozen=True, slots=True)
class Race:
    """Budgets to create, the calls to make, and how many of them there is room for."""

    shape: str
    budgets: list[dict[str, Any]]
    calls: list[Act]
    room: int


def draw_race(seed: int, *, most_room: int = 24) -> Race:
    """The race of a seed: one limit, or three levels of which one binds; any unit.

    Each call holds 0.0125 USD, 300 tokens and 1 request. Room is a multiple of 4, so that two teams
    or four users can share it evenly.
    """
    rng = random.Random(seed)
    room = 4 * rng.randint(2, most_room // 4)
    shape = ("usd", "tokens", "requests", "org binds", "team binds", "user binds")[seed % 6]
    run = f"race-{seed}"
    if shape in ("usd", "tokens", "requests"):
        budgets = [_budget(run, {"org": run}, [], shape, room)]
    else:
        units = ["usd", "tokens", "requests"]
        rng.shuffle(units)
        plenty = 5 * room
        rooms = {"org": plenty, "team": plenty, "user": plenty}
        rooms[shape.removesuffix(" binds")] = room
        budgets = [
            _budget(f"{run} org", {"org": run}, [], units[0], rooms["org"]),
            _budget(f"{run} team", {"org": run}, ["team"], units[1], rooms["team"] // 2),
            _budget(f"{run} user", {"org": run}, ["team", "user"], units[2], rooms["user"] // 4),
        ]
    calls: list[Act] = [
        (
            "allocate",
            {
                "usd": "0.0125",
                "tokens": CALL_TOKENS,
                "requests": 1,
                "attributes": {"org": run, "team": f"t{n % 2}", "user": f"u{n // 2 % 2}"},
                "idempotency_key": f"{run}-{n}",
            },
        )
        for n in range(4 * room)
    ]
    return Race(shape, budgets, shuffled(calls, seed), room)


def _budget(
    name: str, scope: dict[str, str], per: list[str], unit: str, calls: int
) -> dict[str, Any]:
    limit = {"usd": CALL_NANOS, "tokens": CALL_TOKENS, "requests": 1}[unit] * calls
    stated = f"{limit // 10**9}.{limit % 10**9:09}" if unit == "usd" else limit
    policy = {"unit": unit, "period": "total", "limit": stated, "enforcement": "hard_limit"}
    return {"name": name, "scope": scope, "per": per, "policies": [policy]}


def create_budgets(budget: Any, asks: list[dict[str, Any]]) -> dict[str, int]:
    """An errand: create budgets; the limit of each policy, by its id."""
    limits: dict[str, int] = {}
    for ask in asks:
        made = budget.create_budget(**ask)
        limits |= {policy.policy_id: policy.limit for policy in made.policies}
    return limits
