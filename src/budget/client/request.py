"""Requests: what a method of the client asks of a service, as a value, and how to read its answer.

A `Request` knows no address and no key. Not here: which requests there are (`calls`), how answers
are read (`reading`), and how one is sent (`transport`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote

from budget.domain.acts.act import Act
from budget.domain.errors import BudgetError, NotFound

T = TypeVar("T")

V1: Final = "/api/v1"

Ask = Mapping[str, Any]
Read = Callable[[Any], T]


class DatabaseOnly(BudgetError):
    """What was asked for is done on a database alone; a service does it by itself, or never."""

    code = "database_only"

    def __init__(self, what: str, instead: str = "open the database itself.") -> None:
        super().__init__(f"{what} works on a database only: {instead}")


@dataclass(frozen=True, slots=True)
class Request(Act[T]):
    """One thing to ask for: at `path`, with `read` to make the value of the answer's JSON.

    `keyed`: an act that is recognised by an idempotency key, so that it may be sent again; one is
    made unless the body has it. `safe`: it changes nothing. `refusable`: a refusal is an answer.
    `patient`: the answer may take minutes.
    """

    method: str
    path: str
    read: Read[T]
    body: Ask | None = None
    query: Ask = field(default_factory=dict)
    keyed: bool = False
    safe: bool = False
    refusable: bool = False
    patient: bool = False


def request_of(act: Act[T]) -> Request[T]:
    """An act that was made here, as the request that it is."""
    assert isinstance(act, Request)
    return act


def get(path: str, read: Read[T], query: Ask | None = None, *, patient: bool = False) -> Request[T]:
    """A read below /api/v1, as the others here. What is None in the query is left out."""
    return Request("GET", V1 + path, read, query=query or {}, safe=True, patient=patient)


def ask(path: str, read: Read[T], body: Ask, *, patient: bool = False) -> Request[T]:
    """A read that says what it wants in a body: nothing is changed."""
    return Request("POST", V1 + path, read, body, safe=True, patient=patient)


def act(
    path: str, read: Read[T], body: Ask, *, method: str = "POST", refusable: bool = False
) -> Request[T]:
    """An act that an idempotency key recognises: the body's, else one that is made."""
    return Request(method, V1 + path, read, body, keyed=True, refusable=refusable)


def once(
    path: str,
    read: Read[T],
    body: Ask | None = None,
    *,
    method: str = "POST",
    patient: bool = False,
) -> Request[T]:
    """An act that no key recognises: it is sent once."""
    return Request(method, V1 + path, read, body, patient=patient)


def at(path: str, *ids: str) -> str:
    """A path with its ids in the places of `{}`; NotFound for what can be no id."""
    for one in ids:
        if not str(one).strip("."):
            raise NotFound("thing", str(one)[:80])
    return path.format(*(quote(str(one), safe="", errors="replace") for one in ids))
