"""Intake: what callers write, checked field by field and made into commands.

Everything a face receives passes here, whether keyword arguments or a JSON body, so that bad input
gets the same clear error everywhere. Not here: budgets and policies (`engine.budgets`).
"""

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypedDict

import msgspec

from budget.domain.allocations import (
    DEFAULT_MIN_OUTPUT_TOKENS,
    DEFAULT_TTL_SECONDS,
    MAX_TTL_SECONDS,
    NORMAL_PRIORITY,
)
from budget.domain.attributes import parse_attributes, parse_value
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.money import MAX_TOKENS, parse_count, parse_usd
from budget.domain.usage import Usage, consistent, validated
from budget.domain.windows import parse_rfc3339
from budget.engine.commands import Correct, Extend, Place, Record, Release, Report, Sweep
from budget.engine.ids import new_id
from budget.prices.book import PriceBook
from budget.prices.tiers import tier_of

MAX_METADATA_BYTES: Final = 4096
MAX_REASON_CHARS: Final = 1000
MAX_KEY_CHARS: Final = 255
MIN_TTL_SECONDS: Final = 1
US: Final = 1_000_000

_CHOSEN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Caller(NamedTuple):
    """Who acts: the id of an API key (or `local`), and whether it may do what `manage` keys may."""

    actor: str
    manage: bool = True
    max_priority: int = 10


LOCAL: Final = Caller("local")
"""The caller of the in-process library."""


class AllocationAsk(TypedDict, total=False):
    """What `allocate` and `check` take; money in USD as a string, an int or a Decimal.

    An estimate (`input_tokens`, and `max_output_tokens` unless the default grant will do) or stated
    amounts (`usd`, `tokens`, `requests`, any together); with neither, the default size by task type
    and priority.
    """

    attributes: Mapping[str, str]
    provider: str
    model: str
    input_tokens: int
    max_output_tokens: int
    usd: str | int | Decimal
    tokens: int
    requests: int
    allocation_id: str
    ttl_seconds: int
    fit: bool
    min_output_tokens: int
    priority: int
    envelope: bool
    parent_id: str
    metadata: Mapping[str, Any]
    context_id: str
    component: str
    task_type: str
    tier: str
    user_id: str
    tokens_allocated: int
    idempotency_key: str


class UsageAsk(TypedDict, total=False):
    """What `record` and `settle` take. `input_tokens` includes cache reads and writes."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    requests: int
    cost: str | int | Decimal
    usage_id: str
    occurred_at: str
    provider: str
    model: str
    metadata: Mapping[str, Any]
    idempotency_key: str


class ReportAsk(UsageAsk, total=False):
    """What `record_usage` takes: usage that nobody reserved, with who spent it."""

    attributes: Mapping[str, str]
    context_id: str
    component: str
    task_type: str
    tier: str
    user_id: str


class ExtendAsk(TypedDict, total=False):
    """What `extend` takes: more time, more money, more output tokens, or several."""

    ttl_seconds: int
    usd: str | int | Decimal
    tokens: int
    requests: int
    max_output_tokens: int
    idempotency_key: str


_USAGE_COUNTS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens",
)  # fmt: skip
_REPLACEMENT_FIELDS: Final = frozenset({*_USAGE_COUNTS, "requests"})
_PLACE_FIELDS: Final = frozenset(AllocationAsk.__annotations__)
_USAGE_FIELDS: Final = frozenset(UsageAsk.__annotations__) | {"final"}
_REPORT_FIELDS: Final = frozenset(ReportAsk.__annotations__) | frozenset(UsageAsk.__annotations__)
_EXTEND_FIELDS: Final = frozenset(ExtendAsk.__annotations__)
_NAMED: Final = (
    ("context_id", "session"),
    ("component", "component"),
    ("task_type", "task_type"),
    ("tier", "tier"),
    ("user_id", "user"),
    ("provider", "provider"),
    ("model", "model"),
)
"""What is taken at the top level, and the attribute it is: Tekton's names, provider and model."""


