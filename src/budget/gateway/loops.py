"""Loops: calls of one run that come again and again, or too fast, are stopped.

    BUDGET_GATEWAY_LOOP_IDENTICAL=20      the same call of one session, so often in a minute
    BUDGET_GATEWAY_LOOP_RATE=0            calls of one session in a minute
    BUDGET_GATEWAY_LOOP_WITHOUT_SESSION=0 the same call of one key that names no session

0 is no limit. Who asks for many answers to one question without naming a session is no agent in a
loop, so those are not counted unless it is said. Not here: who is told (`domain.alerts`), and what
a run may spend (`runs`).
"""

import hashlib
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.errors import InvalidInput

WINDOW_SECONDS: Final = 60.0
IDENTICAL: Final = 20
MOST: Final = 1_000_000
MOST_KNOWN: Final = 10_000
"""So many calls and sessions are remembered at most; who was silent longest is forgotten."""

_VARIABLES: Final = (
    "BUDGET_GATEWAY_LOOP_IDENTICAL",
    "BUDGET_GATEWAY_LOOP_RATE",
    "BUDGET_GATEWAY_LOOP_WITHOUT_SESSION",
)
"""In the order of the limits."""
_ABOUT: Final = frozenset({
    "metadata", "user", "safety_identifier", "prompt_cache_key", "labels", "stream",
    "stream_options",
})  # fmt: skip
"""What of a body says who asks or how to answer, and not what is asked."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class LoopLimits(NamedTuple):
    """How often in a minute; 0: as often as one likes."""

    identical: int = IDENTICAL
    rate: int = 0
    without_session: int = 0


USUAL_LIMITS: Final = LoopLimits()


def read_limits(env: Mapping[str, str]) -> LoopLimits:
    """The limits; InvalidInput, naming the variable, for what cannot be."""
    usual = zip(_VARIABLES, USUAL_LIMITS, strict=True)
    return LoopLimits(*(_count(env, variable, count) for variable, count in usual))


def _count(env: Mapping[str, str], variable: str, usual: int) -> int:
    text = env.get(variable) or str(usual)
    if text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= MOST:
        return int(text)
    raise InvalidInput(variable, f"{text[:80]!r} is no whole number from 0 to {MOST}.")


class Asking(NamedTuple):
    """A call, as far as it may be one of a loop."""

    actor: str
    session: str | None
    path: str
    raw: bytes
    body: Mapping[str, Any]


class Loop(NamedTuple):
    """A loop that a call would go on with: what of it came how often, and when it may go on."""

    what: str
    calls: int
    session: str | None
    retry_after_seconds: int
    is_new: bool
    """Whether nobody was told of it within the latest minute."""

    @property
    def detail(self) -> str:
        """A sentence for who calls."""
        whose = "this key" if self.session is None else f"the session {self.session[:80]!r}"
        said = "the same call" if self.what == "identical" else "calls"
        return (
            f"This looks like a loop: {whose} has sent {said} {self.calls} times within a minute; "
            "nothing was sent. Look at what the program does, or raise the limit."
        )


class Loops:
    """The calls of the latest minute; of one event loop."""

    def __init__(self, limits: LoopLimits = USUAL_LIMITS) -> None:
        self._limits = limits
        self._told: dict[tuple[str, ...], float] = {}
        self._times: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def counts(self, session: str | None) -> bool:
        """Whether calls of a session, or of none, have any limit."""
        limits = self._limits
        return bool(limits.without_session if session is None else limits.identical or limits.rate)

    def counted(self, call: Asking, now: float | None = None) -> Loop | None:
        """Count a call; the loop, if it is stopped, and then it does not count."""
        now = monotonic() if now is None else now
        limits = self._limits
        found: list[tuple[str, int, tuple[str, ...]]] = []
        identical = limits.without_session if call.session is None else limits.identical
        if identical:
            found.append(("identical", identical, (call.actor, call.session or "", _hash(call))))
        if limits.rate and call.session is not None:
            found.append(("rate", limits.rate, (call.actor, call.session)))
        self._forget(now)
        seen = [(what, most, name, self._seen(name, now)) for what, most, name in found]
        for what, most, name, times in seen:
            if len(times) >= most:
                left = math.ceil(times[0] + WINDOW_SECONDS - now)
                return Loop(what, len(times), call.session, max(1, left), self._is_new(name, now))
        for _, _, _, times in seen:
            times.append(now)
        return None

    def _is_new(self, name: tuple[str, ...], now: float) -> bool:
        told = self._told.get(name)
        if told is not None and told > now - WINDOW_SECONDS:
            return False
        if len(self._told) > MOST_KNOWN:
            self._told.clear()
        self._told[name] = now
        return True

    def _forget(self, now: float) -> None:
        """Forget who was silent for a minute."""
        while self._times:
            name, times = next(iter(self._times.items()))
            if times and times[-1] > now - WINDOW_SECONDS:
                return
            del self._times[name]

    def _seen(self, name: tuple[str, ...], now: float) -> deque[float]:
        times = self._times.setdefault(name, deque())
        self._times.move_to_end(name)
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        if len(self._times) > MOST_KNOWN:  # never one of this call's own: those are the newest
            self._times.popitem(last=False)
        return times


def _hash(call: Asking) -> str:
    """What a call asks, whoever asks."""
    asked = call.raw
    if not _ABOUT.isdisjoint(call.body):
        asked = _encode({name: one for name, one in call.body.items() if name not in _ABOUT})
    path = call.path.replace(":streamGenerateContent", ":generateContent").encode()
    return hashlib.blake2b(path + b"\n" + asked, digest_size=16).hexdigest()
