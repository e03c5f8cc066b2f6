"""Alert settings: which kinds are raised, how severe each is, and what counts as a runaway.

They are kept with the other live settings, under the name `alerts`; what was never set is as it is
by default.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from budget.domain.alerts import KINDS, SEVERITIES
from budget.domain.answers_alerts import AlertSettings
from budget.domain.asks_alerts import AlertSettingsAsk
from budget.domain.errors import InvalidInput
from budget.domain.money import MAX_LIMIT_NANOS, parse_count, parse_usd
from budget.engine import live_settings
from budget.engine.batch import Batch
from budget.engine.callers import Caller, require_unbound
from budget.engine.changes import once, requested
from budget.engine.fields import only_fields

NAME: Final = "alerts"
RUNAWAY_FACTOR: Final = 10
RUNAWAY_FLOOR_NANOS: Final = 10**9
MIN_FACTOR: Final = 2
MAX_FACTOR: Final = 1000


_FIELDS: Final = frozenset(AlertSettingsAsk.__annotations__)


def of(settings: Mapping[str, Any]) -> AlertSettings:
    """The settings of alerts among the live ones."""
    chosen: Mapping[str, Any] = settings.get(NAME) or {}
    return AlertSettings(
        chosen.get("runaway_factor", RUNAWAY_FACTOR),
        chosen.get("runaway_floor_nanos", RUNAWAY_FLOOR_NANOS),
        tuple(chosen.get("off", ())),
        {**KINDS, **chosen.get("severities", {})},
    )


def changing(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], AlertSettings]:
    """The change of `change_alert_settings`, which counts for all of the books."""
    only_fields(ask, _FIELDS)
    require_unbound(caller)
    values = _parsed(ask)
    request = requested("change_alert_settings", ask, caller)

    def change(batch: Batch) -> tuple[AlertSettings, str]:
        chosen = {**(batch.catalogue.settings.get(NAME) or {}), **values}
        left = {name: value for name, value in chosen.items() if value is not None}
        live_settings.put(batch, {NAME: left or None}, caller.actor)
        return of(batch.catalogue.settings), NAME

    def present(batch: Batch, ref: str) -> AlertSettings:
        del ref
        return replace(of(batch.catalogue.settings), replayed=True)

    return once(request, change, present)


def _parsed(ask: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be stored, by its stored name; None: nothing, so that the default counts."""
    values: dict[str, Any] = {}
    if "runaway_factor" in ask:
        values["runaway_factor"] = _factor(ask["runaway_factor"])
    if "runaway_floor" in ask:
        floor = ask["runaway_floor"]
        if floor is not None:
            floor = parse_usd(floor, "runaway_floor", maximum_nanos=MAX_LIMIT_NANOS)
        values["runaway_floor_nanos"] = floor
    if "off" in ask:
        values["off"] = _kinds(ask["off"])
    if "severities" in ask:
        values["severities"] = _severities(ask["severities"])
    return values


def _factor(given: object) -> int | None:
    if given is None:
        return None
    factor = parse_count(given, "runaway_factor", maximum=MAX_FACTOR)
    if factor < MIN_FACTOR:
        raise InvalidInput("runaway_factor", f"must be {MIN_FACTOR} to {MAX_FACTOR}.")
    return factor


def _kinds(given: object) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise InvalidInput("off", "must be a list of kinds of alerts.")
    for at, kind in enumerate(given):
        if not isinstance(kind, str) or kind not in KINDS:
            raise InvalidInput(f"off[{at}]", "is not a kind of alert.", tuple(KINDS))
    return sorted(set(given)) or None


def _severities(given: object) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInput("severities", "must be an object of kind: severity.")
    for kind, severity in given.items():
        if kind not in KINDS:
            raise InvalidInput(f"severities.{str(kind)[:80]}", "is no kind of alert.", tuple(KINDS))
        if not isinstance(severity, str) or severity not in SEVERITIES:
            raise InvalidInput(f"severities.{kind}", "is not a severity.", SEVERITIES)
    return dict(sorted(given.items())) or None
