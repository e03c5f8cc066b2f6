"""Usage: what one call really consumed, by kind of token.

Not here: what it costs (`pricing`), and how each provider spells it (the gateway's wire formats).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from budget.domain.errors import InvalidInput

MAX_TOKENS: Final = 10**12
MAX_REQUESTS: Final = 10**12


CACHE_UNITS: Final = ("cache_read_audio_tokens", "cache_read_image_tokens")
"""Further parts of `cache_read_tokens`."""
INPUT_UNITS: Final = ("input_audio_tokens", "input_image_tokens")
"""Further parts of `input_tokens`, beside those that were read from the cache or written to it."""
OUTPUT_UNITS: Final = ("output_audio_tokens", "output_image_tokens")
"""Further parts of `output_tokens`."""
OTHER_UNITS: Final = (
    "characters", "images", "milliseconds", "pages", "pixels", "searches",
)  # fmt: skip
"""What is counted beside tokens: milliseconds of audio, video or hired hardware; web searches."""
UNITS: Final = tuple(sorted((*CACHE_UNITS, *INPUT_UNITS, *OUTPUT_UNITS, *OTHER_UNITS)))
"""What a call may have used beside what `Usage` has a field for."""

Units = tuple[tuple[str, int], ...]
"""(unit, count) of what was used, by name, without those of which nothing was."""


class Usage(NamedTuple):
    """The counts of one call, or of a part of one.

    `input_tokens` includes what was read from the provider's cache and both kinds of write to it;
    `output_tokens` includes reasoning. So nothing is counted twice when input and output are added.
    `units` are the rarer kinds, of tokens and of other things.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    """Writes that the provider's cache keeps for 5 minutes."""
    cache_write_1h_tokens: int = 0
    """Writes that it keeps for an hour; not part of `cache_write_tokens`."""
    reasoning_tokens: int = 0
    requests: int = 1
    units: Units = ()


ZERO: Final = Usage(0, 0, requests=0)


def validated(usage: Usage, prefix: str = "") -> Usage:
    """The same usage if its counts can be true together, else InvalidInput naming the field.

    `prefix` goes before the field's name, as in `usage.`.
    """
    for name, count in zip(Usage._fields[:-1], usage[:-1], strict=True):
        _check_count(count, prefix + name, MAX_REQUESTS if name == "requests" else MAX_TOKENS)
    for name, count in usage.units:
        if name not in UNITS:
            raise InvalidInput(f"{prefix}units.{name[:80]}", "is not a unit.", UNITS)
        _check_count(count, f"{prefix}units.{name}", MAX_TOKENS)
    return consistent(usage, prefix)


def units_of(counts: Mapping[str, int]) -> Units:
    """Counts by unit as `Usage` keeps them."""
    return tuple(sorted((name, count) for name, count in counts.items() if count))


def consistent(usage: Usage, prefix: str = "") -> Usage:
    """The same usage if its parts do not exceed their wholes; each count was checked before."""
    if usage.input_tokens + usage.output_tokens > MAX_TOKENS:
        raise InvalidInput(
            f"{prefix}output_tokens", f"and input_tokens together must be at most {MAX_TOKENS}."
        )
    cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    if cached > usage.input_tokens:
        raise InvalidInput(
            f"{prefix}input_tokens",
            f"must include the tokens read from and written to the cache ({cached}), "
            f"but is {usage.input_tokens}.",
        )
    if usage.reasoning_tokens > usage.output_tokens:
        raise InvalidInput(
            f"{prefix}output_tokens",
            f"must include the reasoning tokens ({usage.reasoning_tokens}), "
            f"but is {usage.output_tokens}.",
        )
    if usage.units:
        _check_parts(usage, cached, prefix)
    return usage


def _check_parts(usage: Usage, cached: int, prefix: str) -> None:
    """Units that are parts of tokens must not exceed what they are parts of."""
    counts = dict(usage.units)
    in_cache, fresh, made = (
        sum(counts.get(name, 0) for name in names)
        for names in (CACHE_UNITS, INPUT_UNITS, OUTPUT_UNITS)
    )
    if in_cache > usage.cache_read_tokens:
        raise InvalidInput(
            f"{prefix}cache_read_tokens",
            f"must include the cached audio and image tokens ({in_cache}).",
        )
    if fresh + cached > usage.input_tokens:
        raise InvalidInput(
            f"{prefix}input_tokens",
            f"must include the audio and image tokens ({fresh}) beside the cached ones ({cached}).",
        )
    if made > usage.output_tokens:
        raise InvalidInput(
            f"{prefix}output_tokens", f"must include the audio and image tokens ({made})."
        )


def _check_count(count: object, field: str, most: int) -> None:
    if type(count) is not int:
        raise InvalidInput(field, "must be a whole number.")
    if not 0 <= count <= most:
        raise InvalidInput(field, f"must be 0 to {most}.")


def negated(usage: Usage) -> Usage:
    """The usage of the record that reverses this one. It has no price: negate the booked cost."""
    counts = {name: -getattr(usage, name) for name in Usage._fields[:-1]}
    return Usage(**counts, units=tuple((name, -count) for name, count in usage.units))
