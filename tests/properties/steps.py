"""Steps: what may happen to the books, as plain values, and Hypothesis strategies that draw them.

A step says "the newest allocation but two", not an id, so that the same history can be played on
several engines, and shrunk. `Script` turns steps into commands that name what they mean for good:
sent again, a command is the very same. Not here: who carries them out (`sides`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.properties.model import DAY, HOUR, SECOND, Rates, Usage

PRICES: Mapping[str, Rates] = {
    "plain": Rates(1_000, 3_000),
    "cached": Rates(1_500, 7_500, 150, 1_875, 3_000, 9_001, 500),
    "free": Rates(0, 0),
}
UNPRICED = "unheard-of"
STARTS_US = (
    1_774_728_000 * SECOND,  # 2026-03-28 20:00 UTC: the next day has 23 hours in Berlin
    1_792_877_370 * SECOND,  # 2026-10-24 21:29:30 UTC: the next has 25 there, and begins at 22:00
    1_772_927_970 * SECOND,  # 2026-03-07 23:59:30 UTC: the next has 23 hours in New York
)


@dataclass(frozen=True)
class NewPolicy:
    """A policy to create."""

    unit: str
    period: str
    limit: int
    enforcement: str = "hard_limit"
    zone: str = "UTC"
    on_expiry: str | None = None
    rollover: bool = False
    headroom: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class NewBudget:
    """A budget to create."""

    scope: tuple[tuple[str, tuple[str, ...]], ...]
    per: tuple[str, ...]
    policies: tuple[NewPolicy, ...]
    unpriced: str | Rates | None = None


@dataclass(frozen=True)
class Place:
    """`ask` has amounts in nano-USD; `parent` counts envelopes back from the newest."""

    ask: Mapping[str, Any]
    parent: int | None = None
    keyed: bool = True
    chosen: bool = True
    dry: bool = False


@dataclass(frozen=True)
class Record:
    """Usage of the allocation `target` places back from the newest."""

    target: int
    usage: Usage
    final: bool = True
    requests: int | None = None
    keyed: bool = True
    chosen: bool = False


@dataclass(frozen=True)
class Release:
    """The allocation `target` places back."""

    target: int
    keyed: bool = True


@dataclass(frozen=True)
class Extend:
    """The allocation `target` places back."""

    target: int
    ask: Mapping[str, Any]
    keyed: bool = True


@dataclass(frozen=True)
class Report:
    """Usage that nobody reserved, `ago_us` before now (negative: ahead); perhaps as history."""

    ask: Mapping[str, Any]
    usage: Usage
    ago_us: int | None = None
    keyed: bool = True
    chosen: bool = False
    history: bool = False


@dataclass(frozen=True)
class Correct:
    """The usage record `target` places back; a replacement's counts, or None."""

    target: int
    replacement: Usage | None = None
    requests: int | None = None
    keyed: bool = True


@dataclass(frozen=True)
class Sweep:
    """Expire what is due."""


@dataclass(frozen=True)
class SetLimit:
    """Another limit for a policy, counted from the first."""

    policy: int
    limit: int


@dataclass(frozen=True)
class SetEnforcement:
    """Another enforcement for a policy."""

    policy: int
    enforcement: str


@dataclass(frozen=True)
class Archive:
    """A policy goes out of force."""

    policy: int


@dataclass(frozen=True)
class TopUp:
    """A raise for this window, or for those that start in the next `until_us`; for one partition or
    all.
    """

    policy: int
    amount: int
    until_us: int | None = None
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Advance:
    """Time passes."""

    us: int


@dataclass(frozen=True)
class Jump:
    """The clock is set, forward or back; no time passes."""

    us: int


@dataclass(frozen=True)
class Reopen:
    """Close the books and open them; or (crash) leave them lying and open the file again."""

    crash: bool = False


@dataclass(frozen=True)
class Again:
    """The command `back` places back is sent again; `other`: its key, but with another payload."""

    back: int
    other: bool = False


