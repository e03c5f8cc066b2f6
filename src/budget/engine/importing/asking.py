"""Asking other programs' APIs for JSON, page after page, with a key that is never told.

Behind the guard of `outbound`: public hosts over https, and the origins that the operator named.
Numbers stay decimal. Not here: what the answers mean (`proxy`, `providers`).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from budget.domain.errors import InvalidInput, Unavailable
from budget.outbound.fetching import Limits, fetch
from budget.outbound.guard import Allow, read_url

ORIGINS_SETTING: Final = "BUDGET_IMPORT_ORIGINS"
LIMITS: Final = Limits(total_seconds=60.0, body_bytes=64 << 20)
MAX_PAGES: Final = 10_000

Query = Mapping[str, str | int | list[str]]


class Asked(NamedTuple):
    """Whom to ask: where, with which headers, and what the operator allows."""

    base: str
    headers: Mapping[str, str]
    allow: Allow

    def get(self, path: str, query: Query | None = None) -> Any:
        """What it answers, as JSON. Unavailable, which tells neither the key nor the query."""
        asked = urlencode(query or {}, doseq=True)
        url = f"{self.base}{path}{'?' if asked else ''}{asked}"
        answer = fetch(url, limits=LIMITS, allow=self.allow, headers=self.headers)
        try:
            return json.loads(answer.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Unavailable(f"{path} was not answered in JSON.") from None


def asked_of(
    base: str, headers: Mapping[str, str], env: Mapping[str, str], *, named: bool = False
) -> Asked:
    """Whom to ask at an address; `named`: the operator wrote it, so it may stand anywhere."""
    site = read_url(base, "FILE" if named else ORIGINS_SETTING)
    given = [one.strip() for one in (env.get(ORIGINS_SETTING) or "").split(",") if one.strip()]
    if named:
        given.append(site.origin)
    try:
        allow = Allow(origins=frozenset(given), setting=ORIGINS_SETTING)
    except InvalidInput as error:
        raise InvalidInput(ORIGINS_SETTING, error.detail) from None
    return Asked(base.rstrip("/"), headers, allow)


def key_in(env: Mapping[str, str], setting: str) -> str:
    """A key that the environment holds; InvalidInput says which variable is to have it."""
    key = (env.get(setting) or "").strip()
    if not key:
        raise InvalidInput(setting, "is not set; it is to hold the key to ask with.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidInput(setting, "is no key: it has spaces or characters that no header has.")
    return key
