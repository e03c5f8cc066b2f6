"""Acts about settings, and about which model would do.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_recommendations import Recommendations
from budget.domain.answers_routing import Routing
from budget.domain.answers_settings import SettingsView
from budget.domain.asks_budgets import SettingsAsk
from budget.domain.asks_prices import RecommendAsk
from budget.domain.asks_routing import RouteAsk


class SettingActs(Protocol):
    """The methods."""

    def settings(self) -> Act[SettingsView]:
        """All that can be set while Budget runs, and who set what."""

    def change_settings(self, **ask: Unpack[SettingsAsk]) -> Act[SettingsView]:
        """Change the settings given, on every node at once; null sets one back to its default."""

    def recommend(self, **ask: Unpack[RecommendAsk]) -> Act[Recommendations]:
        """Say which models would do for a call of a size, and what it costs with each; cheaper
        ones, if a model is named. Nothing is booked.
        """

    def route_model(self, **ask: Unpack[RouteAsk]) -> Act[Routing]:
        """Say which model a call should go to: the one asked for where every limit has room, else
        what may stand in for it; none where nothing may be called. Nothing is held.
        """
