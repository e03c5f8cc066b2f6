"""Schemas that the description names: each made once of its type, then referred to.

Not here: how a type becomes a schema (`domain.json_schemas`), and what the types of an ask do not
say, such as bounds (`fields`).
"""

from typing import Any

from budget.domain.json_schemas import Schema, nullable, object_of, schema_of, words

__all__ = ["Components", "Schema", "nullable", "ref", "schema_of", "words"]


class Components:
    """The schemas that were referred to by name, each made once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def answer(self, shape: Any) -> Schema:
        """The schema of an answer; a type with a name is referred to."""
        return schema_of(shape, self._shape)

    def put(self, name: str, schema: Schema) -> Schema:
        """Name a schema that was made elsewhere."""
        self.schemas.setdefault(name, schema)
        return ref(name)

    def _shape(self, shape: type) -> Schema:
        name = shape.__name__.removesuffix("Shape")
        if name not in self.schemas:
            self.schemas[name] = {}  # it may refer to itself
            self.schemas[name].update(object_of(shape, self._shape))
        return ref(name)


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}
