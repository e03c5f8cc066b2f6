"""Channel acts: making, changing and archiving channels, new secrets, and sending again.

Each is a change for the ledger to run, with one entry; of a target it tells what is not secret, of
a secret nothing. Not here: what may be written (`asks`), sending (`outbox`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import func, insert, select, update

from budget.domain import cursors
from budget.domain.answers_channels import Channel, Delivery, Replay, Tested
from budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from budget.domain.quiet import quiet_to_json
from budget.domain.rights import Bound, covers, sees_budget
from budget.domain.windows import to_rfc3339
from budget.domain.wire.channels import masked
from budget.engine.batch import Batch
from budget.engine.callers import LOCAL, Caller
from budget.engine.changes import Request, differences, once
from budget.engine.channels import webhook
from budget.engine.channels.asks import check_kind, check_kinds, may_hear, parse_changed, parse_new
from budget.engine.channels.rows import COLUMNS, SELECT_DELIVERIES, channel_of, delivery_of, row_of
from budget.engine.channels.settings import ChannelSettings
from budget.engine.fields import only_fields, parse_idempotency_key, request_hash
from budget.engine.ids import new_id
from budget.engine.rows import to_json
from budget.storage.schema import channels, deliveries

ROTATION_US: Final = 24 * 3600 * 1_000_000
"""How long the secret before the newest signs too."""
MAX_CHANNELS: Final = 200
"""Channels in force that are bound to nothing: each looks at every event."""
MAX_OF_BOUND: Final = 20
"""Channels in force that are bound to the same attributes."""
ACTOR: Final = "budget"

_ONLY_KEY: Final = frozenset({"idempotency_key"})
_ALL: Final = select(channels)


class Found(NamedTuple):
    """A channel and the secret that signs now."""

    channel: Channel
    secret: str | None


def requested(act: str, ask: Mapping[str, Any], caller: Caller, *of: str) -> Request:
    """The request for an act on channels; Forbidden unless the caller manages."""
    if not caller.manage:
        raise Forbidden("This key may not manage channels; use one with the right `manage`.")
    return Request(act, caller.actor, parse_idempotency_key(ask), request_hash(ask, *of))


def may_see(caller: Caller, channel: Channel) -> bool:
    """Whether a caller may know of a channel: it is for no more than the caller may hear of."""
    return covers(caller.bound, channel.bound) and may_hear(channel.wanted, caller)


def creating(
    ask: Mapping[str, Any], caller: Caller, settings: ChannelSettings
) -> Callable[[Batch], Channel]:
    """The change of `create_channel`. A webhook's secret is told in this answer and in no other."""
    terms = parse_new(ask, settings)
    check_kinds(terms.fields["wanted"], caller)
    channel_id = new_id("chan")
    secret = webhook.new_secret() if terms.kind == "webhook" else None
    request = requested("create_channel", ask, caller)

    def create(batch: Batch) -> tuple[Channel, str]:
        same = channels.c.bound == to_json(dict(caller.bound))
        in_force = select(func.count()).where(channels.c.archived_us.is_(None), same)
        most = MAX_OF_BOUND if caller.bound else MAX_CHANNELS
        if batch.unit.execute(in_force)[0][0] >= most:
            raise Conflict(
                f"There are {most} channels in force; archive one first.",
                code="too_many_channels",
            )
        now_us = batch.now_us
        made = Channel(
            channel_id=channel_id, kind=terms.kind, bound=dict(caller.bound),
            created_by=request.actor, created_us=now_us, updated_us=now_us,
            after=batch.next_entry_id(), **terms.fields,
        )  # fmt: skip
        _check_budget(batch, made, caller.bound)
        batch.unit.execute(insert(channels).values(**row_of(made), secret=secret))
        _enter(batch, "channel_created", request.actor, made, _told(made))
        return replace(made, secret=secret), channel_id

    return once(request, create, _present(caller), catalogue=False)


def changing(
    channel_id: str, ask: Mapping[str, Any], caller: Caller, settings: ChannelSettings
) -> Callable[[Batch], Channel]:
    """The change of `change_channel`: the fields given. One that is switched on again hears of what
    comes from then on.
    """
    fields = parse_changed(ask, settings)
    if "wanted" in fields:
        check_kinds(fields["wanted"], caller)
    request = requested("change_channel", ask, caller, channel_id)

    def change(batch: Batch) -> tuple[Channel, str]:
        old = live(batch, channel_id, caller).channel
        check_kind(ask, old.kind)
        new = replace(old, **fields)
        if new == old:
            return old, channel_id
        if new.enabled and not old.enabled:
            new = replace(new, after=batch.next_entry_id())
        _check_budget(batch, new, caller.bound)
        return _changed(batch, request.actor, old, new), channel_id

    return once(request, change, _present(caller), catalogue=False)


