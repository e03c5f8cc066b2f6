"""The oracle: what lies in the books, read with SQL of its own, and what must be true of it.

It knows the tables and shares no code with what is tested. Limits are those the test has set, not
those the books name. Not for rolling policies, whose buckets leave a balance by themselves.
"""

import json
import sqlite3
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import psycopg

from tests.support.recorder import Line

Limits = Mapping[str, int]
"""The limit of each hard policy, by its id."""


class Posting(NamedTuple):
    """A leg of an entry."""

    kind: str
    head: int
    cell_us: int
    spent: int
    reserved: int
    assumed: int
    version: int


class Books(NamedTuple):
    """All that matters, as of one moment."""

    entries: list[tuple[Any, ...]]
    heads: list[tuple[Any, ...]]
    windows: list[tuple[Any, ...]]
    allocations: list[tuple[Any, ...]]
    usage: list[tuple[Any, ...]]


QUERIES = (
    "SELECT id, kind, allocation_id, usage_id, legs FROM entries ORDER BY id",
    "SELECT id, policy_id, partition, start_us, spent, reserved, assumed, buckets FROM heads",
    "SELECT head_id, start_us, spent, reserved, assumed FROM windows",
    "SELECT id, status, usd_first, metadata FROM allocations",
    "SELECT id, allocation_id, input_tokens, output_tokens, cost_nanos, metadata FROM usage",
)


def read_books(url: str) -> Books:
    """Everything in one snapshot."""
    return Books(*snapshot(url, QUERIES))


def snapshot(url: str, queries: Iterable[str]) -> list[list[tuple[Any, ...]]]:
    """The rows of several queries, all as of one moment."""
    if url.startswith("sqlite:"):
        path = urllib.parse.quote(sqlite_path(url))
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as file:
            file.execute("BEGIN")
            return [file.execute(query).fetchall() for query in queries]
    with psycopg.connect(url) as server:
        server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        server.read_only = True
        return [server.execute(query.encode()).fetchall() for query in queries]


def sqlite_path(url: str) -> str:
    """The file of a `sqlite:///` URL."""
    return url.removeprefix("sqlite:///")


def postings(books: Books) -> list[Posting]:
    """The legs of all entries, each balance's in the order of its versions."""
    found = []
    for _, kind, _, _, legs in books.entries:
        for head, cell_us, spent, reserved, assumed, _, version, _ in json.loads(legs):
            found.append(Posting(kind, head, cell_us, spent, reserved, assumed, version))
    found.sort(key=lambda posting: (posting.head, posting.version))
    return found


def admitted_beyond(books: Books, limits: Limits, posted: list[Posting] | None = None) -> int:
    """How many admissions left a hard balance above its limit; the promise is none."""
    policy_of = {head[0]: head[1] for head in books.heads}
    totals: Counter[tuple[int, int]] = Counter()
    beyond = 0
    for posting in postings(books) if posted is None else posted:
        cell = (posting.head, posting.cell_us)
        totals[cell] += posting.spent + posting.reserved + posting.assumed
        limit = limits.get(policy_of.get(posting.head, ""))
        admits = posting.kind in ("placed", "extended") and posting.reserved > 0
        if admits and limit is not None and totals[cell] > limit:
            beyond += 1
    return beyond


def balances(books: Books) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(spent, reserved, assumed) of the open window of each (policy, partition)."""
    return {(head[1], head[2]): (head[4], head[5], head[6]) for head in books.heads}


def misposted(books: Books, posted: list[Posting] | None = None) -> list[str]:
    """Balances that are not the sum of their postings."""
    rolling = {head[0] for head in books.heads if head[7] != "{}"}
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for posting in postings(books) if posted is None else posted:
        if posting.head in rolling:
            continue
        cell = sums[posting.head, posting.cell_us]
        cell[0] += posting.spent
        cell[1] += posting.reserved
        cell[2] += posting.assumed
    shown = {(head[0], head[3]): list(head[4:7]) for head in books.heads}
    shown = {cell: figures for cell, figures in shown.items() if cell[0] not in rolling}
    shown |= {(window[0], window[1]): list(window[2:5]) for window in books.windows}
    return [
        f"head {head} from {start_us}: posted {sums[head, start_us]}, shown {figures}"
        for (head, start_us), figures in shown.items()
        if sums[head, start_us] != figures
    ] + [f"cell {cell} is shown nowhere" for cell in sums if cell not in shown and any(sums[cell])]


class Tally(NamedTuple):
    """What a comparison of the recorder's logs with the books has found."""

    sent: int = 0
    acked: int = 0
    refused: int = 0
    unknown: int = 0
    unavailable: int = 0
    lost: int = 0
    phantom: int = 0
    dup: int = 0
    errors: int = 0
    findings: tuple[str, ...] = ()


