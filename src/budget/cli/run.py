"""`budget run`: a program with an envelope of money, stopped when that is spent; and its bill.

Not here: how the program is started and stopped (`run_process`), and its bill (`run_bill`).
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from cyclopts import Parameter

from budget.cli import exits, run_bill
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.run_process import Process, check_program
from budget.cli.typed import parse_amount, parse_pairs, parse_seconds
from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unavailable,
)
from budget.domain.rights import ENVELOPE
from budget.domain.windows import to_rfc3339
from budget.engine.ids import new_id

if TYPE_CHECKING:
    from budget.domain.facade import Facade as Books
    from budget.engine.places import Place

LOOK_SECONDS: Final = 0.25
MAX_GRACE_SECONDS: Final = 3600
MAX_TTL_SECONDS: Final = 86_400
KEY_SECONDS: Final = 2 * 86_400
"""So long the key of a program works when nobody renews it: longer than its envelope may."""


class Own(NamedTuple):
    """What a program is told in its environment, and the id of the key that was made for it."""

    variables: dict[str, str]
    key_id: str | None = None


class Envelope(NamedTuple):
    """The envelope of a program, and how long it lives unused."""

    allocation_id: str
    ttl_seconds: int


def run(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    usd: str | None = None,
    tokens: str | None = None,
    ttl: str = "1h",
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    grace_seconds: float = 5,
    no_gateway: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Run a program with an envelope of money; print the bill.

    Parameters
    ----------
    command:
        The program and its arguments, after --.
    usd:
        How much it may spend, such as 2 or 0.50.
    tokens:
        How many tokens it may use.
    ttl:
        How long the envelope stays should this command be killed, such as 30m; 1h unless given.
    attribute:
        Whose the calls are, such as team=search; may be said several times.
    grace_seconds:
        How long the program has to end after it is told to.
    no_gateway:
        Leave the SDKs of providers as they are: the program asks Budget by itself.
    """
    words = command[1:] if command[:1] == ("--",) else command
    if not words:
        raise InvalidInput("COMMAND", "is needed: budget run --usd 2 -- python agent.py")
    if not 0 <= grace_seconds <= MAX_GRACE_SECONDS:
        raise InvalidInput("--grace-seconds", f"must be from 0 to {MAX_GRACE_SECONDS}.")
    asked: dict[str, Any] = {}
    if usd is not None:
        asked["usd"] = parse_amount(usd, "usd", "--usd")
    if tokens is not None:
        asked["tokens"] = parse_amount(tokens, "tokens", "--tokens")
    if not asked:
        raise InvalidInput("--usd", "is needed, or --tokens: how much may be spent.")
    ttl_seconds = parse_seconds(ttl, "--ttl")
    if not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
        raise InvalidInput("--ttl", "must be from 1s to 24h.")
    attributes = parse_pairs(attribute, "--attribute")
    if ENVELOPE in attributes:
        raise InvalidInput("--attribute", f"{ENVELOPE} is what `budget run` itself says.")
    check_program(words[0])
    # The envelope has its own id as a tag: a key bound to that reaches it and what it holds alone.
    allocation_id = new_id("run")
    attributes[ENVELOPE] = allocation_id
    with open_budget(face) as books:
        held = books.allocate(
            **asked, allocation_id=allocation_id, envelope=True, attributes=attributes,
            ttl_seconds=ttl_seconds,
        )  # fmt: skip
        if isinstance(held, Refusal):
            face.note(f"budget: {held.detail}")
            return exits.REFUSED
        envelope = Envelope(held.allocation_id, ttl_seconds)
        try:
            with _own_key(face, books, attributes, gateway=not no_gateway) as own:
                return _run(face, books, envelope, words, own, grace_seconds)
        finally:
            _end(face, books, envelope)


def _run(
    face: Face,
    books: "Books",
    envelope: Envelope,
    words: tuple[str, ...],
    own: "Own",
    grace_seconds: float,
) -> int:
    """Run the program, to its end or that of the envelope; nothing that it started is left."""
    given = {**os.environ, **own.variables, "BUDGET_PARENT_ID": envelope.allocation_id}
    with Process(words, given, grace_seconds) as process:
        spent = _watch(books, envelope, process, own.key_id)
        if spent:
            face.note("budget: The envelope is spent: the program is told to end.")
            process.stop()
    return exits.REFUSED if spent else process.exit_code