def archiving(channel_id: str, caller: Caller) -> Callable[[Batch], Channel]:
    """The change of `archive_channel`: nothing more is sent, not even what waits."""
    request = requested("archive_channel", {}, caller, channel_id)

    def archive(batch: Batch) -> tuple[Channel, str]:
        old = find(batch, channel_id, caller).channel
        if old.archived_us is not None:
            return replace(old, replayed=True), channel_id
        new = replace(old, archived_us=batch.now_us, updated_us=batch.now_us, enabled=False)
        forgotten = {"secret": None, "former_secret": None, "former_until_us": None}
        _store(batch, new, **forgotten)
        batch.unit.execute(
            update(deliveries)
            .where(deliveries.c.channel_id == channel_id, deliveries.c.status == "pending")
            .values(status="skipped", done_us=batch.now_us, answer="The channel was archived.")
        )
        _enter(batch, "channel_archived", request.actor, new, {"name": new.name})
        return replace(new, former_until_us=None), channel_id

    return once(request, archive, _present(caller), catalogue=False)


def rotating(channel_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Channel]:
    """The change of `rotate_channel_secret`: the secret of before signs too, for 24 hours."""
    only_fields(ask, _ONLY_KEY)
    secret = webhook.new_secret()
    request = requested("rotate_channel_secret", ask, caller, channel_id)

    def rotate(batch: Batch) -> tuple[Channel, str]:
        old, former = live(batch, channel_id, caller)
        if former is None:
            raise Conflict("Only webhooks have a secret, for they alone are signed.")
        new = replace(
            old, updated_us=batch.now_us, former_until_us=batch.now_us + ROTATION_US, secret=secret
        )
        _store(batch, new, secret=secret, former_secret=former, former_until_us=new.former_until_us)
        until = to_rfc3339(batch.now_us + ROTATION_US)
        _enter(batch, "channel_secret_rotated", request.actor, new, {"former_secret_until": until})
        return new, channel_id

    return once(request, rotate, _present(caller), catalogue=False)


def replaying(channel_id: str, after: int, caller: Caller) -> Callable[[Batch], Replay]:
    """The change of `replay_channel`: all that the channel wants after an entry is sent, again."""
    request = requested("replay_channel", {"after": after}, caller, channel_id)

    def replay(batch: Batch) -> tuple[Replay, str]:
        old = live(batch, channel_id, caller).channel
        if not old.enabled:
            raise Conflict("The channel is off, and nothing would be sent; switch it on first.")
        new = replace(old, after=min(after, old.after), updated_us=batch.now_us)
        table = deliveries.c
        since = (table.channel_id == channel_id) & (table.entry_id > after)
        known = batch.unit.execute(select(func.count()).where(since))[0][0]
        batch.unit.execute(update(deliveries).where(since).values(**_anew(batch)))
        _store(batch, new)
        detail = {"after": cursors.encode(after), "deliveries": known}
        _enter(batch, "delivery_replayed", request.actor, new, detail)
        return Replay(channel_id, after, known), channel_id

    return once(request, replay, lambda *_: Replay(channel_id, after, 0), catalogue=False)


def replaying_one(channel_id: str, delivery_id: str, caller: Caller) -> Callable[[Batch], Delivery]:
    """The change of `replay_delivery`: it is sent again at once, with the same id."""
    request = requested("replay_delivery", {}, caller, channel_id, delivery_id)

    def present(batch: Batch, ref: str) -> Delivery:
        names = (*deliveries.columns.keys(), "kind")
        found = batch.unit.execute(
            SELECT_DELIVERIES.where(
                deliveries.c.delivery_id == ref, deliveries.c.channel_id == channel_id
            )
        )
        if not found:
            raise NotFound("delivery", delivery_id)
        return delivery_of(dict(zip(names, found[0], strict=True)))

    def replay(batch: Batch) -> tuple[Delivery, str]:
        channel = live(batch, channel_id, caller).channel
        present(batch, delivery_id)
        batch.unit.execute(
            update(deliveries).where(deliveries.c.delivery_id == delivery_id).values(**_anew(batch))
        )
        detail = {"delivery_id": delivery_id}
        _enter(batch, "delivery_replayed", request.actor, channel, detail)
        return present(batch, delivery_id), delivery_id

    return once(request, replay, present, catalogue=False)


