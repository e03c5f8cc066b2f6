"""Asking other programs' APIs for JSON, page after page, with a key that is never told.

Behind the guard of `outbound`: public hosts over https, or where the operator says.
Numbers stay decimal. Not here: what the answers mean (`proxy`, `providers`).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from budget.domain.errors import InvalidInput, Unavailable
from budget.outbound.fetching import Limits, fetch
from budget.outbound.guard import PUBLIC_ONLY, Allow, read_url

LIMITS: Final = Limits(total_seconds=60.0, body_bytes=64 << 20)
MAX_PAGES: Final = 10_000

Query = Mapping[str, str | int | list[str]]


class Asked(NamedTuple):
    """Whom to ask: where, with which headers, what the operator allows, and what to look at in our
    settings where that fails.
    """

    base: str
    headers: Mapping[str, str]
    allow: Allow
    advice: str = ""

    def get(self, path: str, query: Query | None = None) -> Any:
        """What it answers, as JSON. Unavailable, which tells neither the key nor the query."""
        asked = urlencode(query or {}, doseq=True)
        url = f"{self.base}{path}{'?' if asked else ''}{asked}"
        try:
            answer = fetch(url, limits=LIMITS, allow=self.allow, headers=self.headers)
        except Unavailable as error:
            address = f"{self.base}{path}".partition("?")[0]
            said = f"{error.detail.rstrip('.')}, asked for {address}. {self.advice}"
            raise Unavailable(said.strip()) from None
        try:
            return json.loads(answer.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Unavailable(f"{path} was not answered in JSON.") from None


def asked_of(
    usual: str, headers: Mapping[str, str], env: Mapping[str, str], setting: str, key_setting: str
) -> Asked:
    """Whom to ask: at the usual address behind the guard, or where the setting says, which the
    operator wrote, so that it may stand anywhere. InvalidInput names the setting.
    """
    other = (env.get(setting) or "").strip()
    if other:
        return named_by(other, headers, setting, key_setting)
    advice = f"See that the key in {key_setting} is right; {setting} names another address."
    return Asked(usual, headers, PUBLIC_ONLY, advice)


def named_by(url: str, headers: Mapping[str, str], field: str, key_setting: str) -> Asked:
    """Whom to ask at an address that the operator wrote."""
    site = read_url(url, field)
    advice = f"See that the address of {field} and the key in {key_setting} are right."
    return Asked(url.rstrip("/"), headers, Allow(origins=frozenset({site.origin})), advice)


def key_in(env: Mapping[str, str], setting: str) -> str:
    """A key that the environment holds; InvalidInput says which variable is to have it."""
    key = (env.get(setting) or "").strip()
    if not key:
        raise InvalidInput(setting, "is not set; it is to hold the key to ask with.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidInput(setting, "is no key: it has spaces or characters that no header has.")
    return key
