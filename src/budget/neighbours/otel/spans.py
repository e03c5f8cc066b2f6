"""Spans: those of calls to models, read and made into usage as `record_bulk` takes it.

What a span says is a fact: what cannot be an attribute is left away, not the usage. Pure. Not here:
how a request is encoded (`encodings`), and how usage is booked (`booking`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.attributes import CAMEL_CASE, MAX_VALUE_CHARS, STANDARD
from budget.domain.money import MAX_TOKENS
from budget.domain.windows import MAX_US, to_rfc3339
from budget.neighbours.otel import names
from budget.neighbours.otel.encodings import Encoding, whole

_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_TAG: Final = re.compile(r"tag\.[A-Za-z0-9_.-]{1,64}")
_ALLOCATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_TIERS: Final = frozenset({"flex", "priority"})
_FAILED: Final = 2
_MAX_TAGS: Final = 20

_NOTED: Final = frozenset({
    names.OPERATION, *names.PROVIDERS_NAMED, *names.MODELS_NAMED, names.RESPONSE_ID, names.ERROR,
    *names.SERVICE_TIERS, *names.SERVER, *names.COUNTS, *names.ATTRIBUTES,
    "traceloop.span.kind", "llm.request.type",
})  # fmt: skip
"""The attributes that are looked at; others, such as what was said, are not even read."""

Values = Mapping[str, Any]


class Span(NamedTuple):
    """A span of which we look at what is `said`; `about` is what its resource says."""

    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    failed: bool
    said: Values
    about: Values

    @property
    def usage_id(self) -> str:
        """What it is known by when it comes again."""
        return f"otlp-{self.trace_id}-{self.span_id}"


class Left(NamedTuple):
    """Why a span is not booked, in a few words; `bad`: its sender is told that it was rejected."""

    why: str
    bad: bool = False


NO_CALL: Final = Left("no call of a model")
NO_USAGE: Final = Left("no usage")
OURS: Final = Left("came through the gateway")
BOOKED: Final = Left("booked already")
NESTED: Final = Left("a part of it is booked")
NO_ID: Final = Left("has no trace id or span id", bad=True)
NO_COUNT: Final = Left("has a count that cannot be", bad=True)


def spans_of(request: Any, encoding: Encoding) -> Iterator[Span]:
    """The spans of a request, in its order."""
    hex_id = encoding.hex_id
    for resource_spans in request.resource_spans:
        about = noted(resource_spans.resource.attributes, encoding)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    hex_id(span.trace_id),
                    hex_id(span.span_id),
                    hex_id(span.parent_span_id),
                    whole(span.start_time_unix_nano) or 0,
                    whole(span.end_time_unix_nano) or 0,
                    span.status.code == _FAILED,
                    noted(span.attributes, encoding),
                    about,
                )


def noted(attributes: Any, encoding: Encoding) -> dict[str, Any]:
    """The attributes that we look at, by name."""
    value = encoding.value
    found = {}
    for one in attributes:
        key = one.key
        if key in _NOTED or key.startswith(names.BUDGET):
            found[key] = value(one.value)
    return found


def is_call(said: Values) -> bool:
    """Whether this is a call of a model, rather than something that adds up or wraps such calls."""
    operation = said.get(names.OPERATION)
    if operation is not None:
        return operation in names.MODEL_OPERATIONS
    if said.get("traceloop.span.kind") is not None:
        return False
    return said.get("llm.request.type") is not None or any(
        name in said for name in (*names.MODELS_NAMED, *names.PROVIDERS_NAMED)
    )


def usage_of(span: Span, own: frozenset[tuple[str, int]]) -> dict[str, Any] | Left:
    """A span as `record_bulk` takes it, or why not. `own` is where our gateway is called."""
    said = span.said
    if not is_call(said):
        return NO_CALL
    if said.get(names.USAGE_ID) is not None or names.INSTANCE in span.about:
        return BOOKED
    if leads_to(said, own):
        return OURS
    counts = counts_of(said)
    if counts is None:
        return NO_COUNT
    if not counts or (not any(counts.values()) and (span.failed or names.ERROR in said)):
        return NO_USAGE
    if not (_TRACE_ID.fullmatch(span.trace_id) and _SPAN_ID.fullmatch(span.span_id)):
        return NO_ID
    ask: dict[str, Any] = {
        "usage_id": span.usage_id,
        **counts,
        "attributes": attributes_of(span.about, said),
        **model_of(said),
    }
    at_us = span.end_ns // 1000
    if 0 < at_us < MAX_US:
        ask["occurred_at"] = to_rfc3339(at_us)
    response_id = text_of(said.get(names.RESPONSE_ID))
    if response_id is not None:
        ask["metadata"] = {"response_id": response_id}
    return ask


def allocation_of(span: Span) -> str | None:
    """The allocation that a span says it is a call of, if that can be one."""
    named = span.said.get(names.ALLOCATION_ID)
    return named if isinstance(named, str) and _ALLOCATION.fullmatch(named) else None


def leads_to(said: Values, own: frozenset[tuple[str, int]]) -> bool:
    """Whether a call went to one of these addresses."""
    address, port = (said.get(name) for name in names.SERVER)
    return isinstance(address, str) and (address.lower(), whole(port) or 0) in own


def counts_of(said: Values) -> dict[str, int] | None:
    """The counts by our names, parts within their wholes; None if one of them cannot be."""
    counts: dict[str, int] = {}
    for name, ours in names.COUNTS.items():
        given = said.get(name)
        if given is None or ours in counts:
            continue
        count = int(given) if isinstance(given, float) and given.is_integer() else whole(given)
        if count is None or not 0 <= count <= MAX_TOKENS:
            return None
        counts[ours] = count
    if counts:
        counts = included(counts)
    return counts


def included(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts, with parts added to wholes that cannot have included them.

    Some senders tell input without what was cached, and output without reasoning.
    """
    told = {"input_tokens": 0, "output_tokens": 0, **counts}
    cached = told.get("cache_read_tokens", 0) + told.get("cache_write_tokens", 0)
    if cached > told["input_tokens"]:
        told["input_tokens"] += cached
    if told.get("reasoning_tokens", 0) > told["output_tokens"]:
        told["output_tokens"] += told["reasoning_tokens"]
    return told


