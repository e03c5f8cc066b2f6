"""Settings in JSON."""

from collections.abc import Mapping
from typing import Any

from budget.domain.answers_settings import SettingsView, SettingView
from budget.domain.shapes_settings import ChangedSettingsShape, SettingShape, SettingsShape
from budget.domain.windows import to_rfc3339


def settings(answer: SettingsView, process: Mapping[str, Any]) -> SettingsShape:
    """All settings, and what the process was started with."""
    told = {name: _setting(one) for name, one in answer.settings.items()}
    return {"settings": told, "process": process}


def changed_settings(answer: SettingsView, process: Mapping[str, Any]) -> ChangedSettingsShape:
    """All settings after a change."""
    return {**settings(answer, process), "replayed": answer.replayed}


def _setting(answer: SettingView) -> SettingShape:
    return {
        "value": answer.value,
        "default": answer.default,
        "about": answer.about,
        "changed_by": answer.changed_by,
        "updated_at": None if answer.set_us is None else to_rfc3339(answer.set_us),
        "updated_by": answer.set_by,
    }
