"""The tables of what settled calls teach about estimates.

Not here: what the rows mean (`engine.calibrating`), and the bound that an allocation keeps, which
lies with it (`schema`).
"""

from sqlalchemy import CheckConstraint, Column, Integer

from budget.storage.columns import MAX_AMOUNT, WORDS, between, table, whole, words

calibrations = table(
    "calibrations",
    Column("family", WORDS, primary_key=True),
    Column("actor", WORDS, primary_key=True),
    whole("samples"),
    whole("factor_bps"),
    words("seen"),
    whole("updated_us"),
    between("samples", 0, MAX_AMOUNT),
    between("factor_bps", 1, 100_000),
)
"""What the calls of one API key to one family of models have taught; `seen` is JSON.

`factor_bps` is what follows from `seen`: it is read often, `seen` only when more is learnt.
"""

calibration_state = table(
    "calibration_state",
    Column("id", Integer, primary_key=True, autoincrement=False),
    whole("settled_us"),
    words("allocation_id"),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row: the last settled allocation that was looked at."""
