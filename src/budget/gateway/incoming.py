"""Incoming: a request to the gateway, and what its headers say to the budget.

    X-Budget-Key: bud_...            the budget key, beside a provider's own key
    X-Budget-Team: research          any attribute; tags as X-Budget-Tag-<Name>
    X-Budget-Session: run-17         the run that the call belongs to
    X-Budget-Max-Usd: 0.50           the most that this run, or this call, may cost
    X-Budget-Degrade: off            be refused rather than be answered by another model
    X-Budget-Queue: allow            wait up to a minute, where the budget has calls queue
    X-Budget-Events: on              tell in a stream, before its end, what it has cost
    X-Budget-Priority, X-Budget-Fit, X-Budget-Template
    baggage: budget.team=research    W3C baggage, with names of attributes

Not here: who the key belongs to (`http.gateway`), and what a body says (`formats`).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from budget.domain.attributes import STANDARD, parse_key, parse_value
from budget.domain.errors import InvalidInput
from budget.domain.money import parse_usd
from budget.engine.callers import Caller
from budget.engine.keys import HIGHEST_PRIORITY

KEY_BEGINS: Final = "bud_"
BUDGET_KEY: Final = b"x-budget-key"
_OURS: Final = b"x-budget-"
_EVENTS: Final = b"x-budget-events"
_TAG: Final = "tag-"
_WORDS: Final = frozenset({
    "key", "max-usd", "priority", "fit", "template", "degrade", "queue", "events",
})  # fmt: skip
"""What stands behind `X-Budget-` and is no attribute."""
_SPELLED: Final[Mapping[str, str]] = {name.replace("_", "-"): name for name in STANDARD}
_BAGGAGE: Final = "budget."
_QUEUES: Final = ("allow", "refuse")

# Those of a connection, those that are written anew, and those that are none of the upstream's.
_DROPPED: Final = frozenset({
    b"host", b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te",
    b"trailer", b"transfer-encoding", b"upgrade", b"content-length", b"accept-encoding", b"cookie",
    b"expect", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
    b"x-real-ip", b"origin", b"referer", b"x-http-method-override", b"x-http-method",
    b"x-method-override", b"x-original-url", b"x-rewrite-url", b"content-encoding",
})  # fmt: skip
_KEYS: Final = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
"""Where providers look for their keys."""


class Words(NamedTuple):
    """What the headers of a request say to the budget."""

    attributes: Mapping[str, str]
    max_usd_nanos: int | None = None
    priority: int | None = None
    fit: bool = True
    template: str | None = None
    degrade: bool = True
    queue: bool = False
    events: bool = False


_NO_WORDS: Final = Words(MappingProxyType({}))


class Incoming(NamedTuple):
    """A request whose caller is known. `path` is below the mount, with its slash.

    `own_key`: the caller brings the provider's key, which is passed on and forgotten.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    caller: Caller
    own_key: bool = False

    @property
    def wants_events(self) -> bool:
        """Whether a stream shall tell what it has cost."""
        return self.headers.get(_EVENTS, b"").strip().lower() == b"on"

    def sent_headers(self, key_header: str, api_key: str | None) -> dict[str, str]:
        """The headers for the upstream: the caller's, without what is ours, and with its key."""
        sent = {
            passed: value.decode("latin-1")
            for name, value in self.headers.items()
            if (passed := _passed(name)) is not None and (self.own_key or name not in _KEYS)
        }
        sent["accept-encoding"] = "identity"  # what is squeezed cannot be read on its way
        if not self.own_key and api_key is not None:
            bearer = key_header == "authorization"
            sent[key_header] = f"Bearer {api_key}" if bearer else api_key
        return sent

    def sent_query(self) -> str:
        """The query for the upstream: without a key of ours."""
        if KEY_BEGINS not in self.query:
            return self.query
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return urlencode([(name, text) for name, text in pairs if not text.startswith(KEY_BEGINS)])


@lru_cache(512)
def _passed(name: bytes) -> str | None:
    """A header's name as it is passed on; None if it is not."""
    return None if name in _DROPPED or name.startswith(_OURS) else name.decode("latin-1")


