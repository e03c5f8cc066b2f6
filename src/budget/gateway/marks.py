"""Marks: the id of a hold in the metadata of work that goes on at a provider.

So nothing need be kept here to know which hold an answer belongs to that comes days later. Not
here: what is booked then (`later`).
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.errors import InvalidInput

MARK: Final = "budget_allocation"
"""The name in the metadata under which the hold is told."""


def check_unmarked(body: Mapping[str, Any] | None) -> None:
    """InvalidInput for metadata in which the caller writes the name that is ours."""
    metadata = (body or {}).get("metadata")
    if isinstance(metadata, Mapping) and MARK in metadata:
        raise InvalidInput(f"metadata.{MARK}", "is a name of the budget's; choose another.")


def marked(metadata: object, allocation_id: str) -> dict[str, Any]:
    """Metadata with the id of the hold in it."""
    given = metadata if isinstance(metadata, Mapping) else {}
    return {**given, MARK: allocation_id}


def mark_of(work: Mapping[str, Any]) -> object:
    """The id of the hold that is written in work; None without one."""
    metadata = work.get("metadata")
    return metadata.get(MARK) if isinstance(metadata, Mapping) else None


def unmarked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a provider tells of work, or of a list of it, without the ids of holds."""
    told = {**body}
    if isinstance(body.get("data"), list):
        told["data"] = [unmarked(one) if isinstance(one, Mapping) else one for one in body["data"]]
    if mark_of(body) is not None:
        told["metadata"] = {name: text for name, text in body["metadata"].items() if name != MARK}
    return told
