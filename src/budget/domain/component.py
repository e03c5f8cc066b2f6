"""The component: what Budget is called among others, and what it says it can do.

Not here: who is told (`http.discovery`, `neighbours.hermes`).
"""

from typing import Final

COMPONENT: Final = "budget"
FORMER: Final = "penia"
"""What Tekton's components call it too."""
DESCRIPTION: Final = "The spending authority for systems built on language models."

CAPABILITIES: Final = ("budget_management", "model_recommendations", "budget_analytics")
