"""The audit: the books held against their invariants, with arithmetic that shares no code with what
wrote them.

`engine.verify` runs it. Window boundaries are the one thing taken from the domain (`windows`, which
has an oracle of its own); everything else is worked out anew, from rows.
"""
