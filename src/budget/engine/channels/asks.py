"""Channel asks: what somebody writes to make or change a channel, read and checked.

Not here: the acts (`acts`), and which URLs may be told (`webhook`, `chat`).
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from budget.domain.answers_channels import KINDS, OWNER, Wanted
from budget.domain.asks_alerts import ChannelAsk
from budget.domain.attributes import parse_attributes
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.events import KINDS as EVENT_KINDS
from budget.domain.events import OPEN_KINDS
from budget.domain.quiet import SEVERITIES, Quiet, parse_quiet
from budget.engine.callers import Caller
from budget.engine.channels import chat, webhook
from budget.engine.channels.settings import ChannelSettings, is_address
from budget.engine.channels.topics import TOPICS
from budget.engine.fields import only_fields, parse_text

MAX_NAME_CHARS: Final = 200
MAX_ADDRESSES: Final = 20
MAX_WORDS: Final = 100
MIN_DIGEST_SECONDS: Final = 10
MAX_DIGEST_SECONDS: Final = 7 * 86_400
DEFAULT_KINDS: Final = ("alert_raised",)
"""What a channel is told of unless it asks for something else."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TARGETS: Final = {"webhook": "url", "email": "to", "chat": "apprise_url"}


WANTED: Final = frozenset(Wanted._fields)

_FIELDS: Final = frozenset(ChannelAsk.__annotations__)


class Terms(NamedTuple):
    """The fields that were given, by their names in `Channel`."""

    kind: str
    fields: Mapping[str, Any]


def parse_new(ask: Mapping[str, Any], settings: ChannelSettings) -> Terms:
    """What a new channel is to be."""
    only_fields(ask, _FIELDS)
    kind = ask.get("kind")
    if kind is None:
        raise InvalidInput("kind", "is required.", KINDS)
    if kind not in KINDS:
        raise InvalidInput("kind", "is not a kind of channel.", KINDS)
    for name in ("name", _TARGETS[kind]):
        if ask.get(name) is None:
            raise InvalidInput(name, "is required.")
    if kind == "email" and settings.mail is None:
        raise InvalidInput(
            "kind", "email needs BUDGET_SMTP_URL and BUDGET_SMTP_FROM, which the operator sets."
        )
    check_kind(ask, kind)
    fields = _parsed(ask, kind, settings)
    return Terms(kind, {"wanted": Wanted(kinds=DEFAULT_KINDS), **fields})


def parse_changed(ask: Mapping[str, Any], settings: ChannelSettings) -> dict[str, Any]:
    """What is to change of a channel; `check_kind` says whether it is of that kind."""
    only_fields(ask, _FIELDS)
    targets = [kind for kind, target in _TARGETS.items() if ask.get(target) is not None]
    return _parsed(ask, targets[0] if targets else KINDS[0], settings)


def check_kind(ask: Mapping[str, Any], kind: str) -> None:
    """InvalidInput for another kind than the channel has, and for what is of another's alone."""
    if ask.get("kind") not in (None, kind):
        raise InvalidInput("kind", "does not change; make another channel.")
    for other, target in _TARGETS.items():
        if other != kind and ask.get(target) is not None:
            raise InvalidInput(target, f"is of channels of the kind {other}; this one is {kind}.")


def _parsed(ask: Mapping[str, Any], kind: str, settings: ChannelSettings) -> dict[str, Any]:
    given = {name: value for name, value in ask.items() if value is not None}
    fields: dict[str, Any] = {}
    target = _TARGETS[kind]
    if target in given:
        fields["target"] = {target: _target(kind, given[target], settings)}
    if "name" in given:
        fields["name"] = _name(given["name"])
    if "wanted" in given:
        fields["wanted"] = parse_wanted(given["wanted"])
    if "quiet" in given:
        fields["quiet"] = _quiet(given["quiet"])
    if "digest_seconds" in given:
        fields["digest_seconds"] = _digest_seconds(given["digest_seconds"])
    if "enabled" in given:
        if not isinstance(given["enabled"], bool):
            raise InvalidInput("enabled", "must be true or false.")
        fields["enabled"] = given["enabled"]
    return fields


