"""The notifier's work, done by hand: gather, claim, send, one after the other."""

from types import TracebackType
from typing import Any, Self

from budget.domain.answers_channels import Channel, Delivery
from budget.engine.budget import Budget as Books
from budget.engine.channels import outbox, sending
from tests.support.receivers import Receiver


class Post:
    """What a notifier does in one turn, without its threads."""

    def __init__(self, books: Books, waits: tuple[float, ...] = (5, 30)) -> None:
        self.books = books
        self.waits = waits
        self.places: outbox.Places = {}
        self.unit = books.books.database.unit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unit.close()

    def gather(self) -> int:
        """Note what is new; how many deliveries that made."""
        return outbox.gather(self.books.books.database, self.unit, self.places)

    def claim(self) -> list[outbox.Claimed]:
        """Take what is due."""
        return outbox.claim(self.books.books.database, self.unit, ())

    def send(self, claimed: outbox.Claimed) -> int:
        """Send what was claimed; how many deliveries were tried."""
        tried = 0
        for results in sending.work(self.books.books, claimed, self.waits):
            outbox.finish(self.books.books.database, self.unit, results, claimed.until_us)
            tried += len(results)
        return tried

    def turn(self) -> int:
        """Gather, and send what is due; how many deliveries were tried."""
        self.gather()
        tried = 0
        for claimed in self.claim():
            tried += self.send(claimed)
        return tried


def hook(books: Books, receiver: Receiver, *kinds: str, **ask: Any) -> Channel:
    """A webhook that hears of these kinds; of budgets that are made unless others are named."""
    wanted = {"kinds": list(kinds or ("budget_created",)), **ask.pop("wanted", {})}
    return books.create_channel(
        **{"name": "hook", "kind": "webhook", "url": receiver.url, "wanted": wanted, **ask}
    )


def deliveries(books: Books, channel: Channel, status: str | None = None) -> list[Delivery]:
    """What lies in the outbox of a channel, oldest first."""
    return books.deliveries(channel.channel_id, status=status).items[::-1]


def made(books: Books, *names: str, **ask: Any) -> list[str]:
    """Budgets of these names; their ids."""
    ask.setdefault(
        "policies", [{"unit": "tokens", "period": "total", "limit": 1, "enforcement": "ignore"}]
    )
    return [books.create_budget(name=name, **ask).budget_id for name in names]


def names(receiver: Receiver) -> list[str]:
    """Of the budgets that the receiver was told of, in order."""
    return [request.told["data"]["detail"]["name"] for request in receiver.received]
