"""Tenants: books in which somebody owns one of everything, and keys of every kind to ask for it.

Not here: what each key must be answered (`test_rights_matrix`).
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import insert

from budget.domain.answers import Allocation
from budget.domain.rights import UNBOUND, Bound
from budget.engine import sessions
from budget.engine.budget import Budget
from budget.engine.callers import Caller
from budget.engine.jobs import Books
from budget.http.app import App
from budget.storage.schema import deliveries

MARK: Final = "secret-of-the-owner"
"""Stands in the name of everything that the owner has: no other team is shown it."""

TEAMS: Final[Mapping[str, Bound]] = {"a": {"team": "a"}, "b": {"team": "b"}, "none": UNBOUND}
LIVE: Final = ("read", "spend", "manage", "audit", "admin")
DEAD: Final = ("no key", "revoked", "expired")


class Asker(NamedTuple):
    """Who asks: with a live key of one scope or a dead one (or none), bound to a team or to none.

    `text` is the key as it is sent.
    """

    scope: str
    team: str
    text: str
    key_id: str

    @property
    def name(self) -> str:
        """How failures call it."""
        return f"{self.scope}/{self.team}"


def make_askers(books: Books) -> list[Asker]:
    """A key of every scope, live or not, for each team and for none."""
    return [_asker(books, scope, team) for team in TEAMS for scope in (*LIVE, *DEAD)]


def _asker(books: Books, scope: str, team: str) -> Asker:
    if scope == "no key":
        return Asker(scope, team, "", "")
    with_rights = Budget(books)
    made = with_rights.create_key(
        name=scope,
        scopes=["admin"] if scope in DEAD else [scope], bound=TEAMS[team],
    )  # fmt: skip
    if scope == "revoked":
        with_rights.revoke_key(made.key_id)
    elif scope == "expired":
        with_rights.rotate_key(made.key_id, overlap_seconds=0)
    assert made.text is not None
    return Asker(scope, team, made.text, made.key_id)


# --- What there is to own ------------------------------------------------------------------------


def own_everything(books: Books, askers: list[Asker], owner: str) -> dict[str, str]:
    """Make one of everything for a team, or for none; its ids, by the name that paths give them."""
    spender, admin = (_of(askers, scope, owner) for scope in ("spend", "admin"))
    own = Budget(books, Caller(spender.key_id, bound=TEAMS[owner], admin=True))
    hard: Any = {"unit": "tokens", "period": "monthly", "limit": 1_000_000_000}
    watched: Any = {"unit": "tokens", "period": "total", "limit": 10, "enforcement": "warn"}
    budget = own.create_budget(name=MARK, policies=[hard])
    seen = own.create_budget(name=f"{MARK} watched", policies=[watched])
    held = own.allocate(tokens=1000, context_id=f"{MARK}-context", metadata={"note": MARK})
    assert isinstance(held, Allocation)
    envelope = own.allocate(tokens=100_000, envelope=True, metadata={"note": MARK})
    assert isinstance(envelope, Allocation)
    used = own.record_usage(input_tokens=100, metadata={"note": MARK})
    asked = own.create_budget(name=f"{MARK} asked", policies=[hard])  # which no cell archives
    request = own.make_request(asked.budget_id, amount=10, reason=MARK)
    channel = own.create_channel(
        name=MARK, kind="webhook", url=f"https://hooks.example.com/{MARK}", enabled=False
    )
    doomed = own.create_key(name=f"{MARK} doomed", scopes=["read"])
    own.record_usage(input_tokens=1, attributes={"project": MARK})
    ids = {
        "project": MARK,
        "budget_id": budget.budget_id,
        "policy_id": budget.policies[0].policy_id,
        "allocation_id": held.allocation_id,
        "envelope_id": envelope.allocation_id,
        "usage_id": used.usage_id,
        "call_id": own.record_usage(input_tokens=1).usage_id,
        "context": f"{MARK}-context",
        "request_id": request.request_id,
        "alert_id": own.alerts(budget_id=seen.budget_id).items[0].alert_id,
        "channel_id": channel.channel_id,
        "key_id": doomed.key_id,
        "session_id": _log_in(books, admin),
    }
    return ids | {"delivery_id": _delivery(books, channel.channel_id, channel.after)}


def _of(askers: list[Asker], scope: str, team: str) -> Asker:
    return next(one for one in askers if (one.scope, one.team) == (scope, team))


def _log_in(books: Books, asker: Asker) -> str:
    """A session of a key; its id."""
    link = Budget(books, Caller(asker.key_id, bound=TEAMS[asker.team])).login_link()
    begun = books.ledger.do_change(sessions.logging_in(link.token))
    session_id: str = begun.session.session_id
    return session_id


def _delivery(books: Books, channel_id: str, entry_id: int) -> str:
    """Something that a channel was to be told, and could not be."""
    row = {
        "delivery_id": f"dlv_{MARK}", "channel_id": channel_id, "entry_id": entry_id,
        "status": "dead", "attempts": 9, "due_us": 0, "created_us": 1, "answer": MARK,
    }  # fmt: skip
    change = lambda batch: batch.unit.execute(insert(deliveries).values(row))  # noqa: E731
    books.ledger.do_change(change)
    return f"dlv_{MARK}"


# --- Asking --------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What came back; of a stream, what came first."""

    status: int
    body: str


@dataclass
class Exchange:
    """One request to the application, without a network between."""

    body: bytes = b""
    status: int = 0
    heard: bytes = b""
    asked: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        """The request, once; then that the client has gone, when it has heard enough."""
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take down what is answered."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/event-stream"):
                self.over.set()
        else:
            self.heard += message.get("body", b"")


async def ask(
    app: App, method: str, path: str, text: str, query: str = "", body: Any = None
) -> Answer:
    """Send a request with a key, or with none."""
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if text:
        headers.append((b"x-api-key", text.encode()))
    exchange = Exchange(b"" if body is None else json.dumps(body).encode())
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": headers, "client": ("127.0.0.1", 1),
        "root_path": "", "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await app(scope, exchange.receive, exchange.send)
    return Answer(exchange.status, exchange.heard.decode())
