"""Intake: what callers write, checked and made into commands.

Everything a face receives passes here, whether keyword arguments or a JSON body, so that bad input
gets the same clear error everywhere. Not here: budgets and policies (`engine.budgets`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain.allocations import (
    DEFAULT_MIN_OUTPUT_TOKENS,
    DEFAULT_TTL_SECONDS,
    MAX_TTL_SECONDS,
)
from budget.domain.asks import AllocationAsk, ExtendAsk, ReportAsk, UsageAsk
from budget.domain.attributes import Attributes
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.money import parse_count, parse_usd
from budget.domain.output_limits import output_tokens_limit
from budget.domain.pricing import Rates
from budget.domain.rights import forced
from budget.domain.usage import Usage, validated
from budget.engine.callers import Caller
from budget.engine.commands import Correct, Extend, Place, Record, Release, Report, Sweep, Way
from budget.engine.estimates import check_call, input_at, with_model
from budget.engine.factors import Factors
from budget.engine.fields import (
    MIN_TTL_SECONDS,
    US,
    USAGE_COUNTS,
    chosen_id,
    count,
    instant_us,
    metadata_of,
    noting,
    only_fields,
    parse_cost_nanos,
    parse_flag,
    parse_idempotency_key,
    parse_reason,
    parse_ttl_us,
    parse_units,
    price_context,
    priority_of,
    request_hash,
    usage_counts,
    who,
)
from budget.engine.ids import new_id
from budget.engine.sizes import Sizes
from budget.prices.book import PriceBook
from budget.prices.combined import context_text

_REPLACEMENT_FIELDS: Final = frozenset({*USAGE_COUNTS, "requests", "cost", "units"})
_PLACE_FIELDS: Final = frozenset(AllocationAsk.__annotations__)
_USAGE_FIELDS: Final = frozenset(UsageAsk.__annotations__) | {"final"}
_REPORT_FIELDS: Final = frozenset(ReportAsk.__annotations__) | frozenset(UsageAsk.__annotations__)
_SIZES: Final = (
    "request", "input_tokens", "max_output_tokens", "tokens", "tokens_allocated", "usd", "requests",
    "parent_id",
)  # fmt: skip
_EXTEND_FIELDS: Final = frozenset(ExtendAsk.__annotations__)


def placing(
    ask: Mapping[str, Any],
    caller: Caller,
    prices: PriceBook,
    now_us: int,
    factors: Factors | None = None,
    sizes: Sizes | None = None,
    *,
    dry: bool = False,
    tentative: bool = False,
    way: Way | None = None,
) -> Place:
    """The command of `allocate` (`dry`: of `check`). An ask with a `request` takes a while.

    `sizes` are for one that is `unsized`.
    """
    only_fields(ask, _PLACE_FIELDS)
    allocation_id, key = chosen_id(ask, "allocation_id"), parse_idempotency_key(ask)
    # Under an id of ours the same request never comes again.
    hashed = "" if allocation_id is None and key is None else request_hash(ask)
    if ask.get("request") is not None:
        check_call(ask)
        ask = with_model(ask)
    attributes, provider, model = who(ask, prices, now_us)
    context = price_context(ask)
    rates = None if model is None else prices.lookup(provider, model, now_us, context)
    priority = priority_of(ask.get("priority"), caller)
    envelope = parse_flag(ask, "envelope")
    parent_id = _parent_of(ask, caller, envelope=envelope)
    attributes = as_caller(attributes, caller, within=parent_id is not None)
    usual = rates
    if model is not None and context:
        usual = prices.lookup(provider, model, now_us)
    size = _size_of(ask, provider, model, usual, caller.actor, factors)
    _check_size(ask, size, envelope=envelope, parent_id=parent_id)
    minimum = count(ask, "min_output_tokens")
    return Place(
        actor=caller.actor,
        key=None if dry else key,
        request_hash=hashed,
        manage=caller.manage,
        bound=caller.bound,
        allocation_id=allocation_id or new_id("alloc"),
        chosen=allocation_id is not None,
        attributes=attributes,
        provider=provider,
        model=model,
        rates=rates,
        input_tokens=size.input_tokens,
        max_output_tokens=size.max_output_tokens,
        usd_nanos=size.usd_nanos,
        tokens=size.tokens,
        requests=count(ask, "requests"),
        units=() if ask.get("units") is None else parse_units(ask["units"], "units"),
        fit=parse_flag(ask, "fit"),
        min_output_tokens=DEFAULT_MIN_OUTPUT_TOKENS if minimum is None else minimum,
        priority=priority,
        ttl_us=_ttl_us(ask, now_us),
        envelope=envelope,
        parent_id=parent_id,
        metadata=_metadata_of_hold(ask),
        dry=dry,
        price_context=context_text(context) if context else None,
        bound_tokens=size.bound_tokens,
        bound_family=size.bound_family,
        way=way,
        tentative=tentative,
        learnt_tokens=None if sizes is None else sizes.of(attributes),
        budget_id=chosen_id(ask, "budget_id"),
    )


def _ttl_us(ask: Mapping[str, Any], now_us: int) -> int:
    """How long a hold lasts: `ttl_seconds`, or up to `expiration_time` as Tekton says it."""
    ttl_us, ends_us = parse_ttl_us(ask), instant_us(ask, "expiration_time")
    if ends_us is None:
        return ttl_us or DEFAULT_TTL_SECONDS * US
    if ttl_us is not None:
        raise InvalidInput("expiration_time", "is given beside ttl_seconds; give one of them.")
    if not MIN_TTL_SECONDS * US <= ends_us - now_us <= MAX_TTL_SECONDS * US:
        raise InvalidInput(
            "expiration_time", f"must lie {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS} seconds ahead."
        )
    return ends_us - now_us


def _metadata_of_hold(ask: Mapping[str, Any]) -> str:
    """The metadata, and in it how many tokens the caller expects to use of what is held."""
    expected = count(ask, "expected_tokens_used")
    if expected is None:
        return metadata_of(ask)
    return metadata_of(noting(ask, expected_tokens_used=expected))


def is_unsized(ask: Mapping[str, Any]) -> bool:
    """Whether nothing is said of how large a call is, and it is no part of an envelope."""
    return all(ask.get(name) is None for name in _SIZES) and not ask.get("envelope")


class _Size(NamedTuple):
    """What is to be held: an estimate, or amounts. The bound is there where it may teach."""

    input_tokens: int | None
    max_output_tokens: int | None
    tokens: int | None
    usd_nanos: int | None
    bound_tokens: int | None = None
    bound_family: str | None = None


def _size_of(
    ask: Mapping[str, Any],
    provider: str | None,
    model: str | None,
    rates: Rates | None,
    actor: str,
    factors: Factors | None,
) -> _Size:
    """The size of a hold as it is stated, or as its `request` comes to at such rates."""
    tokens, allocated = count(ask, "tokens"), count(ask, "tokens_allocated")
    if allocated is not None:
        if tokens is not None and tokens != allocated:
            raise InvalidInput("tokens_allocated", "says the same as tokens; give one of them.")
        tokens = allocated
    usd = None if ask.get("usd") is None else parse_usd(ask["usd"], "usd")
    most, request = count(ask, "max_output_tokens"), ask.get("request")
    if request is None:
        return _Size(count(ask, "input_tokens"), most, tokens, usd)
    assert model is not None
    found = input_at(request, provider, model, rates, actor, factors)
    if most is None:
        limit = output_tokens_limit(request)
        most = None if limit is None else parse_count(limit, "max_output_tokens")
    if not found.teaches:
        return _Size(found.tokens, most, tokens, usd)
    return _Size(found.tokens, most, tokens, usd, found.bound_tokens, found.family)


def _parent_of(ask: Mapping[str, Any], caller: Caller, *, envelope: bool) -> str | None:
    """The envelope that a call draws on: of a caller that may only draw, its own."""
    parent_id = chosen_id(ask, "parent_id")
    if caller.envelope is None:
        return parent_id
    if envelope or parent_id not in (None, caller.envelope):
        field = "envelope" if envelope else "parent_id"
        raise Forbidden(f"{field}: this key draws on {caller.envelope!r} alone; leave it out.")
    return caller.envelope


def as_caller(attributes: Attributes, caller: Caller, *, within: bool = False) -> Attributes:
    """The attributes of a call with those that its caller is bound to, and with its own key.

    Only who manages, and is bound to nothing, may name another key; a call `within` an envelope has
    the envelope's, unless it names one. Forbidden for other attributes than the caller may have.
    """
    if caller.bound or not caller.manage:
        named = attributes.get("key")
        if named is None and not within:
            attributes = dict(sorted({**attributes, "key": caller.actor}.items()))
        elif named is not None and named != caller.actor:
            raise Forbidden(
                "attributes.key: names another key than the one that asks; leave it out, or use a "
                "key with the right `manage`."
            )
    return forced(attributes, caller.bound) if caller.bound else attributes


def _check_size(
    ask: Mapping[str, Any], size: _Size, *, envelope: bool, parent_id: str | None
) -> None:
    tokens, usd = size.tokens, size.usd_nanos
    estimated = size.input_tokens is not None or size.max_output_tokens is not None
    if estimated and (tokens is not None or usd is not None):
        raise InvalidInput(
            "tokens" if tokens is not None else "usd",
            "is stated beside an estimate; give either input_tokens and max_output_tokens, "
            "or the amounts to hold.",
        )
    if estimated and size.input_tokens is None:
        raise InvalidInput("input_tokens", "is required beside max_output_tokens; 0 is fine.")
    if envelope and parent_id is not None:
        raise InvalidInput("parent_id", "an envelope cannot be inside another; there is one level.")
    if envelope and not estimated and tokens is None and usd is None and not ask.get("requests"):
        raise InvalidInput("envelope", "needs an amount: usd, tokens or requests.")
    if ask.get("units") is not None and not estimated:
        raise InvalidInput("units", "needs an estimate: input_tokens and max_output_tokens.")
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
    usage_id = chosen_id(ask, "usage_id")
    context = price_context(ask)
    attributes: Mapping[str, str] = {}
    provider = model = None
    if ask.get("model") is not None or ask.get("provider") is not None:
        attributes, provider, model = who(ask, prices, now_us)
    return Record(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, allocation_id),
        manage=caller.manage,
        bound=caller.bound,
        allocation_id=allocation_id,
        usage_id=usage_id or new_id("use"),
        chosen=usage_id is not None,
        usage=usage_counts(ask),
        requests=count(ask, "requests"),
        reported_cost_nanos=parse_cost_nanos(ask),
        final=True if ask.get("final") is None else parse_flag(ask, "final"),
        occurred_us=instant_us(ask, "occurred_at"),
        attributes=attributes,
        provider=provider,
        model=model,
        in_context=bool(context),
        rates=None if model is None else prices.lookup(provider, model, now_us, context),
        metadata=metadata_of(ask),
        price_context=context_text(context) if context else None,
    )


def reporting(ask: Mapping[str, Any], caller: Caller, prices: PriceBook, now_us: int) -> Report:
    """The command of `record_usage`."""
    only_fields(ask, _REPORT_FIELDS)
    if caller.envelope is not None:
        raise Forbidden(
            f"This key draws on {caller.envelope!r} alone: place the call first, then record it."
        )
    attributes, provider, model = who(ask, prices, now_us)
    attributes = as_caller(attributes, caller)
    context = price_context(ask)
    history = parse_flag(ask, "history")
    if history and not caller.manage:
        raise Forbidden("This key may not book history; use one with the right `manage`.")
    usage_id = chosen_id(ask, "usage_id")
    occurred_us = instant_us(ask, "occurred_at")
    requests = count(ask, "requests")
    at_us = now_us if occurred_us is None else occurred_us
    return Report(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(_without_history(ask)),
        manage=caller.manage,
        bound=caller.bound,
        usage_id=usage_id or new_id("use"),
        chosen=usage_id is not None,
        attributes=attributes,
        provider=provider,
        model=model,
        rates=None if model is None else prices.lookup(provider, model, at_us, context),
        usage=usage_counts(ask)._replace(requests=1 if requests is None else requests),
        reported_cost_nanos=parse_cost_nanos(ask),
        occurred_us=occurred_us,
        metadata=metadata_of(ask),
        price_context=context_text(context) if context else None,
        history=history,
    )


def _without_history(ask: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known again: the same usage, wherever it was to count when it came first."""
    return {name: value for name, value in ask.items() if name != "history"}


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
        bound=caller.bound,
        allocation_id=allocation_id,
        reason=parse_reason(reason, required=False),
    )