def parse_wanted(given: object, field: str = "wanted") -> Wanted:
    """What a channel is told of. Without topics and kinds: alerts, when they are raised."""
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object.", sorted(WANTED))
    only_fields(given, WANTED, f"{field}.")
    topics = _words(given.get("topics"), f"{field}.topics", tuple(TOPICS))
    kinds = _words(given.get("kinds"), f"{field}.kinds", sorted(EVENT_KINDS))
    attributes = given.get("attributes")
    return Wanted(
        topics,
        kinds or (() if topics else DEFAULT_KINDS),
        _words(given.get("severities"), f"{field}.severities", SEVERITIES),
        _line(given.get("budget_id"), f"{field}.budget_id"),
        _line(given.get("owner"), f"{field}.owner"),
        {} if attributes is None else parse_attributes(attributes, f"{field}.attributes"),
    )


def check_kinds(wanted: Wanted, caller: Caller) -> None:
    """Forbidden unless the caller may hear of what is wanted."""
    if not may_hear(wanted, caller):
        closed = next(kind for kind in wanted.kinds if kind not in OPEN_KINDS)
        raise Forbidden(f"Events such as {closed} are for keys with the right `admin`.")


def may_hear(wanted: Wanted, caller: Caller) -> bool:
    """Whether a caller may hear of what is wanted; some kinds are for who has every right."""
    return caller.admin or OPEN_KINDS.issuperset(wanted.kinds)


def _words(value: object, field: str, allowed: Sequence[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MAX_WORDS:
        raise InvalidInput(field, f"must be a list of at most {MAX_WORDS}.", allowed)
    for at, word in enumerate(value):
        if word not in allowed:
            raise InvalidInput(f"{field}[{at}]", "is not one of those there are.", allowed)
    return tuple(dict.fromkeys(value))


def _target(kind: str, value: object, settings: ChannelSettings) -> str | list[str]:
    if kind == "chat":
        return chat.check_url(value)
    if kind == "email":
        return _addresses(value)
    if not isinstance(value, str):
        raise InvalidInput("url", "must be a URL, as a string.")
    return webhook.check_url(value, settings)


def _addresses(value: object) -> str | list[str]:
    if value == OWNER:
        return OWNER
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MAX_ADDRESSES:
        raise InvalidInput("to", f"must be `owner`, an address, or 1 to {MAX_ADDRESSES} of them.")
    for at, address in enumerate(given):
        if not is_address(address):
            raise InvalidInput(f"to[{at}]", "is not a plain e-mail address.")
    return list(dict.fromkeys(given))


def _name(value: object) -> str:
    name = _line(value, "name") or ""
    if not name.strip():
        raise InvalidInput("name", f"must have 1 to {MAX_NAME_CHARS} characters.")
    return name


def _line(value: object, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARS:
        raise InvalidInput(field, f"must be a string of 1 to {MAX_NAME_CHARS} characters.")
    if _CONTROL.search(value):
        raise InvalidInput(field, "must not contain control characters.")
    return parse_text(value, field)


def _quiet(value: object) -> Quiet | None:
    return parse_quiet(value)


def _digest_seconds(value: object) -> int | None:
    if isinstance(value, Decimal) and 0 <= value <= MAX_DIGEST_SECONDS and value == int(value):
        value = int(value)  # 600.0 is a whole number in JSON
    if type(value) is int and value == 0:
        return None
    if type(value) is not int or not MIN_DIGEST_SECONDS <= value <= MAX_DIGEST_SECONDS:
        raise InvalidInput(
            "digest_seconds", f"must be {MIN_DIGEST_SECONDS} to {MAX_DIGEST_SECONDS}, or 0."
        )
    return value
