"""Channel jobs: the methods of the facade that are about channels; `Jobs` has them with all others.

All of them need the right to manage. Who is bound to attributes makes channels of those, and sees
no others.
"""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from budget.domain.answers_channels import Channel, Delivery, Replay, Tested
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import ChannelAsk
from budget.domain.errors import Conflict, NotFound
from budget.engine.batch import Batch
from budget.engine.channels import acts, reading, sending
from budget.engine.job import Job, Maker


class ChannelJobs(Maker):
    """The methods about channels. Raise InvalidInput at once for bad input."""

    def create_channel(self, **ask: Unpack[ChannelAsk]) -> Job[Channel]:
        """Make a channel that tells of alerts, or of what else is `wanted`, from now on.

        A webhook's `secret` is in this answer and in no other.
        """
        return self._changing(
            ask, lambda: acts.creating(ask, self.caller, self.books.channel_settings)
        )

    def change_channel(self, channel_id: str, **ask: Unpack[ChannelAsk]) -> Job[Channel]:
        """Change the fields given. One that is switched on again hears of what comes from then."""
        settings = self.books.channel_settings
        return self._changing(ask, lambda: acts.changing(channel_id, ask, self.caller, settings))

    def _changing(
        self, ask: Mapping[str, Any], change: Callable[[], Callable[[Batch], Channel]]
    ) -> Job[Channel]:
        """The job of a change. Apprise, which reads the URLs of chats, takes long to load."""
        if ask.get("apprise_url") is None:
            return Job(change=change())
        return Job(prepare=lambda: Job(change=change()))

    def archive_channel(self, channel_id: str) -> Job[Channel]:
        """Take a channel out of force; what waits is not sent."""
        return Job(change=acts.archiving(channel_id, self.caller))

    def rotate_channel_secret(
        self, channel_id: str, *, idempotency_key: str | None = None
    ) -> Job[Channel]:
        """Give a webhook a new secret; the one before it signs too, for 24 hours."""
        ask = {"idempotency_key": idempotency_key}
        return Job(change=acts.rotating(channel_id, ask, self.caller))

    def channel(self, channel_id: str) -> Job[Channel]:
        """One channel."""
        reading.check_manages(self.caller)
        return Job(read=lambda: reading.channel(self.books.database, channel_id, self.caller))

    def channels(
        self, *, archived: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Job[Page[Channel]]:
        """Channels by id; archived ones only when asked for."""
        reading.check_manages(self.caller)
        return Job(
            read=lambda: reading.list_channels(
                self.books.database, self.caller,
                archived=archived, limit=limit, cursor=cursor,
            )
        )  # fmt: skip

    def test_channel(self, channel_id: str) -> Job[Tested]:
        """Send a test notice through a channel now, and say what came of it."""
        reading.check_manages(self.caller)
        return Job(read=lambda: self._test(channel_id))

    def _test(self, channel_id: str) -> Tested:
        database = self.books.database
        if reading.channel(database, channel_id, self.caller).archived_us is not None:
            raise Conflict("The channel was archived; make a new one.", code="archived")
        receiver = sending.receiver_of(database, channel_id, self.books.channel_settings)
        if receiver is None:
            raise NotFound("channel", channel_id)
        tested = sending.try_out(receiver)
        note = acts.noting_test(tested, self.caller.actor)
        self.books.ledger.do_change(note)
        return tested

    def deliveries(
        self, channel_id: str, *, status: str | None = None, limit: int = 100,
        cursor: str | None = None,
    ) -> Job[Page[Delivery]]:  # fmt: skip
        """What a channel was told, is to be told and could not be told, newest first.

        `status` is one of pending, delivered, dead, skipped.
        """
        reading.check_manages(self.caller)
        return Job(
            read=lambda: reading.list_deliveries(
                self.books.database, channel_id, self.caller,
                status=status, limit=limit, cursor=cursor,
            )
        )  # fmt: skip

    def replay_delivery(self, channel_id: str, delivery_id: str) -> Job[Delivery]:
        """Send one notice again, with the same id; a dead one too."""
        return Job(change=acts.replaying_one(channel_id, delivery_id, self.caller))

    def replay_channel(self, channel_id: str, *, since: str) -> Job[Replay]:
        """Send all that a channel wants since a time or a cursor, again where it was sent before.

        It goes back at most a minute further than the time, for entries are in the order of ids.
        """
        reading.check_manages(self.caller)
        return Job(prepare=lambda: self._replaying(channel_id, since))

    def _replaying(self, channel_id: str, since: object) -> Job[Replay]:
        after = reading.entry_before(self.books.database, since)
        return Job(change=acts.replaying(channel_id, after, self.caller))
