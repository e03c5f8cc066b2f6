"""OpenAI: its SDK, sync and async: chat, completions, responses, embeddings and images.

Not here: what it has in common with Anthropic's (`stainless`), and what one call goes through.
"""

from budget.sdk.tracking.core import Tracker


def patch(client: object, tracker: Tracker) -> None:
    """Have every call of this client pass through the tracker."""
    raise NotImplementedError
