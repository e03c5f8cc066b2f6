"""Corrections: what genai-prices says wrongly, where that was found, and what is right instead.

Each names the page that shows it, and holds only while genai-prices says just what it corrects:
once that says something else, its word counts again. Not here: an operator's own prices (`own`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from budget.domain.pricing import Rate, Rates
from budget.prices.schedules import ALWAYS_US, DAY_US, Context, Scheduled

Stated = tuple[Rate, Rate, Rate | None]
"""The rates of input, output and reads from the cache."""

_THURSDAY: Final = 3
"""The day that time began on, counted from Monday."""
_SATURDAY: Final = 5

Find = Callable[[str], Scheduled | None]
"""The source's prices of another model of the same provider, in the same context."""


class Correction(NamedTuple):
    """In [start_us, end_us) those who call `provider` for one of `names` pay what is right."""

    provider: str
    names: tuple[str, ...]
    """Whole names as they are called, in lower case."""
    stated: tuple[Stated, ...]
    """What is wrong: each of these."""
    right: Stated | str
    """The rates, or the name of the model whose prices hold."""
    source: str
    """The page, or a public repository by owner and name, and what in it."""
    start_us: int | None = None
    end_us: int | None = None
    context: Context = ()
    """The price context that it is wrong in."""
    weekends: bool = False
    """Whether it is wrong on Saturdays and Sundays (UTC) only."""


class Corrected(NamedTuple):
    """A schedule, and what is right where it is wrong."""

    found: Scheduled
    steps: tuple[tuple[Correction, Scheduled | None], ...]
    """Each with the schedule that holds instead, if it is another model's."""

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        rates, from_us, until_us = self.found.at(at_us)
        for step, other in self.steps:
            holds, since_us, ends_us = _when(step, at_us)
            from_us, until_us = max(from_us, since_us), min(until_us, ends_us)
            if not holds or rates is None:
                continue
            if (rates.input, rates.output, rates.cache_read) in step.stated:
                if other is None:
                    return _put_right(rates, step), from_us, until_us
                rates, since_us, ends_us = other.at(at_us)
                return rates, max(from_us, since_us), min(until_us, ends_us)
        return rates, from_us, until_us


def _when(step: Correction, at_us: int) -> tuple[bool, int, int]:
    """Whether it holds at an instant, and an interval [from, until) in which that stays so."""
    start_us = ALWAYS_US[0] if step.start_us is None else step.start_us
    end_us = ALWAYS_US[1] if step.end_us is None else step.end_us
    if at_us < start_us:
        return False, ALWAYS_US[0], start_us
    if at_us >= end_us:
        return False, end_us, ALWAYS_US[1]
    if not step.weekends:
        return True, start_us, end_us
    day = at_us // DAY_US
    weekend = (day + _THURSDAY) % 7 >= _SATURDAY
    return weekend, max(start_us, day * DAY_US), min(end_us, (day + 1) * DAY_US)


def corrected(
    found: Scheduled, provider: str, name: str, context: Context, other: Find
) -> Scheduled:
    """The same prices, put right where a correction says so."""
    steps = tuple(
        (step, other(step.right) if isinstance(step.right, str) else None)
        for step in _BY_NAME.get((provider, name.strip().lower()), ())
        if set(step.context) <= set(context)
    )
    return Corrected(found, steps) if steps else found


def _put_right(rates: Rates, step: Correction) -> Rates:
    if isinstance(step.right, str):
        return rates  # its source does not list that model any more
    read = dict(zip(("input", "output", "cache_read"), step.right, strict=True))
    return rates._replace(**read, basis=f"{rates.basis}+corrections")  # type: ignore[arg-type]


def _us(*when: int) -> int:
    """Microseconds of a UTC date and time, from the epoch."""
    since = datetime(*when, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)  # type: ignore[arg-type, misc]
    return since.days * 86_400_000_000 + since.seconds * 1_000_000


def _pro_tiers(context: Context) -> Correction:
    """In batches and flex a long context of GPT-5.5 pro costs more too, as that of GPT-5.4 pro."""
    flat = (15_000_000, 90_000_000, None)
    tiers = (
        ((0, 15_000_000), (272_001, 30_000_000)),
        ((0, 90_000_000), (272_001, 135_000_000)),
        None,
    )
    names = ("gpt-5.5-pro", "gpt-5.5-pro-2026-04-23")
    source = "https://developers.openai.com/api/docs/pricing"
    return Correction("openai", names, (flat,), tiers, source, context=context)


_DEEPSEEK: Final = "https://api-docs.deepseek.com/quick_start/pricing"
_CHAT: Final[tuple[Stated, ...]] = (
    (135_000, 550_000, 35_000), (270_000, 1_100_000, 70_000), (550_000, 2_190_000, 140_000),
)  # fmt: skip
_CHAT_NAMES: Final = ("deepseek-chat", "deepseek-reasoner")
_FLASH_NAMES: Final = ("deepseek-flash", "deepseek-v4-flash", "deepseek-v4-flash-vision-exp")
_PEAK: Final[tuple[Stated, ...]] = ((300_000, 1_200_000, 6_000),)
_PRO_PEAK: Final[tuple[Stated, ...]] = ((1_320_000, 3_960_000, 44_000),)
_PEAKS_US: Final = _us(2026, 8, 17)
_V41_US: Final = _us(2026, 9, 10)
_VERTEX: Final = "https://cloud.google.com/gemini-enterprise-agent-platform/generative-ai/pricing"
_ALIASES: Final = "promptfoo/promptfoo, pull request 9929"

