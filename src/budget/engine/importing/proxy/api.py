"""The HTTP API of a LiteLLM proxy: its keys, teams, users and budgets, page after page.

As LiteLLM 1.108 answers. What a proxy does not have, or not for this key, is told as a note. Not
here: its database (`tables`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from budget.domain.errors import Unavailable
from budget.domain.windows import to_rfc3339
from budget.engine.importing.asking import MAX_PAGES, Asked, key_in, named_by
from budget.engine.importing.lines import Bad, Line
from budget.engine.importing.proxy.tables import Row, Tables, rows_in
from budget.engine.importing.sources import lines_of_rows, litellm

KEY_SETTING: Final = "BUDGET_LITELLM_MASTER_KEY"
_SIZE: Final = 100
_LOGS_SIZE: Final = 1000


def proxy_at(url: str, env: Mapping[str, str]) -> Asked:
    """The proxy at an address that the operator wrote, with the key of BUDGET_LITELLM_MASTER_KEY.
    InvalidInput.
    """
    headers = {"Authorization": f"Bearer {key_in(env, KEY_SETTING)}"}
    return named_by(url, headers, "FILE", KEY_SETTING)


def logs_of_api(asked: Asked, until_us: int) -> Iterator[Line | Bad]:
    """The spend logs of a proxy until a time, oldest first, as lines."""
    return lines_of_rows(_logs(asked, until_us), litellm, "UTC")


def _logs(asked: Asked, until_us: int) -> Iterator[tuple[str, Any]]:
    query: dict[str, str | int | list[str]] = {
        "start_date": "2020-01-01 00:00:00", "end_date": _date(until_us), "page_size": _LOGS_SIZE,
        "sort_by": "startTime", "sort_order": "asc",
    }  # fmt: skip
    for page in range(1, MAX_PAGES):
        rows = rows_in(asked.get("/spend/logs/v2", {**query, "page": page}), "data")
        for number, row in enumerate(rows, start=1):
            yield f"page {page} log {number}", row
        if len(rows) < _LOGS_SIZE:  # how many there are is not told exactly
            return


def _date(at_us: int) -> str:
    return to_rfc3339(at_us)[:19].replace("T", " ")


def of_api(asked: Asked) -> tuple[Tables, list[str]]:
    """The tables of a proxy, and what could not be read."""
    found: dict[str, list[Row]] = {"keys": _keys(asked)}
    notes: list[str] = []
    for name, read in _OTHERS.items():
        try:
            found[name] = read(asked)
        except Unavailable as error:
            notes.append(f"{name} could not be read: {error.detail}")
    _add_members(found)
    return found, notes


def _keys(asked: Asked) -> list[Row]:
    query: dict[str, str | int] = {
        "return_full_object": "true",
        "include_team_keys": "true",
        "size": _SIZE,
    }
    return _paged(asked, "/key/list", "keys", query, "page", "total_pages")


def _users(asked: Asked) -> list[Row]:
    return _paged(asked, "/user/list", "users", {"page_size": _SIZE}, "page", "total_pages")


def _paged(
    asked: Asked, path: str, name: str, query: Mapping[str, str | int], page: str, pages: str
) -> list[Row]:
    rows: list[Row] = []
    for number in range(1, MAX_PAGES):
        answer = asked.get(path, {**query, page: number})
        rows += rows_in(answer, name)
        last = answer.get(pages) if isinstance(answer, Mapping) else None
        if not isinstance(last, int) or number >= last:
            break
    return rows


def _listed(path: str, name: str) -> Callable[[Asked], list[Row]]:
    def read(asked: Asked) -> list[Row]:
        return [_with_budget(row) for row in rows_in(asked.get(path), name)]

    return read


def _with_budget(row: Row) -> Row:
    """A row with the fields of the budget that the API shows inside of it."""
    inside = row.get("litellm_budget_table")
    if not isinstance(inside, Mapping):
        return row
    return {**inside, **{name: value for name, value in row.items() if value is not None}}


_OTHERS: Final[Mapping[str, Callable[[Asked], list[Row]]]] = {
    "teams": _listed("/team/list", "teams"),
    "users": _users,
    "organizations": _listed("/organization/list", "organizations"),
    "end_users": _listed("/customer/list", "end_users"),
    "budgets": _listed("/budget/list", "budgets"),
}


def _add_members(found: dict[str, list[Row]]) -> None:
    """The members of teams, which the API shows inside of these."""
    members: list[Row] = []
    for team in found.get("teams", []):
        inside: Any = team.get("team_memberships")
        if isinstance(inside, list):
            members += [_with_budget(one) for one in inside if isinstance(one, Mapping)]
    if members:
        found["members"] = members
