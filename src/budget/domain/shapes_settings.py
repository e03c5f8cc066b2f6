"""Shapes of settings in JSON."""

from collections.abc import Mapping
from typing import Any, TypedDict


class SettingShape(TypedDict):
    """One setting: what it is, what it would be unless set, and who set it when."""

    value: Any
    default: Any
    about: str
    changed_by: str
    updated_at: str | None
    updated_by: str | None


class SettingsShape(TypedDict):
    """All settings that can be changed while Budget runs; `process` is what it was started with."""

    settings: dict[str, SettingShape]
    process: Mapping[str, Any]


class ChangedSettingsShape(SettingsShape):
    """The settings after a change."""

    replayed: bool
