"""Objects inside of rows: as JSON has them, or as the text of it in a cell of a table.

Not here: figures and times (`lines`).
"""

import json
from collections.abc import Mapping
from typing import Any


def object_of(value: Any) -> Mapping[str, Any]:
    """An object, or the object that a text is; an empty one where it is none."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value, parse_float=str)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}
