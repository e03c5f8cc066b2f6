"""The gateway's door: who calls through it, the body of the call, and when the caller goes.

Not here: what is done with a call (`budget.gateway`).
"""

import json
from typing import Final

from starlette.types import Receive, Scope, Send

from budget.domain.errors import BudgetError, Forbidden
from budget.gateway.gateway import Gateway, Mount
from budget.gateway.incoming import Incoming, find_key
from budget.gateway.replying import Sending
from budget.http import bodies, problems
from budget.http.calls import Service
from budget.http.door.attempts import FORWARDED
from budget.http.door.cycle import WHEN_GONE
from budget.http.door.door import Visitor

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_SCOPE: Final = "spend"


async def pass_through(
    service: Service, gateway: Gateway, mount: Mount, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one request to the gateway."""
    route = f"gateway {mount.upstream.name}"
    seen = service.observer.begin(scope, route)
    sending = Sending(send, status_of_refusals=service.status_of_refusals, first=(seen.header,))
    try:
        incoming = await _incoming(service, scope, receive)
        scope["extensions"][WHEN_GONE](sending.lose)
        scope["budget.actor"] = incoming.caller.actor
        await gateway.answer(mount, incoming, sending)
    except bodies.ClientGone:
        return
    except Exception as unforeseen:  # noqa: BLE001 - the last stop: nobody is shown a traceback
        error = unforeseen if isinstance(unforeseen, BudgetError) else _foreseen(unforeseen)
        reply = problems.reply_to(error, service.status_of_refusals)
        told = gateway.problem(mount, error, reply.status)
        if not sending.status:
            await sending.reply(told._replace(headers=(*told.headers, *reply.headers)))
    finally:
        observed = problems.Reply(sending.status or 499, b"")
        service.observer.end(seen, scope, route, observed)


def _foreseen(error: Exception) -> BudgetError:
    """An error for one that nobody foresaw, with the id under which the log tells of it."""
    reply = problems.reply_to_unforeseen(error)
    return BudgetError(json.loads(reply.body)["detail"], code="internal_error")


async def _incoming(service: Service, scope: Scope, receive: Receive) -> Incoming:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    query = scope["query_string"].decode("latin-1")
    found = find_key(headers, query)
    visitor: Visitor = await service.door.admit(
        scope["method"], _shown(headers, found.key), scope.get("client")
    )
    if not visitor.key.allows(_SCOPE):
        raise Forbidden(f"This key lacks the right `{_SCOPE}`.")
    body = await bodies.read_body(receive, headers, MAX_BODY_BYTES)
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Incoming(scope["method"], path, query, headers, body, visitor.key.caller, found.own_key)


def _shown(headers: dict[bytes, bytes], key: str) -> dict[bytes, bytes]:
    """What the door looks at: the key, and who a proxy says is at the other end."""
    shown = {b"x-api-key": key.encode("latin-1")} if key else {}
    forwarded = headers.get(FORWARDED)
    if forwarded is not None:
        shown[FORWARDED] = forwarded
    return shown