CORRECTIONS: Final[tuple[Correction, ...]] = (
    # Before it fell on 10 June 2025, o3's cached input was a quarter of its input as well.
    Correction(
        "openai", ("o3", "o3-2025-04-16"), ((10_000_000, 40_000_000, 500_000),),
        (10_000_000, 40_000_000, 2_500_000), "https://platform.openai.com/docs/models/o3",
        end_us=_us(2025, 6, 10),
    ),
    _pro_tiers((("processing", "batch"),)),
    _pro_tiers((("service_tier", "flex"),)),
    # V3.2 had one price at all hours; then V4 Flash answered, at its own, until July 2026.
    Correction(
        "deepseek", _CHAT_NAMES, _CHAT, (280_000, 420_000, 28_000), _DEEPSEEK,
        _us(2025, 9, 29), _us(2026, 4, 26),
    ),
    Correction(
        "deepseek", _CHAT_NAMES, _CHAT, (140_000, 280_000, 2_800), _DEEPSEEK, _us(2026, 4, 26),
    ),
    # V4's peak hours came in August 2026, for V4 Flash at another price first, and on weekdays.
    Correction(
        "deepseek", ("deepseek-v4-flash",), _PEAK, (140_000, 280_000, 2_800), _DEEPSEEK,
        end_us=_PEAKS_US,
    ),
    Correction(
        "deepseek", ("deepseek-v4-flash",), _PEAK, (220_000, 660_000, 7_000), _DEEPSEEK,
        _PEAKS_US, _V41_US, weekends=True,
    ),
    Correction(
        "deepseek", ("deepseek-v4-flash",), _PEAK, (440_000, 1_320_000, 14_000), _DEEPSEEK,
        _PEAKS_US, _V41_US,
    ),
    Correction(
        "deepseek", _FLASH_NAMES, _PEAK, (150_000, 600_000, 3_000),
        _DEEPSEEK, _V41_US, weekends=True,
    ),
    Correction(
        "deepseek", ("deepseek-v4-pro",), _PRO_PEAK, (435_000, 870_000, 3_625), _DEEPSEEK,
        end_us=_PEAKS_US,
    ),
    Correction(
        "deepseek", ("deepseek-v4-pro",), _PRO_PEAK, (660_000, 1_980_000, 22_000), _DEEPSEEK,
        _PEAKS_US, weekends=True,
    ),
    # It has a price of its own, without the half price of this year.
    Correction(
        "google", ("gemini-3.8-flash-cyber",), ((750_000, 3_750_000, 75_000),),
        (1_500_000, 7_500_000, 150_000), _VERTEX,
    ),
    Correction(
        "google", ("gemini-3.8-flash-cyber",), ((375_000, 1_875_000, 37_500),),
        (750_000, 3_750_000, 75_000), _VERTEX, context=(("processing", "batch"),),
    ),
    # Names that mean another model by now.
    Correction(
        "mistral", ("mistral-large-latest",), ((2_000_000, 6_000_000, None),),
        "mistral-large-2512", "simonw/llm-prices, pull request 63", _us(2025, 12, 2),
    ),
    Correction(
        "mistral", ("ministral-3b-latest",), ((40_000, 40_000, None),),
        "ministral-3b-2512", "simonw/llm-prices, pull request 63", _us(2025, 12, 2),
    ),
    Correction(
        "mistral", ("mistral-medium",), ((400_000, 2_000_000, 40_000),),
        "mistral-medium-3-5", _ALIASES, _us(2026, 6, 16),
    ),
    Correction(
        "mistral", ("magistral-medium-latest",), ((2_000_000, 5_000_000, None),),
        "mistral-medium-3-5", "https://docs.mistral.ai/models/model-cards/mistral-medium-3-5-26-04",
        _us(2026, 7, 1),
    ),
    Correction(
        "mistral", ("magistral-small-latest",), ((500_000, 1_500_000, None),),
        "mistral-small-2603", _ALIASES, _us(2026, 7, 1),
    ),
    Correction(
        "x-ai", ("grok-code-fast", "grok-code-fast-1", "grok-code-fast-1-0825"),
        ((200_000, 1_500_000, 20_000),), "grok-build-0.1",
        "https://docs.x.ai/developers/migration/may-15-retirement", _us(2026, 5, 15, 19),
    ),
    Correction(
        "x-ai", ("grok-latest",),
        ((((0, 2_000_000), (200_000, 4_000_000)), ((0, 6_000_000), (200_000, 12_000_000)),
          ((0, 300_000), (200_000, 600_000))),),
        "grok-4.7", "https://docs.x.ai/developers/pricing", _us(2026, 9, 21),
    ),
)  # fmt: skip

LEFT_OUT: Final[Mapping[tuple[str, str], str]] = {
    ("mistral", "ministral-3b-latest"): "ministral-3b",
    ("x-ai", "grok-build-latest"): "grok-4.5",
}
"""Names that genai-prices does not know, by provider, and a model that they mean or meant first.

Their pages: https://docs.mistral.ai/models/ministral-3-3b-25-12 and xAI's list of its models at
https://api.x.ai/v1/language-models, as LiteLLM has it.
"""


def _by_name() -> Mapping[tuple[str, str], tuple[Correction, ...]]:
    found: dict[tuple[str, str], list[Correction]] = defaultdict(list)
    for step in CORRECTIONS:
        for name in step.names:
            found[step.provider, name].append(step)
    return {key: tuple(steps) for key, steps in found.items()}


_BY_NAME: Final = _by_name()
