"""API keys: how they are made and recognised, and what may be done with one.

A key is `bud_<8 id>_<43 secret><6 checksum>`, its id `key_<8 id>`. The books keep the id and the
SHA-256 of the secret; that has 256 random bits, so a slow hash would add nothing. The admin's key
also lies in the clear, in a file of its owner (`key_file`). Not here: how a request carries a key
(`http.auth`), and making, changing and revoking keys for others (`key_acts`).
"""

import hashlib
import hmac
import json
import re
import secrets
import string
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from budget.domain.allocations import NORMAL_PRIORITY
from budget.domain.errors import NotFound, OutcomeUnknown, Unauthorized
from budget.domain.rights import ENVELOPE, UNBOUND, Bound
from budget.engine.callers import LOCAL, Caller

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from budget.engine.batch import Batch
    from budget.engine.jobs import Books
    from budget.storage.database import Database

PREFIX: Final = "bud"
ID_CHARS: Final = 8
SECRET_CHARS: Final = 43
CHECKSUM_CHARS: Final = 6
KEY_PATTERN: Final = re.compile(r"bud_([0-9a-z]{8})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")
"""What secret scanners may look for; the last six characters are the CRC-32 of all before them."""

ADMIN: Final = "admin"
ANY: Final = "any"
"""What every valid key may do."""
DRAW: Final = "draw"
"""To spend from one envelope alone: that whose id the key is bound to as `tag.envelope`."""
SCOPES: Final = ("read", DRAW, "spend", "manage", "audit", ADMIN)
"""What a key may have the right to; `admin` is the right to everything."""
HIGHEST_PRIORITY: Final = 10

REMEMBERED_SECONDS: Final = 1.0
"""How long what the books say of a key is believed; a revoked one works no longer than that."""
MAX_REMEMBERED: Final = 10_000

_ID_ALPHABET: Final = string.digits + string.ascii_lowercase
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NOBODY_HASH: Final = hashlib.sha256(b"nobody has this secret").hexdigest()


class NewKey(NamedTuple):
    """A key just made: `text` is shown to its owner once, `secret_hash` goes to the books."""

    key_id: str
    text: str
    secret_hash: str


class Presented(NamedTuple):
    """A key that somebody presents, well formed but not yet believed."""

    key_id: str
    secret_hash: str


class Key(NamedTuple):
    """A key that the books know: who its caller is, and what it may be used for."""

    caller: Caller
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        """Whether calls that need this scope may be made with it."""
        draws = scope == "spend" and DRAW in self.scopes
        return scope in self.scopes or scope == ANY or ADMIN in self.scopes or draws


