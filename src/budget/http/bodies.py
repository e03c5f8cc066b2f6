"""Bodies: JSON as it arrives, limited and exact, and as it leaves.

Numbers arrive as int or Decimal, never as float; a key that comes twice is an error. Not here:
what the fields mean (`engine.intake`, `engine.budgets`).
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

import msgspec
from starlette.types import Receive

from budget.domain.errors import BudgetError, InvalidInput

MAX_BODY_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
MAX_REQUEST_DEPTH: Final = 64
"""Where a body carries a request to a model, which may be long and describe deep tools."""
READ_SECONDS: Final = 10.0

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_SUFFIXED: Final = re.compile(r"application/[a-z0-9.-]+\+json")

encode = msgspec.json.Encoder(decimal_format="number").encode


class BodyTooLarge(BudgetError):
    """More bytes than a request may have."""

    code = "body_too_large"


class BodyTooSlow(BudgetError):
    """The body did not arrive in time."""

    code = "body_too_slow"


class UnsupportedMediaType(BudgetError):
    """The body is said to be something else than JSON."""

    code = "unsupported_media_type"


class ClientGone(Exception):
    """Nobody waits for an answer any more."""


# --- Reading -------------------------------------------------------------------------------------


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], most_bytes: int = MAX_BODY_BYTES
) -> bytes:
    """All bytes of a body; stops at the first too many, whatever length was announced."""
    announced = headers.get(b"content-length")
    if announced is not None and announced.isdigit() and int(announced[:20]) > most_bytes:
        raise too_large(most_bytes)
    message = await _receive(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):  # nearly always: no timer is set then
        if len(body) > most_bytes:
            raise too_large(most_bytes)
        return body
    parts = [body]
    total_bytes = len(body)
    try:
        async with asyncio.timeout(READ_SECONDS):
            while message.get("more_body", False):
                if total_bytes > most_bytes:
                    raise too_large(most_bytes)
                message = await _receive(receive)
                parts.append(message.get("body", b""))
                total_bytes += len(parts[-1])
    except TimeoutError:
        raise BodyTooSlow(f"The body did not arrive within {READ_SECONDS:.0f} seconds.") from None
    if total_bytes > most_bytes:
        raise too_large(most_bytes)
    return b"".join(parts)


async def _receive(receive: Receive) -> Any:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def too_large(most_bytes: int) -> BodyTooLarge:
    """The error of a body with more bytes."""
    return BodyTooLarge(f"A body may have at most {most_bytes} bytes.")


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """A body is JSON, or says nothing of what it is."""
    given = headers.get(b"content-type")
    if not given or given == b"application/json":
        return
    kind, _, parameters = given.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    charset = parameters.replace(" ", "").replace('"', "")
    is_json = kind == "application/json" or bool(_SUFFIXED.fullmatch(kind))
    if not is_json or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType("Send JSON in UTF-8, with `Content-Type: application/json`.")


def parse_object(body: bytes, most_deep: int = MAX_DEPTH) -> dict[str, Any]:
    """A JSON object, or InvalidInput saying what is wrong; an empty body is an empty object."""
    if not body:
        return {}
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("body", f"is not UTF-8 at byte {error.start}.") from None
    try:
        parsed = _decode(text)
        # Each level opens with a bracket: most bodies have too few to be deep.
        if body.count(b"{") + body.count(b"[") > most_deep:
            check_depth(parsed, most_deep, most_deep)
        if _SURROGATE.search(text):
            encode(parsed)
    except UnicodeEncodeError:
        raise InvalidInput("body", "has half of a surrogate pair, which is no character.") from None
    except RecursionError:
        raise _too_deep(most_deep) from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            "body", f"is not JSON: {error.msg}, line {error.lineno} column {error.colno}."
        ) from None
    except ValueError:
        raise InvalidInput("body", "has a number with too many digits.") from None
    if not isinstance(parsed, dict):
        raise InvalidInput("body", "must be a JSON object.")
    return parsed


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidInput(key[:80], "comes twice in the same object.")
            seen.add(key)
    return parsed


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidInput("body", f"{text[:40]} is no number to reckon with.") from None


def _no_constant(text: str) -> Any:
    raise InvalidInput("body", f"{text} is not a JSON number.")


# The decoder of the standard library, not msgspec's: it shows each object's pairs, so that a key
# that comes twice is seen. It costs 5 microseconds more for a usual body.
_decode = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_number, parse_constant=_no_constant
).decode


def check_depth(value: object, left: int, most_deep: int = MAX_DEPTH) -> None:
    """InvalidInput for a value of more levels than are `left` of the most."""
    if isinstance(value, dict):
        inner: Iterable[object] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return
    if not left:
        raise _too_deep(most_deep)
    for one in inner:
        check_depth(one, left - 1, most_deep)


def _too_deep(most_deep: int) -> InvalidInput:
    return InvalidInput("body", f"is nested more than {most_deep} deep.")


# --- Names ---------------------------------------------------------------------------------------


def camel_case(name: str) -> str:
    """The other spelling of a field: taskType for task_type."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@lru_cache(maxsize=256)
def _spellings(fields: frozenset[str]) -> dict[str, str]:
    return {camel_case(name): name for name in fields if "_" in name}


def in_snake_case(
    given: Mapping[str, Any], fields: frozenset[str], prefix: str = ""
) -> dict[str, Any]:
    """The object with known camelCase names spelt as we do; unknown names stay to be told of."""
    spellings = _spellings(fields)
    if spellings.keys().isdisjoint(given):
        return dict(given)
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        known = spellings.get(name, name)
        if known in renamed or (known != name and known in given):
            raise InvalidInput(f"{prefix}{known}", f"is given twice, as {known} and {name}.")
        renamed[known] = value
    return renamed
