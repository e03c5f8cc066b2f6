"""Alerts: their lists and their life, what is looked for in the background, and their settings.

Not here: those that calls raise themselves, which the batch writes with them (`engine.batch`).
"""
