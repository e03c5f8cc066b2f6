"""Routes of what can be set while Budget runs."""

from typing import Final

from budget.domain.asks_budgets import SettingsAsk
from budget.domain.shapes_settings import ChangedSettingsShape, SettingsShape
from budget.http import settings
from budget.http.route import V1, Route

SETTINGS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/settings", "admin", settings.settings, answer=SettingsShape),
    Route("PUT", f"{V1}/settings", "admin", settings.change_settings,
          SettingsAsk, ChangedSettingsShape),
)  # fmt: skip
