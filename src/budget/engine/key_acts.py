"""Key acts: making, changing, rotating and revoking API keys.

Each is a change for the ledger to run, with one entry, which tells nothing of the secret. Whoever
makes keys gives no right and no priority that it lacks; one that is bound to attributes makes, sees
and changes only keys that are bound to those too. Not here: what makes a key valid (`keys`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import insert, select, update

from budget.domain.allocations import NORMAL_PRIORITY
from budget.domain.answers_keys import ApiKey, Status
from budget.domain.asks_keys import ChangeKeyAsk, NewKeyAsk, RotateKeyAsk
from budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from budget.domain.money import parse_count
from budget.domain.rights import ENVELOPE, Bound, covers, forced, parse_bound
from budget.domain.windows import MAX_US, to_rfc3339
from budget.engine.batch import Batch
from budget.engine.callers import LOCAL, Caller
from budget.engine.changes import Request, differences, once
from budget.engine.fields import (
    MAX_LINE_CHARS,
    US,
    instant_us,
    only_fields,
    parse_idempotency_key,
    parse_line,
    request_hash,
)
from budget.engine.keys import ADMIN, DRAW, HIGHEST_PRIORITY, SCOPES, NewKey, is_live, make_key
from budget.engine.pages import is_storable
from budget.engine.rows import to_json
from budget.storage.key_tables import api_keys

OVERLAP_SECONDS: Final = 86_400
MAX_OVERLAP_SECONDS: Final = 30 * 86_400
MAX_TTL_SECONDS: Final = 10 * 365 * 86_400


_NEW: Final = frozenset(NewKeyAsk.__annotations__)
_CHANGE: Final = frozenset(ChangeKeyAsk.__annotations__)
_ROTATE: Final = frozenset(RotateKeyAsk.__annotations__)


def require_admin(caller: Caller) -> None:
    """Forbidden unless the caller has every right."""
    if not caller.admin:
        raise Forbidden("This key may not see or change keys; use one with the right `admin`.")


# --- Acts ----------------------------------------------------------------------------------------


def creating(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], ApiKey]:
    """The change of `create_key`. The key itself is told in this answer and in no other."""
    only_fields(ask, _NEW)
    for name in ("name", "scopes"):
        if ask.get(name) is None:
            raise InvalidInput(name, "is required.")
    terms = _parse_terms(ask, caller)
    bound = forced(parse_bound(ask.get("bound")), caller.bound, "bound")
    _check_envelope(terms["scopes"], bound)
    ttl_us = _parse_ttl_us(ask)
    request = _request("create_key", ask, caller)
    key = make_key()

    def create(batch: Batch) -> tuple[ApiKey, str]:
        expires_us = terms.get("expires_us")
        if ttl_us is not None:
            expires_us = batch.now_us + ttl_us
        _check_ahead(expires_us, batch.now_us)
        _check_end(batch, caller, expires_us)
        made = ApiKey(
            **{"max_priority": NORMAL_PRIORITY, **terms, "expires_us": expires_us},
            key_id=key.key_id, bound=bound, status="live", created_us=batch.now_us,
            created_by=request.actor, revoked_us=None, last_used_us=None, rotates=None,
        )  # fmt: skip
        _add(batch, made, key)
        batch.enter("key_created", request.actor, [], {"key_id": made.key_id, **_told(made)})
        return replace(made, text=key.text), made.key_id

    return once(request, create, _present, catalogue=False)


def changing(key_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], ApiKey]:
    """The change of `change_key`: the fields given. What a key is bound to stays."""
    only_fields(ask, _CHANGE)
    terms = _parse_terms(ask, caller)
    request = _request("change_key", ask, caller, key_id)

    def change(batch: Batch) -> tuple[ApiKey, str]:
        old = find(batch, key_id, caller.bound)
        if old.status == "revoked":
            raise Conflict("The key was revoked; make a new one.", code="key_revoked")
        _check_ahead(terms.get("expires_us"), batch.now_us)
        if "expires_us" in terms or "scopes" in terms:
            _check_end(batch, caller, terms.get("expires_us", old.expires_us))
        new: ApiKey = replace(old, **terms)
        _check_envelope(new.scopes, old.bound)
        changes = differences(_told(old), _told(new))
        if not changes:
            return old, key_id
        if ADMIN in old.scopes and ADMIN not in new.scopes:
            _check_another_admin(batch, old, caller)
        values = {"name": new.name, "scopes": " ".join(new.scopes),
                  "max_priority": new.max_priority, "expires_us": new.expires_us}  # fmt: skip
        _store(batch, key_id, **values)
        batch.enter("key_changed", request.actor, [], {"key_id": key_id, "changes": changes})
        return replace(new, status=_status(new.expires_us, None, batch.now_us)), key_id

    return once(request, change, _present, catalogue=False)


def rotating(key_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], ApiKey]:
    """The change of `rotate_key`: a new key of the same rights; the old one works for a while yet.

    Of a chain of rotations no more than two keys work at a time.
    """
    only_fields(ask, _ROTATE)
    request = _request("rotate_key", ask, caller, key_id)
    given = ask.get("overlap_seconds")
    overlap = OVERLAP_SECONDS
    if given is not None:
        overlap = parse_count(given, "overlap_seconds", maximum=MAX_OVERLAP_SECONDS)
    key = make_key()

    def rotate(batch: Batch) -> tuple[ApiKey, str]:
        old = find(batch, key_id, caller.bound)
        if old.status != "live":
            raise Conflict(f"The key is {old.status}; make a new one.", code=f"key_{old.status}")
        _check_alone(batch, old)
        if old.max_priority > caller.max_priority:
            raise Forbidden(
                f"The key may use a priority of {old.max_priority}; this one gives no more than "
                f"{caller.max_priority}."
            )
        _check_end(batch, caller, old.expires_us)
        now_us = batch.now_us
        ends_us = min(now_us + overlap * US, old.expires_us or MAX_US)
        made = replace(
            old, key_id=key.key_id, created_us=now_us, created_by=request.actor,
            last_used_us=None, rotates=key_id,
        )  # fmt: skip
        _add(batch, made, key)
        _store(batch, key_id, expires_us=ends_us)
        detail = {"key_id": key_id, "successor": made.key_id, "expires_at": to_rfc3339(ends_us)}
        batch.enter("key_rotated", request.actor, [], detail)
        return replace(made, text=key.text), made.key_id

    return once(request, rotate, _present, catalogue=False)


def revoking(key_id: str, caller: Caller) -> Callable[[Batch], ApiKey]:
    """The change of `revoke_key`. Of a revoked one: that one as it is."""
    request = _request("revoke_key", {}, caller, key_id)

    def revoke(batch: Batch) -> tuple[ApiKey, str]:
        old = find(batch, key_id, caller.bound)
        if old.revoked_us is not None:
            return replace(old, replayed=True), key_id
        if ADMIN in old.scopes:
            _check_another_admin(batch, old, caller)
        _store(batch, key_id, revoked_us=batch.now_us)
        batch.enter("key_revoked", request.actor, [], {"key_id": key_id, "name": old.name})
        return replace(old, revoked_us=batch.now_us, status="revoked"), key_id

    return once(request, revoke, _present, catalogue=False)


def _request(act: str, ask: Mapping[str, Any], caller: Caller, *of: str) -> Request:
    require_admin(caller)
    return Request(act, caller.actor, parse_idempotency_key(ask), request_hash(ask, *of))


def _check_another_admin(batch: Batch, key: ApiKey, caller: Caller) -> None:
    """Conflict if a key would lock itself out, and nobody were left who may do as much."""
    if caller.actor == LOCAL.actor:
        return  # whoever has the database itself can make another key
    live = select(api_keys.c.key_id, api_keys.c.scopes, api_keys.c.bound)
    for other_id, scopes, bound in batch.unit.execute(live.where(is_live(batch.now_us))):
        another = other_id != key.key_id and ADMIN in scopes.split()
        if another and covers(json.loads(bound), key.bound):
            return
    raise Conflict(
        "This is the last key that may administer; make another with the right `admin` first.",
        code="last_admin_key",
    )


def _check_alone(batch: Batch, key: ApiKey) -> None:
    """Conflict if the key before this one in a chain of rotations, or after it, still works."""
    beside = (api_keys.c.rotates == key.key_id) | (api_keys.c.key_id == (key.rotates or ""))
    others = select(api_keys.c.key_id).where(beside, is_live(batch.now_us))
    found = batch.unit.execute(others)
    if found:
        raise Conflict(
            f"This key was rotated before, and {found[0][0]} works beside it; wait for the end of "
            "their overlap, or revoke one of the two.",
            code="rotation_underway",
        )


# --- What may be written -------------------------------------------------------------------------


def _parse_terms(ask: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """What is given of what can also be changed, checked, by its names in `ApiKey`."""
    terms: dict[str, Any] = {}
    given = {name: value for name, value in ask.items() if value is not None}
    if "name" in given:
        terms["name"] = parse_line(given["name"], "name").strip()
        if not terms["name"]:
            raise InvalidInput("name", f"must have 1 to {MAX_LINE_CHARS} characters.")
    if "scopes" in given:
        terms["scopes"] = _parse_scopes(given["scopes"])
    if "max_priority" in given:
        terms["max_priority"] = _parse_priority(given["max_priority"], caller)
    if "expires_at" in given:
        terms["expires_us"] = instant_us(given, "expires_at")
    return terms


def _parse_scopes(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not given:
        raise InvalidInput("scopes", "must be a list of at least one right.", SCOPES)
    for at, scope in enumerate(given):
        if scope not in SCOPES:
            raise InvalidInput(f"scopes[{at}]", "is not a right.", SCOPES)
    return tuple(scope for scope in SCOPES if scope in given)


def _check_envelope(scopes: Sequence[str], bound: Bound) -> None:
    """A key that may draw names what it draws on."""
    if DRAW in scopes and ENVELOPE not in bound:
        raise InvalidInput(
            f"bound.{ENVELOPE}", f"is required beside the right `{DRAW}`: the id of the envelope."
        )


def _parse_priority(given: object, caller: Caller) -> int:
    priority = parse_count(given, "max_priority", maximum=HIGHEST_PRIORITY)
    if priority < 1:
        raise InvalidInput("max_priority", f"must be 1 to {HIGHEST_PRIORITY}.")
    if priority > caller.max_priority:
        raise Forbidden(
            f"max_priority: this key may use {caller.max_priority} at most, and gives no more."
        )
    return priority


def _parse_ttl_us(ask: Mapping[str, Any]) -> int | None:
    given = ask.get("ttl_seconds")
    if given is None:
        return None
    if ask.get("expires_at") is not None:
        raise InvalidInput("ttl_seconds", "is given beside expires_at; give one of them.")
    seconds = parse_count(given, "ttl_seconds", maximum=MAX_TTL_SECONDS)
    if seconds < 1:
        raise InvalidInput("ttl_seconds", f"must be 1 to {MAX_TTL_SECONDS}.")
    return seconds * US


def _check_ahead(expires_us: int | None, now_us: int) -> None:
    if expires_us is not None and expires_us <= now_us:
        raise InvalidInput("expires_at", "must lie in the future.")


def _check_end(batch: Batch, caller: Caller, expires_us: int | None) -> None:
    """Forbidden where a key that ends would give what outlives it."""
    own = batch.unit.execute(select(api_keys.c.expires_us).where(api_keys.c.key_id == caller.actor))
    ends_us = own[0][0] if own else None
    if ends_us is not None and (expires_us is None or expires_us > ends_us):
        raise Forbidden(
            f"expires_at: this key ends on {to_rfc3339(ends_us)}, and gives nothing for longer."
        )


# --- Rows ----------------------------------------------------------------------------------------


class _Row(NamedTuple):
    key_id: str
    name: str
    scopes: str
    bound: str
    max_priority: int
    created_us: int
    created_by: str | None
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    rotates: str | None


ALL_KEYS: Final = select(*(api_keys.c[name] for name in _Row._fields))


def key_of(row: Sequence[Any], now_us: int) -> ApiKey:
    """A key out of a row of `ALL_KEYS`, as it stands now."""
    read = _Row(*row)
    values = {
        **read._asdict(), "scopes": tuple(read.scopes.split()), "bound": json.loads(read.bound)
    }  # fmt: skip
    return ApiKey(**values, status=_status(read.expires_us, read.revoked_us, now_us))


def find(batch: Batch, key_id: str, bound: Bound) -> ApiKey:
    """A key that the caller may see, or NotFound. A change is alone, whatever the service."""
    found = None
    if is_storable(key_id):
        found = batch.unit.execute(ALL_KEYS.where(api_keys.c.key_id == key_id))
    if not found or not covers(bound, (key := key_of(found[0], batch.now_us)).bound):
        raise NotFound("key", key_id)
    return key


def _present(batch: Batch, ref: str) -> ApiKey:
    return find(batch, ref, {})


def _status(expires_us: int | None, revoked_us: int | None, now_us: int) -> Status:
    if revoked_us is not None:
        return "revoked"
    return "expired" if expires_us is not None and expires_us <= now_us else "live"


def _add(batch: Batch, made: ApiKey, key: NewKey) -> None:
    values = {name: getattr(made, name) for name in _Row._fields}
    values |= {"scopes": " ".join(made.scopes), "bound": to_json(dict(made.bound))}
    batch.unit.execute(insert(api_keys).values(**values, secret_hash=key.secret_hash))


def _store(batch: Batch, key_id: str, **values: Any) -> None:
    batch.unit.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(**values))


def _told(key: ApiKey) -> dict[str, Any]:
    """What entries tell of a key."""
    return {
        "name": key.name,
        "scopes": list(key.scopes),
        "bound": dict(key.bound),
        "max_priority": key.max_priority,
        "expires_at": None if key.expires_us is None else to_rfc3339(key.expires_us),
    }
