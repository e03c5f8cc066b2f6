"""Resolving: which listed model a name means, how that was found, and which prices it has.

A name that several sell is reported with their names and has no price; nothing is guessed. Not
here: what names say by their form (`naming`), and the memory of what was found (`book`).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final, NamedTuple

from budget.domain.pricing import Rates
from budget.prices.deployments import MAX_STEPS, Deploying, Deployment, Deployments, deployed
from budget.prices.layers import Layered, OwnEntries, OwnEntry, OwnPrices
from budget.prices.naming import (
    AZURE,
    OLLAMA,
    Other,
    Spelled,
    how_named,
    read_name,
    tuned_names,
)
from budget.prices.resolutions import Resolution, is_host, maker_of
from budget.prices.schedules import Context, Piece, PriceSource, Schedule, Scheduled

MOST_NAMED: Final = 10
MOST_NEAREST: Final = 3
_VERSION: Final = re.compile(r"([0-9]{1,3})(?:[.-]([0-9]{1,3}))?")
_UNPRICED: Final = Schedule((Piece(None),))


class Found(NamedTuple):
    """What was found by a name, for all times."""

    seller: str | None
    spelled: Spelled
    own: tuple[OwnEntry, ...] = ()
    """Own prices, each before the next while it holds."""
    own_step: str = ""
    sold: Scheduled | None = None
    """What sources say, less discounts; it holds where no own price does."""
    step: str = ""
    candidates: tuple[str, ...] = ()

    @property
    def schedule(self) -> Scheduled | None:
        """The prices over time."""
        if not self.own:
            return self.sold
        first = self.own[0]
        if first.start_us is None and first.end_us is None:
            return first.schedule
        return Layered(self.own, self.sold)

    def is_own_at(self, at_us: int) -> bool:
        """Whether it is an own price that holds at an instant."""
        return any(
            (entry.start_us is None or entry.start_us <= at_us)
            and (entry.end_us is None or at_us < entry.end_us)
            for entry in self.own
        )


class Resolver:
    """Finds models by name in the layers of own prices and in a source. Holds an index of names."""

    __slots__ = ("_deployments", "_layers", "_listed", "_own", "_own_providers", "_source")

    def __init__(
        self,
        source: PriceSource | None,
        own: Sequence[OwnPrices],
        layers: Iterable[OwnEntries],
    ) -> None:
        given = tuple(layers)
        self._source = source
        self._own = tuple(own)
        self._deployments: Deployments = {}
        for each in own:
            if isinstance(each, Deploying):
                self._deployments = {**each.deployments, **self._deployments}
        self._own_providers = frozenset(
            provider
            for names in (*given, self._deployments)
            for provider, _ in names
            if provider is not None
        )
        self._layers = tuple(self._spelled(layer) for layer in given if layer)
        self._listed: dict[str, tuple[tuple[str, str], ...]] | None = None

    def _spelled(self, layer: OwnEntries) -> OwnEntries:
        """The same entries where whoever spells the provider another way meets them as well."""
        entries = dict(layer)
        for (provider, model), found in layer.items():
            if provider is not None:
                entries.setdefault((self.known(provider), model), found)
        return entries

    def known(self, provider: str) -> str | None:
        """The one id of a provider: the source's, else its own name if own prices have it."""
        found = None if self._source is None else self._source.provider_id(provider)
        if found is None and provider in self._own_providers:
            return provider
        return found

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) that the source lists or own prices name a provider of."""
        if self._source is not None:
            yield from self._source.models()
        for layer in self._layers:
            for provider, model in layer:
                if provider is not None:
                    yield provider, model

    def names(self, provider: str | None, model: str) -> Iterator[tuple[str | None, str]]:
        """The names that operators and sources may have for a model, whole ones."""
        return _keys(read_name(provider, model, self.known))

    # --- Over time -------------------------------------------------------------------------------

    def schedule(
        self, provider: str | None, model: str, context: Context, steps: int = MAX_STEPS
    ) -> tuple[Scheduled | None, str | None]:
        """The prices of a name over time, and who sells it, as far as that is known."""
        found = self.find(provider, model, context)
        moves = self._moves(found.spelled) if steps else ()
        if not moves:
            return found.schedule, found.seller
        entries = []
        seller = found.seller
        for move in moves:
            under = move.provider or found.spelled.seller or provider
            schedule, seller = self.schedule(under, move.model, context, steps - 1)
            entries.append(OwnEntry((), schedule or _UNPRICED, move.from_us, move.until_us))
        return Layered(tuple(entries), found.schedule), seller

    def _moves(self, spelled: Spelled) -> tuple[Deployment, ...]:
        return deployed(self._deployments, _keys(spelled)) if self._deployments else ()

    # --- At an instant ---------------------------------------------------------------------------

    def resolve(self, provider: str | None, model: str, at_us: int, context: Context) -> Resolution:
        """What a name means at an instant, and how that was found."""
        steps: list[str] = []
        found = self.find(provider, model, context)
        for _ in range(MAX_STEPS):
            moves = self._moves(found.spelled)
            move = next((move for move in moves if move.from_us <= at_us < move.until_us), None)
            if move is None:
                break
            steps += [*found.spelled.steps, f"deployment {found.spelled.name} -> {move.text}"]
            provider = move.provider or found.spelled.seller or provider
            found = self.find(provider, move.model, context)
        steps += found.spelled.steps
        name = found.spelled.name
        rates = None if found.schedule is None else found.schedule.at(at_us)[0]
        if rates is None:
            return self._unpriced(found, tuple(steps))
        if found.is_own_at(at_us):
            steps.append(found.own_step or "a price of your own")
        else:
            steps += [found.step] if found.step else []
            listed = rates.model.lower()
            if not found.step and listed and listed not in found.spelled.names:
                steps.append(how_named(found.spelled, listed))
        seller = rates.provider or found.seller
        return Resolution(seller, rates.model or name, rates, tuple(steps))

    def _unpriced(self, found: Found, steps: tuple[str, ...]) -> Resolution:
        spelled = found.spelled
        why = spelled.opaque
        nearest: tuple[str, ...] = ()
        if not why and spelled.tuned is not None:
            why = (
                f"A fine-tuned {spelled.tuned} is not sold at the price of {spelled.tuned}, "
                "and its own is not known."
            )
        elif not why and spelled.region is not None and spelled.seller == AZURE:
            why = f"Its price in region {spelled.region} is not known."
        elif not why and spelled.is_local:
            why = "What a server of your own answers has no price but the one that you give it."
        elif not why and not found.candidates and found.sold is None:
            nearest = self._nearest(spelled)
        name = spelled.name if found.seller is not None else spelled.names[0]
        return Resolution(found.seller, name, None, steps, found.candidates, nearest, why)

    def _nearest(self, spelled: Spelled) -> tuple[str, ...]:
        """The names most like it, of the provider if it is known, else of makers of models."""
        by_name = {
            model.lower(): f"{provider}/{model}"
            for provider, model in self.models()
            if (provider == spelled.seller if spelled.seller else not is_host(provider))
        }
        close = get_close_matches(spelled.name, by_name, MOST_NEAREST)
        return tuple(by_name[name] for name in close)

    # --- By name ---------------------------------------------------------------------------------

    def find(self, provider: str | None, model: str, context: Context) -> Found:
        """What is found by a name as it was given, deployments aside; slow."""
        spelled = read_name(provider, model, self.known)
        if spelled.region is not None and all(name != "region" for name, _ in context):
            context = tuple(sorted((*context, ("region", spelled.region))))
        found = Found(spelled.seller, spelled, self._own_of(_keys(spelled), context))
        if any(entry.start_us is None and entry.end_us is None for entry in found.own):
            return found
        if spelled.is_sold and spelled.tuned is not None:
            found = self._tuned(found, context)
        elif spelled.is_sold:
            found = self._sold(found, context)
            if spelled.seller == AZURE and not _is_of(found.sold, spelled.region):
                found = found._replace(sold=None)  # a region's price is not that of all
        if not found.own and found.sold is None and spelled.may_be_tagged:
            found = self._tagged(found, context)
        if found.sold is None and not found.own and not found.candidates:
            return found._replace(candidates=self._candidates(spelled))
        return found

    def _own_of(
        self, keys: Iterable[tuple[str | None, str]], context: Context
    ) -> tuple[OwnEntry, ...]:
        """Own entries under these names that a context meets, the first that win over the next."""
        told = set(context)
        names = tuple(keys)
        entries = []
        for layer in self._layers:
            for key in names:
                for entry in layer.get(key, ()):
                    if set(entry.context) <= told:
                        entries.append(entry)
                        if entry.start_us is None and entry.end_us is None:
                            return tuple(entries)  # it hides all that comes next
        return tuple(entries)

    def _sold(self, found: Found, context: Context) -> Found:
        """What the source has by one of the names, less the discounts."""
        spelled = found.spelled
        for name in reversed(spelled.names):
            schedule = self._listed_as(spelled.seller, name, context)
            if schedule is not None:
                return self._discounted(found, schedule, context)
        schedule = self._made(spelled, spelled.name, context)
        if schedule is not None:
            step = f"sold by {_seller(schedule)}, who makes it"
            return self._discounted(found, schedule, context, step)
        for other in (*spelled.others, *self._newest(spelled)):
            schedule = self._listed_as(spelled.seller, other.name, context)
            schedule = schedule or self._made(spelled, other.name, context)
            if schedule is not None:
                return self._discounted(found, schedule, context, other.step)
        return found

    def _made(self, spelled: Spelled, name: str, context: Context) -> Scheduled | None:
        """What the one that makes a model lists, where nobody was named."""
        if spelled.seller is not None:
            return None
        maker = maker_of(seller for seller, model in self._sellers(name) if model.lower() == name)
        return None if maker is None else self._listed_as(maker, name, context)

    def _tuned(self, found: Found, context: Context) -> Found:
        """A fine-tuned model: at its own price only, never at that of its base."""
        spelled = found.spelled
        base = spelled.tuned or ""
        seller = spelled.seller
        if seller is None:
            schedule = self._listed_as(None, base, context)
            seller = None if schedule is None else _seller(schedule)
        if seller is None:
            return found
        for other in tuned_names(base):
            schedule = self._listed_as(seller, other.name, context)
            if schedule is not None and _is_tuned(schedule):
                return self._discounted(found, schedule, context, other.step)
        return found._replace(seller=seller)

    def _listed_as(self, seller: str | None, name: str, context: Context) -> Scheduled | None:
        """What the source lists by a name. Without a provider it must not be a host's."""
        if self._source is None:
            return None
        found = self._source.schedule(seller, name, context)
        if found is not None and seller is None and is_host(_seller(found)):
            return None
        return found

    def _discounted(
        self, found: Found, schedule: Scheduled, context: Context, step: str = ""
    ) -> Found:
        spelled = found.spelled
        seller = spelled.seller or _seller(schedule)
        names = tuple(reversed(spelled.names))
        for own in self._own:
            schedule = own.discounted(schedule, names, context)
        return found._replace(seller=seller, sold=schedule, step=step)

    def _newest(self, spelled: Spelled) -> Iterator[Other]:
        """What `claude-sonnet-latest` means where it is not listed: the highest version listed."""
        if spelled.family is None:
            return
        start = f"{spelled.family}-"
        versions = []
        for provider, model in self.models():
            name = model.lower()
            theirs = not is_host(provider) if spelled.seller is None else provider == spelled.seller
            if theirs and name.startswith(start):
                version = _VERSION.fullmatch(name.removeprefix(start))
                if version is not None:
                    versions.append((int(version[1]), int(version[2] or 0), name))
        for *_, name in sorted(versions, reverse=True):
            yield Other(name, f"alias {spelled.name} of {name}, the newest listed")

    def _tagged(self, found: Found, context: Context) -> Found:
        """Own prices of a model in Ollama by its tags, when exactly one fits."""
        spelled = found.spelled
        names = self._tags(spelled.name, (None, spelled.seller))
        fits = [
            (name, own)
            for name in names
            if (own := self._own_of(((spelled.seller, name), (None, name)), context))
        ]
        if len(fits) == 1:
            ((name, own),) = fits
            step = f"ollama tag {spelled.name} of {name}"
            return found._replace(own=own, own_step=step)
        if spelled.seller is None and not fits:
            names = self._tags(spelled.name, (OLLAMA,))
        return found._replace(candidates=tuple(f"{OLLAMA}/{name}" for name in names))

    def _tags(self, name: str, providers: Collection[str | None]) -> list[str]:
        """The names with own prices that fit a tag, the nearest alone; all of a model without one.

        `llama3:8b` fits `llama3:8b-instruct-q4_0` better than `llama3`, which is `llama3:latest`.
        """
        model, _, tag = name.partition(":")
        asked = tag.removesuffix("latest")
        fits: dict[str, str] = {}
        for layer in self._layers:
            for provider, listed in layer:
                of_model, _, of_tag = listed.partition(":")
                of_tag = of_tag.removesuffix("latest")
                fitting = not asked or f"{asked}-".startswith(f"{of_tag}-" if of_tag else "")
                if of_model == model and provider in providers and fitting:
                    fits.setdefault(of_tag, listed)
        nearest = max(fits, key=len) if asked and fits else ""
        return [fits[nearest]] if nearest in fits else list(fits.values())

    # --- Who sells it ----------------------------------------------------------------------------

    def _candidates(self, spelled: Spelled) -> tuple[str, ...]:
        """Who sells a model of this name, where no provider was named."""
        if spelled.seller is not None or not spelled.is_sold:
            return ()
        sellers = self._sellers(spelled.name) or self._sellers(spelled.name.rpartition("/")[2])
        return tuple(islice((f"{provider}/{model}" for provider, model in sellers), MOST_NAMED))

    def _sellers(self, name: str) -> tuple[tuple[str, str], ...]:
        """Every (provider, model) listed by a name, or by it after a path."""
        if self._listed is None:
            listed: dict[str, dict[tuple[str, str], None]] = {}
            for provider, model in self.models():
                whole = model.lower()
                for key in {whole, whole.rpartition("/")[2]}:
                    listed.setdefault(key, {})[provider, model] = None
            self._listed = {key: tuple(pairs) for key, pairs in listed.items()}
        return self._listed.get(name, ())


def _keys(spelled: Spelled) -> Iterator[tuple[str | None, str]]:
    """The names that an operator may have written, the nearest to what was given first."""
    inner = tuple(reversed(spelled.names))
    keys = [(spelled.given, spelled.names[0])]
    keys += [(spelled.seller, name) for name in inner]
    keys += [(None, name) for name in spelled.names]
    yield from dict.fromkeys(keys)


def _seller(schedule: Scheduled) -> str | None:
    rates = _any_rates(schedule)
    return None if rates is None else rates.provider


def _is_of(schedule: Scheduled | None, region: str | None) -> bool:
    """Whether it is priced for a region, where one is named: what is global is so everywhere."""
    rates = None if schedule is None or region in (None, "global") else _any_rates(schedule)
    return rates is None or f"region={region}" in rates.context.split(",")


def _is_tuned(schedule: Scheduled) -> bool:
    rates = _any_rates(schedule)
    return rates is not None and rates.model.lower().startswith("ft:")


def _any_rates(schedule: Scheduled) -> Rates | None:
    """The rates at some time: whose they are never changes."""
    for at_us in (4_102_444_800_000_000, 0):  # 2100 and 1970
        rates = schedule.at(at_us)[0]
        if rates is not None:
            return rates
    return None
