"""Moving a LiteLLM proxy over: its keys, budgets and spend, as ours.

`tables` and `api` read it, `limits` says its limits in our terms, `planning` what is to be made,
`moving` makes it.
"""
