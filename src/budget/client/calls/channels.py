"""Calls about channels."""

from typing import Unpack

from budget.client.reading import channels as read
from budget.client.reading.parts import page
from budget.client.request import Request, act, at, get, once
from budget.domain.answers_channels import Channel, Delivery, Replay, Tested
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import ChannelAsk


class ChannelCalls:
    """The methods."""

    def create_channel(self, **ask: Unpack[ChannelAsk]) -> Request[Channel]:
        return act("/channels", read.channel, ask)

    def change_channel(self, channel_id: str, **ask: Unpack[ChannelAsk]) -> Request[Channel]:
        return act(at("/channels/{}", channel_id), read.channel, ask, method="PATCH")

    def archive_channel(self, channel_id: str) -> Request[Channel]:
        return once(at("/channels/{}", channel_id), read.channel, method="DELETE")

    def rotate_channel_secret(
        self, channel_id: str, *, idempotency_key: str | None = None
    ) -> Request[Channel]:
        asked = {} if idempotency_key is None else {"idempotency_key": idempotency_key}
        return act(at("/channels/{}/rotate-secret", channel_id), read.channel, asked)

    def channel(self, channel_id: str) -> Request[Channel]:
        return get(at("/channels/{}", channel_id), read.channel)

    def channels(
        self, *, archived: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Request[Page[Channel]]:
        query = {"archived": archived, "limit": limit, "cursor": cursor}
        return get("/channels", page(read.channel), query)

    def test_channel(self, channel_id: str) -> Request[Tested]:
        return once(at("/channels/{}/test", channel_id), read.tested, patient=True)

    def deliveries(
        self, channel_id: str, *, status: str | None = None, limit: int = 100,
        cursor: str | None = None,
    ) -> Request[Page[Delivery]]:  # fmt: skip
        query = {"status": status, "limit": limit, "cursor": cursor}
        return get(at("/channels/{}/deliveries", channel_id), page(read.delivery), query)

    def replay_delivery(self, channel_id: str, delivery_id: str) -> Request[Delivery]:
        path = at("/channels/{}/deliveries/{}/replay", channel_id, delivery_id)
        return once(path, read.delivery)

    def replay_channel(self, channel_id: str, *, since: str) -> Request[Replay]:
        return once(at("/channels/{}/replay", channel_id), read.replay, {"since": since})