def extending(allocation_id: str, ask: Mapping[str, Any], caller: Caller) -> Extend:
    """The command of `extend`."""
    only_fields(ask, _EXTEND_FIELDS)
    if allocation_id == caller.envelope:
        raise Forbidden("This key draws on the envelope and cannot extend it.")
    usd = None if ask.get("usd") is None else parse_usd(ask["usd"], "usd")
    tokens, more = count(ask, "tokens"), count(ask, "max_output_tokens")
    if more is not None and (usd is not None or tokens is not None):
        raise InvalidInput("max_output_tokens", "is stated beside amounts; give one or the other.")
    ttl_us, requests = parse_ttl_us(ask), count(ask, "requests")
    if all(value is None for value in (usd, tokens, more, ttl_us, requests)):
        raise InvalidInput(
            "extend", "needs ttl_seconds, usd, tokens, requests or max_output_tokens."
        )
    return Extend(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, allocation_id),
        manage=caller.manage,
        bound=caller.bound,
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
    if not caller.manage:
        raise Forbidden("This key may not correct usage; use one with the right `manage`.")
    usage = cost_nanos = None
    if replacement is not None:
        if not isinstance(replacement, Mapping):
            raise InvalidInput("replacement", "must be an object of counts, perhaps with a cost.")
        only_fields(replacement, _REPLACEMENT_FIELDS, "replacement.")
        given = {name: value for name, value in replacement.items() if value is not None}
        units = given.pop("units", None)
        if "cost" in given:
            cost_nanos = parse_usd(given.pop("cost"), "replacement.cost")
        counts: dict[str, Any] = {
            name: parse_count(value, f"replacement.{name}") for name, value in given.items()
        }
        if units is not None:
            counts["units"] = parse_units(units, "replacement.units")
        usage = validated(booked._replace(**counts), "replacement.")
    ask = {"reason": reason, "replacement": replacement, "idempotency_key": idempotency_key}
    return Correct(
        actor=caller.actor,
        key=parse_idempotency_key(ask),
        request_hash=request_hash(ask, usage_id),
        manage=caller.manage,
        bound=caller.bound,
        usage_id=usage_id,
        reversal_id=new_id("use"),
        replacement_id=None if usage is None else new_id("use"),
        replacement=usage,
        reported_cost_nanos=cost_nanos,
        reason=parse_reason(reason),
    )


def sweeping(due: list[str]) -> Sweep:
    """The ledger's own command to expire holds that are due."""
    return Sweep("budget", None, "", manage=True, allocation_ids=due)
