"""A neighbour: another component that Budget is in touch with, and how that goes.

Not here: how neighbours are kept running (`company`), and which there are (`known`).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from budget.domain.errors import BudgetError

State = Literal["off", "connecting", "waiting", "working", "failing"]
"""`off`: no setting names it. `connecting`: not reached yet. `waiting`: it has to come to us, and
has not. `working`, `failing`: as it went the last time.
"""

MAX_ERROR_CHARS: Final = 300


def _now_us() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True)
class Contact:
    """How it goes with a neighbour: when it last went well, and what went wrong last.

    `facts` are short and for people, such as how many entities are in step; nothing secret.
    """

    state: State = "connecting"
    last_contact_us: int | None = None
    last_error: str | None = None
    last_error_us: int | None = None
    facts: dict[str, str] = field(default_factory=dict)
    now_us: Callable[[], int] = _now_us

    def went_well(self, **facts: object) -> None:
        """Note that it answered, or came to us."""
        self.state = "working"
        self.last_contact_us = self.now_us()
        self.note(**facts)

    def failed(self, error: BaseException | str) -> None:
        """Note what went wrong."""
        self.state = "failing"
        self.last_error = _told(error)[:MAX_ERROR_CHARS]
        self.last_error_us = self.now_us()

    def note(self, **facts: object) -> None:
        """Note facts; None forgets one."""
        for name, fact in facts.items():
            if fact is None:
                self.facts.pop(name, None)
            else:
                self.facts[name] = str(fact)


class Neighbour:
    """One neighbour while the service runs.

    `address` is where it is called; None: it comes to us. `most_pause_seconds` is how long it is
    left alone at most after it failed.
    """

    name: str
    address: str | None = None
    most_pause_seconds: float = 30.0

    def __init__(self) -> None:
        self.contact = Contact("connecting" if self.address else "waiting")

    async def run(self) -> None:
        """Be in touch with it until cancelled. What this raises is noted, and it is run anew."""
        await asyncio.Event().wait()

    async def leave(self) -> None:
        """Say good-bye, after `run` has ended; given a few seconds."""


def _told(error: BaseException | str) -> str:
    """An error in one line, for people."""
    if isinstance(error, BudgetError):
        return error.detail
    if isinstance(error, str):
        return " ".join(error.split())
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
