"""Calls about settings, and about which model would do."""

from typing import Unpack

from budget.client.reading import settings as read
from budget.client.reading.recommendations import recommendations
from budget.client.reading.routing import routing
from budget.client.request import Request, act, get
from budget.client.request import ask as asking
from budget.domain.answers_recommendations import Recommendations
from budget.domain.answers_routing import Routing
from budget.domain.answers_settings import SettingsView
from budget.domain.asks_budgets import SettingsAsk
from budget.domain.asks_prices import RecommendAsk
from budget.domain.asks_routing import RouteAsk


class SettingCalls:
    """The methods."""

    def settings(self) -> Request[SettingsView]:
        return get("/settings", read.settings)

    def change_settings(self, **ask: Unpack[SettingsAsk]) -> Request[SettingsView]:
        return act("/settings", read.settings, ask, method="PUT")

    def recommend(self, **ask: Unpack[RecommendAsk]) -> Request[Recommendations]:
        return asking("/prices/recommendations", recommendations, ask)

    def route_model(self, **ask: Unpack[RouteAsk]) -> Request[Routing]:
        return asking("/route", routing, ask)
