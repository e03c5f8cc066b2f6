"""Setting jobs: the closed list of what can be set while Budget runs, read and changed.

Not here: how settings are kept (`live_settings`), what those of alerts may be (`alerts`), and what
a process is told at its start (`settings`).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Unpack

from sqlalchemy import select

from budget.domain.answers_settings import SettingsView, SettingView
from budget.domain.asks_budgets import SettingsAsk
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.wire.alerts import alert_settings
from budget.engine import live_settings
from budget.engine.alerts import settings as alerts
from budget.engine.batch import Batch
from budget.engine.callers import Caller, require_unbound
from budget.engine.changes import Request, once
from budget.engine.fields import (
    only_fields,
    parse_idempotency_key,
    parse_text,
    request_hash,
)
from budget.engine.job import Job, Maker
from budget.engine.requests.acts import EXPIRES_SECONDS, parse_expires_seconds
from budget.engine.settings import REFUSAL_STATUSES
from budget.engine.snapshots import snapshot
from budget.storage.schema import settings as table

MAX_ADVICE_CHARS: Final = 500
ROUTE: Final = "PUT /api/v1/settings"


def _as_it_is(stored: Any) -> Any:
    return stored


def _alerts(stored: Any) -> Any:
    """The settings of alerts as their own route shows them, those that were never set too."""
    return alert_settings(alerts.of({alerts.NAME: stored}))


class Setting(NamedTuple):
    """What there is to set. `parse` reads a value given, or raises; None: another route does.

    `tell` makes of what is stored what is shown.
    """

    about: str
    default: Any
    parse: Callable[[object, str], Any] | None
    changed_by: str = ROUTE
    tell: Callable[[Any], Any] = _as_it_is


def _advice(value: object, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(field, "must be a text, or null.")
    if len(value) > MAX_ADVICE_CHARS:
        raise InvalidInput(field, f"must have at most {MAX_ADVICE_CHARS} characters.")
    return parse_text(value.strip(), field)


def _refusal_status(value: object, field: str) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or text not in REFUSAL_STATUSES:
        raise InvalidInput(field, "cannot be the status.", REFUSAL_STATUSES)
    return text


def _switch(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "must be true or false, or null.")
    return value


SETTINGS: Final[Mapping[str, Setting]] = {
    "adaptive_sizes": Setting(
        "Whether a hold that states no size takes the one that settled calls have taught.",
        False,
        _switch,
    ),
    "alerts": Setting(
        "What is alerted of, and from where on.",
        _alerts(None),
        None,
        "PUT /api/v1/alerts/settings",
        _alerts,
    ),
    "how_to_raise": Setting(
        "What is told behind `how_to_raise` to whoever is refused, such as whom to ask.",
        None,
        _advice,
    ),
    "refusal_status": Setting(
        "The status of every refusal: auto, 402 or 429. Null: as each process was started.",
        None,
        _refusal_status,
    ),
    "request_expires_seconds": Setting(
        "How long a request for a top-up waits for a decision.",
        EXPIRES_SECONDS,
        parse_expires_seconds,
    ),
}

_FIELDS: Final = frozenset(SettingsAsk.__annotations__)
_ALL: Final = select(table.c.name, table.c.value, table.c.updated_us, table.c.updated_by)


def changing(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], SettingsView]:
    """The change of `change_settings`."""
    _check_admin(caller)
    for name in ask:
        if name in SETTINGS and name not in _FIELDS:
            raise InvalidInput(name, f"is changed by {SETTINGS[name].changed_by}.")
    only_fields(ask, _FIELDS)
    values: dict[str, Any] = {}
    for name, value in ask.items():
        parse = SETTINGS[name].parse if name in SETTINGS else None
        if parse is not None:
            values[name] = None if value is None else parse(value, name)
    request = Request(
        "change_settings", caller.actor, parse_idempotency_key(ask), request_hash(ask)
    )

    def change(batch: Batch) -> tuple[SettingsView, str]:
        live_settings.put(batch, values, caller.actor)
        return _present(batch, ""), "settings"

    return once(request, change, _present)


def _present(batch: Batch, ref: str) -> SettingsView:
    del ref
    return _view(batch.unit.execute(_ALL))


def _view(rows: Iterable[Sequence[Any]]) -> SettingsView:
    stored = {name: (json.loads(value), at_us, actor) for name, value, at_us, actor in rows}

    def view(name: str, setting: Setting) -> SettingView:
        if name not in stored:
            return SettingView(
                name, setting.default, setting.default, setting.about, setting.changed_by
            )
        value, at_us, actor = stored[name]
        told = setting.tell(value)
        return SettingView(
            name, told, setting.default, setting.about, setting.changed_by, at_us, actor
        )

    return SettingsView({name: view(name, setting) for name, setting in SETTINGS.items()})


def _check_admin(caller: Caller) -> None:
    if not caller.admin:
        raise Forbidden("This key may not change settings; use one with the right `admin`.")
    require_unbound(caller)


class SettingJobs(Maker):
    """The methods about settings that can be changed while Budget runs."""

    def settings(self) -> Job[SettingsView]:
        """All that can be set while Budget runs, and who set what."""
        _check_admin(self.caller)

        def read() -> SettingsView:
            with snapshot(self.books.database) as connection:
                return _view(connection.execute(_ALL))

        return Job(read=read)

    def change_settings(self, **ask: Unpack[SettingsAsk]) -> Job[SettingsView]:
        """Change the settings given, on every node at once; null sets one back to its default."""
        database = self.books.database

        def seen(answer: SettingsView) -> SettingsView:
            live_settings.forget(database)
            return answer

        return Job(change=changing(ask, self.caller), finish=seen)
