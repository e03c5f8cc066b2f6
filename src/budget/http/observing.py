"""Observing: every request gets an id, is counted, and may be logged and traced.

Nothing of what callers send is kept, and of the path only its route. Not here: the figures
(`traffic`), the lines (`logs`), the spans (`tracing`).
"""

import itertools
import re
import time
from typing import Final, NamedTuple

import structlog
from starlette.types import Scope

from budget.http.logs import REQUEST_ID
from budget.http.problems import Header, Reply
from budget.http.tracing import Span, Tracer
from budget.http.traffic import Traffic

HEADER: Final = b"x-request-id"
_FIT: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")

log = structlog.get_logger("budget.http")


class Observation(NamedTuple):
    """A request that is being answered: its id, when it began, and its span where one is made."""

    request_id: str
    began: float
    span: Span | None

    @property
    def header(self) -> Header:
        """The header that tells the caller the id."""
        return HEADER, self.request_id.encode()


class Observer:
    """Sees every request come and go; `access` logs each, `tracer` makes a span of each."""

    def __init__(
        self, instance: str, *, access: bool = False, tracer: Tracer | None = None
    ) -> None:
        self.traffic = Traffic()
        self._prefix = f"req_{instance[:8]}"
        self._numbers = itertools.count(1)
        self._access = access
        self._tracer = tracer

    def begin(self, scope: Scope, route: str) -> Observation:
        """A request has come; its own id is taken over if it has one that is fit for a log."""
        request_id = ""
        for name, value in scope["headers"]:
            if name == HEADER and _FIT.fullmatch(value):
                request_id = value.decode()
        if not request_id:
            request_id = f"{self._prefix}_{next(self._numbers):x}"
        REQUEST_ID.set(request_id)
        span = None if self._tracer is None else self._tracer.begin(scope, route, request_id)
        return Observation(request_id, time.perf_counter(), span)

    def end(self, seen: Observation, scope: Scope, route: str, reply: Reply) -> None:
        """It is answered."""
        seconds = time.perf_counter() - seen.began
        self.traffic.answered(scope["method"], route, reply.status, seconds)
        if seen.span is not None and self._tracer is not None:
            self._tracer.end(seen.span, reply.status, scope.get("budget.actor"))
        if self._access or reply.status >= 500:
            log.info(
                "answered", method=scope["method"], route=route, status=reply.status,
                milliseconds=round(seconds * 1000, 3), actor=scope.get("budget.actor"),
            )  # fmt: skip

    def close(self) -> None:
        """Send what spans are left."""
        if self._tracer is not None:
            self._tracer.close()
