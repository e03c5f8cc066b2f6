"""The client of the service: sync and async, typed, with the methods of the in-process facade.

    from budget.client import Client

    with Client("http://127.0.0.1:8013", key="bud_…") as budget:
        held = budget.allocate(model="gpt-4o", input_tokens=1200, max_output_tokens=300)

`BudgetClient` has the names of Tekton. It imports nothing of the service but the domain.
"""

from budget.client.client import AsyncClient, Client
from budget.client.legacy import AsyncBudgetClient, BudgetClient

__all__ = ["AsyncBudgetClient", "AsyncClient", "BudgetClient", "Client"]
