"""Links: where one may go on from an answer, by the id that it tells.

Not here: what an answer has (`schemas`).
"""

from collections.abc import Mapping
from typing import Final

from budget.http.openapi.schemas import Schema

_LINKS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "budget_id": {"post_budgets": ("get_budget", "patch_budget", "put_budget", "delete_budget")},
    "policy_id": {
        "post_policies": (
            "get_policy", "patch_policy", "put_policy", "delete_policy", "post_policy_top_ups",
        ),
        "post_policy_top_ups": ("get_policy",),
    },
    "allocation_id": {
        "post_allocations": (
            "get_allocation", "post_allocation_usage", "post_allocation_extend",
            "post_allocation_release",
        ),
        "post_allocation_extend": ("get_allocation", "post_allocation_usage"),
        "post_allocation_release": ("get_allocation",),
    },
    "usage_id": {
        "post_usage": ("get_one_usage", "post_one_usage_correct"),
        "post_usage_record": ("get_one_usage", "post_one_usage_correct"),
        "post_allocation_usage": ("get_one_usage", "post_one_usage_correct"),
    },
    "override_id": {"put_prices": ("post_prices_override_end",)},
    "channel_id": {
        "post_channels": (
            "get_channel", "patch_channel", "delete_channel", "get_channel_deliveries",
            "post_channel_rotate_secret", "post_channel_replay",
        ),
    },
    "key_id": {"post_keys": ("get_key", "patch_key", "delete_key", "post_key_rotate")},
    "request_id": {
        "post_budget_requests": (
            "get_request", "post_request_approve", "post_request_reject", "post_request_withdraw",
        ),
    },
}  # fmt: skip


def links_of(operation: str) -> Schema:
    """The links of an operation's answer."""
    found: Schema = {}
    for parameter, by_operation in _LINKS.items():
        for to in by_operation.get(operation, ()):
            found[to] = {
                "operationId": to,
                "parameters": {parameter: f"$response.body#/{parameter}"},
            }
    return found


def without_strays(paths: Schema) -> None:
    """Take out links to operations that are not there."""
    known = {told["operationId"] for place in paths.values() for told in place.values()}
    for place in paths.values():
        for told in place.values():
            for reply in told["responses"].values():
                links = reply.get("links", {})
                for name in [name for name in links if name not in known]:
                    del links[name]
                if not links:
                    reply.pop("links", None)
