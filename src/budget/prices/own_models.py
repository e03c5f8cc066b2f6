"""Own models: the sections `deployments` and `models` of an operator's own file.

A deployment is a name that stands for a model; an entry of `models` says what a model can do. Not
here: prices and discounts (`own`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from budget.prices.capabilities import Name
from budget.prices.deployments import MAX_STEPS, Deployment, Deployments, loop_of
from budget.prices.listings import Capabilities
from budget.prices.own_fields import (
    check_fields,
    count_in,
    flag_in,
    instant_in_us,
    name_in,
    word_in,
    wrong,
)
from budget.prices.own_files import Entry
from budget.prices.schedules import ALWAYS_US
from budget.prices.tiers import TIERS

MODES: Final = ("chat", "embedding", "image", "audio", "rerank", "moderation", "other")
_COUNTS: Final = ("context_window", "max_output_tokens")
_FLAGS: Final = (
    "tools", "vision", "audio", "json", "reasoning", "batch", "open_weights", "deprecated",
)  # fmt: skip
_DEPLOYMENT_FIELDS: Final = ("name", "provider", "model", "from", "until")
_MODEL_FIELDS: Final = ("provider", "model", *_COUNTS, "mode", *_FLAGS, "retired", "tier")

Known = Callable[[str], str | None]


class Described(NamedTuple):
    """What the section `models` says."""

    capabilities: Mapping[Name, Capabilities]
    tiers: Mapping[Name, str]


def own_deployments(
    listed: Iterable[Entry], priced: Mapping[Name, Entry], known: Known
) -> Deployments:
    """The deployments, those of a name in the order of time. `priced` have prices of their own."""
    found: dict[Name, list[tuple[Deployment, Entry]]] = {}
    for entry in listed:
        check_fields(entry, _DEPLOYMENT_FIELDS)
        name, model = name_in(entry, "name"), name_in(entry, "model")
        if name is None:
            raise wrong(entry, "name", "is required: the deployment's whole name, as it is called.")
        if model is None:
            raise wrong(entry, "model", "is required: the model whose price holds.")
        provider = name_in(entry, "provider")
        provider = provider and (known(provider) or provider)
        key = (provider, name)
        if key in priced:
            raise wrong(
                entry, "name", f"has a price of its own, {priced[key].place}; leave one out."
            )
        deployment = _target(model, known)._replace(**_times(entry))
        for other, place in found.setdefault(key, []):
            if other.from_us < deployment.until_us and deployment.from_us < other.until_us:
                raise wrong(
                    entry, "name", f"is that of {place.place} at the same time; leave one out, or "
                    "give them dates that do not meet.",
                )  # fmt: skip
        found[key].append((deployment, entry))
    deployments = {
        key: tuple(sorted((one for one, _ in listed), key=lambda one: one.from_us))
        for key, listed in found.items()
    }
    looping = loop_of(deployments)
    if looping is not None:
        raise wrong(
            found[looping][0][1], "model", "leads back to the deployment itself, or over more than "
            f"{MAX_STEPS} others; name a model.",
        )  # fmt: skip
    return deployments


def _target(model: str, known: Known) -> Deployment:
    """The model that is meant; what stands before its slash is a provider if anybody knows it."""
    before, _, after = model.partition("/")
    seller = known(before) if after else None
    return Deployment(None, model) if seller is None else Deployment(seller, after)


def _times(entry: Entry) -> dict[str, Any]:
    from_us, until_us = instant_in_us(entry, "from"), instant_in_us(entry, "until")
    times = {
        "from_us": ALWAYS_US[0] if from_us is None else from_us,
        "until_us": ALWAYS_US[1] if until_us is None else until_us,
    }
    if times["until_us"] <= times["from_us"]:
        raise wrong(entry, "until", "must be after from.")
    return times


def own_models(listed: Iterable[Entry], known: Known) -> Described:
    """What models can do, and their tiers."""
    capabilities: dict[Name, Capabilities] = {}
    tiers: dict[Name, str] = {}
    places: dict[Name, str] = {}
    for entry in listed:
        check_fields(entry, _MODEL_FIELDS)
        provider, model = name_in(entry, "provider"), name_in(entry, "model")
        if model is None:
            raise wrong(entry, "model", "is required: the model's whole name.")
        key = (provider and (known(provider) or provider), model)
        if key in places:
            raise wrong(entry, "model", f"is that of {places[key]}; make them one.")
        places[key] = entry.place
        said: dict[str, Any] = {name: count_in(entry, name) for name in _COUNTS}
        said |= {name: flag_in(entry, name) for name in _FLAGS}
        capabilities[key] = Capabilities(
            mode=word_in(entry, "mode", MODES), retired_us=instant_in_us(entry, "retired"), **said
        )
        tier = word_in(entry, "tier", TIERS)
        if tier is not None:
            tiers[key] = tier
        elif capabilities[key] == Capabilities():
            raise wrong(entry, "model", "is all that is said; say what it can do, or its tier.")
    return Described(capabilities, tiers)
