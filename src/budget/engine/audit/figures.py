"""Figures: what is stored of each balance, held against its replay and against the open
allocations.

I1: legs add up to the stored figures. I2: a window carries over what was unused. I4: none is
negative. I6: what is reserved (assumed) is what open (expired) allocations still hold. I12: windows
are disjoint.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from budget.engine.audit.findings import Findings, stream
from budget.engine.audit.replay import Figures, Head, Replay, decode_legs, told, weighed
from budget.storage import schema

Cell = tuple[int, int]
"""(head_id, start of the window or bucket)."""
Holds = Mapping[Cell, tuple[int, int]]
"""What open allocations hold reserved, and expired ones assumed, on each cell."""


def check_figures(connection: Connection, replay: Replay, holds: Holds, findings: Findings) -> None:
    """Hold every head and every closed window against the replay and the holds."""
    untold = dict(holds)
    for head in replay.heads.values():
        _check_head(head, untold, findings)
    closed = _check_windows(connection, replay.heads, untold, findings)
    wrong = {head.id for head in replay.heads.values() if head.closed != closed.get(head.id, 0)}
    if wrong:
        _name_windows(connection, wrong, replay.heads, findings)
    for (head_id, cell_us), (reserved, assumed) in untold.items():
        if (reserved or assumed) and not _has_left(replay.heads.get(head_id), cell_us):
            findings.add(
                "I6",
                f"head {head_id} [{cell_us}]",
                f"allocations hold {reserved} and {assumed} where nothing is stored",
            )


def _has_left(head: Head | None, cell_us: int) -> bool:
    """Whether a cell is a rolling bucket that no longer counts: it keeps no figures."""
    return head is not None and head.policy.rolling and cell_us not in head.cells


def _check_head(head: Head, untold: dict[Cell, tuple[int, int]], findings: Findings) -> None:
    row, name = head.row, head.name
    if row.version != head.version:
        findings.add("I13", name, f"is at version {row.version}, its legs at {head.version}")
    stored: Figures = (row.spent, row.reserved, row.assumed, row.overrun)
    replayed = head.figures
    if stored != replayed:
        findings.add("I1", name, f"stored {told(stored)}; its legs give {told(replayed)}")
    if min(stored) < 0:
        findings.add("I4", name, f"stored {told(stored)}")
    until_us = row.end_us if head.policy.rolling else head.until_us
    if (row.start_us, row.end_us) != (head.start_us, until_us):
        findings.add(
            "I1",
            name,
            f"stored window [{row.start_us}, {row.end_us}); "
            f"its legs were in [{head.start_us}, {until_us})",
        )
    if row.carry != head.carry:
        findings.add("I2", name, f"carries {row.carry} over; what was unused is {head.carry}")
    if not head.policy.rolling:
        if row.start_us >= row.end_us and row.version:
            findings.add("I12", name, f"its window [{row.start_us}, {row.end_us}) is empty")
        _check_holds((head.id, row.start_us), row.reserved, row.assumed, name, untold, findings)
        return
    for start_us in {*head.cells, *(buckets := _buckets(row))}:
        figures = buckets.get(start_us, (0, 0, 0, 0))
        given = tuple(head.cells.get(start_us, (0, 0, 0, 0)))
        cell = f"{name} [{start_us}]"
        if figures != given:
            findings.add("I1", cell, f"stored {told(figures)}; its legs give {told(given)}")
        _check_holds((head.id, start_us), figures[1], figures[2], cell, untold, findings)


def _buckets(row: Any) -> dict[int, Figures]:
    return {int(start_us): tuple(figures) for start_us, figures in json.loads(row.buckets).items()}


def _check_holds(
    cell: Cell,
    reserved: int,
    assumed: int,
    name: str,
    untold: dict[Cell, tuple[int, int]],
    findings: Findings,
) -> None:
    held = untold.pop(cell, (0, 0))
    if (reserved, assumed) != held:
        findings.add(
            "I6",
            name,
            f"stored {reserved} reserved and {assumed} assumed, "
            f"allocations hold {held[0]} and {held[1]}",
        )


def _check_windows(
    connection: Connection,
    heads: Mapping[int, Head],
    untold: dict[Cell, tuple[int, int]],
    findings: Findings,
) -> dict[int, int]:
    """Check closed windows in order; the weighed sum of those of each head."""
    sums: dict[int, int] = {}
    table = schema.windows
    last_id, last_end_us = None, 0
    in_order = select(table).order_by(table.c.head_id, table.c.start_us)
    for row in stream(connection, in_order):
        head_id, start_us, end_us, *figures, carry = row
        head = heads.get(head_id)
        if head is None:
            findings.add("I1", f"head {head_id}", f"has a window [{start_us}] but no head")
            continue
        name = f"{head.name} [{start_us}]"
        if start_us >= end_us:
            findings.add("I12", name, f"ends at {end_us}, not after it starts")
        if head_id == last_id and start_us < last_end_us:
            findings.add("I12", name, f"starts before the window before it ends, at {last_end_us}")
        if end_us > head.row.start_us:
            findings.add("I12", name, f"ends at {end_us}, in the open window")
        last_id, last_end_us = head_id, end_us
        if min(figures) < 0:
            findings.add("I4", name, f"stored {told(figures)}")
        sums[head_id] = sums.get(head_id, 0) + weighed(start_us, figures, carry)
        _check_holds((head_id, start_us), figures[1], figures[2], name, untold, findings)
    return sums


def _name_windows(
    connection: Connection, wrong: set[int], heads: Mapping[int, Head], findings: Findings
) -> None:
    """Tell which windows of these heads differ: add their legs up once more, window by window."""
    sums: dict[Cell, list[int]] = {}
    entries = schema.entries
    in_order = select(entries.c.legs).where(entries.c.legs != "[]").order_by(entries.c.id)
    for (legs,) in stream(connection, in_order):
        for head_id, cell_us, *figures, _, _ in decode_legs(legs):
            if head_id in wrong:
                cell = sums.setdefault((head_id, cell_us), [0, 0, 0, 0])
                for at, figure in enumerate(figures):
                    cell[at] += figure
    windows = schema.windows
    named: set[int] = set()
    in_order = select(windows).order_by(windows.c.head_id, windows.c.start_us)
    for head_id, start_us, _, *stored, _ in stream(connection, in_order):
        if head_id not in wrong:
            continue
        given = sums.pop((head_id, start_us), [0, 0, 0, 0])
        if given != stored:
            named.add(head_id)
            findings.add(
                "I1",
                f"{heads[head_id].name} [{start_us}]",
                f"stored {told(stored)}; its legs give {told(given)}",
            )
    for (head_id, start_us), given in sums.items():
        if any(given) and start_us != heads[head_id].start_us and not heads[head_id].policy.rolling:
            named.add(head_id)
            findings.add(
                "I1",
                f"{heads[head_id].name} [{start_us}]",
                f"has no window; its legs give {told(given)}",
            )
    for head_id in wrong - named:
        findings.add("I2", heads[head_id].name, "a closed window carried over what was not unused")
