"""Track: the client of a provider's SDK, with every call held before it goes and settled after.

Not here: what one call goes through (`core`), and each SDK (`openai`, `anthropic`, `google`).
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, TypeVar

from budget.domain.errors import InvalidInput
from budget.sdk.books import Books
from budget.sdk.tracking.core import OnUnavailable, Tracker

T = TypeVar("T")
Patch = Callable[[object, Tracker], None]

_OURS: Final = "bud_"
"""So keys of ours begin, which a provider has none of."""
_SDKS: Final = ("openai", "anthropic", "google")
"""The packages whose clients can be tracked; `tracking.<name>` has a `patch` for each."""


def track(
    client: T,
    *,
    books: Books | None = None,
    on_unavailable: OnUnavailable = "refuse",
    fit: bool = False,
    max_output_tokens: int | None = None,
    ttl_seconds: int | None = None,
    provider: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> T:
    """Hold for every call of this client before it goes, and settle it from its answer.

    The client itself is changed and returned: its type stays. A call that may not go raises
    BudgetRefused before anything is sent. `on_unavailable="allow"` lets calls go while the books
    cannot be reached; what they used is booked later. `fit` grants fewer output tokens than asked
    where no more fit; a call that sets no limit is granted `max_output_tokens`, or what the default
    grant is. `provider` names who answers where another than the SDK's own does, at an address
    that is not known. Tracking a tracked client changes how, and counts once. A client whose key is
    one of ours goes through the gateway, where its calls are held: it is left as it is.
    """
    if on_unavailable not in ("refuse", "allow"):
        raise InvalidInput("on_unavailable", "says what to do then.", ("refuse", "allow"))
    package = next(
        (kind.__module__.split(".")[0] for kind in type(client).__mro__
         if kind.__module__.split(".")[0] in _SDKS), None,
    )  # fmt: skip
    if package is None:
        raise InvalidInput(
            "client",
            f"{type(client).__name__[:80]} is no client of OpenAI's, Anthropic's or Google's SDK; "
            "for others write `with budget.hold(...)`.",
        )
    if _goes_through_the_gateway(client):
        return client
    tracker = Tracker(
        books,
        on_unavailable, fit, max_output_tokens, ttl_seconds, provider, dict(attributes or {}),
    )  # fmt: skip
    patch: Patch = import_module(f"budget.sdk.tracking.{package}").patch
    patch(client, tracker)
    return client


def _goes_through_the_gateway(client: object) -> bool:
    """Whether the client's key, or what it sends as one, is a budget key."""
    google = getattr(client, "_api_client", None)
    keys = (getattr(one, "api_key", None) for one in (client, google))
    return any(isinstance(key, str) and key.startswith(_OURS) for key in keys)