Step = (
    Place | Record | Release | Extend | Report | Correct | Sweep | SetLimit | SetEnforcement
    | Archive | TopUp | Advance | Jump | Reopen | Again
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A step that has been given its names: the same command whenever it is sent again.

    `target` is the number of an allocation (usage record, policy), the first being 0; None: of
    none.
    """

    step: Step
    serial: int
    target: int | None = None
    at_us: int = 0
    other: bool = False


@dataclass
class Script:
    """What has been sent so far."""

    sent: list[Command] = field(default_factory=list)

    def command(
        self,
        step: Step,
        now_us: int,
        *,
        allocations: int,
        envelopes: list[int],
        records: int,
        policies: int,
    ) -> Command | None:
        """The command that a step means now; None if there is nothing yet that it could mean."""
        if isinstance(step, Again):
            if not self.sent:
                return None
            return replace(self.sent[-1 - step.back % len(self.sent)], other=step.other)
        target = None
        if isinstance(step, Place) and step.parent is not None and envelopes:
            target = envelopes[-1 - step.parent % len(envelopes)]
        elif isinstance(step, Record | Release | Extend) and allocations:
            target = allocations - 1 - step.target % allocations
        elif isinstance(step, Correct) and records:
            target = records - 1 - step.target % records
        elif isinstance(step, SetLimit | SetEnforcement | Archive | TopUp):
            target = step.policy % policies
        command = Command(step, len(self.sent), target, now_us)
        if isinstance(step, Place | Record | Release | Extend | Report | Correct):
            self.sent.append(command)
        return command


# --- Strategies ----------------------------------------------------------------------------------

HARD = "hard_limit"
back = st.integers(0, 3) | st.integers(0, 40)
often = st.sampled_from([True, True, True, False])
seldom = st.sampled_from([False, False, False, True])
models = st.sampled_from(["plain", "plain", "cached", "cached", "free", UNPRICED])
tokens = st.integers(0, 60) | st.integers(0, 400)
attributes: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {},
    optional={
        "project": st.sampled_from(["p1", "p2"]),
        "user": st.sampled_from(["u1", "u2"]),
        "session": st.sampled_from(["s1", "s2"]),
        "team": st.sampled_from(["blue", "black", "red"]),
    },
)
PERIODS = (
    "total", "daily", "daily", "hourly", "minute", "per_session",
    "rolling:1m", "rolling:1h", "rolling:7h",
)  # fmt: skip
ZONES = ("UTC", "UTC", "Europe/Berlin", "America/New_York")
ROLLING_OVER = ("daily", "hourly", "minute")


@st.composite
def new_policies(draw: st.DrawFn) -> NewPolicy:
    """A policy with a limit of a few calls."""
    unit = draw(
        st.sampled_from(["usd", "usd", "tokens", "input_tokens", "output_tokens", "requests"])
    )
    period = draw(st.sampled_from(PERIODS))
    limit = draw(st.integers(0, 6) if unit == "requests" else st.integers(0, 3_000))
    return NewPolicy(
        unit,
        period,
        limit,
        enforcement=draw(st.sampled_from([HARD, HARD, HARD, "soft_limit", "warn", "ignore"])),
        zone=draw(st.sampled_from(ZONES)) if period in ("daily", "per_session") else "UTC",
        on_expiry=draw(st.sampled_from([None, None, "assume", "release"])),
        rollover=period in ROLLING_OVER and draw(st.booleans()),
        headroom=draw(st.sampled_from([(), (), ((8, 10), (10, 5)), ((6, 33),)])),
    )


@st.composite
def new_budgets(draw: st.DrawFn) -> NewBudget:
    """A budget with one to three policies."""
    scopes: list[tuple[tuple[str, tuple[str, ...]], ...]] = [
        (),
        (),
        (("project", ("p1",)),),
        (("project", ("p1", "p2")), ("user", ("u*",))),
        (("team", ("bl*",)),),
    ]
    return NewBudget(
        draw(st.sampled_from(scopes)),
        draw(st.sampled_from([(), (), ("user",), ("project", "user"), ("team",)])),
        tuple(draw(st.lists(new_policies(), min_size=1, max_size=3))),
        draw(st.sampled_from([None, None, "refuse", "allow", Rates(2_000, 4_000)])),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Tokens whose kinds fit into their totals."""
    given, output = draw(tokens), draw(tokens)
    if not draw(st.booleans()):
        return Usage(given, output)
    cuts = sorted(draw(st.lists(st.integers(0, given), min_size=3, max_size=3)))
    reasoning = draw(st.integers(0, output))
    return Usage(given, output, cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1], reasoning)


ttls = st.sampled_from([1, 60, 600, 3_600, 86_400])
stated = st.fixed_dictionaries(
    {}, optional={"usd": st.integers(0, 1_500), "tokens": tokens, "requests": st.integers(0, 3)}
)


