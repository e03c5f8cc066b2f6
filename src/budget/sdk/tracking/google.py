"""Google: its SDK is not tracked yet, and this says so.

Not here: what one call goes through (`core`), which tracking it will be built on.
"""

from budget.domain.errors import InvalidInput
from budget.sdk.tracking.core import Tracker


def patch(_client: object, _tracker: Tracker) -> None:
    """Refuse: a client that looks tracked and is not would spend without a hold."""
    raise InvalidInput(
        "client",
        "Google's SDK is not tracked yet; write `with budget.hold(...)` around its calls.",
    )
