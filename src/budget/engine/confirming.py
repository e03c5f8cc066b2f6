"""Confirming the clock: somebody who looked says that it is right, so holds expire again.

Not here: what a jump is, and how expiry pauses for one (`housekeeping`).
"""

from collections.abc import Callable

from budget.domain.answers_audit import ClockConfirmed
from budget.domain.errors import Forbidden
from budget.engine.batch import Batch
from budget.engine.callers import Caller, require_unbound
from budget.engine.housekeeping import ClockGuard


def confirming(guard: ClockGuard, caller: Caller) -> Callable[[Batch], ClockConfirmed]:
    """The change of `confirm_clock`: the journal tells who did it, the pause ends afterwards."""
    if not caller.admin:
        raise Forbidden("This key may not confirm the clock; use one with the right `admin`.")
    require_unbound(caller)

    def change(batch: Batch) -> ClockConfirmed:
        # A jump since the last batch is seen here: it is what is confirmed.
        was_paused = not guard.expiry_runs(batch.now_us)
        batch.enter("clock_confirmed", caller.actor, [], {"was_paused": was_paused})
        batch.write([])
        return ClockConfirmed(batch.now_us, was_paused)

    return change


def confirmed(guard: ClockGuard, told: ClockConfirmed) -> ClockConfirmed:
    """The change is in the books: the pause ends."""
    guard.confirm()
    return told
