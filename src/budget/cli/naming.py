"""Naming: the budget, limit or key that was typed, by its id or by a name that it alone has.

Not here: what is done with it.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from budget.cli.lists import gather
from budget.domain.answers_keys import ApiKey
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.policy_terms import parse_unit
from budget.domain.windows import parse_period
from budget.domain.wire.parts import amount_text

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books

T = TypeVar("T")

_SHOWN: Final = 5
_BUDGET_ID: Final = re.compile(r"bud_[0-9a-f]{32}")
_KEY_ID: Final = re.compile(r"key_[0-9A-Za-z]{8}")


def find_budget(books: "Books", text: str, field: str = "BUDGET") -> Budget:
    """The budget of that id, archived or not, else the one in force of that name.

    A name that differs in capitals alone will do where none is the same. NotFound for none,
    InvalidInput where several have the name.
    """
    if _BUDGET_ID.fullmatch(text):
        return books.budget(text)
    wanted = text.strip()
    if not wanted:
        raise InvalidInput(field, "must be the id or the name of a budget.")
    found = gather(lambda most, at: books.budgets(name=wanted, limit=most, cursor=at)).items
    same = [one for one in found if one.name == wanted] or [
        one for one in found if one.name.casefold() == wanted.casefold()
    ]
    return _only(
        field, "budget", wanted, [(one.budget_id, "", one) for one in same],
        f"There is no budget {wanted[:80]!r}. {_alike(one.name for one in found)}"
        "`budget budgets list` lists them.",
    )  # fmt: skip


def find_policy(
    books: "Books",
    budget: str | None,
    *,
    period: str | None = None,
    unit: str | None = None,
    policy_id: str | None = None,
) -> Policy:
    """The limit of that id, else the one in force of a budget, of this period and unit if given."""
    wanted_period = None if period is None else parse_period(period, "--period").text
    wanted_unit = None if unit is None else parse_unit(unit, "--unit")
    if budget is None:
        if policy_id is None:
            raise InvalidInput("BUDGET", "must be the id or the name of a budget.")
        return books.policy(policy_id)
    of = find_budget(books, budget)
    policies = of.policies if policy_id is not None else of.live_policies
    found = [
        one
        for one in policies
        if policy_id in (None, one.policy_id)
        and wanted_period in (None, one.calendar.period.text)
        and wanted_unit in (None, one.unit)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        has = ", ".join(policy_words(one) for one in of.live_policies[:_SHOWN]) or "none"
        asked = " ".join(filter(None, (wanted_period, wanted_unit, policy_id)))
        raise NotFound(
            "limit", asked or of.name, f"{of.name!r} has no limit {asked}".rstrip() + f": {has}."
        )
    several = "; ".join(f"{one.policy_id}, {policy_words(one)}" for one in found)
    raise InvalidInput(
        "--policy-id",
        f"must say which limit of {of.name!r}, or --period and --unit where they tell: {several}.",
        code="ambiguous",
    )


def find_key(books: "Books", text: str, field: str = "KEY") -> ApiKey:
    """The key of that id, revoked or not, else the one of that name that is not revoked."""
    if _KEY_ID.fullmatch(text):
        return books.key(text)
    wanted = text.strip()
    if not wanted:
        raise InvalidInput(field, "must be the id or the name of a key.")
    found = gather(lambda most, at: books.keys(limit=most, cursor=at)).items
    same = [one for one in found if one.name == wanted]
    return _only(
        field, "key", wanted, [(one.key_id, one.status, one) for one in same],
        f"There is no key {wanted[:80]!r}. `budget keys list` lists them.",
    )  # fmt: skip


def budget_names(books: "Books", ids: Iterable[str | None]) -> dict[str, str]:
    """What the budgets of these ids are called; those that cannot be seen are left out."""
    names: dict[str, str] = {}
    for budget_id in {one for one in ids if one}:
        with suppress(NotFound):
            names[budget_id] = books.budget(budget_id).name
    return names


def policy_words(policy: Policy) -> str:
    """A limit in words: 5.00 USD daily (hard_limit)."""
    return (
        f"{amount_text(policy.limit, policy.unit)} {policy.calendar.period.text} "
        f"({policy.enforcement})"
    )


def _only(field: str, kind: str, text: str, found: list[tuple[str, str, T]], otherwise: str) -> T:
    if len(found) == 1:
        return found[0][2]
    if not found:
        raise NotFound(kind, text, otherwise)
    ids = ", ".join(f"{one_id} ({more})" if more else one_id for one_id, more, _ in found[:20])
    raise InvalidInput(
        field, f"{len(found)} are called {text[:80]!r}; name one by its id: {ids}.",
        code="ambiguous",
    )  # fmt: skip


def _alike(names: Iterable[str]) -> str:
    """Some names that contain what was typed."""
    some = sorted(set(names))[:_SHOWN]
    return f"Is it one of these: {', '.join(map(repr, some))}? " if some else ""
