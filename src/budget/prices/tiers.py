"""Tiers: how heavy a model is, derived from its name by a table that users can change.

Not here: what a tier may spend (that is a budget with `tier` in its scope).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Protocol, runtime_checkable

LOCAL_LIGHTWEIGHT: Final = "local_lightweight"
LOCAL_MIDWEIGHT: Final = "local_midweight"
REMOTE_HEAVYWEIGHT: Final = "remote_heavyweight"
TIERS: Final = (LOCAL_LIGHTWEIGHT, LOCAL_MIDWEIGHT, REMOTE_HEAVYWEIGHT)

MODEL_TIERS: Final[Mapping[str, str]] = {
    "codellama": LOCAL_LIGHTWEIGHT,
    "deepseek-coder": LOCAL_LIGHTWEIGHT,
    "gemma-2b": LOCAL_LIGHTWEIGHT,
    "phi-2": LOCAL_LIGHTWEIGHT,
    "starcoder": LOCAL_LIGHTWEIGHT,
    "claude-haiku": LOCAL_MIDWEIGHT,
    "claude-3-haiku": LOCAL_MIDWEIGHT,
    "claude-3-5-haiku": LOCAL_MIDWEIGHT,
    "gemma-7b": LOCAL_MIDWEIGHT,
    "llama3": LOCAL_MIDWEIGHT,
    "llama-3": LOCAL_MIDWEIGHT,
    "mistral": LOCAL_MIDWEIGHT,
    "qwen": LOCAL_MIDWEIGHT,
    "claude-3-opus": REMOTE_HEAVYWEIGHT,
    "claude-3-sonnet": REMOTE_HEAVYWEIGHT,
    "claude-3-5-sonnet": REMOTE_HEAVYWEIGHT,
    "claude-3-7-sonnet": REMOTE_HEAVYWEIGHT,
    "gpt-4": REMOTE_HEAVYWEIGHT,
    "gpt-4o": REMOTE_HEAVYWEIGHT,
    # Beginnings of names that the short ones above would make local.
    "llama-3-1-405b": REMOTE_HEAVYWEIGHT,
    "mistral-large": REMOTE_HEAVYWEIGHT,
    "mistral-medium": REMOTE_HEAVYWEIGHT,
    "qwen-max": REMOTE_HEAVYWEIGHT,
    "qwen3-max": REMOTE_HEAVYWEIGHT,
}
"""Tier by the beginning of a model's name; the longest that fits counts. `.`, `:`, `_` and `@` are
`-` here, so a dated or tagged name fits as well."""

PROVIDER_TIERS: Final[Mapping[str, str]] = {
    "anthropic": REMOTE_HEAVYWEIGHT,
    "openai": REMOTE_HEAVYWEIGHT,
    "ollama": LOCAL_MIDWEIGHT,
    "local": LOCAL_LIGHTWEIGHT,
}
"""Tier of a provider's models that the table above does not name."""

_PUNCTUATION: Final = re.compile(r"[.:_@]")
_VENDOR: Final = re.compile(r"^(?:[a-z-]+\.)+(?=[a-z])")
"""As in `us.anthropic.claude-3-haiku`; `gpt-4.1` has a digit before its dot."""

TierOf = Callable[[str | None, str | None], str | None]


@runtime_checkable
class Tiering(Protocol):
    """Own prices that come with tiers of models."""

    @property
    def tiers(self) -> Mapping[tuple[str | None, str], str]:
        """By lower-case (provider, model), or (None, model)."""
        ...


def tier_table(
    models: Mapping[str, str] | None = None,
    providers: Mapping[str, str] | None = None,
    *,
    exact: Mapping[tuple[str | None, str], str] | None = None,
) -> TierOf:
    """A `tier_of` whose tables are the ones above with these entries added or replaced.

    Before them counts what `exact` says of a whole name, of a provider or of whichever.
    """
    whole = {(provider, _plain(name)): tier for (provider, name), tier in (exact or {}).items()}
    by_name = {_plain(name): tier for name, tier in {**MODEL_TIERS, **(models or {})}.items()}
    names = sorted(by_name, key=len, reverse=True)
    by_provider = {
        name.strip().lower(): tier for name, tier in {**PROVIDER_TIERS, **(providers or {})}.items()
    }

    @lru_cache(maxsize=10_000)
    def tier_of(provider: str | None, model: str | None) -> str | None:
        if model:
            plain = _plain(model)
            said = whole.get(((provider or "").strip().lower(), plain)) or whole.get((None, plain))
            if said is not None:
                return said
            for name in names:
                if _begins(plain, name):
                    return by_name[name]
        default = REMOTE_HEAVYWEIGHT if model else None
        return by_provider.get((provider or "").strip().lower(), default)

    return tier_of


def _plain(model: str) -> str:
    """A model's name without provider, vendor and case: `openai/GPT-4.1` is `gpt-4-1`."""
    name = model.strip().lower().rpartition("/")[2]
    return _PUNCTUATION.sub("-", _VENDOR.sub("", name))


def _begins(model: str, name: str) -> bool:
    """Whether the model's name begins with that one, not breaking a number: phi-20 is not phi-2."""
    if not model.startswith(name):
        return False
    rest = model[len(name) :]
    return not (name[-1:].isdigit() and rest[:1].isdigit())


_standard: Final = tier_table()


def tier_of(provider: str | None, model: str | None) -> str | None:
    """The tier of a call by the standard tables: by its model, else its provider.

    A model that neither knows is `remote_heavyweight`; None when there is nothing to go by.
    """
    return _standard(provider, model)
