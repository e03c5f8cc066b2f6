"""LiteLLM: a callback that holds before each call and settles after it, in its SDK and its proxy.

    litellm_settings:
      callbacks: budget.neighbours.litellm.callback

`callback` is made when it is first asked for, with LiteLLM at hand. Not here: functions in place of
LiteLLM's (`sdk.litellm`), and moving a proxy's budgets over (`engine.importing`).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "callback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from budget.neighbours.litellm.opening import open_callback

    made = open_callback()
    globals()["callback"] = made
    return made
