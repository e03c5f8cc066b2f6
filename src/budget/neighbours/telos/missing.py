"""Missing projects: which of those that Telos lists no more were deleted, and which it has lost.

A project is believed deleted where most of those that were listed with it are listed still, and it
stays away. A Telos that has forgotten all, or came back from an old copy, is not believed, whatever
is made there afterwards. Pure. Not here: what is done about it (`telos`).
"""

from collections.abc import Mapping, Set
from typing import Final, NamedTuple

MISSED_ROUNDS: Final = 2
"""How often in a row a project must be gone before its budgets are archived."""


class Missed(NamedTuple):
    """How often in a row each has been missed, 0 for one that is lost rather than deleted."""

    rounds: Mapping[str, int]

    @property
    def lost(self) -> list[str]:
        """Those that nothing is done about."""
        return sorted(one for one, rounds in self.rounds.items() if not rounds)

    @property
    def deleted(self) -> list[str]:
        """Those whose budgets are archived."""
        return sorted(one for one, rounds in self.rounds.items() if rounds >= MISSED_ROUNDS)


def missed(
    gone: Set[str], before: Set[str], there: Set[str], rounds_before: Mapping[str, int]
) -> Missed:
    """How it is with the projects that are gone; `before` are all that were listed the last time.

    One that went together with more than half of them is lost, and so is one that nobody saw go.
    """
    still, went = before & there, before - there
    is_believed = bool(still) and len(went) <= len(still)
    rounds: dict[str, int] = {}
    for project in gone:
        so_far = 0 if project in before else rounds_before.get(project, 0)
        is_counted = is_believed and (project in before or so_far > 0)
        rounds[project] = so_far + 1 if is_counted else 0
    return Missed(rounds)