def noting_test(tested: Tested, actor: str) -> Callable[[Batch], Tested]:
    """The change that enters what came of a test notice."""

    def note(batch: Batch) -> Tested:
        found = find(batch, tested.channel_id, LOCAL).channel
        detail = {"delivered": tested.delivered, "answer": tested.answer}
        _enter(batch, "channel_tested", actor, found, detail)
        batch.write([])
        return tested

    return note


def disabling(channel_id: str, reason: str) -> Callable[[Batch], bool]:
    """The change that switches off a channel whose receiver wants nothing more."""

    def disable(batch: Batch) -> bool:
        old = find(batch, channel_id, LOCAL).channel
        if not old.enabled or old.archived_us is not None:
            return False
        _changed(batch, ACTOR, old, replace(old, enabled=False), reason=reason)
        batch.write([])
        return True

    return disable


# --- Parts ---------------------------------------------------------------------------------------


def find(batch: Batch, channel_id: str, caller: Caller) -> Found:
    """The channel, archived or not; NotFound, in the same words, where it may not be seen."""
    rows = batch.unit.execute(_ALL.where(channels.c.channel_id == channel_id))
    if rows:
        row = dict(zip(COLUMNS, rows[0], strict=True))
        channel = channel_of(row)
        if may_see(caller, channel):
            return Found(channel, row["secret"])
    raise NotFound("channel", channel_id)


def live(batch: Batch, channel_id: str, caller: Caller) -> Found:
    """The channel, or a Conflict once it is archived."""
    found = find(batch, channel_id, caller)
    if found.channel.archived_us is not None:
        raise Conflict(
            f"The channel was archived on {to_rfc3339(found.channel.archived_us)}; make a new one.",
            code="archived",
        )
    return found


def _present(caller: Caller) -> Callable[[Batch, str], Channel]:
    return lambda batch, ref: find(batch, ref, caller).channel


def _check_budget(batch: Batch, channel: Channel, bound: Bound) -> None:
    budget_id = channel.wanted.budget_id
    if budget_id is None:
        return
    budget = batch.catalogue.budgets.get(budget_id)
    if budget is None or not sees_budget(bound, budget):
        raise InvalidInput("wanted.budget_id", "is not the id of a budget.")


def _anew(batch: Batch) -> dict[str, Any]:
    """What makes a delivery one that was never tried, due now."""
    return {
        "status": "pending", "attempts": 0, "due_us": batch.now_us, "done_us": None,
        "answer": None, "digest_id": None,
    }  # fmt: skip


def _changed(batch: Batch, actor: str, old: Channel, new: Channel, **more: str) -> Channel:
    new = replace(new, updated_us=batch.now_us)
    _store(batch, new)
    was, now = _told(old), _told(new)
    changes = differences(was, now)
    if old.target != new.target:  # what differs may be what is not told
        changes["target"] = {"old": was["target"], "new": now["target"]}
    _enter(batch, "channel_changed", actor, new, {"name": new.name, "changes": changes, **more})
    return new


def _store(batch: Batch, channel: Channel, **secrets: Any) -> None:
    batch.unit.execute(
        update(channels)
        .where(channels.c.channel_id == channel.channel_id)
        .values(**row_of(channel), **secrets)
    )


def _told(channel: Channel) -> dict[str, Any]:
    """What entries tell of a channel: of URLs no more than where they lead."""
    target = {
        name: masked(value) if name in ("url", "apprise_url") else value
        for name, value in channel.target.items()
    }
    return {
        "name": channel.name,
        "kind": channel.kind,
        "target": target,
        "wanted": channel.wanted._asdict(),
        "quiet": None if channel.quiet is None else quiet_to_json(channel.quiet),
        "digest_seconds": channel.digest_seconds,
        "enabled": channel.enabled,
        "bound": dict(channel.bound),
    }


def _enter(
    batch: Batch, kind: str, actor: str, channel: Channel, detail: Mapping[str, Any]
) -> None:
    batch.enter(kind, actor, [], {"channel_id": channel.channel_id, **detail})
