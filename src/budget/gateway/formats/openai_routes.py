"""OpenAI's routes: what each costs: by what was used, nothing, or what nobody can tell beforehand.

Paths are those below the version. What is not told here is not known. Source: OpenAI's API
reference. Not here: how much a call may use (`openai_media`).
"""

import re
from collections.abc import Mapping
from typing import Final

BATCHES: Final = "/batches"
COMPACT: Final = "/responses/compact"
PRICED: Final[Mapping[str, str]] = {
    "/chat/completions": "chat",
    "/completions": "chat",
    "/responses": "responses",
    COMPACT: "responses",
    "/embeddings": "embeddings",
    "/images/generations": "images",
    "/images/edits": "images",
    "/images/variations": "images",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcriptions",
    "/audio/translations": "transcriptions",
}
"""The API of each route, as `domain.responses` names it."""

_ID: Final = r"(?!runs)[A-Za-z0-9_.:-]+"
"""An id; not one with signs that an upstream may read as a path's."""
_FREE: Final[Mapping[str, str]] = {
    r"/files": "a file is kept for nothing",
    rf"/uploads(/{_ID}(/parts|/complete|/cancel))?": "so are its parts",
    rf"/batches/{_ID}/cancel": "what was done until then is booked when it is asked for",
    rf"/responses/{_ID}/cancel": "as are answers in the background",
    r"/responses/input_tokens": "counts, and makes nothing",
    rf"/chat/completions/{_ID}": "changes what is kept with an answer",
    rf"/conversations(/{_ID}(/items)?)?": "keeps what was said",
    rf"/assistants(/{_ID})?": "describes an assistant; its runs are not known",
    rf"/threads(/{_ID}(/messages(/{_ID})?)?)?": "keeps what was said",
    rf"/fine_tuning/jobs/{_ID}/(cancel|pause)": "ends what costs",
}
"""What may be posted for nothing, and why."""
_FREE_PATH: Final = re.compile("|".join(f"(?:{path})" for path in _FREE))
_ASKING: Final = frozenset({"GET", "HEAD", "DELETE"})
_OWN_MODERATION: Final = ("omni-moderation", "text-moderation")


def is_free(method: str, path: str, model: str | None) -> bool:
    """Whether a request costs nothing: it asks for what is there, ends it, or is free by name."""
    if method in _ASKING:
        return not path.startswith("/realtime")
    if method != "POST":
        return False
    if path == "/moderations":
        return model is None or model.startswith(_OWN_MODERATION)
    return _FREE_PATH.fullmatch(path) is not None
