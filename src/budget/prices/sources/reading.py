"""A reading: one pass over a feed, collecting what it lists and what was not understood.

Not here: any format (one file for each source), and values (`parsing`).
"""

import hashlib
from typing import Final

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates, validated_rates
from budget.prices.listings import Capabilities, Feed, Listed, Skipped
from budget.prices.schedules import Context, Piece
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.parsing import Odd

MAX_MODELS: Final = 100_000
MAX_SKIPPED: Final = 1_000
MAX_PLACE_CHARS: Final = 120

_Key = tuple[str, str, Context]


class Reading:
    """Collects for one feed; `feed` ends it.

    The same model in the same context may come twice. Equal prices count once. Different ones are
    both left out, unless one has a lower `rank`: then it is the one that counts.
    """

    __slots__ = ("_basis", "_capabilities", "_found", "_sha256", "_skipped", "_source", "_version")

    def __init__(self, source: str, version: str, data: bytes) -> None:
        self._source = source
        self._version = version
        self._sha256 = hashlib.sha256(data).hexdigest()
        self._basis = f"{source}/{version}/{self._sha256[:12]}"
        self._found: dict[_Key, tuple[int, Listed | None]] = {}
        self._capabilities: dict[tuple[str, str], Capabilities] = {}
        self._skipped: list[Skipped | None] = []

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256."""
        return self._basis

    def check_size(self, models: int) -> None:
        """BadFeed where there are more models than anybody sells."""
        if models > MAX_MODELS:
            raise BadFeed(self._source, f"it has more than {MAX_MODELS} models.")

    def skip(self, place: str, why: object) -> None:
        """Note something that is left out; only the first thousand are kept."""
        shown = "".join(char if char.isprintable() else "?" for char in place[:MAX_PLACE_CHARS])
        kept = len(self._skipped) < MAX_SKIPPED
        self._skipped.append(Skipped(shown, str(why)) if kept else None)

    def price(
        self, provider: str, model: str, rates: Rates, context: Context = (), rank: int = 0
    ) -> None:
        """List a price that always holds; Odd if it is not sound."""
        self.price_over_time(provider, model, (Piece(rates),), context, rank)

    def price_over_time(
        self,
        provider: str,
        model: str,
        pieces: tuple[Piece, ...],
        context: Context = (),
        rank: int = 0,
    ) -> None:
        """List prices over time; Odd if one is not sound."""
        named = ",".join(f"{name}={value}" for name, value in context)
        sound = []
        for piece in pieces:
            rates = piece.rates
            if rates is not None:
                rates = rates._replace(
                    provider=provider, model=model, basis=self._basis, context=named
                )
                try:
                    validated_rates(rates)
                except InvalidInput as error:
                    raise Odd(f"its {error.field} cannot be") from None
            sound.append(piece._replace(rates=rates))
        self._add(Listed(provider, model, tuple(sound), context), rank)

    def _add(self, listed: Listed, rank: int) -> None:
        key = listed.provider.lower(), listed.model.lower(), listed.context
        known = self._found.get(key)
        if known is None or rank < known[0]:
            self._found[key] = rank, listed
            return
        known_rank, former = known
        if former is None or not _agree(former, listed):
            why = "listed more than once, at different prices"
            if rank > known_rank and former is not None:
                why = "listed more than once; the price of the seller's own interface counts"
            else:
                self._found[key] = known_rank, None
            self.skip(f"{listed.provider}/{listed.model}", why)

    def describe(self, provider: str, model: str, found: Capabilities) -> None:
        """What a model can do; of two that say something the first counts."""
        if found != Capabilities():
            self._capabilities.setdefault((provider.lower(), model.lower()), found)

    def feed(self) -> Feed:
        """What was read. BadFeed if that is no price at all."""
        prices = tuple(listed for _, listed in self._found.values() if listed is not None)
        if not prices:
            raise BadFeed(self._source, "it has no price that can be read.")
        noted = [skipped for skipped in self._skipped if skipped is not None]
        if len(self._skipped) > len(noted):
            noted.append(Skipped("", f"and {len(self._skipped) - len(noted)} more"))
        return Feed(
            self._source, self._version, self._sha256, prices, self._capabilities, tuple(noted)
        )


def _agree(one: Listed, other: Listed) -> bool:
    """Whether two listings of a model say the same, however they spell its names."""
    return one.pieces == tuple(
        piece._replace(
            rates=piece.rates and piece.rates._replace(provider=one.provider, model=one.model)
        )
        for piece in other.pieces
    )
