"""Usage: what one call really consumed, by kind of token.

Not here: what it costs (`pricing`), and how each provider spells it (the gateway's wire formats).
"""

from typing import Final, NamedTuple

from budget.domain.errors import InvalidInput

MAX_TOKENS: Final = 10**12
MAX_REQUESTS: Final = 10**12


class Usage(NamedTuple):
    """The counts of one call, or of a part of one.

    `input_tokens` includes what was read from the provider's cache and both kinds of write to it;
    `output_tokens` includes reasoning. So nothing is counted twice when input and output are added.
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


ZERO: Final = Usage(0, 0, requests=0)


def validated(usage: Usage, prefix: str = "") -> Usage:
    """The same usage if its counts can be true together, else InvalidInput naming the field.

    `prefix` goes before the field's name, as in `usage.`.
    """
    for name, count in zip(Usage._fields, usage, strict=True):
        _check_count(count, prefix + name, MAX_REQUESTS if name == "requests" else MAX_TOKENS)
    return consistent(usage, prefix)


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
    return usage


def _check_count(count: object, field: str, most: int) -> None:
    if type(count) is not int:
        raise InvalidInput(field, "must be a whole number.")
    if not 0 <= count <= most:
        raise InvalidInput(field, f"must be 0 to {most}.")


def amount_of(usage: Usage, unit: str) -> int:
    """What the usage adds to a limit in `unit`; usd is not a usage amount but a price."""
    if unit == "tokens":
        return usage.input_tokens + usage.output_tokens
    if unit == "input_tokens":
        return usage.input_tokens
    if unit == "output_tokens":
        return usage.output_tokens
    if unit == "requests":
        return usage.requests
    raise InvalidInput(
        "unit",
        f"usage is not counted in {unit[:80]!r}.",
        ("tokens", "input_tokens", "output_tokens", "requests"),
    )


def negated(usage: Usage) -> Usage:
    """The usage of the record that reverses this one. It has no price: negate the booked cost."""
    return Usage(*(-count for count in usage))
