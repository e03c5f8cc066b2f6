"""Trust: how far each source of prices is believed unless settings say otherwise.

Not here: what sources say, and whether they agree (`verification`).
"""

from collections.abc import Mapping
from typing import Final

MAIN: Final = "genai-prices"
"""The source that is bundled."""
DEFAULT_TRUST: Final[Mapping[str, int]] = {
    MAIN: 5,
    "llm-prices": 4,
    "models.dev": 3,
    "litellm": 2,
    "openrouter": 2,
}
"""Of two sources that know a model the one with more trust is believed; 0 is not listened to."""
MAX_TRUST: Final = 9
