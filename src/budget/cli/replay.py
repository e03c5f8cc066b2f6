"""`budget replay`: a recorded trace of calls, driven through a running service and held to account.

Every call is held, then settled with its true numbers. Not here: how calls are made (`driver`),
what they came to (`outcome`).
"""

import asyncio
import secrets
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face
from budget.cli.tables import counted
from budget.cli.trace import Call, hold_caps, read_trace
from budget.cli.typed import parse_pairs
from budget.domain.attributes import parse_value
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.money import MAX_TOKENS

if TYPE_CHECKING:
    from budget.cli.driver import Plan, Tally
    from budget.cli.outcome import Outcome
    from budget.cli.remote import Service

MAX_CONCURRENCY: Final = 1000
HASTY_SECONDS: Final = 5
"""How long a service whose failure ended the run is given to tell of its books."""

_NO_FURTHER_ATTRIBUTE: Final = {
    "component": "is each call's service in the trace; leave it out.",
    "model": "is each call's model in the trace; leave it out.",
    "session": "has an option of its own, --session.",
}


def replay(
    trace: Path,
    /,
    *,
    url: str | None = None,
    speed: str = "max",
    concurrency: int = 32,
    limit: int | None = None,
    session: str | None = None,
    attribute: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    max_output_tokens: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Drive a recorded trace of calls through a running service, and hold its books to account.

    Each call is held before (its input tokens, and the most output that its service ever gives) and
    settled after with its true numbers. Ends with 1 if a hard limit was exceeded, or if the books
    differ from the trace's true cost by a nano-USD.

    Parameters
    ----------
    trace:
        A CSV file with the columns timestamp, service, model, input_tokens and output_tokens.
    url:
        The address of the service; without it, the service of this machine.
    speed:
        max, or how many times faster than it was recorded, such as 10.
    concurrency:
        How many calls may be under way at once.
    limit:
        Only the first so many calls.
    session:
        The session to book under; without it, one of its own for each run.
    attribute:
        A further attribute of every call, such as team=search. The component is the trace's
        service, the model the trace's own.
    max_output_tokens:
        Output tokens to hold for a call; without it, the most of any call of the same service,
        rounded up to a multiple of 256.
    """
    fast = _speed(speed)
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise InvalidInput("--concurrency", f"must be 1 to {MAX_CONCURRENCY}.")
    if limit is not None and limit < 1:
        raise InvalidInput("--limit", "must be 1 or more.")
    if max_output_tokens is not None and not 1 <= max_output_tokens <= MAX_TOKENS:
        raise InvalidInput("--max-output-tokens", f"must be 1 to {MAX_TOKENS}.")
    attributes = parse_pairs(attribute, "--attribute")
    for key, why in _NO_FURTHER_ATTRIBUTE.items():
        if key in attributes:
            raise InvalidInput(f"--attribute {key}", why)
    if session is not None:
        parse_value(session, "--session")
    calls = read_trace(trace, limit)
    caps = hold_caps(calls)
    if max_output_tokens is not None:
        caps = dict.fromkeys(caps, max_output_tokens)
    name = f"replay-{secrets.token_hex(4)}"
    run = _Run(name, session or name, calls, caps, attributes, fast, concurrency)
    return run.play(face, url)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.001 <= speed <= 1_000_000:
        raise InvalidInput("--speed", f"{text[:40]!r} is neither max nor a number such as 10.")
    return speed


@dataclass(frozen=True, slots=True)
class _Run:
    """A replay as it was asked for; `name` begins the id of each of its holds."""

    name: str
    session: str
    calls: Sequence[Call]
    caps: Mapping[str, int]
    attributes: Mapping[str, str]
    speed: float | None
    concurrency: int

    def play(self, face: Face, url: str | None) -> int:
        """Make the calls, report, and say how it went as an exit code."""
        from budget.cli import outcome as outcomes
        from budget.cli.driver import Plan, Tally
        from budget.cli.remote import find_service
        from budget.cli.replay_prices import prices_of
        from budget.engine.settings import Settings

        own = Settings.read(target=face.target).prices
        service = find_service(face, url)
        with service:
            service.call("GET", "/budgets?limit=1")  # is it there, and may we?
            models = (call.model for call in self.calls)
            prices = prices_of(service, models, self.attributes.get("provider"), own)
            plan = Plan(
                service.where, service.key, self.calls, self.caps, self.name, self.session,
                self.attributes, self.speed, self.concurrency, prices,
            )  # fmt: skip
            tally = Tally()
            failure: BudgetError | None = None
            try:
                stopped = asyncio.run(_drive(face, plan, tally))
            except BudgetError as error:
                stopped, failure = True, error
                if not (tally.admitted or tally.refused):
                    raise
                face.note(f"The run ended early: {failure.detail}")
                service.timeout_seconds = HASTY_SECONDS
            outcome: Outcome | None = None
            try:
                outcome = self._judge(service, tally)
            except BudgetError as error:
                if failure is None:
                    face.note(f"The books could not be compared: {error.detail}")
                    failure = error
        if face.json:
            error_text = None if failure is None else failure.detail
            told = outcomes.as_json(tally, outcome, self.session, stopped, error_text)
            face.print_json(told)
        else:
            from budget.cli.replay_report import report

            report(face, tally, outcome, self.session)
        if failure is not None:
            return exits.exit_code(failure)
        if outcome is not None and (outcome.overshoots or not outcome.agrees):
            return exits.FAILED
        return exits.INTERRUPTED if stopped else exits.OK

    def _judge(self, service: "Service", tally: "Tally") -> "Outcome":
        from budget.cli.outcome import judge

        asked = list(tally.attributes.values())
        if not asked:
            named = {"session": self.session, **self.attributes}
            asked = [{"component": service_name, **named} for service_name in self.caps]
        balances = [balance for attributes in asked for balance in service.status(attributes)]
        records = [
            record
            for record in service.pages("/usage", session=self.session)
            if str(record["allocation_id"]).startswith(f"{self.name}.")
        ]
        return judge(tally, balances, records)


async def _drive(face: Face, plan: "Plan", tally: "Tally") -> bool:
    """Make the calls, with a bar; whether they were stopped before their end.

    The first Ctrl-C lets the calls under way end and returns what is held; the second one leaves at
    once.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from budget.cli.driver import Driver

    columns = (
        TextColumn("Replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("refused {task.fields[refused]}"),
    )
    with face.progress(*columns) as progress:
        bar = progress.add_task("", total=len(plan.calls), refused=0)
        driver = Driver(plan, tally, lambda: progress.update(bar, advance=1, refused=tally.refused))
        running = asyncio.ensure_future(driver.run())

        def interrupt() -> None:
            if driver.stop.is_set():
                running.cancel()
            else:
                face.note("Stopping: what is held will be released. Ctrl-C again leaves at once.")
                driver.stop.set()

        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows has no such handlers
            loop.add_signal_handler(signal.SIGINT, interrupt)
        try:
            await running
        except asyncio.CancelledError:
            held = counted(len(tally.open_ids), "hold")
            face.note(f"Left at once: {held} may stay until they expire, within 15 minutes.")
        finally:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
    return driver.stop.is_set()
