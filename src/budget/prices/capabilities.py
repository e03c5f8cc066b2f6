"""Capabilities: what a model can do, as one answer from several that may each know a part.

An operator's word counts first, then what sources of prices say, then a small table. Not here: that
table (`known_models`), and how an operator's file is read (`own_models`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

from budget.domain.models import bare_model
from budget.prices.known_models import known_models
from budget.prices.listings import Capabilities

Name = tuple[str | None, str]
"""A provider, or None for whichever, and a model, in lower case."""

UNKNOWN: Final = Capabilities()

_DATE: Final = re.compile(r"[-@](?:20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{2}-20[0-9]{2})$")
_ENDS: Final = re.compile(r"(?:-v[0-9]+(?::[0-9]+)*|[-@]latest|@default)$")


_MODE: Final = re.compile(
    r"(?P<embedding>embed)|(?P<rerank>rerank)|(?P<moderation>moderation)"
    r"|(?P<image>image|imagen|dall-e|diffusion|banana)"
    r"|(?P<audio>audio|realtime|transcribe|whisper|speech|voice|voxtral|lyria|sonic"
    r"|(?:^|[-/])(?:tts|live)(?:$|-))"
    r"|(?P<other>(?:^|[-/.])(?:ocr|sora|veo|video|guard)(?:$|-))"
)
"""What a model is for, where only its name says it."""


@runtime_checkable
class Describing(Protocol):
    """Own prices that come with what models can do."""

    @property
    def capabilities(self) -> Mapping[Name, Capabilities]:
        """By lower-case (provider, model), or (None, model)."""
        ...


class Needs(NamedTuple):
    """What a call needs of a model. None and False: it does not need it."""

    input_tokens: int = 0
    output_tokens: int = 0
    tools: bool = False
    vision: bool = False
    audio: bool = False
    json: bool = False
    reasoning: bool = False
    batch: bool = False
    mode: str | None = None


_ABILITIES: Final = ("tools", "vision", "audio", "json", "reasoning", "batch")


def merged(found: Iterable[Capabilities]) -> Capabilities:
    """Of each capability what the first says that says anything."""
    answer = UNKNOWN
    for one in found:
        if one != UNKNOWN:
            pairs = zip(answer, one, strict=True)
            answer = Capabilities._make(new if old is None else old for old, new in pairs)
    return answer


def described(
    own: Sequence[Mapping[Name, Capabilities]],
    sources: Mapping[tuple[str, str], Capabilities],
    names: Sequence[Name],
) -> Capabilities:
    """What is known of a model by these names: as it was asked for first, as it is listed last."""
    found = [layer[name] for layer in own for name in names if name in layer]
    for provider, model in names:
        if provider is not None and (provider, model) in sources:
            found.append(sources[provider, model])
    listed = names[-1][1]
    for name in (plain_model(model) for _, model in names):
        if name in known_models():
            found.append(known_models()[name])
            break
    mode = _MODE.search(listed)
    if mode is not None:
        found.append(Capabilities(mode=mode.lastgroup))
    return merged(found)


def plain_model(name: str) -> str:
    """A model's name without path, vendor, version and date, with `-` for dots."""
    bare = bare_model(name.removeprefix("regional."))
    undated = _DATE.sub("", _ENDS.sub("", bare))
    return undated.replace(".", "-")


def is_retired(capabilities: Capabilities, at_us: int) -> bool:
    """Whether its provider stopped answering for it, or says that it is about to."""
    retired_us = capabilities.retired_us
    return capabilities.deprecated is True or (retired_us is not None and retired_us <= at_us)


def fits(capabilities: Capabilities, needs: Needs, at_us: int) -> bool | None:
    """Whether a model will do; None when nothing speaks against it but not all is known."""
    if is_retired(capabilities, at_us):
        return False
    answers: list[bool | None] = []
    if needs.mode is not None:
        mode = capabilities.mode
        answers.append(None if mode is None else mode == needs.mode)
    total = needs.input_tokens + needs.output_tokens
    answers.append(_at_least(capabilities.context_window, total))
    answers.append(_at_least(capabilities.max_output_tokens, needs.output_tokens))
    answers += [getattr(capabilities, name) for name in _ABILITIES if getattr(needs, name)]
    if False in answers:
        return False
    return None if None in answers else True


def _at_least(most: int | None, needed: int) -> bool | None:
    if not needed:
        return True
    return None if most is None else needed <= most
