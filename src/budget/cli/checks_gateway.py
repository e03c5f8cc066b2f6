"""Checks of the gateway: whether its upstreams answer, and whether a key would go in the clear.

Asked from this machine, and without a key. Not here: how findings are told (`doctor`).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from budget.cli.checks import ASK_SECONDS, Finding
from budget.cli.remote import near

if TYPE_CHECKING:
    from budget.http.discovery import UpstreamShape

NAME: Final = "gateway"
MOST_AT_ONCE: Final = 8


def upstreams(found: Sequence["UpstreamShape"]) -> Iterator[Finding]:
    """Whether those answer that have a key, or that somebody has named an address for."""
    from budget.gateway.upstreams import KNOWN

    used = [
        one
        for one in found
        if one["has_key"]
        or one["name"] not in KNOWN
        or one["base_url"] != KNOWN[one["name"]].base_url
    ]
    if not used:
        advice = "`budget gateway demo` needs none; see docs/guide/gateway.md for your own."
        yield Finding(NAME, "ok", "no upstream has a key", advice)
        return
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        troubles = list(pool.map(_trouble, (one["base_url"] for one in used)))
    well = [one["name"] for one, trouble in zip(used, troubles, strict=True) if trouble is None]
    if well:
        yield Finding(NAME, "ok", f"answering: {', '.join(well)}")
    for one, trouble in zip(used, troubles, strict=True):
        if trouble is not None:
            words = f"{one['name']} does not answer at {one['base_url']} ({trouble})"
            advice = "See its address, and whether this machine may go there."
            yield Finding(NAME, "warn", words, advice)
        if one["has_key"] and _is_clear(one["base_url"]):
            words = f"the key of {one['name']} goes in the clear to {one['base_url']}"
            yield Finding(NAME, "warn", words, "Use https, or a private line.")


def _is_clear(url: str) -> bool:
    return urlsplit(url).scheme == "http" and not near(url)


def _trouble(url: str) -> str | None:
    """What is wrong if nobody answers at an address; whatever is answered is well."""
    import httpx2

    try:
        httpx2.get(url, timeout=ASK_SECONDS, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return type(error).__name__
    return None
