"""Exact counts of text for OpenAI's encodings, with the extra `tokens`; for others the bound.

Not here: the bound (`domain.estimating`). The encodings come inside the package, toktok-rs (MIT;
its vocabularies are those of OpenAI's tiktoken, MIT): nothing is downloaded.
"""

import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import Final, Protocol, cast

from budget.domain.errors import BudgetError
from budget.domain.estimating import input_tokens_bound, parts_of
from budget.domain.text_tokens import family_of, text_tokens_bound

# Half a pair is no text, and cannot be sent as UTF-8: what goes out is the sign for what is broken.
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ENCODINGS: Final = {"o200k": "o200k_base", "cl100k": "cl100k_base"}
_loaded: Final[set[str]] = set()


_BRIEF_CHARS: Final = 4_096
"""Up to this a count is over before another thread has its turn."""

_one_at_a_time: Final = threading.Lock()
"""For who loads an encoding or counts what is long. Two who load the same need 47 MB each, and
toktok keeps 16 MB for the first thread that counts, and as much for each count of the others that
was ever under way beside another.
"""


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


class _Toktok(Protocol):
    def _encoding(self, name: str) -> _Tokenizer: ...


def is_exact(provider: str, model: str) -> bool:
    """Whether texts for the model are counted exactly here."""
    return family_of(provider, model) in _ENCODINGS and _is_installed()


def is_ready(provider: str, model: str) -> bool:
    """Whether nothing is left to load for the model, which takes about a second."""
    encoding = _ENCODINGS.get(family_of(provider, model))
    return encoding is None or encoding in _loaded or not _is_installed()


def load(provider: str, model: str) -> None:
    """Load what counts for the model, where that is known and installed."""
    encoding = _ENCODINGS.get(family_of(provider, model))
    if encoding is not None and _is_installed():
        with _one_at_a_time:
            _toktok()._encoding(encoding)
        _loaded.add(encoding)


@lru_cache
def _is_installed() -> bool:
    return find_spec("toktok") is not None


def text_tokens(text: str, *, provider: str, model: str) -> int:
    """The tokens of a text for an OpenAI model, exactly; for others the bound.

    Raises BudgetError with the code `extra_missing` where the count would be exact but the extra
    `tokens` is not installed.
    """
    family = family_of(provider, model)
    encoding = _ENCODINGS.get(family)
    if encoding is None:
        return text_tokens_bound(text, family)
    return sum(_counts((text,), encoding))


def input_tokens(request: object, *, provider: str, model: str) -> int:
    """Like `domain.estimating.input_tokens_bound`, with each text of an OpenAI request exact.

    What is around the texts, and images, stays a bound. It raises what the two functions do.
    """
    encoding = _ENCODINGS.get(family_of(provider, model))
    if encoding is None:
        return input_tokens_bound(request, provider=provider, model=model)
    parts = parts_of(request, provider=provider, model=model)
    return sum(_counts(parts.texts, encoding)) + parts.other_tokens


def _counts(texts: Iterable[str], encoding: str) -> list[int]:
    toktok = _toktok()
    sound = [text if text.isascii() else _SURROGATES.sub("\ufffd", text) for text in texts]
    if encoding in _loaded and sum(map(len, sound)) <= _BRIEF_CHARS:
        return _counted(toktok, sound, encoding)
    with _one_at_a_time:
        counts = _counted(toktok, sound, encoding)
    _loaded.add(encoding)
    return counts


def _counted(toktok: "_Toktok", sound: list[str], encoding: str) -> list[int]:
    count = toktok._encoding(encoding).count  # toktok's batches keep memory of their own beside it
    return [count(text) for text in sound]


def _toktok() -> _Toktok:
    try:
        import toktok
    except ImportError as error:
        raise BudgetError(
            "Exact counts need the extra `tokens`: pip install 'budgetd[tokens]'.",
            code="extra_missing",
        ) from error
    return cast(_Toktok, toktok)
