"""Schemas: JSON Schema 2020-12 made of the types that routes name: shapes of answers, and asks.

Not here: what the types of an ask do not say, such as bounds (`fields`).
"""

import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

Named = Callable[[type], Schema]
"""What refers to a type by its name."""

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    Decimal: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


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
            self.schemas[name].update(_object(shape, self._shape))
        return ref(name)


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    kinds = schema.get("type")
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]} | (
            {"type": [kinds, "null"]} if isinstance(kinds, str) else {}
        )
    if isinstance(kinds, str):
        return {**schema, "type": [kinds, "null"]}
    if isinstance(kinds, list):
        return schema if "null" in kinds else {**schema, "type": [*kinds, "null"]}
    if not schema:
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def schema_of(kind: Any, named: Named) -> Schema:
    """The schema of a type; of a TypedDict what `named` says of it."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_typeddict(kind):
        return named(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(arguments, named)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, Sequence):
        return {"type": "array", "items": schema_of(arguments[0], named)}
    if origin in (dict, Mapping):
        schema: Schema = {"type": "object"}
        values = schema_of(arguments[1], named)
        return {**schema, "additionalProperties": values} if values else schema
    raise TypeError(f"{kind!r} has no schema; add its kind to http/openapi/schemas.py.")


def _union(kinds: Sequence[Any], named: Named) -> Schema:
    schemas = [schema_of(kind, named) for kind in kinds if kind is not type(None)]
    if all(set(schema) == {"type"} for schema in schemas):
        found = list(dict.fromkeys(schema["type"] for schema in schemas))
        joined: Schema = {"type": found[0] if len(found) == 1 else found}
    else:
        joined = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return nullable(joined) if type(None) in kinds else joined


def _object(shape: type, named: Named) -> Schema:
    """An object that has every field of its type, and no other."""
    fields = get_type_hints(shape)
    required = [name for name in fields if name in getattr(shape, "__required_keys__", fields)]
    schema: Schema = {
        "type": "object",
        **({"description": words(shape.__doc__)} if shape.__doc__ else {}),
        "properties": {name: schema_of(kind, named) for name, kind in fields.items()},
    }
    if required:
        schema["required"] = required
    return {**schema, "additionalProperties": False}


def words(doc: str | None) -> str:
    """A docstring as running text; its paragraphs stay."""
    paragraphs = (doc or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
