"""The table of what neighbours keep between runs, such as how far each has been told.

Not here: what the notes mean (`budget.neighbours`).
"""

from sqlalchemy import Column

from budget.storage.columns import WORDS, table, whole, words

neighbour_notes = table(
    "neighbour_notes",
    Column("neighbour", WORDS, primary_key=True),
    Column("name", WORDS, primary_key=True),
    words("value"),
    whole("updated_us"),
)
"""`value` is JSON."""
