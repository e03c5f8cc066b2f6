"""Listings: what a source of prices says, in our terms, and what its models can do.

Every adapter of `prices.sources` reads its format into a `Feed`. Not here: the formats, and which
source is believed.
"""

from collections.abc import Mapping
from typing import NamedTuple

from budget.prices.schedules import Context, Piece


class Capabilities(NamedTuple):
    """What a model can do and how much fits; None where nobody says."""

    context_window: int | None = None
    """Tokens of input and output together."""
    max_output_tokens: int | None = None
    mode: str | None = None
    """`chat`, `embedding`, `image`, `audio`, `rerank`, `moderation` or `other`."""
    tools: bool | None = None
    vision: bool | None = None
    audio: bool | None = None
    json: bool | None = None
    reasoning: bool | None = None
    batch: bool | None = None
    open_weights: bool | None = None
    retired_us: int | None = None
    """When the provider stops, or stopped, answering for it."""
    deprecated: bool | None = None
    """Whether the provider still answers for it, but says that it will not for long."""


class Listed(NamedTuple):
    """The prices of a model over time, in one price context; each piece's rates carry the basis."""

    provider: str
    """Our id of the provider: that of genai-prices where it has one."""
    model: str
    pieces: tuple[Piece, ...]
    context: Context = ()


class Skipped(NamedTuple):
    """Something in a feed that was not understood, and so is no price."""

    place: str
    why: str


class Feed(NamedTuple):
    """One reading of a source: immutable, named by its `basis`."""

    source: str
    version: str
    """What the source calls it, else the day it was read."""
    sha256: str
    """Of the bytes as they came."""
    prices: tuple[Listed, ...]
    capabilities: Mapping[tuple[str, str], Capabilities]
    """By (provider, model), both lower-case."""
    skipped: tuple[Skipped, ...] = ()

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256."""
        return f"{self.source}/{self.version}/{self.sha256[:12]}"
