"""Calls about settings, and about which model would do."""

from typing import Unpack

from budget.client.reading import settings as read
from budget.client.reading.recommendations import recommendations
from budget.client.request import Request, act, get
from budget.client.request import ask as asking
from budget.domain.answers_recommendations import Recommendations
from budget.domain.answers_settings import SettingsView
from budget.domain.asks_budgets import SettingsAsk
from budget.domain.asks_prices import RecommendAsk


class SettingCalls:
    """The methods."""

    def settings(self) -> Request[SettingsView]:
        """What can be set while Budget runs, and how it is set."""
        return get("/settings", read.settings)

    def change_settings(self, **ask: Unpack[SettingsAsk]) -> Request[SettingsView]:
        """Change settings; null sets one back to its default."""
        return act("/settings", read.settings, ask, method="PUT")

    def recommend(self, **ask: Unpack[RecommendAsk]) -> Request[Recommendations]:
        """Models that would do for a call, the cheapest first."""
        return asking("/prices/recommendations", recommendations, ask)