def placing(
    ask: Mapping[str, Any],
    caller: Caller,
    prices: PriceBook,
    now_us: int,
    *,
    dry: bool = False,
) -> Place:
    """The command of `allocate` (`dry`: of `check`)."""
    only_fields(ask, _PLACE_FIELDS)
    attributes, provider, model = _who(ask)
    priority = _priority(ask.get("priority"), caller)
    envelope = parse_flag(ask, "envelope")
    parent_id = _chosen_id(ask, "parent_id")
    tokens = _count(ask, "tokens")
    allocated = _count(ask, "tokens_allocated")
    if allocated is not None:
        if tokens is not None and tokens != allocated:
            raise InvalidInput("tokens_allocated", "says the same as tokens; give one of them.")
        tokens = allocated
    input_tokens = _count(ask, "input_tokens")
    max_output_tokens = _count(ask, "max_output_tokens")
    usd = None if ask.get("usd") is None else parse_usd(ask["usd"], "usd")
    requests = _count(ask, "requests")
    _check_size(ask, envelope=envelope, parent_id=parent_id, tokens=tokens, usd=usd)
    allocation_id = _chosen_id(ask, "allocation_id")
    minimum = _count(ask, "min_output_tokens")
    return Place(
        actor=caller.actor,
        key=None if dry else parse_idempotency_key(ask),
        request_hash=request_hash(ask),
        manage=caller.manage,
        allocation_id=allocation_id or new_id("alloc"),
        chosen=allocation_id is not None,
        attributes=attributes,
        provider=provider,
        model=model,
        rates=None if model is None else prices.lookup(provider, model, now_us),
        input_tokens=input_tokens,
        max_output_tokens=max_output_tokens,
        usd_nanos=usd,
        tokens=tokens,
        requests=requests,
        fit=parse_flag(ask, "fit"),
        min_output_tokens=DEFAULT_MIN_OUTPUT_TOKENS if minimum is None else minimum,
        priority=priority,
        ttl_us=_ttl(ask) or DEFAULT_TTL_SECONDS * US,
        envelope=envelope,
        parent_id=parent_id,
        metadata=_metadata(ask),
        dry=dry,
    )


def _check_size(
    ask: Mapping[str, Any],
    *,
    envelope: bool,
    parent_id: str | None,
    tokens: int | None,
    usd: int | None,
) -> None:
    estimated = ask.get("input_tokens") is not None or ask.get("max_output_tokens") is not None
    if estimated and (tokens is not None or usd is not None):
        raise InvalidInput(
            "tokens" if tokens is not None else "usd",
            "is stated beside an estimate; give either input_tokens and max_output_tokens, "
            "or the amounts to hold.",
        )
    if estimated and ask.get("input_tokens") is None:
        raise InvalidInput("input_tokens", "is required beside max_output_tokens; 0 is fine.")
    if envelope and parent_id is not None:
        raise InvalidInput("parent_id", "an envelope cannot be inside another; there is one level.")
    if envelope and not estimated and tokens is None and usd is None and not ask.get("requests"):
        raise InvalidInput("envelope", "needs an amount: usd, tokens or requests.")
    if ask.get("fit") and not estimated:
        raise InvalidInput("fit", "needs an estimate: input_tokens and max_output_tokens.")


def recording(
    allocation_id: str,
    ask: Mapping[str, Any],
    caller: Caller,
    prices: PriceBook,
    now_us: int,
) -> Record:
    """The command of `record`; `final` is true unless the ask says otherwise (that is `settle`)."""
    only_fields(ask, _USAGE_FIELDS)
    usage_id = _chosen_id(ask, "usage_id")
    provider = model = None
    if ask.get("model") is not None or ask.get("provider") is not None:
        _, provider, model = _who(ask)
    return Record(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, allocation_id),
        manage=caller.manage,
        allocation_id=allocation_id,
        usage_id=usage_id or new_id("use"),
        chosen=usage_id is not None,
        usage=_usage(ask),
        requests=_count(ask, "requests"),
        reported_cost_nanos=_cost(ask),
        final=True if ask.get("final") is None else parse_flag(ask, "final"),
        occurred_us=_instant(ask, "occurred_at"),
        provider=provider,
        model=model,
        rates=None if model is None else prices.lookup(provider, model, now_us),
        metadata=_metadata(ask),
    )


def reporting(ask: Mapping[str, Any], caller: Caller, prices: PriceBook, now_us: int) -> Report:
    """The command of `record_usage`."""
    only_fields(ask, _REPORT_FIELDS)
    attributes, provider, model = _who(ask)
    usage_id = _chosen_id(ask, "usage_id")
    occurred_us = _instant(ask, "occurred_at")
    requests = _count(ask, "requests")
    at_us = now_us if occurred_us is None else occurred_us
    return Report(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask),
        manage=caller.manage,
        usage_id=usage_id or new_id("use"),
        chosen=usage_id is not None,
        attributes=attributes,
        provider=provider,
        model=model,
        rates=None if model is None else prices.lookup(provider, model, at_us),
        usage=_usage(ask)._replace(requests=1 if requests is None else requests),
        reported_cost_nanos=_cost(ask),
        occurred_us=occurred_us,
        metadata=_metadata(ask),
    )


