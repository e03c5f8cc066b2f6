"""MCP as a neighbour: whether models' clients come, and when one came last.

Only shown; they are answered without it, unless BUDGET_MCP says off. Not here: what they are
answered (`budget.mcp`), and at which door (`http.mcp`).
"""

from typing import Final

from budget.neighbours.neighbour import Neighbour

SETTING: Final = "BUDGET_MCP"


class Clients(Neighbour):
    """The clients of MCP; they come to us."""

    name = "mcp"

    def came(self, name: str, sessions: int) -> None:
        """Note that a client has come, with the key of this name."""
        self.contact.went_well(key=name, sessions=sessions or None)
