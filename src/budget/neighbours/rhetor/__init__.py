"""Rhetor: it chooses models for components and calls them; Budget says which may be called.

Not here: its calls through the gateway (`gateway.formats.rhetor`), and its database
(`engine.importing`).
"""
