"""Channels in JSON, without their secrets; what a webhook is sent."""

from collections.abc import Callable, Sequence
from typing import Any

from budget.domain.answers_channels import Channel, Delivery, Replay, Tested
from budget.domain.quiet import quiet_to_json
from budget.domain.shapes_channels import (
    ChangedChannelShape,
    ChannelShape,
    DeliveryShape,
    NoticeShape,
    ReplayShape,
    TestedShape,
)
from budget.domain.windows import to_rfc3339


def channel(answer: Channel) -> ChannelShape:
    """A channel. What stands behind the scheme of a chat's URL is as good as a password."""
    chat = answer.target.get("apprise_url")
    quiet: Any = None if answer.quiet is None else quiet_to_json(answer.quiet)
    wanted = answer.wanted
    return {
        "channel_id": answer.channel_id,
        "name": answer.name,
        "kind": answer.kind,
        "url": answer.target.get("url"),
        "to": answer.target.get("to"),
        "apprise_url": None if chat is None else masked(chat),
        "wanted": {
            "topics": list(wanted.topics),
            "kinds": list(wanted.kinds),
            "severities": list(wanted.severities),
            "budget_id": wanted.budget_id,
            "owner": wanted.owner,
            "attributes": dict(wanted.attributes),
        },
        "quiet": quiet,
        "digest_seconds": answer.digest_seconds,
        "enabled": answer.enabled,
        "bound": dict(answer.bound),
        "created_by": answer.created_by,
        "created_at": to_rfc3339(answer.created_us),
        "updated_at": to_rfc3339(answer.updated_us),
        "archived_at": _instant(answer.archived_us),
        "former_secret_until": _instant(answer.former_until_us),
    }


def changed_channel(answer: Channel) -> ChangedChannelShape:
    """A channel that was made or changed."""
    return {**channel(answer), "secret": answer.secret, "replayed": answer.replayed}


def masked(url: str) -> str:
    """A URL without what may be secret in it: of the web its host, of a chat its scheme."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() in ("http", "https"):
        return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}/…"
    return f"{scheme}://…"


def delivery(encode: Callable[[int], str]) -> Callable[[Delivery], DeliveryShape]:
    """How a delivery looks; `encode` writes the cursor of an entry."""

    def shaped(answer: Delivery) -> DeliveryShape:
        return {
            "delivery_id": answer.delivery_id,
            "channel_id": answer.channel_id,
            "cursor": encode(answer.entry_id),
            "kind": answer.kind,
            "status": answer.status,
            "attempts": answer.attempts,
            "due_at": to_rfc3339(answer.due_us) if answer.status == "pending" else None,
            "created_at": to_rfc3339(answer.created_us),
            "done_at": _instant(answer.done_us),
            "answer": answer.answer,
            "digest_id": answer.digest_id,
        }

    return shaped


def tested(answer: Tested) -> TestedShape:
    """What came of a test notice."""
    return {
        "channel_id": answer.channel_id,
        "delivered": answer.delivered,
        "answer": answer.answer,
    }


def replay(encode: Callable[[int], str]) -> Callable[[Replay], ReplayShape]:
    """How a replay looks."""

    def shaped(answer: Replay) -> ReplayShape:
        return {
            "channel_id": answer.channel_id,
            "after": encode(answer.after),
            "deliveries": answer.deliveries,
        }

    return shaped


def notice(kind: str, at_us: int, data: Any) -> NoticeShape:
    """What a webhook is sent."""
    return {"type": type_of(kind), "timestamp": to_rfc3339(at_us), "data": data}


def digest(notices: Sequence[NoticeShape], at_us: int) -> NoticeShape:
    """Several notices in one; `at_us` is when the newest of them came to be."""
    data = {"notices": list(notices)}
    return {"type": "digest", "timestamp": to_rfc3339(at_us), "data": data}


def type_of(kind: str) -> str:
    """The type of a notice: the kind of the entry, of alerts with a point: alert.raised."""
    return kind.replace("alert_", "alert.", 1) if kind.startswith("alert_") else kind


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else to_rfc3339(at_us)
