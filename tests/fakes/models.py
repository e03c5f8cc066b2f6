"""Lists of models, as providers tell them at the paths where they speak as OpenAI does."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.openai_media import Reply

_LISTS: Final[Mapping[str, Any]] = {
    "/groq/v1/models": [{"id": "llama-3.3-70b", "object": "model", "owned_by": "Meta"}],
    "/odd/v1/models": [{"id": 7}, "gpt", {"id": ""}, {"id": "good", "context_window": 8192}],
    "/v1beta/openai/models": [{"id": "models/gemini-2.5-flash", "object": "model"}],
    "/wrong/v1/models": "gpt-4o",
}
_OPENAI: Final = [
    {"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"},
    {"id": "groq/gpt", "object": "model", "created": 1, "owned_by": "system"},
]
_ANTHROPIC: Final = [{"id": "claude-haiku-4-5", "type": "model", "display_name": "Claude"}]
_OLLAMA: Final = [{"id": "llama3.2:1b", "object": "model", "created": 5, "owned_by": "library"}]


def answer(path: str, headers: Mapping[str, str]) -> Reply | None:
    """The list at a path, by whose key asks for it; None at any other."""
    path = path.partition("?")[0]
    found: Any = _LISTS.get(path)
    if path == "/v1/models":
        bearer = _OPENAI if "authorization" in headers else _OLLAMA
        found = _ANTHROPIC if "anthropic-version" in headers else bearer
    if found is None:
        return None
    return Reply(json.dumps({"object": "list", "data": found}).encode())