def model_of(said: Values) -> dict[str, Any]:
    """Model, provider and what else decides the price, as asks name them."""
    found: dict[str, Any] = {}
    for name in names.PROVIDERS_NAMED:
        provider = text_of(said.get(name))
        if provider is not None:
            mapped = names.PROVIDERS.get(provider.lower(), provider.lower())
            if mapped is not None:
                found["provider"] = mapped
            break
    for name in names.MODELS_NAMED:
        model = text_of(said.get(name))
        if model is not None:
            found["model"] = model
            break
    if "model" in found:
        for name in names.SERVICE_TIERS:
            if said.get(name) in _TIERS:
                found["price_context"] = {"service_tier": said[name]}
                break
    return found


def attributes_of(about: Values, said: Values) -> dict[str, str]:
    """Who spent, as the resource says and, over it, the span."""
    found: dict[str, str] = {}
    for values in (said, about):
        for name, ours in names.ATTRIBUTES.items():
            text = text_of(values.get(name))
            if text is not None:
                found.setdefault(ours, text)
    tags = 0
    for values in (about, said):
        for name, value in values.items():
            mine, given = _ours(name), text_of(value)
            if mine is None or given is None:
                continue
            if mine not in STANDARD:
                tags += mine not in found
                if tags > _MAX_TAGS:
                    continue
            found[mine] = given
    return found


def _ours(name: str) -> str | None:
    """The attribute that `budget.<name>` names. Key, provider and model are told elsewhere."""
    if not name.startswith(names.BUDGET):
        return None
    rest = name[len(names.BUDGET) :]
    rest = CAMEL_CASE.get(rest, rest)
    if rest in ("key", "provider", "model"):
        return None
    return rest if rest in STANDARD or _TAG.fullmatch(rest) else None


def text_of(value: Any) -> str | None:
    """A value as an attribute can have it, cut where it is too long; None if nothing is left."""
    if isinstance(value, bool) or value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if not text.isascii() or not text.isprintable():
        text = _FORBIDDEN.sub("", text)
    return text.strip()[:MAX_VALUE_CHARS].rstrip() or None
