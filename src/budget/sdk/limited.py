"""Limited: a function that may spend so much, written above it.

    @budget.limited(usd="0.50", per="session")
    def answer(question: str) -> str: ...

The limit is a budget in the books like any other, found there or made at the first call; what the
books say of it counts. Each function has a tag of its own, so that what a function spends inside
another counts for both. Not here: what refuses (`holds`, `tracking`).
"""

import hashlib
import inspect
import re
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, ParamSpec, Self, TypeVar

from budget.domain.attributes import STANDARD, parse_key
from budget.domain.budgets import Budget, Unit
from budget.domain.errors import Conflict, InvalidInput, OutcomeUnknown
from budget.domain.policy_terms import parse_limit
from budget.domain.windows import parse_period
from budget.sdk.attributes import attributes
from budget.sdk.booking import LOG, in_thread
from budget.sdk.books import Books
from budget.sdk.connecting import default_books
from budget.sdk.wrapping import within

P = ParamSpec("P")
R = TypeVar("R")

_MAX_NAME_CHARS: Final = 60
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_BY_ATTRIBUTE: Final = {"per_session": "session", "per_task": "task"}


class _Terms(NamedTuple):
    """How much, of what, and for whom or in which time; `per` as it was written."""

    unit: Unit
    written: str | int | Decimal
    limit: int
    per: str
    attribute: str | None
    period: str

    def ask(self, name: str) -> dict[str, Any]:
        """The budget that holds a function of this name to the terms."""
        policy = {"unit": self.unit, "period": self.period, "limit": self.written,
                  "enforcement": "hard_limit"}  # fmt: skip
        return {
            "name": self.budget_name(name),
            "description": "What a function of a program may spend.",
            "scope": {f"tag.in.{name}": "yes"},
            "per": [] if self.attribute is None else [self.attribute],
            "policies": [policy],
        }

    def budget_name(self, name: str) -> str:
        """What the budget is called; functions may have a limit for each unit and `per`."""
        return f"{name}: {self.unit} per {self.per}"


class _Limit:
    """The terms and the name, and the books in which the budget is known to be there."""

    def __init__(self, terms: _Terms, name: str, books: Books | None) -> None:
        self._terms = terms
        self._name = name
        self._given = books
        self._lock = threading.Lock()
        self._stands_in: Books | None = None

    def stand(self) -> None:
        """See to it that the budget is in the books; asked once in a process."""
        books = default_books() if self._given is None else self._given
        if self._stands_in is books:
            return
        with self._lock:
            if self._stands_in is not books:
                _find_or_make(books, self._terms, self._name)
                self._stands_in = books

    def block(self) -> "_Inside":
        """The block of one call."""
        return _Inside(self, self._name)


class _Inside(attributes):
    """A call of the function: its limit stands, and what it spends tells the function."""

    __slots__ = ("_limit",)

    def __init__(self, limit: _Limit, name: str) -> None:
        super().__init__({"tag.function": name, f"tag.in.{name}": "yes"})
        self._limit = limit

    def __enter__(self) -> Self:
        self._limit.stand()
        return super().__enter__()

    async def __aenter__(self) -> Self:
        await in_thread(self._limit.stand)
        return super().__enter__()


