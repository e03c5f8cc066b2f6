"""Choosing: only those fields of an answer that the query asks for, as `fields=name,legs.spent`.

Names are checked against the shape that the route answers, before anything is read. A dot leads
into an object, or into each object of a list. Not here: what shapes there are (`domain.shapes`).
"""

import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints, is_typeddict

from budget.domain.errors import InvalidInput
from budget.domain.shapes import PageShape
from budget.http.bodies import camel_case
from budget.http.route import Route

MAX_FIELDS: Final = 100

Choice = dict[str, Any]
"""Name of a field -> the choice within it; an empty one is all of it."""


def choice_of(route: Route, given: str) -> Choice:
    """The fields that a query asks for; InvalidInput names one that there is not, and what is."""
    names = given.split(",")
    if len(names) > MAX_FIELDS:
        raise InvalidInput("fields", f"may name at most {MAX_FIELDS} fields.")
    shape = _shape_of(route)
    paths = [_path(name.strip(), shape) for name in names]
    choice: Choice = {}
    for path in sorted(paths, key=len):
        at = choice
        for part in path:
            if at.get(part) == {}:
                break  # all of it is chosen
            at = at.setdefault(part, {})
    return choice


def chosen(body: Any, choice: Choice) -> Any:
    """The answer with these fields; of a page, its items with them."""
    if isinstance(body, dict) and body.keys() == {"items", "next_cursor"}:
        return {**body, "items": _cut(body["items"], choice)}
    return _cut(body, choice)


def _cut(value: Any, choice: Choice) -> Any:
    if not choice:
        return value
    if isinstance(value, list | tuple):
        return [_cut(one, choice) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {name: _cut(value[name], within) for name, within in choice.items() if name in value}


def _shape_of(route: Route) -> Any:
    """What the route answers; of a page, what its items are."""
    if route.answer is not PageShape:
        return route.answer
    from budget.http.openapi.operations import operation_id
    from budget.http.openapi.replies import ITEMS

    return ITEMS.get(operation_id(route), Any)


def _path(name: str, shape: Any) -> list[str]:
    """The parts of a name as we spell them, each a field of what is around it."""
    path: list[str] = []
    for part in name.split("."):
        fields = _fields(shape)
        if fields is None:  # the caller named what is in it
            path.append(part)
            continue
        known = part if part in fields else _snake_case(part, tuple(fields))
        if known is None:
            allowed = [".".join((*path, field)) for field in fields]
            raise InvalidInput("fields", f"{name[:80]!r} is no field of the answer.", allowed)
        path.append(known)
        shape = fields[known]
    return path


def _snake_case(part: str, fields: tuple[str, ...]) -> str | None:
    return next((field for field in fields if camel_case(field) == part), None)


@cache
def _fields(shape: Any) -> Mapping[str, Any] | None:
    """What an object of this type has, by name: none if it is no object, None if anything."""
    if is_typeddict(shape):
        return get_type_hints(shape)
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (list, Sequence, tuple):
        return _fields(arguments[0])
    if shape is Any or origin in (dict, Mapping):
        return None
    found: dict[str, Any] = {}
    if origin in (Union, types.UnionType):
        for one in arguments:
            fields = _fields(one)
            if fields is None:
                return None
            found.update(fields)
    return found
