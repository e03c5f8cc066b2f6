"""Azure's way to OpenAI's API: the model is a deployment that the path names.

    /openai/deployments/<name>/chat/completions?api-version=...   /openai/v1/chat/completions

What a deployment stands for is told by the operator's prices. Source: Microsoft's reference of
Azure OpenAI. Not here: what is the same as OpenAI's (`openai`).
"""

import re
from typing import Final
from urllib.parse import quote, unquote

from budget.gateway.formats import openai
from budget.gateway.formats.format import Asked, Changes, Target

_DEPLOYMENT: Final = re.compile(r"/openai/deployments/([^/]+)(/.+)")
_PLAIN: Final = re.compile(r"/openai(?:/v1)?(/.+)")


def _asked(target: Target) -> Asked | None:
    matched = _DEPLOYMENT.fullmatch(target.path)
    if matched is not None:
        body = None if target.body is None else {**target.body, "model": unquote(matched[1])}
        return _known(openai.FORMAT.asked(target._replace(path=matched[2], body=body)))
    plain = _PLAIN.fullmatch(target.path)
    return None if plain is None else _known(openai.FORMAT.asked(target._replace(path=plain[1])))


def _known(asked: Asked | None) -> Asked | None:
    """Batches of Azure's are not: whose requests they are for is told by deployments. Whether
    speech comes in events there depends on the version.
    """
    if asked is None or asked.costs == "batch":
        return None
    return asked._replace(framing="bytes") if asked.framing == "spoken" else asked


def _path(target: Target, _asked: Asked, changes: Changes) -> str:
    path, matched = target.path, _DEPLOYMENT.fullmatch(target.path)
    if changes.model is not None and matched is not None:
        path = f"/openai/deployments/{quote(changes.model, safe='')}{matched[2]}"
    return f"{path}?{target.query}" if target.query else path


FORMAT: Final = openai.FORMAT._replace(
    name="azure", asked=_asked, path=_path, key_header="api-key"
)  # fmt: skip
