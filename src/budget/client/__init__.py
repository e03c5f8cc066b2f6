"""The client of the service: sync and async, typed, with the methods of the in-process facade.

    from budget.client import Client

    with Client("http://127.0.0.1:8013", key="bud_…") as budget:
        held = budget.allocate(model="gpt-4o", input_tokens=1200, max_output_tokens=300)

It imports nothing of the service but the domain.
"""

from budget.client.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
