"""Fields: each thing a caller may write, read and checked, so that an error names its field.

Not here: which fields belong together (`intake`), and amounts and times as such (`domain`).
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from budget.domain.allocations import MAX_TTL_SECONDS, NORMAL_PRIORITY
from budget.domain.attributes import parse_attributes, parse_value
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.money import MAX_TOKENS, parse_count, parse_usd
from budget.domain.usage import UNITS, Units, Usage, consistent, units_of
from budget.domain.windows import parse_rfc3339
from budget.engine.callers import Caller
from budget.prices.book import PriceBook
from budget.prices.schedules import CONTEXT_NAMES, Context
from budget.prices.tiers import TierOf, tier_of

MAX_METADATA_BYTES: Final = 4096
MAX_REASON_CHARS: Final = 1000
MAX_KEY_CHARS: Final = 255
MAX_LINE_CHARS: Final = 200
MIN_TTL_SECONDS: Final = 1
US: Final = 1_000_000

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_CHOSEN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")

_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode

USAGE_COUNTS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens",
)  # fmt: skip
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


def only_fields(ask: Mapping[str, Any], fields: frozenset[str], prefix: str = "") -> None:
    if ask.keys() <= fields:
        return
    for name in ask:
        if name not in fields:
            raise InvalidInput(f"{prefix}{str(name)[:80]}", "is not a field here.", sorted(fields))


def who(
    ask: Mapping[str, Any], prices: PriceBook | None = None, at_us: int = 0
) -> tuple[Mapping[str, str], str | None, str | None]:
    """The call's attributes, provider, model and tier among them; and provider and model.

    With `prices`, a model says its provider where none is named, so that a scope of that provider
    meets the call, and the operator's own tiers count.
    """
    given = ask.get("attributes")
    get = ask.get
    named = (get("context_id"), get("component"), get("task_type"), get("tier"), get("user_id"),
             get("provider"), get("model"))  # fmt: skip
    tiers = tier_of if prices is None else prices.tier_of
    found = _who(given, named, tiers)
    _, provider, model = found
    if prices is not None and provider is None and model is not None:
        seller = prices.seller(None, model, at_us)
        if seller is not None:
            return _who(given, (*named[:5], seller, named[6]), tiers)
    return found


def _who(
    given: Any, named: tuple[object, ...], tiers: TierOf
) -> tuple[Mapping[str, str], str | None, str | None]:
    try:
        return _attributes(() if given is None else tuple(given.items()), named, tiers)
    except (AttributeError, TypeError):  # not an object, or of values that cannot be remembered
        return _attributes.__wrapped__(given, named, tiers)


@lru_cache(maxsize=4096)
def _attributes(
    given: Any, named: tuple[object, ...], tiers: TierOf
) -> tuple[Mapping[str, str], str | None, str | None]:
    attributes = parse_attributes(dict(given) if isinstance(given, tuple) else given)
    for (name, key), value in zip(_NAMED, named, strict=True):
        if value is not None:
            _merge(attributes, key, parse_value(value, name), name)
    provider, model = attributes.get("provider"), attributes.get("model")
    if model is not None and "tier" not in attributes:
        tier = tiers(provider, model)
        if tier is not None:
            attributes["tier"] = tier
    return dict(sorted(attributes.items())), provider, model


def _merge(attributes: dict[str, str], key: str, value: str, field: str) -> None:
    if attributes.setdefault(key, value) != value:
        raise InvalidInput(field, f"differs from attributes.{key}; give one of them.")


def usage_counts(ask: Mapping[str, Any]) -> Usage:
    counts = [count(ask, name) or 0 for name in USAGE_COUNTS]
    uncounted = ask.get("input_tokens") is None and ask.get("output_tokens") is None
    said = ("requests", "cost", "units")
    if uncounted and (any(counts) or all(ask.get(name) is None for name in said)):
        raise InvalidInput("input_tokens", "is required; 0 is fine.")
    units = () if ask.get("units") is None else parse_units(ask["units"], "units")
    return consistent(Usage._make((*counts, 1, units)))


def parse_units(given: object, field: str) -> Units:
    """What was used beside what has a field of its own, as an object of unit: count."""
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object of unit: count.")
    counts = {}
    for name, value in given.items():
        if name not in UNITS:
            raise InvalidInput(f"{field}.{str(name)[:80]}", "is not a unit.", UNITS)
        if value is not None:
            counts[name] = parse_count(value, f"{field}.{name}")
    return units_of(counts)


def price_context(ask: Mapping[str, Any]) -> Context:
    """What of a call decides its price beside model and time."""
    given = ask.get("price_context")
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InvalidInput("price_context", "must be an object of name: value.", CONTEXT_NAMES)
    if ask.get("model") is None:
        raise InvalidInput("price_context", "needs a model.")
    found = {}
    for name, value in given.items():
        field = f"price_context.{str(name)[:80]}"
        if name not in CONTEXT_NAMES:
            raise InvalidInput(field, "decides no price.", CONTEXT_NAMES)
        if value is not None:
            found[name] = parse_value(value, field)
    return tuple(sorted(found.items()))


def count(ask: Mapping[str, Any], name: str) -> int | None:
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


def priority_of(value: object, caller: Caller) -> int:
    if value is None:
        return min(NORMAL_PRIORITY, caller.max_priority)
    priority = parse_count(value, "priority", maximum=10)
    if priority < 1:
        raise InvalidInput("priority", "must be 1 (low) to 10 (critical).")
    if priority > caller.max_priority:
        raise Forbidden(
            f"This key may not use a priority above {caller.max_priority}.",
            code="priority_not_allowed",
        )
    return priority


def parse_ttl_us(ask: Mapping[str, Any]) -> int | None:
    seconds = count(ask, "ttl_seconds")
    if seconds is None:
        return None
    if not MIN_TTL_SECONDS <= seconds <= MAX_TTL_SECONDS:
        raise InvalidInput("ttl_seconds", f"must be {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS}.")
    return seconds * US


def parse_cost_nanos(ask: Mapping[str, Any]) -> int | None:
    value = ask.get("cost")
    return None if value is None else parse_usd(value, "cost")


def instant_us(ask: Mapping[str, Any], name: str) -> int | None:
    value = ask.get(name)
    return None if value is None else parse_rfc3339(value, name)


def chosen_id(ask: Mapping[str, Any], name: str) -> str | None:
    value = ask.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _CHOSEN_ID.fullmatch(value):
        raise InvalidInput(
            name, "must be 1 to 128 letters, digits or _ . : - and begin with a letter or digit."
        )
    return value


def parse_idempotency_key(ask: Mapping[str, Any], name: str = "idempotency_key") -> str | None:
    value = ask.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise InvalidInput(name, f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters.")
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


def parse_line(value: object, field: str) -> str:
    """A text of one line, such as a name: at most 200 characters, none that controls."""
    text = parse_text(value, field, MAX_LINE_CHARS)
    if _CONTROL.search(text):
        raise InvalidInput(field, "must not contain control characters.")
    return text


def parse_text(value: object, field: str, most: int | None = None) -> str:
    """Text that any database can keep: no NUL, no lone surrogates, and not too long."""
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a string.")
    if most is not None and len(value) > most:
        raise InvalidInput(field, f"must have at most {most} characters.")
    if "\x00" in value or not (value.isascii() or _SURROGATES.search(value) is None):
        raise InvalidInput(field, "must not contain NUL or lone surrogates.")
    return value


def metadata_of(ask: Mapping[str, Any]) -> str:
    return metadata_json(ask.get("metadata"))


def noting(ask: Mapping[str, Any], **noted: object) -> dict[str, Any]:
    """The ask with more in its metadata, unless those are no object: that is told later."""
    metadata = ask.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        return dict(ask)
    return {**ask, "metadata": {**(metadata or {}), **noted}}


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
    asked = ask
    if "idempotency_key" in ask:
        asked = {name: value for name, value in ask.items() if name != "idempotency_key"}
    try:
        try:
            content = _canonical((asked, more))
        except TypeError:  # reserved_for_priority={8: "10%"}: Python's keys need not be text
            content = _canonical(msgspec.to_builtins((asked, more), str_keys=True))
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput("request", "must be plain JSON values.") from None
    return hashlib.blake2b(content, digest_size=16).hexdigest()
