"""Acts about channels.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_channels import Channel, Delivery, Replay, Tested
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import ChannelAsk


class ChannelActs(Protocol):
    """The methods."""

    def create_channel(self, **ask: Unpack[ChannelAsk]) -> Act[Channel]:
        """Make a channel that tells of alerts, or of what else is `wanted`, from now on.

        A webhook's `secret` is in this answer and in no other.
        """

    def change_channel(self, channel_id: str, **ask: Unpack[ChannelAsk]) -> Act[Channel]:
        """Change the fields given. One that is switched on again hears of what comes from then."""

    def archive_channel(self, channel_id: str) -> Act[Channel]:
        """Take a channel out of force; what waits is not sent."""

    def rotate_channel_secret(
        self, channel_id: str, *, idempotency_key: str | None = None
    ) -> Act[Channel]:
        """Give a webhook a new secret; the one before it signs too, for 24 hours."""

    def channel(self, channel_id: str) -> Act[Channel]:
        """One channel."""

    def channels(
        self, *, archived: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Act[Page[Channel]]:
        """Channels by id; archived ones only when asked for."""

    def test_channel(self, channel_id: str) -> Act[Tested]:
        """Send a test notice through a channel now, and say what came of it."""

    def deliveries(
        self, channel_id: str, *, status: str | None = None, limit: int = 100,
        cursor: str | None = None,
    ) -> Act[Page[Delivery]]:  # fmt: skip
        """What a channel was told, is to be told and could not be told, newest first.

        `status` is one of pending, delivered, dead, skipped.
        """

    def replay_delivery(self, channel_id: str, delivery_id: str) -> Act[Delivery]:
        """Send one notice again, with the same id; a dead one too."""

    def replay_channel(self, channel_id: str, *, since: str) -> Act[Replay]:
        """Send all that a channel wants since a time or a cursor, again where it was sent before.

        It goes back at most a minute further than the time, for entries are in the order of ids.
        """
