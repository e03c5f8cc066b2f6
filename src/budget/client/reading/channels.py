"""Channels read, and what was sent there. What was looked at for a channel is not told: `after`."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import us, us_or_none
from budget.domain.answers_channels import Channel, Delivery, Replay, Tested, Wanted
from budget.domain.cursors import decode
from budget.domain.quiet import parse_quiet


def channel(shape: Mapping[str, Any]) -> Channel:
    """A channel; with its secret if that was just made."""
    targets = {name: shape[name] for name in ("url", "to", "apprise_url")}
    quiet, wanted = shape["quiet"], shape["wanted"]
    return Channel(
        channel_id=shape["channel_id"],
        name=shape["name"],
        kind=shape["kind"],
        target={name: told for name, told in targets.items() if told is not None},
        wanted=Wanted(
            tuple(wanted["topics"]), tuple(wanted["kinds"]), tuple(wanted["severities"]),
            wanted["budget_id"], wanted["owner"], wanted["attributes"],
        ),
        quiet=None if quiet is None else parse_quiet(quiet),
        digest_seconds=shape["digest_seconds"],
        bound=shape["bound"],
        enabled=shape["enabled"],
        created_by=shape["created_by"],
        created_us=us(shape["created_at"]),
        updated_us=us(shape["updated_at"]),
        archived_us=us_or_none(shape["archived_at"]),
        former_until_us=us_or_none(shape["former_secret_until"]),
        secret=shape.get("secret"),
        replayed=shape.get("replayed", False),
    )  # fmt: skip


def delivery(shape: Mapping[str, Any]) -> Delivery:
    """One entry on its way to a channel. When one that is done was due is not told: when it was."""
    created_us, done_us = us(shape["created_at"]), us_or_none(shape["done_at"])
    due_us = us_or_none(shape["due_at"])
    if due_us is None:
        due_us = created_us if done_us is None else done_us
    return Delivery(
        shape["delivery_id"], shape["channel_id"], decode(shape["cursor"]), shape["kind"],
        shape["status"], shape["attempts"], due_us, created_us, done_us, shape["answer"],
        shape["digest_id"],
    )  # fmt: skip


def tested(shape: Mapping[str, Any]) -> Tested:
    """What came of a test notice."""
    return Tested(shape["channel_id"], shape["delivered"], shape["answer"])


def replay(shape: Mapping[str, Any]) -> Replay:
    """What is sent again."""
    return Replay(shape["channel_id"], decode(shape["after"]), shape["deliveries"])
