"""Callers: who asks, and whether what they ask concerns more than they may see.

Not here: what they may write (`domain.asks`), and their keys (`keys`).
"""

from typing import Final, NamedTuple

from budget.domain.errors import Forbidden
from budget.domain.rights import UNBOUND, Bound


class Caller(NamedTuple):
    """Who acts: the id of an API key (or `local`), and whether it may do what `manage` keys may.

    `admin`: whether it has every right. One that is `bound` spends with these attributes and sees
    nothing of others (`domain.rights`). One that may only draw spends from this `envelope` alone.
    """

    actor: str
    manage: bool = True
    max_priority: int = 10
    bound: Bound = UNBOUND
    admin: bool = False
    envelope: str | None = None


LOCAL: Final = Caller("local", admin=True)
"""The caller of the in-process library."""


def require_unbound(caller: Caller) -> None:
    """Forbidden for a caller that is bound to attributes: what it asks for concerns all."""
    if caller.bound:
        named = ", ".join(f"{key}={value}" for key, value in caller.bound.items())
        raise Forbidden(f"This concerns all of the books, and this key is bound to {named}.")