class Comparison:
    """Recorded lines, gathered cycle after cycle, to be held against the books."""

    def __init__(self) -> None:
        self._last: dict[str, Line] = {}
        self._acked: dict[str, Line] = {}
        self._counts: Counter[str] = Counter()
        self._errors: list[str] = []

    def add(self, lines: Iterable[Line]) -> None:
        """Take in more lines."""
        for line in lines:
            self._counts[line.event] += 1
            self._last[line.tag] = line
            if line.event == "acked":
                self._acked[line.tag] = line
            elif line.event == "error":
                self._errors.append(f"{line.tag} {line.act}: {line.status} {line.body}")

    def with_books(self, books: Books) -> Tally:
        """acked ⊆ stored, stored ⊆ sent, and each tag has at most one effect."""
        findings: list[str] = []
        effects = _effects(books)
        lost = 0
        for tag, line in self._acked.items():
            wrong = _not_as_told(line, effects.get(tag, []))
            if wrong:
                lost += 1
                findings.append(f"lost: {tag} {wrong}")
        phantom = dup = 0
        for tag, found in effects.items():
            last = self._last.get(tag)
            if last is None or last.event in ("refused", "error"):
                phantom += 1
                findings.append(f"phantom: {tag} {found}, last heard {last}")
            if len(found) > 1:
                dup += 1
                findings.append(f"dup: {tag} {found}")
        return Tally(
            sent=len(self._last),
            acked=len(self._acked),
            refused=self._counts["refused"],
            unknown=self._counts["unknown"],
            unavailable=self._counts["unavailable"],
            lost=lost,
            phantom=phantom,
            dup=dup,
            errors=len(self._errors),
            findings=tuple(findings[:20] + self._errors[:20]),
        )


Effect = tuple[str, str, tuple[Any, ...]]
"""What a request has done: its act, the id it made, and figures."""


def _effects(books: Books) -> dict[str, list[Effect]]:
    """All that the books hold, by the tag of the request which asked for it."""
    effects: dict[str, list[Effect]] = defaultdict(list)
    tag_of = {}
    for id_, _, usd_first, metadata in books.allocations:
        tag = tag_of[id_] = json.loads(metadata).get("tag", f"untagged {id_}")
        effects[tag].append(("place", id_, (usd_first,)))
    for id_, _, input_tokens, output_tokens, cost, metadata in books.usage:
        tag = json.loads(metadata).get("tag", f"untagged {id_}")
        effects[tag].append(("record", id_, (input_tokens, output_tokens, cost)))
    for _, kind, allocation_id, _, _ in books.entries:
        # A release and an extension leave no row of their own; their tag is the allocation's.
        if kind in ("released", "extended"):
            effects[f"{tag_of.get(allocation_id, allocation_id)}/{kind}"].append(
                (kind, allocation_id, ())
            )
    return effects


def _not_as_told(line: Line, effects: list[Effect]) -> str | None:
    """What is wrong with the effect of a request that was acknowledged; None if nothing."""
    if not effects:
        return f"{line.act} was acknowledged and is not there: {line.body}"
    act, id_, figures = effects[0]
    if id_ != line.body["id"]:
        return f"{line.act} made {id_}, {line.body['id']} was told"
    if act in ("place", "record") and list(figures) != line.body["figures"]:
        return f"{line.act} has {figures}, {line.body['figures']} was told"
    return None
