"""Sending: a request as bytes for a service: where to, with which headers, in which words.

Not here: how it gets there (`transport`), and what comes back (`judging`).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from budget.client.request import V1, Request
from budget.domain.attributes import parse_scope
from budget.domain.errors import InvalidInput

DEFAULT_URL: Final = "http://127.0.0.1:8013"
JSON: Final = "application/json"
_DATABASES: Final = ("sqlite:", "postgresql:", "postgres:")

_FREE: Final = ("metadata", "request")
"""Fields in which callers write what they like, floats too."""
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Address:
    """A service: its address, without a slash at the end, and the key that is sent with each
    request. The key is in no text that is made of this.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def near(self) -> bool:
        """Whether it runs on this machine, which no proxy stands before."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        told = {"Accept": JSON, "Accept-Encoding": "identity"}
        return told if self.key is None else {**told, "Authorization": f"Bearer {self.key}"}


class Sent(NamedTuple):
    """A request as it goes out; `key` is the idempotency key under which it may go again."""

    method: str
    target: str
    content: bytes | None
    headers: dict[str, str]
    key: str | None


def address(url: str, key: str | None, fields: tuple[str, str] = ("url", "key")) -> Address:
    """A service by what was written; InvalidInput for what is no address, or no key, which names
    the field of each.
    """
    if url.startswith(_DATABASES):
        raise InvalidInput(
            fields[0], "is a database, not a service: open it with budget.connect(…)."
        )
    if not _is_address(url):
        raise InvalidInput(fields[0], f"must be an address such as {DEFAULT_URL}.")
    if url.rstrip("/").endswith(V1):
        raise InvalidInput(fields[0], f"must not have {V1} at its end: each call adds it.")
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise InvalidInput(fields[1], "is no key; one looks like bud_… and is one word.")
    return Address(url.rstrip("/"), key)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and not parts.query and not parts.fragment and parts.username is None


def prepared(request: Request[Any]) -> Sent:
    """A request ready to go; InvalidInput for what cannot be said in JSON."""
    key: str | None = None
    headers: dict[str, str] = {}
    body = request.body
    if request.keyed:
        given = None if body is None else body.get("idempotency_key")
        if given is None:
            key = headers["Idempotency-Key"] = uuid.uuid4().hex
        else:
            key = str(given)
    content = None
    if body is not None:
        content = _content({n: v for n, v in body.items() if n != "idempotency_key" or v})
        headers["Content-Type"] = JSON
    return Sent(request.method, request.path + _query(request.query), content, headers, key)


def _content(body: Mapping[str, Any]) -> bytes:
    for name, value in body.items():
        if name not in _FREE:
            _refuse_floats(value, name)
    try:
        return _encode(body)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(_culprit(body), "must be plain JSON.") from None


def _culprit(body: Mapping[str, Any]) -> str:
    """The first field that JSON cannot say."""
    for name, value in body.items():
        try:
            _encode(value)
        except (TypeError, ValueError, RecursionError):
            return name
    return "request"


def _refuse_floats(value: Any, path: str) -> None:
    """InvalidInput for a float: the books refuse them, and in JSON it would look like a decimal."""
    if isinstance(value, float):
        raise InvalidInput(path, 'send it as a string such as "0.10": a float is not exact.')
    if isinstance(value, Mapping):
        for name, one in value.items():
            if name not in _FREE:
                _refuse_floats(one, f"{path}.{name}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for number, one in enumerate(value):
            _refuse_floats(one, f"{path}.{number}")


def _query(query: Mapping[str, Any]) -> str:
    """What is asked for, as the part of an address after the question mark."""
    asked: dict[str, str | Sequence[str]] = {}
    for name, value in query.items():
        if name == "attributes" and value is not None:
            parse_scope(value, name)  # so that none of them is taken for another parameter
            for key, one in value.items():
                asked.setdefault(key, one)
        elif value is not None:
            asked[name] = _word(value, name)
    if not asked:
        return ""
    try:
        return "?" + urlencode(asked, doseq=True)
    except UnicodeEncodeError:
        raise InvalidInput("query", "must not contain lone surrogates.") from None


def _word(value: Any, field: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise InvalidInput(field, "must be one text or one whole number.")
