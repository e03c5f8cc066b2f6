"""Shapes of neighbours in JSON: with whom Budget is in touch, and how that goes."""

from typing import Literal, TypedDict


class NeighbourShape(TypedDict):
    """One neighbour. `setting` is the variable that turns it on; `address` null: it comes to us, or
    is off. `facts` are in words.
    """

    name: str
    about: str
    state: Literal["off", "connecting", "waiting", "working", "failing"]
    address: str | None
    last_contact_at: str | None
    last_error: str | None
    last_error_at: str | None
    facts: dict[str, str]
    setting: str


class NeighboursShape(TypedDict):
    """All that Budget can speak with."""

    items: list[NeighbourShape]
