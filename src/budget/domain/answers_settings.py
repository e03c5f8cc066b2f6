"""Settings that can be changed while Budget runs, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting as it is; `set_us` and `set_by` are None as long as it has its default.

    `changed_by` is the route that changes it.
    """

    name: str
    value: Any
    default: Any
    about: str
    changed_by: str
    set_us: int | None = None
    set_by: str | None = None


@dataclass(frozen=True, slots=True)
class SettingsView:
    """All settings, by name."""

    settings: Mapping[str, SettingView]
    replayed: bool = False
