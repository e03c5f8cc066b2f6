"""Merging: what the limits of a budget and of its requirement are to be, when either was changed.

What was changed on one side since they were in step is changed on the other. What was changed on
both, differently, is settled by the stricter. Pure. Not here: how it is carried out (`step`).
"""

from typing import NamedTuple

from budget.neighbours.telos.requirements import Key, Limit, Limits


class Merged(NamedTuple):
    """The limits for both sides; those that both had changed, and the hard ones of ours that are
    less strict now, or that Telos would have less strict.
    """

    limits: Limits
    conflicts: tuple[Key, ...]
    loosened: tuple[Key, ...]


def merged(base: Limits | None, theirs: Limits, ours: Limits, *, may_loosen: bool) -> Merged:
    """The limits for both sides. `base`: what they were when they were in step, None if that is not
    known. Unless it `may_loosen`, a hard limit of ours is not made less strict from there.
    """
    limits: dict[Key, Limit] = {}
    conflicts, loosened = [], []
    for key in sorted({*theirs, *ours}):
        before, there, here = (side.get(key) for side in (base or {}, theirs, ours))
        limit, is_conflict = _one(before, there, here, is_known=base is not None)
        if is_conflict:
            conflicts.append(key)
        if here is not None and _loosens(here, limit):
            loosened.append(key)
            if not may_loosen:
                limit = here if limit is None else limit.with_stricter(here)
        if limit is not None:
            limits[key] = limit
    return Merged(limits, tuple(conflicts), tuple(loosened))


def _loosens(here: Limit, limit: Limit | None) -> bool:
    """Whether a hard limit of ours would allow more."""
    is_hard = here.enforcement == "hard_limit"
    return is_hard and (limit is None or limit.is_looser_than(here))


def _one(
    before: Limit | None, there: Limit | None, here: Limit | None, *, is_known: bool
) -> tuple[Limit | None, bool]:
    """One limit, and whether both sides had changed it."""
    if there == here:
        return there, False
    if is_known and there == before:
        return here, False
    if is_known and here == before:
        return there, False
    if there is None or here is None:
        return there or here, is_known
    return there.with_stricter(here), True
