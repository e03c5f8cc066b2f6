"""Routes of API keys. Who may call them has every right, but for asking who one is."""

from typing import Final

from budget.domain import shapes
from budget.domain.asks_keys import ChangeKeyAsk, NewKeyAsk, RotateKeyAsk
from budget.domain.shapes_keys import KeyShape, NewKeyShape
from budget.domain.wire.keys import key, new_key
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.handlers import page_of
from budget.http.queries import flag
from budget.http.route import PAGED, V1, Route

key_page = page_of(key)

KEYS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/keys", "admin", act(Jobs.create_key, new_key),
          NewKeyAsk, NewKeyShape, 201),
    Route("GET", f"{V1}/keys", "admin", act(Jobs.keys, key_page),
          answer=shapes.PageShape, query={**PAGED, "revoked": flag}),
    Route("GET", f"{V1}/keys/self", "any", act(Jobs.own_key, key), answer=KeyShape),
    Route("GET", f"{V1}/keys/{{key_id}}", "admin", act(Jobs.key, key), answer=KeyShape),
    Route("PATCH", f"{V1}/keys/{{key_id}}", "admin", act(Jobs.change_key, key),
          ChangeKeyAsk, KeyShape),
    Route("DELETE", f"{V1}/keys/{{key_id}}", "admin", act(Jobs.revoke_key, key), answer=KeyShape),
    Route("POST", f"{V1}/keys/{{key_id}}/rotate", "admin", act(Jobs.rotate_key, new_key),
          RotateKeyAsk, NewKeyShape, 201),
)  # fmt: skip
