"""`budget key`."""

from typing import Annotated
from cyclopts import Parameter
from budget.cli.face import Face

def key(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Print."""
    print("k", face)
    return 0
