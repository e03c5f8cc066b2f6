"""Findings: what an audit has found wrong, and how it reads long tables without holding them."""

from collections.abc import Generator
from typing import Any, Final

from sqlalchemy import Connection, Select

from budget.domain.answers_audit import Violation

MAX_VIOLATIONS: Final = 1000
"""How many violations are told; beyond these they are only counted."""
CHUNK: Final = 4000


class Findings:
    """The violations found so far, in the order they were found."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.count = 0

    def add(self, invariant: str, subject: str, detail: str) -> None:
        """Note a violation."""
        self.count += 1
        if self.count <= MAX_VIOLATIONS:
            self.violations.append(Violation(invariant, subject, detail))


def stream(
    connection: Connection, statement: Select[Any], at_once: int | None = None
) -> Generator[Any, None, None]:
    """The rows of a query, fetched some at a time: a long table needs no more memory than a short
    one.
    """
    options = {"yield_per": at_once or CHUNK}
    with connection.execute(statement, execution_options=options) as result:
        for some in result.partitions():
            yield from some