def limited(
    *,
    usd: str | int | Decimal | None = None,
    tokens: int | None = None,
    requests: int | None = None,
    per: str | None = None,
    name: str | None = None,
    books: Books | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function spend so much: for each value of an attribute (`per="session"`, `"user"`,
    `"tag.run"`), or in each period (`"daily"`, `"rolling:1h"`, `"total"`).

    Holds and tracked calls inside raise BudgetRefused once it is spent. Calls without the attribute
    share one limit. One of `usd`, `tokens` and `requests`; for several, decorate several times.
    `name` is that of the function with its module, unless it is said. InvalidInput at once for what
    cannot be; the books are opened at the first call.
    """
    terms = _terms({"usd": usd, "tokens": tokens, "requests": requests}, per)
    said = None if name is None else _parse_name(name)

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        given: Any = fn
        if isinstance(given, staticmethod | classmethod) or not inspect.isroutine(given):
            raise InvalidInput(
                "limited",
                f"goes on a function, not on {_told(given)}; decorate its functions, "
                "below @classmethod or @staticmethod.",
            )
        return within(_Limit(terms, said or _name_of(fn), books).block, fn)

    return decorate


def _terms(amounts: dict[Unit, Any], per: object) -> _Terms:
    given = {unit: amount for unit, amount in amounts.items() if amount is not None}
    if len(given) != 1:
        raise InvalidInput(
            "limited", "takes one amount: usd, tokens or requests, such as usd='0.50'."
        )
    ((unit, written),) = given.items()
    limit = parse_limit(written, unit, unit)
    attribute, period = _parse_per(per)
    return _Terms(unit, written, limit, attribute or period, attribute, period)


def _parse_per(per: object) -> tuple[str | None, str]:
    """The attribute that the limit is split by, and its period."""
    allowed = (*STANDARD, "tag.<name>", "hourly", "daily", "weekly", "monthly", "total",
               "rolling:<n>h")  # fmt: skip
    if per is None:
        raise InvalidInput("per", "is required: an attribute or a period.", allowed)
    if isinstance(per, str):
        per = _BY_ATTRIBUTE.get(per, per)
        for read in (_as_attribute, _as_period):
            found = read(per)
            if found is not None:
                return found
    raise InvalidInput("per", f"{str(per)[:80]!r} is neither an attribute nor a period.", allowed)


def _as_attribute(per: str) -> tuple[str | None, str] | None:
    try:
        return parse_key(per, "per"), "total"
    except InvalidInput:
        return None


def _as_period(per: str) -> tuple[str | None, str] | None:
    try:
        return None, parse_period(per, "per").text
    except InvalidInput:
        return None


def _parse_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_CHARS or _UNFIT.search(name):
        raise InvalidInput(
            "name", f"has 1 to {_MAX_NAME_CHARS} letters, digits and any of '_.-', as in a tag."
        )
    return name


def _name_of(fn: Any) -> str:
    """The function's name with its module, as a tag can have it; of a script, its file's name."""
    module = fn.__module__ or "builtins"
    if module == "__main__":
        module = Path(getattr(fn, "__globals__", {}).get("__file__", module)).stem
    full = f"{module}.{fn.__qualname__}"
    name = _UNFIT.sub("", full.replace("<locals>.", ""))
    if len(name) <= _MAX_NAME_CHARS and name == full:
        return name
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{name[-(_MAX_NAME_CHARS - 9) :]}-{digest}"


def _told(thing: object) -> str:
    return f"the class {thing.__name__}" if inspect.isclass(thing) else type(thing).__name__


def _find_or_make(books: Books, terms: _Terms, name: str) -> None:
    """The budget, made under a key that is the same in every process, so that it is made once."""
    archived = 0
    for budget in _called(books, terms.budget_name(name)):
        if budget.archived_us is None:
            _compare(budget, terms)
            return
        archived += 1
    # One that was archived has ended; the program asks for another.
    ask = {**terms.ask(name), "idempotency_key": f"limited:{terms.budget_name(name)}:{archived}"}
    make = partial(books.create_budget, **ask)
    try:
        make()
    except OutcomeUnknown:
        make()
    except Conflict:  # another process made it just now, of another amount
        if not any(_called(books, terms.budget_name(name))):
            raise


def _called(books: Books, name: str) -> Iterator[Budget]:
    cursor: str | None = None
    while True:
        page = books.budgets(name=name, archived=True, cursor=cursor)
        yield from (budget for budget in page.items if budget.name == name)
        cursor = page.next_cursor
        if cursor is None:
            return


def _compare(budget: Budget, terms: _Terms) -> None:
    """Tell where the program and the books differ: whoever changed the budget meant it."""
    if not any(one.unit == terms.unit and one.limit == terms.limit for one in budget.live_policies):
        LOG.warning(
            "%s (%s) has another limit in the books than %s in the program; the books count",
            budget.name,
            budget.budget_id,
            terms.written,
        )
