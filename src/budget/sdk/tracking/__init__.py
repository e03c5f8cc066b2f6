"""Tracking: clients of providers' SDKs whose calls hold before they go and settle when they end.

`core` is one call on its way, whatever the provider; each provider has a file that says where its
SDK sends and what its requests and answers look like.
"""

from budget.sdk.tracking.client import track

__all__ = ["track"]