class KeyRow(NamedTuple):
    """What the books keep of a key, as far as it decides what may be done with it."""

    secret_hash: str
    scopes: str
    revoked_us: int | None = None
    bound: Bound = UNBOUND
    max_priority: int = NORMAL_PRIORITY
    expires_us: int | None = None

    def is_live(self, now_us: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_us is None and (self.expires_us is None or self.expires_us > now_us)


# --- Making and reading --------------------------------------------------------------------------


def make_key() -> NewKey:
    """A new key, from the system's source of randomness."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_CHARS))
    secret = "".join(secrets.choice(_BASE62) for _ in range(SECRET_CHARS))
    body = f"{PREFIX}_{key_id}_{secret}"
    return NewKey(f"key_{key_id}", body + _checksum(body), _hash(secret))


def read_key(text: str) -> Presented | None:
    """A key as presented; None when it is not one, or one letter of it is wrong."""
    matched = KEY_PATTERN.fullmatch(text)
    if matched is None:
        return None
    key_id, secret, checksum = matched.groups()
    if not hmac.compare_digest(checksum, _checksum(text[:-CHECKSUM_CHARS])):
        return None
    return Presented(f"key_{key_id}", _hash(secret))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_CHARS):
        number, rest = divmod(number, len(_BASE62))
        digits = _BASE62[rest] + digits
    return digits


# --- Recognising ---------------------------------------------------------------------------------


def believe(presented: Presented, row: KeyRow | None, now_us: int) -> Key:
    """The key that was presented, if the books know it; Unauthorized, always the same, if not.

    An unknown id costs the same comparison as a wrong secret.
    """
    known_hash = _NOBODY_HASH if row is None else row.secret_hash
    matches = hmac.compare_digest(presented.secret_hash, known_hash)
    if row is None or not matches or not row.is_live(now_us):
        raise unauthorized()
    scopes = frozenset(row.scopes.split())
    return Key(caller_with(presented.key_id, scopes, row.max_priority, row.bound), scopes)


def caller_with(actor: str, scopes: frozenset[str], max_priority: int, bound: Bound) -> Caller:
    """The caller that has these rights. A key that may draw, and not spend, has one envelope."""
    admin = ADMIN in scopes
    manages = admin or "manage" in scopes
    draws = DRAW in scopes and "spend" not in scopes and not manages
    envelope = bound.get(ENVELOPE, "") if draws else None
    return Caller(actor, manages, max_priority, bound, admin, envelope)


def unauthorized() -> Unauthorized:
    """The one answer to a missing, malformed, unknown, wrong, expired or revoked key."""
    return Unauthorized(
        "This needs a valid API key: send it as `Authorization: Bearer bud_…` or as `X-API-Key`."
    )


class Recalled(NamedTuple):
    """What the books said of a key, and when they were asked; no row: they know no such key."""

    asked_at: float
    row: KeyRow | None


class Keyring:
    """What the books say about keys, remembered for a second."""

    def __init__(
        self,
        read: Callable[[str], KeyRow | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """`clock` tells how old what is remembered is; `now_us` the time that keys expire by."""
        self._read = read
        self._clock = clock
        self.now_us = now_us
        self._recalled: dict[str, Recalled] = {}

    @classmethod
    def of(cls, database: "Database") -> "Keyring":
        """The keyring of open books."""
        return cls(lambda key_id: read_row(database, key_id), now_us=database.now_us)

    def recall(self, key_id: str) -> Recalled | None:
        """What the books said of a key a moment ago; None if they must be asked."""
        recalled = self._recalled.get(key_id)
        if recalled is None or self._clock() - recalled.asked_at >= REMEMBERED_SECONDS:
            return None
        return recalled

    def ask(self, key_id: str) -> Recalled:
        """What the books say of a key now; Unavailable when they cannot be read."""
        # The age counts from before the question, so that a key revoked since then is not believed
        # for longer.
        asked_at = self._clock()
        recalled = Recalled(asked_at, self._read(key_id))
        if len(self._recalled) >= MAX_REMEMBERED:
            self._recalled.clear()
        self._recalled[key_id] = recalled
        return recalled

    def find(self, presented: Presented) -> Key:
        """The key presented, or Unauthorized."""
        recalled = self.recall(presented.key_id) or self.ask(presented.key_id)
        return believe(presented, recalled.row, self.now_us())


def read_row(database: "Database", key_id: str) -> KeyRow | None:
    """What the books keep of a key; Unavailable when they cannot be read."""
    from sqlalchemy import select

    from budget.engine.snapshots import snapshot
    from budget.storage.schema import api_keys

    columns = [api_keys.c[name] for name in KeyRow._fields]
    with snapshot(database) as connection:
        row = connection.execute(select(*columns).where(api_keys.c.key_id == key_id)).first()
    return None if row is None else KeyRow(*row)._replace(bound=json.loads(row.bound))


# --- The admin's key -----------------------------------------------------------------------------


def ensure_admin_key(
    books: "Books", config_dir: Path, target: str, *, anew: bool = False
) -> Path | None:
    """Make the admin's key if the books have no live key yet; the file that holds it in the clear.

    None when the books have keys but the file holds none of them: whoever has one must use that, or
    ask for a further one with `anew`.
    """
    from budget.engine import key_file

    with key_file.locked(config_dir):
        known = key_file.find(config_dir, target)
        if not anew and known is not None and _is_live(books, known):
            return key_file.path_of(config_dir)
        key = make_key()
        # The file first: a key that is only in the books would be of use to nobody.
        before = key_file.put(config_dir, target, key.text)
        try:
            added = add_key(
                books, key, name=ADMIN, scopes=ADMIN, actor=LOCAL.actor, only_first=not anew
            )
        except OutcomeUnknown:
            raise  # it may be in the books, so it stays in the file
        except BaseException:
            key_file.restore(config_dir, before)
            raise
        if not added:
            key_file.restore(config_dir, before)
            return None
        return key_file.path_of(config_dir)


def add_key(
    books: "Books", key: NewKey, *, name: str, scopes: str, bound: Bound = UNBOUND,
    actor: str | None = None, only_first: bool = False,
) -> bool:  # fmt: skip
    """Put a key into the books, through their writer; False if `only_first` and it is not.

    With `actor` the journal tells who did it. Who may manage may use any priority.
    """

    manages = not {ADMIN, "manage"}.isdisjoint(scopes.split())
    priority = HIGHEST_PRIORITY if manages else NORMAL_PRIORITY

    def adding(batch: "Batch") -> bool:
        from sqlalchemy import func, insert, select

        from budget.engine.rows import to_json
        from budget.storage.schema import api_keys

        if only_first:
            live = select(func.count()).select_from(api_keys).where(is_live(batch.now_us))
            if batch.unit.execute(live)[0][0]:
                return False
        batch.unit.execute(
            insert(api_keys).values(
                key_id=key.key_id, name=name, secret_hash=key.secret_hash, scopes=scopes,
                created_us=batch.now_us, created_by=actor, max_priority=priority,
                bound=to_json(dict(bound)),
            )
        )  # fmt: skip
        if actor is not None:
            detail = {
                "key_id": key.key_id, "name": name, "scopes": scopes.split(), "bound": dict(bound),
                "max_priority": priority, "expires_at": None,
            }  # fmt: skip
            batch.enter("key_created", actor, [], detail)
            batch.write([])
        return True

    added: bool = books.ledger.do_change(adding)
    return added


def revoke_key(books: "Books", key_id: str) -> bool:
    """Take a key out of use, within a second; False if the books know no such live key."""
    from budget.engine.key_acts import revoking

    try:
        revoked = books.ledger.do_change(revoking(key_id, LOCAL))
    except NotFound:
        return False
    return not revoked.replayed


def is_live(now_us: int) -> "ColumnElement[bool]":
    """That a row of the books is of a key that is neither revoked nor expired."""
    from sqlalchemy import and_, or_

    from budget.storage.schema import api_keys

    unexpired = or_(api_keys.c.expires_us.is_(None), api_keys.c.expires_us > now_us)
    return and_(api_keys.c.revoked_us.is_(None), unexpired)


def _is_live(books: "Books", text: str) -> bool:
    presented = read_key(text)
    if presented is None:
        return False
    try:
        believe(presented, read_row(books.database, presented.key_id), books.database.now_us())
    except Unauthorized:
        return False
    return True
