"""The hub: gives each member the events that it wants, each once and in the order of their cursors.

Members who want the same stand in one group: an event is encoded once, what a group is to hear is
joined once, and written to each member. Who resumes from an older cursor reads the past in pages,
and then joins. Everything but `_hear` runs in the event loop, so nobody joins between an event and
the next position. Not here: who may be a member (`conversation`, `stream`).
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from budget.domain.answers import Event
from budget.domain.events import Filter
from budget.domain.rights import Bound
from budget.engine.books import Books
from budget.engine.events.feed import Feed, News
from budget.engine.events.reading import Happened, events_between, meets, newest, shown

PAGE: Final = 250
MAX_WAITING_BYTES: Final = 1_000_000
PATIENCE_SECONDS: Final = 5.0
READERS: Final = 2
"""How many members read the past at once; the threads are there for others too."""

log = logging.getLogger("budget.events")

Encode = Callable[[Event], bytes]


class Cut(NamedTuple):
    """Why somebody is cut off: the code that closes a WebSocket, a word and a sentence."""

    close_code: int
    code: str
    detail: str


SLOW: Final = Cut(
    4429, "slow_consumer", "Events came faster than you read them; resume from your last cursor."
)
UNREADABLE: Final = Cut(
    1013, "unavailable", "The events could not be read now; resume from your last cursor."
)


class Out(Protocol):
    """Where a member's events are written."""

    @property
    def waiting_bytes(self) -> int:
        """What was written and is not sent yet."""

    def write(self, frames: bytes) -> None:
        """Send these, soon."""

    async def drained(self) -> None:
        """Return once most of what was written is sent."""

    def cut(self, why: Cut, cursor: int | None = None) -> None:
        """Tell why it is cut off, and after which event if that is known here; and end it."""


class Wish:
    """Events that a member wants: of those after `since` it was given all up to `done`."""

    __slots__ = ("done", "since", "wanted")

    def __init__(self, wanted: Filter, since: int) -> None:
        self.wanted = wanted
        self.since = since
        self.done = since


class Member:
    """Who follows events: in a group, or reading up to where the others are."""

    __slots__ = ("bound", "encode", "group", "out", "reading", "wishes")

    def __init__(self, out: Out, encode: Encode, bound: Bound) -> None:
        self.out = out
        self.encode = encode
        self.bound = bound
        self.wishes: list[Wish] = []
        self.group: _Group | None = None
        self.reading: asyncio.Task[None] | None = None

    @property
    def closer(self) -> bool:
        """Whether it must be known what events are about."""
        return bool(self.bound) or any(wish.wanted.looks_closer for wish in self.wishes)


class _GroupKey(NamedTuple):
    """What members of a group have in common."""

    encode: Encode
    filters: frozenset[Filter]
    bound: tuple[tuple[str, str], ...]


class _Group:
    """Members who want the same."""

    __slots__ = ("bound", "closer", "filters", "key", "kinds", "members")

    def __init__(self, key: _GroupKey) -> None:
        self.key = key
        self.bound = dict(key.bound)
        self.filters = tuple(key.filters)
        self.kinds = frozenset[str]().union(*(wanted.kinds for wanted in key.filters))
        self.closer = bool(key.bound) or any(wanted.looks_closer for wanted in key.filters)
        self.members: dict[Member, None] = {}


class _Encoded:
    """News with what was encoded of it, each event once for each form."""

    __slots__ = ("_made", "news")

    def __init__(self, news: News) -> None:
        self.news = news
        self._made: dict[tuple[Encode, int], bytes] = {}

    def of(self, encode: Encode, event: Event) -> bytes:
        made = self._made.get((encode, event.cursor))
        if made is None:
            made = self._made[encode, event.cursor] = encode(event)
        return made

    def heard_by(self, group: _Group) -> bytes:
        """All that a group is to hear of it, joined."""
        encode, parts = group.key.encode, []
        for happened in self.news.happened:
            if happened.event.kind not in group.kinds:
                continue
            if not group.closer:
                parts.append(self.of(encode, happened.event))
            elif any(meets(wanted, happened) for wanted in group.filters):
                event = shown(happened, group.bound)
                if event is happened.event:
                    parts.append(self.of(encode, event))
                elif event is not None:
                    parts.append(encode(event))
        return b"".join(parts)


