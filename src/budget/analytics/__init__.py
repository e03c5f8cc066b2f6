"""Floor 1: rollups, trends and forecasts; functions over series."""
