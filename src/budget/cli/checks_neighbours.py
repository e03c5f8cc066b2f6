"""Checks of neighbours: how it goes with each that is on, and settings that nobody reads.

Not here: how findings are told (`doctor`), and what is said to each (`budget.neighbours`).
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from budget.cli.checks import Finding
from budget.domain.errors import BudgetError, InvalidInput
from budget.engine.places import Place
from budget.engine.setting_names import unknown_settings

if TYPE_CHECKING:
    from budget.domain.shapes_neighbours import NeighbourShape

NAME: Final = "neighbour"
NO_START: Final = "Mend that: the service does not start so."


def settings() -> Iterator[Finding]:
    """Variables that begin like ours and are none, so that what they were to do is not done."""
    for name, nearest in unknown_settings(os.environ):
        advice = "Unset it; docs/reference/settings.md has those that are read."
        if nearest is not None:
            advice = f"Did you mean {nearest}?"
        yield Finding("settings", "warn", f"{name} is no setting, so nobody reads it", advice)


def neighbours(place: Place) -> Iterator[Finding]:
    """How it goes with those of a service; without one, which the environment would turn on."""
    if place.url is None:
        yield from _set_here(os.environ)
        return
    from budget.cli.remote import Service

    try:
        with Service(place.url, place.key) as service:
            items: list[NeighbourShape] = service.call("GET", "/neighbours")["items"]
    except BudgetError as error:
        yield Finding(NAME, "ok", f"which there are is not told: {error.detail}")
        return
    for one in sorted(items, key=lambda one: one["name"]):
        if one["state"] != "off":
            yield _finding(one)


def _finding(one: "NeighbourShape") -> Finding:
    words = f"{one['name']} is {one['state']}"
    if one["state"] == "failing":
        told = f"{words}: {one['last_error']}"
        return Finding(NAME, "warn", told, f"See that it runs, and {one['setting']}.")
    if one["state"] == "connecting":
        return Finding(NAME, "warn", f"{words}: it has not answered yet", "Look again in a moment.")
    if one["state"] == "waiting":
        return Finding(NAME, "ok", f"{words}: it has not come yet")
    return Finding(NAME, "ok", words)


def _set_here(env: Mapping[str, str]) -> Iterator[Finding]:
    """What the environment says; a service that is started with it would speak with these."""
    from budget.neighbours.known import KNOWN

    for known in KNOWN:
        try:
            known.check(env)
            if not known.is_on(env):
                continue
        except InvalidInput as error:
            yield Finding(NAME, "fail", error.detail, NO_START)
            continue
        told = f"{known.name} is set, and no service runs here that would speak with it"
        yield Finding(NAME, "ok", told)
