"""JSON Schema 2020-12 of the types that name what goes in and what comes out: asks and shapes.

Not here: how a description names what it refers to (`http.openapi`, `mcp.tool`).
"""

import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

Named = Callable[[type], Schema]
"""What refers to a TypedDict, or describes it."""

_PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    Decimal: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


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
    raise TypeError(f"{kind!r} has no schema; add its kind to domain/json_schemas.py.")


def _union(kinds: Sequence[Any], named: Named) -> Schema:
    schemas = [schema_of(kind, named) for kind in kinds if kind is not type(None)]
    if all(set(schema) == {"type"} for schema in schemas):
        found = list(dict.fromkeys(schema["type"] for schema in schemas))
        joined: Schema = {"type": found[0] if len(found) == 1 else found}
    else:
        joined = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return nullable(joined) if type(None) in kinds else joined


def object_of(shape: type, named: Named) -> Schema:
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