def releasing(
    allocation_id: str, reason: object, idempotency_key: object, caller: Caller
) -> Release:
    """The command of `release`."""
    ask = {"reason": reason, "idempotency_key": idempotency_key}
    return Release(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, allocation_id),
        manage=caller.manage,
        allocation_id=allocation_id,
        reason=parse_reason(reason, required=False),
    )


def extending(allocation_id: str, ask: Mapping[str, Any], caller: Caller) -> Extend:
    """The command of `extend`."""
    only_fields(ask, _EXTEND_FIELDS)
    usd = None if ask.get("usd") is None else parse_usd(ask["usd"], "usd")
    tokens, more = _count(ask, "tokens"), _count(ask, "max_output_tokens")
    if more is not None and (usd is not None or tokens is not None):
        raise InvalidInput("max_output_tokens", "is stated beside amounts; give one or the other.")
    ttl_us, requests = _ttl(ask), _count(ask, "requests")
    if all(value is None for value in (usd, tokens, more, ttl_us, requests)):
        raise InvalidInput(
            "extend", "needs ttl_seconds, usd, tokens, requests or max_output_tokens."
        )
    return Extend(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, allocation_id),
        manage=caller.manage,
        allocation_id=allocation_id,
        ttl_us=ttl_us,
        usd_nanos=usd,
        tokens=tokens,
        requests=requests,
        max_output_tokens=more,
    )


def correcting(
    usage_id: str,
    reason: object,
    replacement: object,
    idempotency_key: object,
    caller: Caller,
    booked: Usage,
) -> Correct:
    """The command of `correct`; a replacement takes what it leaves out from the record `booked`."""
    usage = None
    if replacement is not None:
        if not isinstance(replacement, Mapping):
            raise InvalidInput("replacement", "must be an object of counts.")
        only_fields(replacement, _REPLACEMENT_FIELDS, "replacement.")
        counts = {
            name: parse_count(value, f"replacement.{name}")
            for name, value in replacement.items()
            if value is not None
        }
        usage = validated(booked._replace(**counts), "replacement.")
    ask = {"reason": reason, "replacement": replacement, "idempotency_key": idempotency_key}
    return Correct(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, usage_id),
        manage=caller.manage,
        usage_id=usage_id,
        reversal_id=new_id("use"),
        replacement_id=None if usage is None else new_id("use"),
        replacement=usage,
        reason=parse_reason(reason),
    )


def sweeping(due: list[str]) -> Sweep:
    """The ledger's own command to expire holds that are due."""
    return Sweep("budget", None, "", manage=True, allocation_ids=due)


# --- Fields --------------------------------------------------------------------------------------


def only_fields(ask: Mapping[str, Any], fields: frozenset[str], prefix: str = "") -> None:
    if ask.keys() <= fields:
        return
    for name in ask:
        if name not in fields:
            raise InvalidInput(f"{prefix}{str(name)[:80]}", "is not a field here.", sorted(fields))


def _who(ask: Mapping[str, Any]) -> tuple[Mapping[str, str], str | None, str | None]:
    """The call's attributes, provider, model and tier among them; and provider and model."""
    given = ask.get("attributes")
    get = ask.get
    named = (get("context_id"), get("component"), get("task_type"), get("tier"), get("user_id"),
             get("provider"), get("model"))  # fmt: skip
    try:
        return _attributes(tuple(given.items()) if given else (), named)
    except (AttributeError, TypeError):  # not an object, or of values that cannot be remembered
        return _attributes.__wrapped__(given, named)


@lru_cache(maxsize=4096)
def _attributes(
    given: Any, named: tuple[object, ...]
) -> tuple[Mapping[str, str], str | None, str | None]:
    attributes = parse_attributes(dict(given) if isinstance(given, tuple) else given)
    for (name, key), value in zip(_NAMED, named, strict=True):
        if value is not None:
            _merge(attributes, key, parse_value(value, name), name)
    provider, model = attributes.get("provider"), attributes.get("model")
    if model is not None and "tier" not in attributes:
        tier = tier_of(provider, model)
        if tier is not None:
            attributes["tier"] = tier
    return dict(sorted(attributes.items())), provider, model


