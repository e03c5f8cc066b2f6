"""Rolled up: the rollups of each UTC hour and day against the usage records of that time."""

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

from sqlalchemy import Connection, select

from budget.engine.audit.findings import Findings, stream
from budget.storage import schema

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_DIMENSIONS: Final = (
    "org", "team", "project", "user", "key", "component", "agent", "task_type", "tier", "provider",
    "model",
)  # fmt: skip
_FIGURES: Final = (
    "records", "requests", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "cost_nanos", "unpriced",
)  # fmt: skip

_u, _r, _s = schema.usage.c, schema.rollups.c, schema.series.c
_USAGE: Final = select(
    _u.occurred_us, _u.attributes, _u.reverses, _u.requests, _u.input_tokens, _u.output_tokens,
    _u.cache_read_tokens, _u.cache_write_tokens, _u.cache_write_1h_tokens, _u.reasoning_tokens,
    _u.cost_nanos,
).order_by(_u.occurred_us)  # fmt: skip

Sums = dict[str, list[int]]
"""Figures by series."""


def check_rollups(connection: Connection, findings: Findings) -> Iterator[int]:
    """Check them all; how many usage records are done, now and then."""
    _check_series(connection, findings)
    hours = _Stored(connection, "hour", findings)
    days = _Stored(connection, "day", findings)
    day_us = 0
    day: Sums = {}
    done = 0
    for hour_us, rows in groupby(
        stream(connection, _USAGE), key=lambda row: row[0] // _HOUR_US * _HOUR_US
    ):
        hour: Sums = {}
        for row in rows:
            _add(hour, _series_id(row[1]), _figures(row))
            done += 1
            if not done % 4000:
                yield done
        hours.compare(hour_us, hour)
        if hour_us // _DAY_US * _DAY_US != day_us:
            days.compare(day_us, day)
            day_us, day = hour_us // _DAY_US * _DAY_US, {}
        for series_id, figures in hour.items():
            _add(day, series_id, figures)
    days.compare(day_us, day)
    hours.finish()
    days.finish()
    yield done


class _Stored:
    """The rollups of one grain, read along in order of time."""

    def __init__(self, connection: Connection, grain: str, findings: Findings) -> None:
        columns = (_r.start_us, _r.series_id, *(_r[name] for name in _FIGURES))
        in_order = select(*columns).where(_r.grain == grain).order_by(_r.start_us, _r.series_id)
        self._grain = grain
        self._findings = findings
        self._groups: Iterator[tuple[int, Iterator[Any]]] = groupby(
            stream(connection, in_order), key=itemgetter(0)
        )
        self._waiting = next(self._groups, None)

    def compare(self, start_us: int, sums: Sums) -> None:
        """Hold what is stored up to this hour (day) against the usage of it."""
        while self._waiting is not None and self._waiting[0] < start_us:
            self._tell(self._waiting[0], self._take(), {})
        stored = {}
        if self._waiting is not None and self._waiting[0] == start_us:
            stored = self._take()
        if stored != sums:
            self._tell(start_us, stored, sums)

    def finish(self) -> None:
        """There is no more usage: what is left was rolled up from none."""
        while self._waiting is not None:
            self._tell(self._waiting[0], self._take(), {})

    def _take(self) -> Sums:
        assert self._waiting is not None
        _, rows = self._waiting
        taken: Sums = {row[1]: list(row[2:]) for row in rows}
        self._waiting = next(self._groups, None)
        return taken

    def _tell(self, start_us: int, stored: Sums, sums: Sums) -> None:
        nothing = [0] * len(_FIGURES)
        for series_id in sorted({*stored, *sums}):
            rolled, used = stored.get(series_id, nothing), sums.get(series_id, nothing)
            for name, one, other in zip(_FIGURES, rolled, used, strict=True):
                if one != other:
                    self._findings.add(
                        "rollups",
                        f"{self._grain} {start_us} series {series_id}",
                        f"{name} is {one}, its usage records give {other}",
                    )


def _figures(row: Any) -> list[int]:
    """What a record adds to its hour, from a row of `_USAGE`."""
    (
        _, _, reverses, requests, input_tokens, output_tokens, read, written, written_1h,
        reasoning, cost,
    ) = row  # fmt: skip
    sign = 1 if reverses is None else -1
    if cost is None:
        unpriced, cost = sign, 0
    else:
        unpriced = 0
    return [
        sign, requests, input_tokens, output_tokens, read, written + written_1h, reasoning, cost,
        unpriced,
    ]  # fmt: skip


def _add(sums: Sums, series_id: str, figures: list[int]) -> None:
    own = sums.get(series_id)
    if own is None:
        sums[series_id] = figures[:]
    else:
        for at, figure in enumerate(figures):
            own[at] += figure


@lru_cache(maxsize=4096)
def _series_id(attributes: str) -> str:
    given = json.loads(attributes)
    return _hash([given.get(name, "") for name in _DIMENSIONS])


def _hash(values: list[str]) -> str:
    return hashlib.blake2b("\x1f".join(values).encode(), digest_size=16).hexdigest()


def _check_series(connection: Connection, findings: Findings) -> None:
    """Each series is filed under the hash of its attributes, and each rollup under a series."""
    values = attrgetter(*_DIMENSIONS)
    for row in stream(connection, select(schema.series)):
        if _hash(list(values(row))) != row.id:
            findings.add("rollups", f"series {row.id}", "its id is not that of its attributes")
    unknown = (
        select(_r.series_id)
        .join(schema.series, _s.id == _r.series_id, isouter=True)
        .where(_s.id.is_(None))
        .distinct()
    )
    for (series_id,) in connection.execute(unknown):
        findings.add("rollups", f"series {series_id}", "has rollups, but is not there")
