"""Moving: what was planned is made in our books; again, nothing is made twice.

A budget is known again by what its metadata says of its source, a key by its name. Not here: what
is made (`planning`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.answers_keys import ApiKey
from budget.domain.budgets import Budget
from budget.domain.facade import Facade
from budget.engine.importing.booking import Outcome, book
from budget.engine.importing.lines import Bad, Line
from budget.engine.importing.proxy.planning import THIS_KEY, Plan, PlannedBudget, PlannedKey

_PAGE: Final = 1000
_SOURCE: Final = "litellm"
_NANOS: Final = 10**9
Who = Mapping[str, Mapping[str, str]]
"""The attributes by which calls of a key are known here, by the hash that the proxy keeps of it."""

_MOST_NANOS: Final = 10**6 * _NANOS
"""What one record may cost."""


class MovedKey(NamedTuple):
    """A key that is there now; `text` is the key itself, where it was made just now."""

    alias: str
    key_id: str
    text: str | None


class Moved(NamedTuple):
    """What came of it: keys, budgets by whether they were there before, and spend in nano-USD."""

    keys: tuple[MovedKey, ...]
    made: tuple[str, ...]
    before: tuple[str, ...]
    carried_nanos: int
    logs: Outcome | None


def move(
    plan: Plan,
    books: Facade,
    logs: Callable[[], Iterator[Line | Bad]] | None,
    tell: Callable[[int, int], None],
) -> Moved:
    """Make the keys and the budgets, book the logs, and then what the logs do not reach back to."""
    keys = () if plan.keep_keys else tuple(_made_keys(plan.keys, books))
    who: Who = (
        {one.source: {"tag.litellm_key": one.alias} for one in plan.keys}
        if plan.keep_keys
        else {one.source: {"key": key.key_id} for one, key in zip(plan.keys, keys, strict=True)}
    )
    found = {_source_of(budget): budget for budget in _budgets(books)}
    made: list[str] = []
    before: list[str] = []
    standing: list[tuple[PlannedBudget, Budget]] = []
    for planned in plan.budgets:
        there = found.get(planned.source)
        (made if there is None else before).append(planned.name)
        standing.append((planned, there or _make(planned, who, books)))
    booked = None
    if logs is not None:
        booked = book(_named(logs(), who), books.record_bulk, _SOURCE, tell, total=0)
    carried = sum(_carry(planned, budget, who, books) for planned, budget in reversed(standing))
    return Moved(keys, tuple(made), tuple(before), carried, booked)


def _made_keys(planned: Iterable[PlannedKey], books: Facade) -> Iterator[MovedKey]:
    known = {key.name: key for key in _keys(books)}
    for one in planned:
        key = known.get(one.name)
        if key is None:
            ask: dict[str, Any] = {"name": one.name, "scopes": ["spend", "read"]}
            ask |= {"bound": one.bound} if one.bound else {}
            ask |= {"expires_at": one.expires_at} if one.expires_at else {}
            key = books.create_key(**ask)
        yield MovedKey(one.alias, key.key_id, key.text)


def _make(planned: PlannedBudget, who: Who, books: Facade) -> Budget:
    policies: list[Any] = [dict(policy) for policy in planned.policies]
    return books.create_budget(
        name=planned.name,
        scope=_scope(planned, who),
        policies=policies,
        metadata={"litellm": planned.source},
    )


def _scope(planned: PlannedBudget, who: Who) -> dict[str, str]:
    own = {} if planned.key is None else who[planned.key]
    return {**{key: value for key, value in planned.scope.items() if value != THIS_KEY}, **own}


def _carry(planned: PlannedBudget, budget: Budget, who: Who, books: Facade) -> int:
    """Book what LiteLLM says was spent in the window of now and our balance does not say yet."""
    told = {
        str(policy["period"]): spent
        for policy, spent in zip(planned.policies, planned.spent_nanos, strict=True)
        if spent is not None and policy["unit"] == "usd"
    }
    carried = 0
    for made in budget.live_policies:
        spent = told.get(made.calendar.period.text) if made.unit == "usd" else None
        if spent is None:
            continue
        ours = sum(one.spent for one in books.balances(made.policy_id).items)
        missing = min(spent - ours, _MOST_NANOS)
        if missing > 0:
            number = f"{made.policy_id}-{spent}"
            carried += _book_spent(number, missing, _scope(planned, who), books)
    return carried


def _book_spent(number: str, nanos: int, scope: Mapping[str, str], books: Facade) -> int:
    """Book so much for what a scope tells; how much of it was not there before."""
    usd, rest = divmod(nanos, _NANOS)
    receipt = books.record_usage(
        usage_id=f"import-litellm-carried-{number}",
        attributes=scope,
        cost=f"{usd}.{rest:09d}",
        input_tokens=0,
        units={"milliseconds": 1},  # a record of nothing at all would be free
        requests=0,
        metadata={"litellm": "spent before it was moved"},
    )
    return 0 if receipt.replayed else nanos


def _named(lines: Iterable[Line | Bad], who: Who) -> Iterator[Line | Bad]:
    """The lines, each with whose key it was by our name of it."""
    for line in lines:
        if isinstance(line, Line) and line.key_source is not None and line.key_source in who:
            yield line._replace(attributes={**line.attributes, **who[line.key_source]})
        else:
            yield line


def _source_of(budget: Budget) -> str | None:
    found = budget.metadata.get("litellm")
    return found if isinstance(found, str) else None


def _budgets(books: Facade) -> Iterator[Budget]:
    cursor = None
    while True:
        ask: Any = {"limit": _PAGE, **({"cursor": cursor} if cursor else {})}
        page = books.budgets(**ask)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _keys(books: Facade) -> Iterator[ApiKey]:
    cursor = None
    while True:
        page = books.keys(revoked=True, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