def _merge(attributes: dict[str, str], key: str, value: str, field: str) -> None:
    if attributes.setdefault(key, value) != value:
        raise InvalidInput(field, f"differs from attributes.{key}; give one of them.")


def _usage(ask: Mapping[str, Any]) -> Usage:
    counts = [_count(ask, name) or 0 for name in _USAGE_COUNTS]
    uncounted = ask.get("input_tokens") is None and ask.get("output_tokens") is None
    if uncounted and (any(counts) or (ask.get("requests") is None and ask.get("cost") is None)):
        raise InvalidInput("input_tokens", "is required; 0 is fine.")
    return consistent(Usage(*counts))


def _count(ask: Mapping[str, Any], name: str) -> int | None:
    value = ask.get(name)
    if value is None or (type(value) is int and 0 <= value <= MAX_TOKENS):
        return value
    return parse_count(value, name)


def parse_flag(ask: Mapping[str, Any], name: str) -> bool:
    value = ask.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidInput(name, "must be true or false.")
    return value


def _priority(value: object, caller: Caller) -> int:
    if value is None:
        return NORMAL_PRIORITY
    priority = parse_count(value, "priority", maximum=10)
    if priority < 1:
        raise InvalidInput("priority", "must be 1 (low) to 10 (critical).")
    if priority > NORMAL_PRIORITY and priority > caller.max_priority:
        raise Forbidden("This key may not use a priority above 5.", code="priority_not_allowed")
    return priority


def _ttl(ask: Mapping[str, Any]) -> int | None:
    seconds = _count(ask, "ttl_seconds")
    if seconds is None:
        return None
    if not MIN_TTL_SECONDS <= seconds <= MAX_TTL_SECONDS:
        raise InvalidInput("ttl_seconds", f"must be {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS}.")
    return seconds * US


def _cost(ask: Mapping[str, Any]) -> int | None:
    value = ask.get("cost")
    return None if value is None else parse_usd(value, "cost")


def _instant(ask: Mapping[str, Any], name: str) -> int | None:
    value = ask.get(name)
    return None if value is None else parse_rfc3339(value, name)


def _chosen_id(ask: Mapping[str, Any], name: str) -> str | None:
    value = ask.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _CHOSEN_ID.fullmatch(value):
        raise InvalidInput(
            name, "must be 1 to 128 letters, digits or _ . : - and begin with a letter or digit."
        )
    return value


def parse_idempotency_key(ask: Mapping[str, Any]) -> str | None:
    value = ask.get("idempotency_key")
    if value is None:
        return None
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise InvalidInput(
            "idempotency_key", f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters."
        )
    return value


def parse_reason(value: object, *, required: bool = True, field: str = "reason") -> str:
    """Why somebody does what they do: 1 to 1,000 characters."""
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(field, "is required: say why, in a few words.")
    if len(value) > MAX_REASON_CHARS:
        raise InvalidInput(field, f"must have at most {MAX_REASON_CHARS} characters.")
    return parse_text(value, field)


def parse_text(value: str, field: str) -> str:
    """Text that any database can keep: no NUL, no lone surrogates."""
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(field, "must not contain NUL or lone surrogates.")
    return value


def _metadata(ask: Mapping[str, Any]) -> str:
    return metadata_json(ask.get("metadata"))


def metadata_json(value: object, field: str = "metadata") -> str:
    """Free metadata as JSON text of at most 4 KB."""
    if value is None:
        return "{}"
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object.")
    try:
        text = _canonical(value).decode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(field, "must be plain JSON.") from None
    if len(text) > MAX_METADATA_BYTES:
        raise InvalidInput(field, f"must be at most {MAX_METADATA_BYTES} bytes as JSON.")
    return parse_text(text, field)


def request_hash(ask: Mapping[str, Any], *more: str) -> str:
    """A hash that tells whether the same request came again, whatever its key."""
    asked = {name: value for name, value in ask.items() if name != "idempotency_key"}
    try:
        try:
            content = _canonical((asked, more))
        except TypeError:  # reserved_for_priority={8: "10%"}: Python's keys need not be text
            content = _canonical(msgspec.to_builtins((asked, more), str_keys=True))
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput("request", "must be plain JSON values.") from None
    return hashlib.blake2b(content, digest_size=16).hexdigest()
