"""Memory: what Athena is known to have of ours, kept in the books between runs.

Of each thing its digest; in notes of some hundred things each that were first sent one after
another, so that a batch, or a change of one, rewrites little. Not here: what is sent because of it
(`sending`).
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from budget.neighbours.athena.graph import is_relation
from budget.neighbours.notes import Notes

UNSURE: Final = ""
"""In place of a digest: it was sent once, and may not be there."""
GONE: Final = "-"
"""It was taken away, and may come back where Athena remembers an earlier time."""
FOREIGN: Final = "*"
"""It is somebody else's."""
MAX_GONE: Final = 5000
PAGE: Final = 200
_STATE: Final = "state"
_SENT: Final = "sent."


class Memory:
    """What was sent, as of a revision that Athena was told too; `synced`: and told to keep.

    `pending` is a revision that it was told, or may have been. `cursor` is how far the journal was
    read. `books` tells these books from all others.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._pages: dict[int, dict[str, None]] = {}
        self._page_of: dict[str, int] = {}
        self._touched: set[int] = set()
        self.books = ""
        self.revision = self.pending = 0
        self.synced = True
        self.cursor: str | None = None
        self.sent: dict[str, str] = {}

    async def recall(self) -> None:
        """Read what was noted; the first time, find a name for these books."""
        noted = await self._notes.all()
        state: Mapping[str, Any] = noted.get(_STATE) or {}
        for kept in (self.sent, self._pages, self._page_of, self._touched):
            kept.clear()
        for name, part in noted.items():
            if name.startswith(_SENT):
                page = int(name.removeprefix(_SENT))
                self.sent.update(part)
                self._pages[page] = dict.fromkeys(part)
                self._page_of.update(dict.fromkeys(part, page))
        self.revision = self.pending = state.get("revision", 0)
        self.synced = state.get("synced", True)
        self.cursor = state.get("cursor")
        books = state.get("books") or secrets.token_hex(6)
        if "books" not in state:
            await self._notes.put(_STATE, {**self._state(), "books": books})
        self.books = books

    def put(self, thing_id: str, digest: str) -> None:
        """Remember a thing; to be noted by `note`."""
        self.sent[thing_id] = digest
        page = self._page_of.get(thing_id)
        if page is None:
            page = max(self._pages, default=0)
            if len(self._pages.setdefault(page, {})) >= PAGE:
                page += 1
                self._pages[page] = {}
            self._pages[page][thing_id] = None
            self._page_of[thing_id] = page
        self._touched.add(page)

    def doubt(self) -> None:
        """Be sure of nothing that was sent: all of it has to be sent again, or taken away."""
        for thing_id in self.sent:
            self.put(thing_id, UNSURE)

    def count(self) -> tuple[int, int]:
        """How many entities, and how many relations, of ours are there."""
        there = [key for key, digest in self.sent.items() if digest not in (GONE, FOREIGN, UNSURE)]
        relations = sum(map(is_relation, there))
        return len(there) - relations, relations

    async def note(self, *, revision: int | None = None, synced: bool | None = None) -> None:
        """Write down what has changed, and the revision that it makes."""
        self._prune()
        if revision is not None:
            self.revision = self.pending = revision
        if synced is not None:
            self.synced = synced
        values: dict[str, Any] = {_STATE: self._state()}
        touched, self._touched = self._touched, set()
        for page in touched:
            part = {thing_id: self.sent[thing_id] for thing_id in self._pages[page]}
            values[f"{_SENT}{page}"] = part or None
        try:
            await self._notes.put_all(values)
        except BaseException:
            self._touched |= touched
            raise

    def _state(self) -> dict[str, Any]:
        return {
            "books": self.books, "revision": self.revision, "synced": self.synced,
            "cursor": self.cursor,
        }  # fmt: skip

    def _prune(self) -> None:
        gone = [key for key, digest in self.sent.items() if digest == GONE]
        for thing_id in gone[:-MAX_GONE]:
            del self.sent[thing_id]
            page = self._page_of.pop(thing_id)
            del self._pages[page][thing_id]
            self._touched.add(page)
