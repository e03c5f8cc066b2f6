"""Contexts: what sessions use of what they were allocated, when they are used up, what would help.

Not here: the figuring (`analytics.contexts`), and sizes that are learnt (`engine.sizes`).
"""
