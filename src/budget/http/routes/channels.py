"""Routes of channels: where notices go, and what was sent there."""

from typing import Final, TypedDict

from budget.domain import cursors, shapes, shapes_channels
from budget.domain.asks_alerts import ChannelAsk
from budget.domain.wire import channels as wire
from budget.engine.jobs import Jobs
from budget.http import handlers
from budget.http.calls import Answered, Call, act
from budget.http.queries import flag, text
from budget.http.route import PAGED, V1, Route


class RotateAsk(TypedDict, total=False):
    """Nothing but a key that recognises the request."""

    idempotency_key: str


class ReplayAsk(TypedDict, total=False):
    """From where on: a time, or a cursor."""

    since: str


delivery = wire.delivery(cursors.encode)


async def test(call: Call) -> Answered:
    """Send a test notice through a channel now, and say what came of it."""
    job = call.jobs.test_channel(*call.ids)
    # One at a time: receivers that are slow must not take the threads that others wait for.
    async with call.service.testing:
        return Answered(wire.tested(await call.run(job)))


async def replay(call: Call) -> Answered:
    """Send all that a channel wants since a time or a cursor, again where it was sent before."""
    ask = {"since": None, **call.ask}
    made = await call.run(call.jobs.replay_channel(*call.ids, **ask))
    return Answered(wire.replay(cursors.encode)(made))


CHANNELS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/channels", "manage", act(Jobs.create_channel, wire.changed_channel),
          ChannelAsk, shapes_channels.ChangedChannelShape, 201),
    Route("GET", f"{V1}/channels", "manage",
          act(Jobs.channels, handlers.page_of(wire.channel)),
          answer=shapes.PageShape, query={**PAGED, "archived": flag}),
    Route("GET", f"{V1}/channels/{{channel_id}}", "manage", act(Jobs.channel, wire.channel),
          answer=shapes_channels.ChannelShape),
    Route("PATCH", f"{V1}/channels/{{channel_id}}", "manage",
          act(Jobs.change_channel, wire.changed_channel),
          ChannelAsk, shapes_channels.ChangedChannelShape),
    Route("DELETE", f"{V1}/channels/{{channel_id}}", "manage",
          act(Jobs.archive_channel, wire.changed_channel),
          answer=shapes_channels.ChangedChannelShape),
    Route("POST", f"{V1}/channels/{{channel_id}}/test", "manage",
          test, answer=shapes_channels.TestedShape),
    Route("POST", f"{V1}/channels/{{channel_id}}/rotate-secret", "manage",
          act(Jobs.rotate_channel_secret, wire.changed_channel),
          RotateAsk, shapes_channels.ChangedChannelShape),
    Route("GET", f"{V1}/channels/{{channel_id}}/deliveries", "manage",
          act(Jobs.deliveries, handlers.page_of(delivery)),
          answer=shapes.PageShape, query={**PAGED, "status": text}),
    Route("POST", f"{V1}/channels/{{channel_id}}/deliveries/{{delivery_id}}/replay", "manage",
          act(Jobs.replay_delivery, delivery), answer=shapes_channels.DeliveryShape),
    Route("POST", f"{V1}/channels/{{channel_id}}/replay", "manage", replay,
          ReplayAsk, shapes_channels.ReplayShape),
)  # fmt: skip
