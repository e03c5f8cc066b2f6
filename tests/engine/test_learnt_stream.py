"""A stream of calls, learnt from as it goes: holds cover nearly all, and limits hold throughout."""

import random
from typing import Final

from budget.domain.answers import Refusal
from budget.domain.calibration import (
    FEWEST_SAMPLES,
    WHOLE_BPS,
    Calibration,
    all_learnt,
    calibrated,
    common_factor_bps,
    factor_bps,
)
from budget.domain.estimating import Bound
from budget.engine.budget import Budget as Books
from tests.engine.opened import MINUTE, Clock, balances

CALLS: Final = 12_000
LEARN_EVERY: Final = 500
# How much of its bound a key's call really has, in thousandths: from, to.
KEYS: Final = {"english": (550, 700), "code": (600, 850), "chinese": (800, 980), "new": (500, 990)}


def test_holds_stay_above_the_truth_in_999_of_1000_calls_and_come_down() -> None:
    chance = random.Random(3)
    seen = dict.fromkeys(KEYS, Calibration())
    waiting: dict[str, list[tuple[int, int]]] = {key: [] for key in KEYS}
    factors = dict.fromkeys(KEYS, WHOLE_BPS)
    below = held = bounded = 0
    for number in range(CALLS):
        # `new` makes a call in a hundred: it lives by what the others have taught.
        key = "new" if number % 100 == 0 else chance.choice(["english", "code", "chinese"])
        bound = chance.randint(50, 20_000)
        least, most = KEYS[key]
        true = bound * chance.randint(least, most) // 1000
        estimated = calibrated(Bound(bound, 0), factors[key])
        below += estimated < true
        held, bounded = held + estimated, bounded + bound
        waiting[key].append((bound, true))
        if number % LEARN_EVERY == 0:
            seen = {name: all_learnt(seen[name], waiting[name]) for name in KEYS}
            waiting = {name: [] for name in KEYS}
            enough = {n: factor_bps(c) for n, c in seen.items() if c.samples >= FEWEST_SAMPLES}
            common = common_factor_bps(enough.values()) or WHOLE_BPS
            factors = {name: enough.get(name, common) for name in KEYS}
    assert below <= CALLS // 1000
    assert held < bounded * 95 // 100
    assert factors["english"] <= 7350  # 70% and 5% of that
    assert factors["new"] == factors["chinese"] > 10_000  # 98% and 5% of that: above the bound


def test_a_hard_limit_holds_though_calls_use_more_than_was_learnt(
    books: Books, clock: Clock
) -> None:
    made = books.create_budget(
        name="b", policies=[{"unit": "tokens", "period": "total", "limit": 20_000}]
    )
    policy_id = made.policies[0].policy_id
    text = "What is the capital of France?"
    admitted = refused = 0
    for number in range(320):
        if number == 220:
            clock.move(MINUTE)
            assert books.learn().learnt == 220
        answer = books.allocate(model="m", request=text, max_output_tokens=1)
        if isinstance(answer, Refusal):
            refused += 1
            continue
        admitted += 1
        (view,) = answer.legs
        assert view.spent + view.reserved <= 20_000
        # What was learnt is 32 of 75; from then on each call has all 75.
        used = 30 if number < 220 else 75
        books.settle(answer.allocation_id, input_tokens=used, output_tokens=1)
    # 220 calls of 31 leave 13,180: 100 calls of 76 are admitted, each a little beyond its hold
    assert (admitted, refused) == (320, 0)
    (view,) = balances(books, policy_id)
    assert (view.spent, view.overrun) == (220 * 31 + 100 * 76, 0)
    clock.move(MINUTE)
    books.learn()
    (told,) = books.factors()
    assert told.factor_bps == 10_500  # the hundred calls have taught: 75 of 75, and 5%
