"""Balance words: how full a balance is, as cells of tables and screens show it.

Not here: lists of balances (`status`).
"""

from budget.domain.answers import BalanceView
from budget.domain.budgets import BPS
from budget.domain.wire.parts import partition_of


def partition_words(partition: str) -> str:
    """A partition in words: empty for the only one of a budget that is not split."""
    return " ".join(
        f"{key}={'(none)' if value is None else value}"
        for key, value in partition_of(partition).items()
    )


def named(view: BalanceView) -> str:
    """The budget of a balance, with its partition where it is split."""
    partition = partition_words(view.partition)
    return f"{view.budget} ({partition})" if partition else view.budget


def used_bps(view: BalanceView) -> int | None:
    """How much of the limit is used, cut: 10,000 is all of it. None without a limit to use."""
    return (view.spent + view.assumed) * BPS // view.limit if view.limit else None


def used_text(view: BalanceView) -> str:
    """How much of the limit is used, in percent to a tenth, cut."""
    used = used_bps(view)
    return "-" if used is None else f"{used // 100}.{used % 100 // 10}"


def mood(view: BalanceView) -> str:
    """`over` when the limit is reached or was exceeded, `warn` from its warning threshold on."""
    used = used_bps(view)
    if used is None:
        return ""
    if used >= BPS or view.overrun:
        return "over"
    return "warn" if used >= view.policy.warning_bps else ""