def _end(face: Face, books: "Books", envelope: Envelope) -> None:
    """Return what is left of the envelope and print the bill."""
    bill = run_bill.make(books, envelope.allocation_id)
    with contextlib.suppress(Conflict):
        books.release(envelope.allocation_id, reason="the program of budget run has ended")
    run_bill.tell(face, bill)


def _watch(books: "Books", envelope: Envelope, process: Process, key_id: str | None) -> bool:
    """Wait for the end of the program (False), or of its envelope (True)."""
    after = books.events(kind="refused", limit=1000).next_cursor
    renewed = key_renewed = time.monotonic()
    while not process.ended(LOOK_SECONDS):
        try:
            was_refused, after = _was_refused(books, envelope.allocation_id, after)
            if was_refused or _is_empty(books.allocation(envelope.allocation_id)):
                return True
            if time.monotonic() - renewed > envelope.ttl_seconds / 3:
                books.extend(envelope.allocation_id, ttl_seconds=envelope.ttl_seconds)
                renewed = time.monotonic()
            if key_id is not None and time.monotonic() - key_renewed > KEY_SECONDS / 3:
                _renew_key(books, key_id)
                key_renewed = time.monotonic()
        except Unavailable:
            continue  # the service restarts: the program finds that out by itself
        except Conflict:
            return True  # somebody ended the envelope
    return False


def _was_refused(books: "Books", parent_id: str, after: str | None) -> tuple[bool, str | None]:
    """Whether a call was refused since, because the envelope had not enough left."""
    while True:
        page = books.events(kind="refused", after=after, limit=1000)
        if any(json.loads(one.detail).get("parent_id") == parent_id for one in page.items):
            return True, page.next_cursor
        if page.next_cursor == after:
            return False, after
        after = page.next_cursor


def _is_empty(held: Allocation) -> bool:
    """Whether nothing is left of it, and no call is under way that may return some."""
    if held.status != "open":
        return True
    if any(child.status == "open" for child in held.children):
        return False
    return any(left == 0 for left in held.remaining if left is not None)


def _renew_key(books: "Books", key_id: str) -> None:
    """Let the key work on for as long as at first."""
    with contextlib.suppress(Conflict, Forbidden, NotFound):  # somebody else decided about it
        ends_us = books.key(key_id).expires_us
        if ends_us is not None:
            later_us = ends_us + KEY_SECONDS // 3 * 1_000_000
            books.change_key(key_id, expires_at=to_rfc3339(later_us))


@contextlib.contextmanager
def _own_key(
    face: Face, books: "Books", attributes: dict[str, str], *, gateway: bool
) -> Iterator[Own]:
    """What the program must know to reach the same books: of a service with a key of its own,
    which may draw on the envelope and no more, and is revoked in the end.
    """
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    place = find_place(Settings.read(target=face.target))
    if place.url is None:
        yield Own({"BUDGET_TARGET": place.target})
        return
    own = {"BUDGET_TARGET": place.url}
    try:
        made = books.create_key(
            name="budget run", scopes=["draw"], bound=attributes, ttl_seconds=KEY_SECONDS
        )
    except Forbidden:
        face.note(
            "budget: Your key may not make keys; the program gets yours, and nothing keeps it "
            "within the envelope."
        )
        yield Own(own | ({"BUDGET_KEY": place.key} if place.key else {}))
        return
    text = made.text or ""
    pointed = _pointed(place, text) if gateway else {}
    try:
        yield Own(own | pointed | {"BUDGET_KEY": text}, made.key_id)
    finally:
        with contextlib.suppress(BudgetError):
            books.revoke_key(made.key_id)


def _pointed(place: "Place", key: str) -> dict[str, str]:
    """What points the SDKs of providers to the gateway of the service, with a key: of those whose
    calls it can pass on. Nothing where it has no gateway, or our key may not ask.
    """
    from budget.cli.remote import Service
    from budget.gateway.pointing import NEEDS_NO_KEY, variables

    assert place.url is not None
    try:
        with Service(place.url, place.key) as service:
            gateway = service.call("GET", "/discovery").get("gateway")
    except BudgetError:
        return {}
    upstreams = gateway["upstreams"] if gateway else ()
    names = {one["name"] for one in upstreams if one["has_key"] or one["name"] in NEEDS_NO_KEY}
    return variables(place.url, key, names, os.environ)