class Found(NamedTuple):
    """The budget key of a request, empty without one; `own_key`: it brings a provider's too."""

    key: str
    own_key: bool


def find_key(headers: Mapping[bytes, bytes], query: str) -> Found:
    """The budget key: in its own header, else where the provider's key would be."""
    named = headers.get(BUDGET_KEY, b"").strip()
    found = _provider_keys(headers, query)
    if named:
        own = any(not text.startswith(KEY_BEGINS) for text in found)
        return Found(named.decode("latin-1"), own)
    ours = [text for text in found if text.startswith(KEY_BEGINS)]
    return Found(ours[0] if ours else "", own_key=False)


def _provider_keys(headers: Mapping[bytes, bytes], query: str) -> list[str]:
    found: list[str] = []
    for name in _KEYS:
        value = headers.get(name)
        if value is None:
            continue
        text = value.decode("latin-1").strip()
        if name == b"authorization":
            scheme, _, text = text.partition(" ")
            text = text.strip() if scheme.lower() == "bearer" else ""
        if text:
            found.append(text)
    if "key=" in query:
        found.extend(text for name, text in parse_qsl(query) if name == "key")
    return found


def words_of(headers: Mapping[bytes, bytes]) -> Words:
    """What the headers say; InvalidInput, naming the header, for what cannot be."""
    ours = [name for name in headers if name.startswith(_OURS)]
    baggage = headers.get(b"baggage")
    if not ours and baggage is None:
        return _NO_WORDS
    attributes = {} if baggage is None else dict(_baggage(baggage))
    said: dict[str, str] = {}
    for name in ours:
        rest, text = name[len(_OURS) :].decode("latin-1"), _text(headers[name])
        if rest in _WORDS:
            said[rest] = text
        else:
            attributes[_attribute(rest)] = parse_value(text, _header(rest))
    return Words(
        attributes,
        parse_usd(said["max-usd"], "X-Budget-Max-Usd") if "max-usd" in said else None,
        _priority(said["priority"]) if "priority" in said else None,
        _switch(said.get("fit", "on"), "Fit"),
        said.get("template"),
        _switch(said.get("degrade", "on"), "Degrade"),
        _switch(said.get("queue", "refuse"), "Queue", _QUEUES),
        _switch(said.get("events", "off"), "Events"),
    )


def _attribute(rest: str) -> str:
    if rest in _SPELLED:
        return _SPELLED[rest]
    if rest.startswith(_TAG):
        return parse_key(f"tag.{rest[len(_TAG) :]}", _header(rest))
    allowed = sorted(_header(word) for word in (*_SPELLED, *_WORDS, "tag-<name>"))
    raise InvalidInput(_header(rest), "is no header of ours.", allowed)


def _header(rest: str) -> str:
    """A header's name as people write it."""
    return f"X-Budget-{rest[:60].title()}"


def _baggage(text: bytes) -> Iterator[tuple[str, str]]:
    """Members whose name is `budget.` and an attribute; whatever else is there is not ours."""
    for member in text.decode("latin-1").split(","):
        name, _, value = member.partition(";")[0].partition("=")
        name = name.strip().lower()
        if name.startswith(_BAGGAGE):
            rest = name[len(_BAGGAGE) :]
            if rest in STANDARD or rest.startswith("tag."):
                yield parse_key(rest, "baggage"), parse_value(unquote(value), f"baggage.{rest}")


def _priority(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= HIGHEST_PRIORITY:
        return int(text)
    raise InvalidInput("X-Budget-Priority", f"{text[:80]!r} is no number from 1 to 10.")


def _switch(text: str, name: str, words: tuple[str, str] = ("on", "off")) -> bool:
    if text.lower() in words:
        return text.lower() == words[0]
    told = f"{text[:80]!r} is neither {words[0]} nor {words[1]}."
    raise InvalidInput(f"X-Budget-{name}", told, words)


def _text(value: bytes) -> str:
    """A header's value: UTF-8, as HTTP clients send it, else what its bytes are."""
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
