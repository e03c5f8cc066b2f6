"""How far our prices agree with LiteLLM's map, over the models that providers sell themselves.

    python -m benchmarks.agreement [MAP]

MAP is the JSON file; without one it is that of the installed LiteLLM, else of a pinned release,
which pip downloads. Every difference must be explained by name in `docs/technical/agreement.csv`,
by a reason of `agreement.md`. Exits with 1 where one is not, an explanation is of nothing any more,
or we are wrong. Not here: reading the map (`budget.prices.sources.litellm`).
"""

import csv
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from budget.domain.pricing import Rate, Rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.bundled import bundled_prices
from budget.prices.listings import Feed, Listed
from budget.prices.sources import litellm

AT_US: Final = 1_795_608_000_000_000
"""The instant that is compared: 25 November 2026, noon UTC."""
RELEASE: Final = "1.110.2"
"""The release of LiteLLM that the explanations are of."""
FIRST_PARTY: Final = frozenset({
    "ai21", "alibaba", "amazon-nova", "anthropic", "cohere", "deepseek", "google", "meta",
    "minimax", "mistral", "moonshotai", "openai", "perplexity", "x-ai", "zai",
})  # fmt: skip
KINDS: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
VERDICTS: Final = ("they are wrong", "we are wrong", "dated", "ambiguous")
_TECHNICAL: Final = Path(__file__).resolve().parent.parent / "docs" / "technical"
EXPLAINED: Final = _TECHNICAL / "agreement.csv"
REASONS: Final = _TECHNICAL / "agreement.md"


class Difference(NamedTuple):
    """One price of a model in a context that is not the same; in USD per million, tiers and all."""

    provider: str
    model: str
    context: str
    kind: str
    ours: str
    theirs: str


class Reason(NamedTuple):
    """Why prices differ, who is wrong, and where that can be read."""

    verdict: str
    why: str
    source: str


class Comparison(NamedTuple):
    """What a comparison found: the differences, and how much of everything there was."""

    differences: tuple[Difference, ...]
    counts: Mapping[str, int]


def compared(
    book: PriceBook, feed: Feed, at_us: int = AT_US, listed_by_us: Iterable[tuple[str, str]] = ()
) -> Comparison:
    """Our prices at an instant beside a feed's, for chat models of first parties.

    `listed_by_us`: of these (provider, model) the ones that the feed has not are counted.
    """
    counts: Counter[str] = Counter()
    found: list[Difference] = []
    shared: set[tuple[str, str]] = set()
    for listed in feed.prices:
        capabilities = feed.capabilities.get((listed.provider.lower(), listed.model.lower()))
        if listed.provider not in FIRST_PARTY or capabilities is None:
            continue
        theirs = listed.pieces[-1].rates
        if capabilities.mode != "chat" or theirs is None:
            continue
        ours = our_rates(book, listed, at_us)
        if ours is None:
            counts["only theirs, in a context" if listed.context else "models only theirs"] += 1
            continue
        shared.add((ours.provider, ours.model))
        counts["models in a context" if listed.context else "models"] += 1
        for kind in KINDS:
            one, other = getattr(ours, kind), getattr(theirs, kind)
            if one is None or other is None:
                if one is not other:
                    counts["prices only one side has"] += 1
            elif one == other:
                counts["prices that agree"] += 1
            else:
                counts["prices that differ"] += 1
                name = (listed.provider, listed.model.lower(), theirs.context, kind)
                found.append(Difference(*name, in_usd(one), in_usd(other)))
    for provider, model in listed_by_us:
        if provider in FIRST_PARTY and (provider, model) not in shared:
            counts["models only ours, of every mode"] += 1
    return Comparison(tuple(sorted(found)), counts)


def our_rates(book: PriceBook, listed: Listed, at_us: int) -> Rates | None:
    """Our rates of what they list; None where we have none of that seller or in that context."""
    # Under its provider, so that a name which begins with the provider's keeps that.
    name = f"{listed.provider}/{listed.model}"
    ours = book.lookup(listed.provider, name, at_us, listed.context)
    if ours is None or ours.provider != listed.provider:
        return None
    return None if listed.context and not ours.context else ours


def in_usd(rate: Rate) -> str:
    """A rate in USD per million tokens, such as `1.25, from 200001 2.5`."""
    if isinstance(rate, int):
        whole, rest = divmod(rate, 1_000_000)
        return f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    first, *others = rate
    told = [f"from {count} {in_usd(pico)}" for count, pico in others]
    return ", ".join([in_usd(first[1]), *told])


def explanations(text: str) -> dict[Difference, str]:
    """The reasons' names by difference, from the CSV file."""
    rows = csv.DictReader(text.splitlines())
    return {Difference(*(row[name] for name in Difference._fields)): row["reason"] for row in rows}


def reasons(text: str) -> dict[str, Reason]:
    """The reasons by name, from the table of the document that has them."""
    found = re.findall(r"^\| `([a-z0-9-]+)` \| ([a-z ]+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {name: Reason(verdict, why, source) for name, verdict, why, source in found}


def faults(
    differences: Iterable[Difference],
    explained: Mapping[Difference, str],
    known: Mapping[str, Reason],
) -> Iterator[str]:
    """What is not as it should be: unexplained, explained in vain, without reason, or ours."""
    found = set(differences)
    for one in sorted(found - explained.keys()):
        yield f"unexplained: {', '.join(one)}"
    for one in sorted(explained.keys() - found):
        yield f"explained, but there is no such difference: {', '.join(one)}"
    for name in sorted(set(explained.values())):
        reason = known.get(name)
        if reason is None:
            yield f"there is no reason {name!r}"
        elif reason.verdict not in VERDICTS:
            yield f"the reason {name!r} has no verdict but {reason.verdict!r}"
        elif reason.verdict == "we are wrong":
            yield f"we are wrong: {name}"


def the_map(arguments: Sequence[str]) -> tuple[bytes, str]:
    """The map to compare with, and its version."""
    if arguments:
        return Path(arguments[0]).read_bytes(), RELEASE
    installed = litellm.installed_map()
    if installed is not None:
        return installed, "installed"
    with tempfile.TemporaryDirectory() as folder:
        asked = ("pip", "download", "--no-deps", "--quiet", "--dest", folder)
        subprocess.run([sys.executable, "-m", *asked, f"litellm=={RELEASE}"], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"litellm/{litellm._MAP_FILE}"), RELEASE


def main(arguments: Sequence[str]) -> int:
    """Compare, and print the counts and what is not as it should be."""
    data, version = the_map(arguments)
    feed = litellm.read(data, version)
    found = compared(bundled_book(), feed, listed_by_us=bundled_prices().models())
    explained, known = explanations(EXPLAINED.read_text()), reasons(REASONS.read_text())
    for name, count in sorted(found.counts.items()):
        print(f"{count:>6,} {name}")
    verdicts = Counter(
        known[explained[one]].verdict for one in found.differences if explained.get(one) in known
    )
    for verdict in VERDICTS:
        print(f"{verdicts[verdict]:>6,} of those: {verdict}")
    wrong = list(faults(found.differences, explained, known))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
