"""The tables of who may call: API keys, one-time links to the dashboard, its sessions.

None of them holds a secret, only the SHA-256 of one. Not here: what a key may do (`engine.keys`).
"""

from sqlalchemy import Column, Index, text

from budget.storage.columns import SMALL, WORDS, id_column, table, whole, words

api_keys = table(
    "api_keys",
    id_column("key_id"),
    words("name"),
    words("secret_hash"),
    words("scopes"),
    whole("created_us"),
    whole("revoked_us", null=True),
    Column("bound", WORDS, nullable=False, server_default=text("'{}'")),
    Column("max_priority", SMALL, nullable=False, server_default=text("5")),
    whole("expires_us", null=True),
    whole("last_used_us", null=True),
    words("created_by", null=True),
    words("rotates", null=True),
)
"""`scopes` are words parted by blanks. `bound` is JSON: the attributes that the key is bound to.

`rotates`: the key that this one takes the place of; that one's `expires_us` ends the overlap.
"""

login_links = table(
    "login_links",
    id_column("link_hash"),
    words("key_id"),
    whole("created_us"),
    whole("expires_us"),
    whole("used_us", null=True),
)
"""Links that log in to the dashboard once, on behalf of a key."""

sessions = table(
    "sessions",
    id_column("session_hash"),
    words("session_id"),
    words("actor"),
    words("name"),
    words("scopes"),
    words("bound"),
    Column("max_priority", SMALL, nullable=False),
    words("key_id", null=True),
    whole("created_us"),
    whole("expires_us"),
    whole("ended_us", null=True),
    Index(None, "session_id", unique=True),
    Index(None, "expires_us"),
)
"""Logins of people to the dashboard: by a link of a key (`key_id`), or by OpenID Connect."""
