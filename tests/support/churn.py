"""Churn: every act of the ledger, drawn at random, on chains of budgets that overlap.

Workers share the names of holds, so they settle, extend and release each other's. What is asked may
be impossible by then (409, 404): that is counted, and only what should never happen is told.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.support.workers import Act, Outcome, attempt, count_troubles, in_threads

EXPECTED = frozenset(
    {
        "not_found", "not_open", "already_settled", "parent_not_open", "idempotency_key_reused",
        "id_taken", "amount_required", "already_corrected", "is_reversal", "forbidden",
    }
)  # fmt: skip
"""Errors that a client who races others must reckon with."""


TOO_BUSY = ("is slow", "another process holds")
"""What a 503 says when the machine cannot follow; nothing is wrong with the ledger then."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls come from: how many values the attributes may take."""

    org: str
    teams: int
    users: int
    chains: bool = True
    """Whether calls name some of the other attributes too, and so meet random budgets."""

    def attributes(self, rng: random.Random) -> dict[str, str]:
        """The attributes of one call."""
        team = rng.randrange(self.teams)
        found = {"org": self.org, "team": f"t{team}", "user": f"u{rng.randrange(self.users)}"}
        if self.chains:
            for key in ("project", "agent", "component", "task", "session"):
                if rng.random() < 0.6:
                    found[key] = f"{key[0]}{rng.randrange(3)}"
        return found


class Told(Counter[str]):
    """How often each outcome came, and the words of the surprising ones."""

    def __init__(self) -> None:
        super().__init__()
        self.surprises: list[str] = []


def churn(budget: Any, place: Place, seed: int, seconds: float, threads: int) -> dict[str, Any]:
    """An errand: random acts from several threads for some seconds."""
    troubles = count_troubles(budget)
    told = [Told() for _ in range(threads)]
    until = time.monotonic() + seconds

    def run(n: int) -> None:
        rng = random.Random(f"{seed}-{n}")
        while time.monotonic() < until:
            note(told[n], attempt(budget, draw_act(rng, place)))

    in_threads(run, range(threads))
    total: Counter[str] = Counter()
    for one in told:
        total += one
    return {
        "outcomes": dict(total),
        "surprises": [words for one in told for words in one.surprises][:10],
        "troubles": dict(troubles),
    }


def note(told: Told, outcome: Outcome) -> None:
    """Count an outcome; keep its words if it should not have happened."""
    if outcome.kind == "error" and outcome.code in EXPECTED:
        told["conflict"] += 1
        return
    told[outcome.kind] += 1
    if outcome.kind == "unavailable" and any(words in outcome.detail for words in TOO_BUSY):
        return
    if outcome.kind not in ("ok", "refused"):
        told.surprises.append(f"{outcome.kind} {outcome.code}: {outcome.detail}")


SUFFIXES = ("0", "1", "2", "run")
"""What follows the number of a hold; a `run` is an envelope."""


def draw_act(rng: random.Random, place: Place) -> Act:
    """One act. Half of all hold something, the rest does something with an earlier hold."""
    hold = f"{place.org}-{rng.randrange(1_000)}"
    draw = rng.random()
    if draw < 0.50:
        return "allocate", _draw_hold(rng, place, hold)
    allocation = {"allocation_id": f"{hold}-{rng.choice(SUFFIXES)}"}
    if draw < 0.75:
        tokens = rng.randint(1, 150)
        return "settle", {
            **allocation, "input_tokens": tokens, "output_tokens": 1, "cost": f"0.{tokens:04}",
        }  # fmt: skip
    if draw < 0.83:
        return "record", {
            **allocation, "input_tokens": 1, "output_tokens": 1, "cost": "0.0001",
            "usage_id": f"{hold}-use-{rng.randrange(3)}",
        }  # fmt: skip
    if draw < 0.91:
        return "release", allocation
    if draw < 0.97:
        return "extend", {**allocation, "usd": "0.001", "tokens": 5}
    if draw < 0.99:
        return "record_usage", {
            "attributes": place.attributes(rng), "input_tokens": 1, "output_tokens": 1,
            "cost": "0.0001", "usage_id": f"{hold}-free",
        }  # fmt: skip
    return "correct", {"usage_id": f"{hold}-use-{rng.randrange(3)}", "reason": "drawn at random"}


def _draw_hold(rng: random.Random, place: Place, hold: str) -> dict[str, Any]:
    """A call, one in eight for a second only; an agent run; or a call of one."""
    size = rng.randint(1, 20)
    suffix = rng.choice(SUFFIXES)
    ask: dict[str, Any] = {
        "allocation_id": f"{hold}-{suffix}", "idempotency_key": f"{hold}-{rng.randrange(10**6)}",
        "usd": f"0.{size:03}", "tokens": size * 10, "requests": 1,
    }  # fmt: skip
    if rng.random() < 0.125:
        ask["ttl_seconds"] = 1
    if suffix == "run":
        ask |= {"envelope": True, "requests": 10}
    elif rng.random() < 0.2:
        ask["parent_id"] = f"{place.org}-{rng.randrange(1_000)}-run"
        return ask  # with the attributes of the run
    ask["attributes"] = place.attributes(rng)
    return ask
