"""Opening: the callback as LiteLLM wants it, from the environment of its process.

Not here: what it does (`hooks`).
"""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from budget.client import Client
from budget.engine.switches import read_switch
from budget.neighbours.litellm.hooks import Hooks
from budget.sdk.litellm import named_by
from budget.sdk.tracking.core import Tracker

FAIL_OPEN: Final = "BUDGET_LITELLM_FAIL_OPEN"
UNMETERED: Final = "BUDGET_LITELLM_UNMETERED"


def open_callback(env: Mapping[str, str] | None = None) -> Any:
    """The callback; it asks the service at BUDGET_TARGET with BUDGET_KEY. InvalidInput."""
    given = os.environ if env is None else env
    fail_open, unmetered = read_switch(given, FAIL_OPEN), read_switch(given, UNMETERED)
    tracker = Tracker(
        Client(given.get("BUDGET_TARGET") or None, given.get("BUDGET_KEY") or None),
        on_unavailable="allow" if fail_open else "refuse",
    )
    logger = import_module("litellm.integrations.custom_logger").CustomLogger
    # The proxy looks for hooks in the class itself, and not in what it comes from.
    own = {name: one for name, one in vars(Hooks).items() if not name.startswith("__")}
    made: Any = type("BudgetCallback", (Hooks, logger), own)
    return made(tracker, named_by, unmetered=unmetered)
