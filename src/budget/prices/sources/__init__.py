"""Sources of prices: one file for each format, every one with the same `Adapter`."""
