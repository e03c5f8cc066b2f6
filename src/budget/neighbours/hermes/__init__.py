"""Hermes: the registry of components in which Budget is found, and finds others.

    registry    our entries: made, kept, missed, made again, taken back
    components  the entries of others: which are worth a look, and whether anybody answers there
    tools       the tools that are offered there
    news        what is told of what happens, and telling it as well as can be

Not here: how a neighbour is kept running (`neighbours.company`).
"""
