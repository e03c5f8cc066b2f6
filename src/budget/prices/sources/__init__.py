"""Sources of prices: one file for each format, every one with the same `Adapter`.

    ADAPTERS["litellm"].read(data, "2026-11-25")

Not here: fetching, and which source is believed.
"""

from collections.abc import Mapping
from typing import Final

from budget.prices.sources import genai_prices, litellm, llm_prices, models_dev, openrouter
from budget.prices.sources.adapter import Adapter

ADAPTERS: Final[Mapping[str, Adapter]] = {
    adapter.name: adapter
    for adapter in (
        genai_prices.ADAPTER,
        litellm.ADAPTER,
        models_dev.ADAPTER,
        openrouter.ADAPTER,
        llm_prices.ADAPTER,
    )
}
"""By name."""
