"""Addressing: where a request goes at an upstream: below its base address, and nowhere else.

What a caller writes behind the mount is a path there, letter by letter; one that could be read as
leading elsewhere is refused. Not here: which upstream (`gateway`), and how it is sent (`sending`).
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from budget.domain.errors import InvalidInput

_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")
_PLAIN: Final = re.compile(r"%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")
"""Letters, digits and `-._~` in the other spelling: a provider could read them as we do not."""
_QUERY: Final = re.compile(r"[!$%-;=?-Z_a-z~\[\]|^]*")
_PARTS: Final = re.compile(rb"[/\\]")
_VERSION: Final = re.compile(r"(?:/openai|/api|/inference)?/v1(?=/)")
_NO_LETTERS: Final = re.compile(rb"[\x00-\x1f\x7f]")
_SHOWN: Final = 120
_REMEMBERED_PATHS: Final = 128
"""Callers use few; to look at each anew would cost more than to find it again."""


def check_path(path: str, query: str) -> None:
    """InvalidInput for a path that is none, or has parts that lead up or nowhere."""
    _check_parts(path)
    if not _QUERY.fullmatch(query):
        raise InvalidInput("query", "has letters that must be written as %XX.")


@lru_cache(_REMEMBERED_PATHS)
def _check_parts(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise _no_path(path, "has letters that must be written as %XX")
    meant = unquote_to_bytes(path)
    *inner, last = _PARTS.split(meant)[1:]
    if _NO_LETTERS.search(meant) or any(part in (b"", b".", b"..") for part in inner):
        raise _no_path(path, "has empty parts, dots or signs that are no letters in it")
    if _PLAIN.search(path):
        raise _no_path(path, "has letters as %XX that need not be written so")
    if last in (b".", b".."):
        raise _no_path(path, "ends in dots")


def address_of(base_url: str, path: str) -> str:
    """The address of a path, with its query, at an upstream.

    InvalidInput if it does not begin as a path does: it would change the host's name.
    """
    if not path.startswith("/"):
        raise _no_path(path, "does not begin with a slash behind its version")
    return base_url + path


@lru_cache(_REMEMBERED_PATHS)
def below_version(path: str) -> str:
    """A path without `/v1`, which base addresses in OpenAI's shape have at their end; also as
    clients of those write it who have more before it.
    """
    return _VERSION.sub("", path, count=1) if _VERSION.match(path) else path


def _no_path(path: str, why: str) -> InvalidInput:
    return InvalidInput("path", f"{path[:_SHOWN]!r} {why}; call the provider's own path.")
