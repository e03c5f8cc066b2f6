"""Endpoints: the standard variables of OpenTelemetry, read before its SDK reads them.

The SDK tells of a mistake in them late or not at all, and writes headers that it does not
understand, secrets and all, into the log. Not here: what sends (`exporters`).
"""

import math
import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from budget.domain.errors import InvalidInput

Signal = Literal["metrics", "traces"]

SPOKEN: Final = "http/protobuf"
COMPRESSIONS: Final = ("none", "gzip", "deflate")
USUAL: Final = "http://localhost:4318"

# Of what the SDK understands, what can be sent: names and values as HTTP has them.
_NAME: Final = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+")
_WRITTEN: Final = re.compile(r"[ !#-+\--:<-\[\]-~]*")
_PRINTED: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[ -~\xa0-\xff]*")


def read_endpoint(env: Mapping[str, str], signal: Signal) -> str:
    """Where a signal goes, as it may be shown. InvalidInput names the variable of those that say
    where and how which cannot be meant; of what may be secret the value is not told.
    """
    _check_protocol(env, signal)
    _check_headers(env, signal)
    _check_pace(env, signal)
    name, text = _said(env, signal, "ENDPOINT")
    shown = _shown(text or USUAL)
    if shown is None:
        raise InvalidInput(name, f"must be an address such as {USUAL}.")
    return shown


def _said(env: Mapping[str, str], signal: Signal, what: str) -> tuple[str, str]:
    """The variable that counts for a signal, its own before that of all, and what it says."""
    own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
    name = own if env.get(own) else common
    return name, env.get(name) or ""


def _shown(text: str) -> str | None:
    """An address without what may be secret in it; None: it is none."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    if not fits or not _PRINTED.fullmatch(text):
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_protocol(env: Mapping[str, str], signal: Signal) -> None:
    name, text = _said(env, signal, "PROTOCOL")
    if text not in ("", SPOKEN):
        raise InvalidInput(name, f"{text[:80]!r} is not spoken.", (SPOKEN,))


def _check_headers(env: Mapping[str, str], signal: Signal) -> None:
    name, text = _said(env, signal, "HEADERS")
    if not all(_is_header(one.strip(" \t")) for one in text.split(",")):
        raise InvalidInput(
            name, "must be name=value, with commas between, as authorization=Bearer%20KEY."
        )


def _is_header(text: str) -> bool:
    name, equals, value = text.partition("=")
    sent = unquote(name).strip()
    return not text or bool(
        equals
        and _NAME.fullmatch(name.rstrip(" \t"))
        and _NAME.fullmatch(sent)
        and _WRITTEN.fullmatch(value.lstrip(" \t"))
        and _VALUE.fullmatch(unquote(value))
    )


def _check_pace(env: Mapping[str, str], signal: Signal) -> None:
    name, text = _said(env, signal, "COMPRESSION")
    if text and text.strip().lower() not in COMPRESSIONS:
        raise InvalidInput(name, f"{text[:80]!r} is not done.", COMPRESSIONS)
    name, text = _said(env, signal, "TIMEOUT")
    try:
        seconds = float(text or 1)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidInput(name, "must be a number of seconds, such as 10.")
