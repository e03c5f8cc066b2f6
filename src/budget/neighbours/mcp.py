"""MCP as a neighbour: whether models' clients come, and when one came last.

Not here: what they are answered (`budget.mcp`), and at which door (`http.mcp`).
"""

from budget.neighbours.neighbour import Neighbour


class Clients(Neighbour):
    """The clients of MCP; they come to us."""

    name = "mcp"

    def came(self, name: str, sessions: int) -> None:
        """Note that a client has come, with the key of this name."""
        self.contact.went_well(key=name, sessions=sessions or None)
