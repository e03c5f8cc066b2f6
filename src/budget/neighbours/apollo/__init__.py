"""Apollo: told of token budgets as they are held, used and exceeded, and asked what it sees.

Not here: what the books know of contexts (`engine.contexts`).
"""