@st.composite
def places(draw: st.DrawFn) -> Place:
    """A call, by its estimate or its amounts, perhaps in an envelope; or an envelope."""
    ask: dict[str, Any] = {"attributes": draw(attributes)}
    shape = draw(st.sampled_from(["estimate", "estimate", "fit", "stated", "envelope", "child"]))
    parent = None
    if shape == "envelope":
        ask |= draw(
            st.fixed_dictionaries(
                {"usd": st.integers(0, 3_000), "tokens": st.integers(0, 900)},
                optional={"requests": st.integers(1, 5), "model": models},
            )
        )
        if draw(seldom):
            del ask[draw(st.sampled_from(["usd", "tokens"]))]
        ask["envelope"] = True
    elif shape == "stated":
        amounts = draw(stated)
        if "usd" not in amounts and "tokens" not in amounts:
            amounts["usd"] = 100
        ask |= amounts
        if draw(st.booleans()):
            ask["model"] = draw(models)
    else:
        ask |= {"model": draw(models), "input_tokens": draw(tokens)}
        ask["max_output_tokens"] = draw(tokens)
        if shape == "fit":
            ask["fit"] = True
            if draw(st.booleans()):
                ask["min_output_tokens"] = draw(st.integers(0, 100))
        if draw(seldom):
            ask["requests"] = draw(st.integers(0, 3))
    if shape == "child" or (shape == "stated" and draw(seldom)):
        parent = draw(st.integers(0, 2))
    if draw(seldom):
        ask["priority"] = draw(st.sampled_from([1, 6, 8, 9, 10]))
    if draw(st.booleans()):
        ask["ttl_seconds"] = draw(ttls)
    return Place(
        ask, parent, draw(often), draw(st.booleans()), draw(seldom) and draw(st.booleans())
    )


records = st.builds(
    Record,
    back,
    usages(),
    st.booleans(),
    st.sampled_from([None, None, None, 0, 1, 2]),
    often,
    st.booleans(),
)
releases = st.builds(Release, back, often)
extends = st.builds(
    Extend,
    back,
    st.fixed_dictionaries({"ttl_seconds": ttls})
    | st.fixed_dictionaries({"max_output_tokens": tokens}, optional={"ttl_seconds": ttls})
    | stated.filter(bool),
    often,
)
AGO_US = (None, None, 0, SECOND, 50 * SECOND, HOUR, 8 * HOUR, DAY, 3 * DAY, 4 * DAY)
AHEAD_US = (-SECOND, -299 * SECOND, -300 * SECOND, -301 * SECOND)
reports = st.builds(
    Report,
    st.fixed_dictionaries(
        {"attributes": attributes, "model": models}, optional={"requests": st.integers(0, 3)}
    ),
    usages(),
    st.sampled_from(AGO_US + AHEAD_US),
    often,
    st.booleans(),
    st.booleans(),
)
corrects = st.builds(
    Correct, back, st.none() | usages(), st.sampled_from([None, None, 0, 2]), often
)
policies = st.integers(0, 8)
limits = st.integers(0, 6) | st.integers(0, 3_000)
set_limits = st.builds(SetLimit, policies, limits)
set_enforcements = st.builds(SetEnforcement, policies, st.sampled_from([HARD, HARD, "warn"]))
archives = st.builds(Archive, policies)
top_ups = st.builds(
    TopUp,
    policies,
    st.integers(1, 4) | st.integers(1, 800),
    st.sampled_from([None, HOUR, 2 * DAY]),
    st.none() | attributes,
)
advances = st.builds(
    Advance,
    st.sampled_from(
        [1, SECOND, 59 * SECOND, 61 * SECOND, 600 * SECOND, 901 * SECOND, HOUR, 7 * HOUR, DAY]
    )
    | st.integers(1, 4 * DAY),
)
JUMPS_US = (299 * SECOND, 301 * SECOND, HOUR, DAY, 40 * DAY)
jumps = st.builds(Jump, st.sampled_from([sign * us for us in JUMPS_US for sign in (1, -1)]))
reopens = st.builds(Reopen, st.booleans())
agains = st.builds(Again, back, st.sampled_from([False, False, True]))
catalogues = st.lists(new_budgets(), min_size=1, max_size=3)
