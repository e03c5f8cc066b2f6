"""What settled calls teach: by how much to lower, or raise, the bound of a family of models.

Not here: the bound itself (`estimating`), and where the state is kept: state goes in, state comes
out. Factors are in basis points: 10,000 leaves the bound as it is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from budget.domain.errors import InvalidInput
from budget.domain.estimating import Bound
from budget.domain.money import MAX_TOKENS, ceil_div

WHOLE_BPS: Final = 10_000
LEAST_BPS: Final = 4_000
MOST_BPS: Final = 20_000
FEWEST_SAMPLES: Final = 200
"""With fewer calls seen the bound stays as it is."""
KEPT_SAMPLES: Final = 100_000
"""With more, all counts are halved: what was learnt long ago fades."""
FEWEST_TEACHERS: Final = 3
"""So many API keys must have taught enough before what they taught holds for any other."""

_STEP_BPS: Final = 100
_MARGIN_BPS: Final = 500
_UNCOVERED_PER_MILLE: Final = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often each ratio of true tokens to bound was seen, for one family of models.

    `seen` goes from a step (a ratio of 1% each, rounded up) to how many calls had it.
    """

    seen: Mapping[int, int] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return sum(self.seen.values())


def learnt(calibration: Calibration, bound_tokens: int, input_tokens: int) -> Calibration:
    """What is known after one more settled call: its bound, and what the provider counted.

    The bound is the plain one, to which no factor was applied. Raises InvalidInput for counts that
    cannot be: below 0, above MAX_TOKENS, or a bound of 0.
    """
    return all_learnt(calibration, [(bound_tokens, input_tokens)])


def all_learnt(calibration: Calibration, pairs: Iterable[tuple[int, int]]) -> Calibration:
    """What is known after several more: (bound, input tokens) of each."""
    seen = Counter(calibration.seen)
    samples = calibration.samples
    for bound_tokens, input_tokens in pairs:
        seen[_step(bound_tokens, input_tokens)] += 1
        if samples >= KEPT_SAMPLES:
            seen = Counter({step: times // 2 for step, times in seen.items() if times > 1})
            samples = seen.total()
        else:
            samples += 1
    return replace(calibration, seen=MappingProxyType(dict(seen)))


def _step(bound_tokens: int, input_tokens: int) -> int:
    _check(bound_tokens, "bound_tokens", 1)
    _check(input_tokens, "input_tokens", 0)
    step = ceil_div(input_tokens * WHOLE_BPS, bound_tokens * _STEP_BPS)
    return min(step, MOST_BPS // _STEP_BPS + 1)  # all above the most are alike


def factor_bps(calibration: Calibration) -> int:
    """By what to multiply the bound: the least that covers 99.9% of the calls seen, and 5% more.

    It is between LEAST_BPS and MOST_BPS, and WHOLE_BPS until FEWEST_SAMPLES calls were seen.
    """
    samples = calibration.samples
    if samples < FEWEST_SAMPLES:
        return WHOLE_BPS
    may_miss = samples * _UNCOVERED_PER_MILLE // 1000
    covering = 0
    for step in sorted(calibration.seen, reverse=True):
        may_miss -= calibration.seen[step]
        if may_miss < 0:
            covering = step * _STEP_BPS
            break
    with_margin = ceil_div(covering * (WHOLE_BPS + _MARGIN_BPS), WHOLE_BPS)
    return min(MOST_BPS, max(LEAST_BPS, with_margin))


def common_factor_bps(taught_bps: Iterable[int]) -> int | None:
    """The factor for whoever has taught too little, from those of the keys that taught enough.

    It is the highest of them, so that no key can lower what another's calls hold; None where fewer
    than FEWEST_TEACHERS have taught.
    """
    factors = list(taught_bps)
    return max(factors) if len(factors) >= FEWEST_TEACHERS else None


def calibrated(bound: Bound, by_bps: int) -> int:
    """The bound with a factor applied to the tokens of its texts, rounded up."""
    return ceil_div((bound.tokens - bound.fixed_tokens) * by_bps, WHOLE_BPS) + bound.fixed_tokens


def _check(count: int, name: str, least: int) -> None:
    if type(count) is not int or not least <= count <= MAX_TOKENS:
        raise InvalidInput(name, f"must be a whole number from {least} to {MAX_TOKENS}.")
