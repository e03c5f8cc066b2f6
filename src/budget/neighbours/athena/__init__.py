"""Athena: the graph of spend, kept in step with the books in a component that knows graphs.

Not here: what an alert came from as the books tell it (`engine.origins`).
"""
