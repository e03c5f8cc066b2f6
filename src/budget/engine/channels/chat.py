"""Chat: a notice to Slack, Discord, Teams and others, through apprise (the extra `chat`).

Only services on hosts of their own are let through: apprise knows many more, but with those a URL
could make Budget call any address, and some of their options read files. Not here: what is written
(`notices`), when it is tried again (`outbox`).
"""

import logging
import re
import warnings
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from budget.domain.errors import InvalidInput
from budget.engine.channels.outcomes import Outcome

if TYPE_CHECKING:
    from apprise import Apprise

SCHEMES: Final = (
    "slack", "discord", "workflows", "gchat", "tgram", "wxteams", "pover", "pagerduty", "opsgenie",
)  # fmt: skip
"""Slack, Discord, Microsoft Teams, Google Chat, Telegram, Webex, Pushover, PagerDuty, Opsgenie."""
OPTIONS: Final = frozenset({"pa", "route", "ver", "image", "footer", "priority", "region"})
"""What may stand after the question mark. Others could name files or other hosts."""
TEAMS_HOSTS: Final = (".logic.azure.com", ".api.powerplatform.com")

_URL: Final = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<rest>[A-Za-z0-9\-._~:/@#%+=]+)(?:\?([A-Za-z0-9\-._~%+=&]*))?"
)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::443)?")


def check_url(url: object, field: str = "apprise_url") -> str:
    """The URL, if it leads to a service that may be told; InvalidInput, repeating nothing of it."""
    read = _URL.fullmatch(url) if isinstance(url, str) and len(url) <= 2048 else None
    if read is None:
        raise InvalidInput(field, "must be a URL of apprise such as slack://a/b/c.")
    if read["scheme"] not in SCHEMES:
        raise InvalidInput(field, "is not of a service that may be told.", SCHEMES)
    for name, _ in parse_qsl(read[3] or "", keep_blank_values=True):
        if name.lower() not in OPTIONS:
            raise InvalidInput(field, "has an option that may not be set here.", sorted(OPTIONS))
    if read["scheme"] == "workflows":
        host = read["rest"].partition("/")[0]
        if not _HOST.fullmatch(host) or not host.removesuffix(":443").endswith(TEAMS_HOSTS):
            allowed = [f"*{ending}" for ending in TEAMS_HOSTS]
            raise InvalidInput(field, "names a host that is not Microsoft's.", allowed)
    if find_spec("apprise") is None:
        raise InvalidInput(
            field, "needs the extra `chat`: pip install 'budgetd[chat]'.", code="extra_missing"
        )
    if not _opened(read[0]):
        raise InvalidInput(field, "is not complete: apprise cannot read it.")
    return read[0]


def send(url: str, title: str, text: str) -> Outcome:
    """Send a notice; apprise tells no more than whether it worked."""
    if find_spec("apprise") is None:
        return Outcome("failed", "The extra `chat` is not installed.", unreachable=True)
    from apprise import NotifyFormat, NotifyType

    service = _opened(url)
    sent = service.notify(
        title=title, body=text, body_format=NotifyFormat.TEXT, notify_type=NotifyType.INFO
    )
    return Outcome("delivered", "accepted") if sent else Outcome("failed", "was not accepted")


def _opened(url: str) -> "Apprise":
    """The service behind a URL; falsy if apprise cannot read it. It writes nothing to disk."""
    _load()
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    service = Apprise(
        asset=AppriseAsset(
            app_id="Budget", app_desc="Budget", app_url="", storage_mode=PersistentStoreMode.MEMORY
        )
    )
    service.add(url)
    # With a comma in it a URL would be several; none gets here.
    assert len(service) <= 1
    return service


@cache
def _load() -> None:
    """Import what apprise needs; some of it warns of its own age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from apprise.plugins import N_MGR

        load: Any = N_MGR.load_modules  # untyped
        load()
    # It logs the URLs that it is given, tokens included, when it does not like them.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
