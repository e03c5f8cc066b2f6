"""Sparklines: a trend on one line, a block for each value.

Not here: what the values are, nor tables (`tables`).
"""

from collections.abc import Sequence
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[int], cells: int | None = None) -> str:
    """A block for each value, the highest for the greatest; all at the bottom where all are zero.

    What is below zero counts as zero. Where there are more values than `cells`, neighbours are
    added up, so that the line has that many blocks at most.
    """
    shown = [max(0, value) for value in (values if cells is None else _gathered(values, cells))]
    most = max(shown, default=0)
    return "".join(_block(value, most) for value in shown)


def _block(value: int, most: int) -> str:
    """The block of a value: the lowest for none at all, one above it for the least that is some."""
    if value == 0:
        return BLOCKS[0]
    return BLOCKS[max(1, value * (len(BLOCKS) - 1) // most)]


def _gathered(values: Sequence[int], cells: int) -> list[int]:
    """The values in runs of one length, each added up; the first run may be shorter."""
    run = -(-len(values) // max(1, cells))
    if run <= 1:
        return list(values)
    first = len(values) % run
    starts = [0, *range(first, len(values), run)] if first else [*range(0, len(values), run)]
    return [sum(values[a:b]) for a, b in zip(starts, [*starts[1:], len(values)], strict=True)]
