"""Tools: the one table of them, a file for each group.

The protocol, the routes beside it and whoever registers tools elsewhere read it. Nothing heavy is
imported for it.
"""

from typing import Final

from budget.domain.errors import NotFound
from budget.mcp.tool import PREFIX, Tool, unique
from budget.mcp.tools.booking import BOOKING
from budget.mcp.tools.envelopes import ENVELOPES
from budget.mcp.tools.models import MODELS
from budget.mcp.tools.raising import RAISING
from budget.mcp.tools.spending import SPENDING
from budget.mcp.tools.standing import STANDING
from budget.mcp.tools.usage import USAGE
from budget.mcp.tools.watching import WATCHING

TOOLS: Final[tuple[Tool, ...]] = unique(
    (*SPENDING, *BOOKING, *ENVELOPES, *STANDING, *MODELS, *USAGE, *WATCHING, *RAISING)
)


def _plain(name: str) -> str:
    """A name without what its spellings differ in."""
    return name.replace("_", "").lower()


_BY_NAME: Final = {_plain(name): one for one in TOOLS for name in (one.name, one.former) if name}


def find_tool(name: str) -> Tool:
    """The tool of a name, in either spelling and with or without the prefix; else NotFound."""
    plain = _plain(name)
    found = _BY_NAME.get(plain) or _BY_NAME.get(_plain(PREFIX) + plain)
    if found is None and plain.startswith(_plain(PREFIX)):
        found = _BY_NAME.get(plain.removeprefix(_plain(PREFIX)))
    if found is None:
        known = ", ".join(one.name for one in TOOLS)
        raise NotFound("tool", name[:80], f"There is no tool {name[:80]!r}. Tools: {known}.")
    return found