class Hub:
    """Runs a feed while there are members; `position` is the last event that they were told."""

    def __init__(self, books: Books, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._books = books
        self._max_waiting_bytes = max_waiting_bytes
        self._feed: Feed | None = None
        self._starting: asyncio.Task[None] | None = None
        self._members: set[Member] = set()
        self._groups: dict[_GroupKey, _Group] = {}
        self._eager: tuple[tuple[Encode, frozenset[str]], ...] = ()
        self._closer = False
        self._moved = asyncio.Event()
        self._readers = asyncio.Semaphore(READERS)
        self.position = -1

    # --- For members -----------------------------------------------------------------------------

    async def follow(
        self,
        member: Member,
        wanted: Filter,
        resume_from: int | None = None,
        joined: Callable[[int], None] | None = None,
    ) -> None:
        """Give a member these events too: those after a cursor, else from now on.

        `joined` is told after which cursor, before the first of them is written.
        """
        self._members.add(member)
        await self._run()
        if member not in self._members:
            return  # it has left meanwhile
        self._detach(member)
        since = self.position if resume_from is None else resume_from
        if joined is not None:
            joined(since)
        member.wishes.append(Wish(wanted, since))
        self._attach(member)

    def unfollow(self, member: Member, kinds: frozenset[str]) -> None:
        """Give a member no more of these kinds."""
        self._detach(member)
        for wish in member.wishes:
            wish.wanted = wish.wanted._replace(kinds=wish.wanted.kinds - kinds)
        member.wishes = [wish for wish in member.wishes if wish.wanted.kinds]
        self._attach(member)

    def reached(self, member: Member) -> int | None:
        """The cursor up to which a member was given all; None where it follows nothing."""
        if member.group is not None:
            return self.position
        return min((wish.done for wish in member.wishes), default=None)

    def leave(self, member: Member) -> None:
        """Give a member nothing more."""
        self._detach(member)
        if member.reading is not None:
            member.reading.cancel()
        self._members.discard(member)
        if not self._members:
            self.close()

    def close(self) -> None:
        """Follow the journal no more."""
        if self._feed is not None:
            self._feed.stop()
            self._feed = None
        self._starting = None

    # --- Following the journal -------------------------------------------------------------------

    async def _run(self) -> None:
        if self._feed is None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
            await asyncio.shield(self._starting)

    async def _start(self) -> None:
        try:
            at = await asyncio.to_thread(newest, self._books.database)
        finally:
            self._starting = None
        if self._feed is not None or not self._members:
            return
        loop = asyncio.get_running_loop()
        feed = Feed(self._books, lambda news: self._hear(loop, feed, news), lambda: self._closer)
        self.position = at
        self._feed = feed
        feed.start(at)

    def _hear(self, loop: asyncio.AbstractEventLoop, feed: Feed, news: News) -> None:
        """In the feed's thread: encode what is surely wanted, and wait until all are told."""
        encoded = _Encoded(news)
        for encode, kinds in self._eager:
            for happened in news.happened:
                if happened.event.kind in kinds:
                    encoded.of(encode, happened.event)
        told = threading.Event()
        loop.call_soon_threadsafe(self._tell, feed, encoded, told)
        told.wait(PATIENCE_SECONDS)

    def _tell(self, feed: Feed, encoded: _Encoded, told: threading.Event) -> None:
        try:
            if feed is not self._feed:
                return
            behind: list[Member] = []
            for group in list(self._groups.values()):
                if group.closer and any(one.subject is None for one in encoded.news.happened):
                    # They were read before anybody asked what they are about: read them again.
                    behind += group.members
                    continue
                frames = encoded.heard_by(group)
                if frames:
                    self._write(group, frames, encoded.news.upto)
            for member in behind:
                self._detach(member)
            self.position = encoded.news.upto
            for member in behind:
                self._attach(member)
            self._moved.set()
            self._moved = asyncio.Event()
        finally:
            told.set()

    def _write(self, group: _Group, frames: bytes, upto: int) -> None:
        most = self._max_waiting_bytes
        slow: list[Member] = []
        for member in group.members:
            out = member.out
            out.write(frames)
            if out.waiting_bytes > most:
                slow.append(member)
        for member in slow:
            member.out.cut(SLOW, upto)
            self.leave(member)

    # --- Groups ----------------------------------------------------------------------------------

    def _detach(self, member: Member) -> None:
        """Take a member out of its group: it was given all up to now."""
        group, member.group = member.group, None
        if group is None:
            return
        for wish in member.wishes:
            wish.done = self.position
        del group.members[member]
        if not group.members:
            del self._groups[group.key]
            self._count()

    def _attach(self, member: Member) -> None:
        """Put a member into the group of its wishes, or let it read up to where that is."""
        if member.reading is not None or not member.wishes:
            return
        if any(wish.done != self.position for wish in member.wishes):
            member.reading = asyncio.create_task(self._read_up(member))
            return
        since: dict[Filter, int] = {}
        for wish in member.wishes:
            since[wish.wanted] = min(wish.since, since.get(wish.wanted, wish.since))
        member.wishes = [Wish(wanted, at) for wanted, at in since.items()]
        key = _GroupKey(member.encode, frozenset(since), tuple(sorted(member.bound.items())))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        group.members[member] = None
        member.group = group
        self._count()

    def _count(self) -> None:
        """Note what the feed needs to know: whether to look closer, and what to encode."""
        groups = self._groups.values()
        self._closer = any(group.closer for group in groups)
        eager: dict[Encode, frozenset[str]] = {}
        for group in groups:
            if not group.closer:
                encode = group.key.encode
                eager[encode] = eager.get(encode, frozenset()) | group.kinds
        self._eager = tuple(eager.items())

    # --- The past --------------------------------------------------------------------------------

    async def _read_up(self, member: Member) -> None:
        try:
            while member.wishes and any(w.done != self.position for w in member.wishes):
                if min(wish.done for wish in member.wishes) < self.position:
                    await self._read_page(member)
                else:
                    await self._moved.wait()  # from another node it knows what comes here soon
        except asyncio.CancelledError:
            return
        except Exception:
            log.exception("the past could not be read")
            member.out.cut(UNREADABLE)
            self.leave(member)
            return
        member.reading = None
        self._attach(member)

    async def _read_page(self, member: Member) -> None:
        wishes = list(member.wishes)
        after, upto = min(wish.done for wish in wishes), self.position
        kinds = frozenset[str]().union(*(wish.wanted.kinds for wish in wishes))

        def read() -> tuple[bytes, int]:
            page = events_between(
                self._books.database, after, upto, PAGE, kinds, closer=member.closer
            )
            frames = _missing(page, wishes, member)
            return frames, page[-1].event.cursor if len(page) == PAGE else upto

        async with self._readers:
            frames, done = await asyncio.to_thread(read)
        if frames:
            member.out.write(frames)
        for wish in wishes:
            wish.done = max(wish.done, done)
        await member.out.drained()


def _missing(page: Sequence[Happened], wishes: Sequence[Wish], member: Member) -> bytes:
    """What of a page a member wants and was not given by another wish before."""
    parts: list[bytes] = []
    for happened in page:
        cursor = happened.event.cursor
        asking = [wish for wish in wishes if meets(wish.wanted, happened)]
        if any(wish.since < cursor <= wish.done for wish in asking):
            continue
        if any(cursor > wish.done for wish in asking):
            event = shown(happened, member.bound)
            if event is not None:
                parts.append(member.encode(event))
    return b"".join(parts)
