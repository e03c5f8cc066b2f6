"""Filters: what a list is asked for, as conditions in SQL.

A condition on attributes is written as in a budget's scope: a value, or the beginning of one with a
star. Not here: what a caller may see of budgets (`domain.rights`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, true

from budget.domain.attributes import (
    Attributes,
    Condition,
    Scope,
    compared,
    parse_scope,
    scope_matches,
)
from budget.domain.errors import InvalidInput
from budget.domain.rights import UNBOUND, Bound, covers
from budget.domain.windows import parse_rfc3339
from budget.engine.pages import is_storable

ValueOf = Callable[[str], ColumnElement[str]]
"""An attribute's key -> what holds its value in SQL."""

FOLDED: Final = frozenset(("model", "provider"))
"""Whose values compare otherwise than they are written."""


class Calls(NamedTuple):
    """Which calls: those that meet a scope and that the caller may see."""

    scope: Scope = ()
    bound: Bound = UNBOUND

    @property
    def exact(self) -> bool:
        """Whether `in_sql` says all of it."""
        keys = {*(condition.key for condition in self.scope), *self.bound}
        return not keys & FOLDED

    def has(self, attributes: Attributes) -> bool:
        """Whether a call with these attributes is one of them."""
        return scope_matches(self.scope, attributes) and covers(self.bound, attributes)

    def in_sql(self, value_of: ValueOf) -> ColumnElement[bool]:
        """All of them and, unless `exact`, a few more, whose models and providers look alike."""
        return and_(true(), *(meets(value_of(one.key), one) for one in self.conditions))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that must be so."""
        bound = (Condition(key, frozenset({one}), ()) for key, one in self.bound.items())
        return (*self.scope, *bound)


def calls(attributes: Mapping[str, Any] | None, bound: Bound) -> Calls:
    """The calls that have these attributes, checked, and that the caller may see."""
    return Calls(parse_scope(attributes, "attributes"), bound)


def meets(value: ColumnElement[str], wanted: Condition) -> ColumnElement[bool]:
    """That an attribute's value is as a condition wants it, or of a model or provider may be."""
    if wanted.key in FOLDED:
        return _looks_like(func.lower(value), wanted)
    return or_(
        false(),
        value.in_(sorted(wanted.exact)) if wanted.exact else false(),
        # Not LIKE, which on SQLite does not mind the case.
        *(func.substr(value, 1, len(start)) == start for start in wanted.prefixes),
    )


def _looks_like(value: ColumnElement[str], wanted: Condition) -> ColumnElement[bool]:
    """That a value begins as asked, perhaps after the path or vendor that names may begin with."""
    exact = sorted(compared(wanted.key, one) for one in wanted.exact)
    starts = sorted({one.lower() for one in wanted.prefixes} | set(exact))
    starts += [compared(wanted.key, one) for one in wanted.prefixes if one]
    some: list[ColumnElement[bool]] = [value.startswith(one, autoescape=True) for one in starts]
    if wanted.key == "model":
        for one in starts:
            some += [value.contains(f"{sep}{one}", autoescape=True) for sep in "/."]
    return or_(false(), *some)


# --- Columns -------------------------------------------------------------------------------------


def where(statement: Select[Any], equal: Mapping[Any, str | None]) -> Select[Any]:
    """The statement with each filter given; a text that no database can hold is InvalidInput."""
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == storable(value, column.name))
    return statement


def storable(value: object, field: str) -> str:
    """A text that a database can be asked for."""
    if not isinstance(value, str) or not is_storable(value):
        raise InvalidInput(field, "must be a text without NUL or lone surrogates.")
    return value


def within(
    statement: Select[Any], column: Any, since: str | None, until: str | None
) -> Select[Any]:
    """The statement for [since, until), each an RFC 3339 time where it is given."""
    if since is not None:
        statement = statement.where(column >= parse_rfc3339(since, "since"))
    if until is not None:
        statement = statement.where(column < parse_rfc3339(until, "until"))
    return statement


def one_of(value: str | None, field: str, known: tuple[str, ...]) -> str | None:
    """A word that is known, if one is given; else InvalidInput, listing them."""
    if value is not None and value not in known:
        raise InvalidInput(field, f"{str(value)[:80]!r} is not known.", known)
    return value


def in_force(statement: Select[Any], column: Any, archived: bool, is_active: bool | None) -> Any:
    """The statement for what is in force; archived things too, or alone, where asked for."""
    if is_active is not None:
        return statement.where(column.is_(None) if is_active else column.is_not(None))
    return statement if archived else statement.where(column.is_(None))
