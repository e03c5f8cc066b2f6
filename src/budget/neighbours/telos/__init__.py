"""Telos: budgets of its requirements, and requirements of our budgets, kept in step; what each has
cost is written back.

Not here: how a project stands (`engine.progress`), which tasks to do (`engine.planning`).
"""
