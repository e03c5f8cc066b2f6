"""Parts: what was heard of one response, and how it becomes a `Usage` whose counts agree.

Not here: how a shape is read (one file per shape), and the order of chunks (`stream`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.responses.reading import Counts, added
from budget.domain.responses.told import Told
from budget.domain.usage import MAX_TOKENS, Usage, units_of

_APART: Final = (
    "input_audio_tokens", "input_image_tokens", "cache_read_audio_tokens",
    "cache_read_image_tokens", "output_audio_tokens", "output_image_tokens",
)  # fmt: skip


class Heard(NamedTuple):
    """What one chunk tells, or all up to it. A response that came whole is its only chunk."""

    counts: Counts = Counts()
    """By the names that the shape's `parts_of` understands."""
    model: str | None = None
    response_id: str | None = None
    reported_cost_nanos: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    final: bool | None = None
    """The provider says that these figures are the last, or that they are not; None: neither."""
    ended: bool = False
    """The provider said that no more is made; its figures may still come."""
    closing: bool = False
    """Figures that came with nothing that was made: after the end, they are the last."""
    apart: bool = False
    """It is about one of several responses that the connection has; theirs add up."""
    earlier: Counts = Counts()
    """Of the responses before it on the same connection."""


class Parts(NamedTuple):
    """Counts as our `Usage` divides them, before anybody has looked whether they agree.

    `input` and `output` are wholes, None if the response does not tell them. Audio and images of
    the input are `fresh` if they did not come from the cache.
    """

    input: int | None
    output: int | None
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    fresh_audio: int = 0
    fresh_image: int = 0
    made_audio: int = 0
    made_image: int = 0
    others: tuple[tuple[str, int], ...] = ()
    """(unit, count) of what is no token."""
    requests: int = 1
    agree: bool = True
    """False: the shape itself found a contradiction."""


def _never(_newer: Mapping[str, Any], _older: Mapping[str, Any]) -> bool:
    return False


class Shape(NamedTuple):
    """One way to spell usage. `read` takes (chunk, provider), `parts_of` (counts, provider).

    `overtakes` says of two chunks that followed each other whether the newer one, which is the
    first argument, tells all that the older one did, and with better figures.
    """

    name: str
    read: Callable[[Mapping[str, Any], str], Heard]
    parts_of: Callable[[Mapping[str, int], str], Parts]
    overtakes: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = _never


def merged(old: Heard, new: Heard) -> Heard:
    """All that is known after another chunk.

    A later figure replaces an earlier one, because providers count up; a later zero, or none,
    does not: they are placeholders. So a figure that was bad is forgiven when a good one comes.
    """
    counts, earlier = _merged_counts(old.counts, new.counts), old.earlier
    if new.apart and old.apart and (not new.response_id or new.response_id != old.response_id):
        counts = new.counts
        known = added(old.earlier.known, old.counts.known)
        earlier = Counts(known, old.earlier.bad | old.counts.bad)
    final = old.final if new.final is None else new.final
    cost = new.reported_cost_nanos or old.reported_cost_nanos
    if cost is None:  # or it is free
        cost = new.reported_cost_nanos
    return Heard(
        counts,
        new.model or old.model,
        new.response_id or old.response_id,
        cost,
        new.service_tier or old.service_tier,
        new.speed or old.speed,
        new.inference_geo or old.inference_geo,
        final or (new.closing and old.ended),
        old.ended or new.ended,
        new.closing,
        new.apart or old.apart,
        earlier,
    )


def _merged_counts(old: Counts, new: Counts) -> Counts:
    if not new.known and not new.bad:
        return old
    if not old.known and not old.bad:
        return new
    known = dict(old.known)
    for name, count in new.known.items():
        if count or name not in known:
            known[name] = count
    good = {name for name, count in new.known.items() if count}
    if good:
        good.add("usage")  # the name for a usage that was none at all
    return Counts(known, (old.bad - good) | new.bad)


def told(heard: Heard, shape: Shape, provider: str) -> Told:
    """The answer to what was heard."""
    earlier = heard.earlier.known
    known = added(earlier, heard.counts.known) if earlier else heard.counts.known
    usage, agree = agreed(shape.parts_of(known, provider))
    sound = agree and not heard.counts.bad and not heard.earlier.bad
    return Told(
        usage,
        heard.model,
        heard.response_id,
        heard.reported_cost_nanos,
        usage is not None and sound and bool(heard.final),
        heard.service_tier,
        heard.speed,
        heard.inference_geo,
    )


def agreed(parts: Parts) -> tuple[Usage | None, bool]:
    """Usage whose parts fit into their wholes; and whether they did, and both wholes were known.

    A part that is too large is cut so that the price comes out no lower than what the wholes allow:
    dear parts (writes to the cache, audio, images) are cut to the whole and take their room first;
    the one cheap part, reads from the cache, is not believed at all, for that would be a discount.
    None if nothing at all was used: all zeros are a placeholder, no call is free of tokens.
    """
    most_input, most_output = parts.input or 0, parts.output or 0
    if most_input + most_output > MAX_TOKENS:  # neither can be believed
        return None, False
    write_1h = min(parts.cache_write_1h, most_input)
    write = min(parts.cache_write, most_input - write_1h)
    room = most_input - write_1h - write
    read = parts.cache_read if parts.cache_read <= room else 0
    # Some providers count cached audio as audio too and do not say how much of it was cached, so
    # that these may overlap without a contradiction.
    fresh_audio = min(parts.fresh_audio, room - read)
    fresh_image = min(parts.fresh_image, room - read - fresh_audio)
    cached_audio = min(parts.cached_audio, read)
    cached_image = min(parts.cached_image, read - cached_audio)
    made_audio = min(parts.made_audio, most_output)
    made_image = min(parts.made_image, most_output - made_audio)
    reasoning = min(parts.reasoning, most_output - made_audio - made_image)
    units = {name: min(count, MAX_TOKENS) for name, count in parts.others if count}
    others = bool(units)
    if not most_input and not most_output and not others:
        return None, False
    apart = (fresh_audio, fresh_image, cached_audio, cached_image, made_audio, made_image)
    if any(apart):
        units.update(zip(_APART, apart, strict=True))
    usage = Usage(
        most_input, most_output, read, write, write_1h, reasoning, parts.requests,
        units_of(units) if units else (),
    )  # fmt: skip
    fits = (
        (read, write, write_1h, reasoning, cached_audio, cached_image, made_audio, made_image)
        == (parts.cache_read, parts.cache_write, parts.cache_write_1h, parts.reasoning,
            parts.cached_audio, parts.cached_image, parts.made_audio, parts.made_image)
        and parts.fresh_audio <= most_input and parts.fresh_image <= most_input
    )  # fmt: skip
    # Where something else than tokens is counted, there need not be tokens.
    told = parts.input is not None and parts.output is not None
    whole = told or (others and parts.input is None and not parts.output)
    return usage, fits and whole and parts.agree
