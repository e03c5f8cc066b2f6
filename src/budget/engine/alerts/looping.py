"""Looping: the alert of calls that were stopped because they came again and again.

Not here: what counts as a loop (`gateway.loops`), and its words (`domain.alerts`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from budget.engine.batch import Batch

KIND: Final = "loop"


def telling(subject: str, detail: Mapping[str, object]) -> Callable[[Batch], None]:
    """The change that alerts of a loop, once for each subject and UTC day; `subject` is
    `session:<its name>` or `key:<its id>`.
    """

    def change(batch: Batch) -> None:
        batch.alert_subject(KIND, subject, detail)
        batch.write(())

    return change
