"""Settings read: those that can be changed while Budget runs."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import us_or_none
from budget.domain.answers_settings import SettingsView, SettingView


def settings(shape: Mapping[str, Any]) -> SettingsView:
    """All settings, by name."""
    told = {name: _setting(name, one) for name, one in shape["settings"].items()}
    return SettingsView(told, shape.get("replayed", False))


def _setting(name: str, shape: Mapping[str, Any]) -> SettingView:
    return SettingView(
        name, shape["value"], shape["default"], shape["about"], shape["changed_by"],
        us_or_none(shape["updated_at"]), shape["updated_by"],
    )  # fmt: skip
