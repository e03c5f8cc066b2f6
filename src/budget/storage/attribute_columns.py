"""Attributes in SQL: one of them out of a column that holds them as JSON, on both engines.

Not here: how they compare (`domain.attributes`).
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Text, and_, func, literal, true


def attribute(column: Any, key: str, dialect: str) -> ColumnElement[str]:
    """The value of one attribute, NULL where it is missing."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB  # 30 ms, which nobody else pays

        return cast("ColumnElement[str]", column.cast(JSONB)[key].astext)
    path = f"$.{json.dumps(key)}"
    return cast("ColumnElement[str]", func.json_extract(column, literal(path), type_=Text))


def has_attributes(column: Any, wanted: Mapping[str, str], dialect: str) -> ColumnElement[bool]:
    """That a row has all of these attributes, exactly as they are written here."""
    return and_(true(), *(attribute(column, key, dialect) == v for key, v in wanted.items()))
