"""`budget gateway`: the gateway shown at work, and the upstreams that it leads to.

Not here: what happens in the demo (`gateway_demo`), and the gateway itself (`budget.gateway`).
"""

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show
from budget.domain.errors import NotFound
from budget.domain.money import format_usd
from budget.gateway.pointing import NEEDS_NO_KEY

if TYPE_CHECKING:
    from budget.cli.gateway_demo import Demo, Told
    from budget.http.discovery import UpstreamShape

_UPSTREAMS: Final = (
    Column("Upstream"),
    Column("At"),
    Column("Format", rank=2),
    Column("Base URL", folds=True, rank=1),
    Column("Key"),
    Column("Fallback", optional=True, folds=True, rank=3),
)


def demo(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show a budget running dry: calls to a mock model, a cut, a refusal, and what to do.

    Needs no provider and no key. The books are made for it and gone afterwards; yours stay as they
    are.
    """
    from budget.cli import gateway_demo

    with gateway_demo.running() as shown:
        if face.json:
            steps = [_as_json(told) for told in gateway_demo.story(shown)]
            face.print_json({"url": shown.url, "calls": steps, "clean": shown.books.verify().clean})
            return exits.OK
        _begin(face, shown)
        for number, told in enumerate(gateway_demo.story(shown), 1):
            for line in _words(number, told):
                face.print(line)
        face.print()
        found = shown.books.verify()
        face.print(
            f"The books add up: {found.usage_records} calls booked, nothing held."
            if found.clean
            else "The books do not add up, which should not happen."
        )
        _end(face)
    return exits.OK if found.clean else exits.FAILED


def list_upstreams(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """List the upstreams: where each is, where its SDK is pointed to, and whether there is a key.

    Of the service where one runs, else those that this environment would give one. No key is shown.
    """
    upstreams = upstreams_of(face)
    if face.json:
        face.print_json({"upstreams": upstreams})
        return exits.OK
    rows = [
        Row((
            one["name"], one["path"], one["format"], one["base_url"], _key_words(one),
            ", ".join(one["fallback"]),
        ))
        for one in upstreams
    ]  # fmt: skip
    show(face, _UPSTREAMS, rows)
    return exits.OK


def upstreams_of(face: Face) -> list["UpstreamShape"]:
    """The upstreams of the service that was meant, else those of this environment."""
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    place = find_place(Settings.read(target=face.target))
    if place.url is None:
        from budget.gateway.upstreams import read_upstreams
        from budget.http.discovery import listed

        return listed(read_upstreams(os.environ))
    from budget.cli.remote import Service

    with Service(place.url, place.key) as service:
        told = service.call("GET", "/discovery").get("gateway")
    if told is None:
        raise NotFound("gateway", place.url, f"The service at {place.url} has no gateway.")
    found: list[UpstreamShape] = told["upstreams"]
    return found


def _key_words(upstream: "UpstreamShape") -> str:
    if upstream["has_key"]:
        return "yes"
    return "needs none" if upstream["name"] in NEEDS_NO_KEY else "no"


def _begin(face: Face, shown: "Demo") -> None:
    from budget.cli.gateway_demo import BUDGET_NAME, LIMIT_USD, MODEL

    face.print(f"A gateway at {shown.url}, before a mock model that costs what {MODEL} does.")
    face.print(f"The budget {BUDGET_NAME} has {LIMIT_USD} USD a day; more is refused.")
    face.print()


def _words(number: int, told: "Told") -> list[str]:
    """One call in words."""
    how = f", {told.how}" if told.how else ""
    lines = [f"{number}. {told.asked_words} words asked for{how}"]
    if told.status >= 400:
        lines.append(f"   refused with {told.status}: nothing was sent, nothing was spent")
        lines.append(f"   {told.message}")
        return [*lines, "   What to do: wait for the reset, or `budget budgets top-up`."]
    ended = f"cut at word {told.words}" if told.is_cut else f"{told.words} words came"
    cost, left = format_usd(told.cost_nanos), format_usd(told.left_nanos)
    lines.append(f"   {ended}: {cost} USD; {left} USD left")
    if told.is_cut:
        lines.append(f"   the stream ends properly, with finish_reason={told.finish}")
    return lines


def _end(face: Face) -> None:
    face.print()
    face.print("With your own: start `budget serve` with a provider's key in its environment, make")
    face.print("a key with `budget keys create`, and point your SDK at the gateway:")
    face.print('  OpenAI(base_url="http://127.0.0.1:8013/openai/v1", api_key="bud_...")')


def _as_json(told: "Told") -> dict[str, Any]:
    return {
        "asked_words": told.asked_words,
        "words": told.words,
        "status": told.status,
        "finish_reason": told.finish,
        "cut": told.is_cut,
        "cost_usd": format_usd(told.cost_nanos),
        "left_usd": format_usd(told.left_nanos),
        "message": told.message,
    }
