"""Raising: what one batch alerts of, each thing once, and the entries that tell of it.

Whether somebody has alerted of it before is for the database to say, when the batch is written: the
entry of an alert is written only if the alert was. Not here: what is alerted of (`batch`,
`engine.alerts`), and in which words (`domain.alerts`).
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from budget.domain import alerts
from budget.domain.balances import Balance, Cell
from budget.domain.cursors import MAX_ENTRIES_PER_BATCH
from budget.engine import rows
from budget.engine.catalogue import Catalogue
from budget.engine.ids import new_id
from budget.storage.unit import Row


class AlertSubject(NamedTuple):
    """What is alerted of once. `partition` is that of a policy, or, of policy "", any subject."""

    policy_id: str
    partition: str
    window_us: int
    kind: str


class Raised(NamedTuple):
    """An alert that a batch raises, unless it is there: its row, and what its entry says."""

    row: Row
    budget_id: str | None
    policy_id: str | None
    detail: str


class Raising:
    """The alerts of one batch. `subjects` are those it raises; those `before` are there surely."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.before: Collection[AlertSubject] = ()
        self._raised: dict[AlertSubject, Raised] = {}

    @property
    def subjects(self) -> Collection[AlertSubject]:
        """What is alerted of, here or before."""
        return self._raised.keys()

    def of_balance(
        self, catalogue: Catalogue, kind: str, balance: Balance, cell_us: int | None, soon_us: int
    ) -> None:
        """Alert of a balance, in the window of a cell or its open one."""
        policy = balance.policy
        window_us, limit = balance.start_us, balance.limit
        shown: Balance | Cell = balance
        if policy.rolling:
            window_us = self.now_us - self.now_us % policy.calendar.period.length_us
        elif cell_us is not None and cell_us != window_us:
            cell = shown = balance.cells[cell_us]
            window_us, limit = cell_us, balance.limit_of(cell_us, cell)
        subject = AlertSubject(policy.policy_id, balance.partition, window_us, kind)
        if not self._is_new(subject, catalogue):
            return
        figures = alerts.Figures(
            limit, shown.spent, shown.reserved, shown.assumed, shown.overrun
        )  # fmt: skip
        message = alerts.policy_message(
            kind, catalogue.budgets[policy.budget_id].name, policy, balance.partition, figures,
            soon_us,
        )  # fmt: skip
        told = {"message": message, "unit": policy.unit, **figures._asdict()}
        self._raise(subject, catalogue, told, policy.budget_id)

    def of_subject(
        self, catalogue: Catalogue, kind: str, subject: str, detail: Mapping[str, object]
    ) -> None:
        """Alert of anything else."""
        name = AlertSubject("", subject, self.now_us - self.now_us % rows.DAY_US, kind)
        if self._is_new(name, catalogue):
            message = alerts.subject_message(kind, subject, detail)
            self._raise(name, catalogue, {"message": message, **detail}, None)

    def numbered(self, first_entry_id: int, entries: int) -> tuple[list[Row], list[Row]]:
        """The rows of alerts and of their entries, which stand behind all others of the batch.

        What a transaction has no numbers left for is let go: whoever looks for it finds it later.
        """
        left = max(0, MAX_ENTRIES_PER_BATCH - entries)
        for subject in list(self._raised)[left:]:
            del self._raised[subject]
        alert_rows, entry_rows = [], []
        for at, (row, budget_id, policy_id, detail) in enumerate(self._raised.values()):
            entry_id = first_entry_id + entries + at
            alert_rows.append((*row, entry_id))
            entry_rows.append(
                (entry_id, self.now_us, "alert_raised", "budget", None, None, budget_id, policy_id,
                 "[]", detail, row[0])
            )  # fmt: skip
        return alert_rows, entry_rows

    def _is_new(self, subject: AlertSubject, catalogue: Catalogue) -> bool:
        """Whether it may be that nobody has raised this yet, and its kind is not switched off."""
        if subject in self._raised or subject in self.before:
            return False
        chosen = catalogue.settings.get("alerts")
        return chosen is None or subject.kind not in chosen.get("off", ())

    def _raise(
        self,
        subject: AlertSubject,
        catalogue: Catalogue,
        detail: Mapping[str, object],
        budget_id: str | None,
    ) -> None:
        chosen = catalogue.settings.get("alerts") or {}
        kind = subject.kind
        severity = chosen.get("severities", {}).get(kind) or alerts.KINDS.get(kind, "warning")
        alert_id = new_id("alert")
        row = (
            alert_id, kind, severity, subject.policy_id, subject.partition, subject.window_us,
            self.now_us, rows.to_json(detail),
        )  # fmt: skip
        told = {
            "alert_id": alert_id, "alert": kind, "severity": severity,
            "partition": subject.partition, "window_us": subject.window_us, **detail,
        }  # fmt: skip
        self._raised[subject] = Raised(
            row, budget_id, subject.policy_id or None, rows.to_json(told)
        )  # fmt: skip
