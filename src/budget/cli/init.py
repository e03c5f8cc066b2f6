"""`budget init`: a guided start, which writes the config file and a first budget.

It asks on a terminal; with --yes it goes by its options and asks nothing. Not here: the service
(`serve`), further budgets (`budget_making`).
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.limits import told_of
from budget.cli.typed import parse_amount, typed_as
from budget.domain.answers_limits import LimitSet
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.windows import parse_period, parse_zone
from budget.domain.wire.limits import limit_set
from budget.engine import config_file
from budget.engine.config_file import Config
from budget.engine.key_file import books_name
from budget.engine.places import check_target, everywhere
from budget.engine.settings import Settings

T = TypeVar("T")

NO_LIMIT: Final = "none"
DEFAULT_LIMIT: Final = "100"
DEFAULT_PERIOD: Final = "monthly"
_ZONES: Final = "zoneinfo/"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a start comes to. `limit` None: no first budget."""

    target: str
    timezone: str
    limit: str | None
    period: str
    hard: bool


def init(
    *,
    yes: bool = False,
    limit: str | None = None,
    period: str | None = None,
    hard: bool = False,
    timezone: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Begin: write the config file and a first budget.

    On a terminal it asks for what no option says. Run again, it changes what you say anew.

    Parameters
    ----------
    yes:
        Ask nothing: go by the options, and by what is proposed for the rest.
    limit:
        USD that may be spent in a period, 100 unless given; none makes no budget.
    period:
        The period of that limit: hourly, daily, weekly, monthly, …; monthly unless given.
    hard:
        Refuse calls beyond it; else an alert is raised.
    timezone:
        Where your days and months begin, such as Europe/Berlin.
    """
    asks = not yes and sys.stdin.isatty()
    if not yes and not asks:
        raise InvalidInput("--yes", "is needed where nobody can be asked; options say the rest.")
    settings = Settings.read(target=face.target)
    before = config_file.read(settings.config_dir)
    proposed = Wanted(
        _target(settings.target),
        _zone(timezone or settings.timezone, "--timezone"),
        _limit(limit if limit is not None else DEFAULT_LIMIT, "--limit"),
        _period(period or DEFAULT_PERIOD, "--period"),
        hard,
    )
    given = {"target": face.target, "timezone": timezone, "limit": limit, "period": period}
    said = frozenset(name for name, value in given.items() if value is not None)
    wanted = _asked(face, proposed, said, hard) if asks else proposed
    made = _make_limit(face, wanted, anew="limit" in said)
    path = _keep(settings.config_dir, wanted)
    if face.json:
        face.print_json(_as_json(path, wanted, made))
    else:
        _tell(face, path, before, wanted, made)
    return exits.OK


# --- Asking --------------------------------------------------------------------------------------


def _asked(face: Face, proposed: Wanted, said: frozenset[str], hard: bool) -> Wanted:
    """What a person wants, who is asked for all that no option says."""
    face.note("Enter takes what stands in brackets; Ctrl-C leaves, and nothing is written.")
    wanted = proposed
    if "target" not in said:
        question = "Where do the books lie, a database or a service?"
        wanted = replace(wanted, target=_ask(question, wanted.target, _target))
    if "timezone" not in said:
        zone = wanted.timezone if wanted.timezone != "UTC" else _zone_here()
        question = "In which time zone do your days and months begin?"
        zoned = _ask(question, zone, lambda text: _zone(text, "time zone"))
        wanted = replace(wanted, timezone=zoned)
    if "limit" not in said:
        question = f"How many USD may be spent {wanted.period}? ({NO_LIMIT}: no limit yet)"
        most = _ask(question, DEFAULT_LIMIT, lambda text: _limit(text, "limit"))
        wanted = replace(wanted, limit=most)
    if wanted.limit is not None and not hard:
        wanted = replace(wanted, hard=_ask("Refuse calls beyond that? y/n", "n", _yes_or_no))
    return wanted


def _ask(question: str, proposed: str, parse: Callable[[str], T]) -> T:
    """The answer to a question, asked again until it can be understood."""
    while True:
        try:
            return parse(input(f"{question} [{proposed}] ").strip() or proposed)
        except BudgetError as error:
            print(f"  {error.detail}", file=sys.stderr)
        except EOFError:
            raise KeyboardInterrupt from None


def _target(text: str) -> str:
    check_target(text)
    return everywhere(text)


def _zone(text: str, field: str) -> str:
    return parse_zone(text, field)


def _limit(text: str, field: str) -> str | None:
    return None if text == NO_LIMIT else str(parse_amount(text, "usd", field))


def _period(text: str, field: str) -> str:
    return parse_period(text, field).text


def _yes_or_no(text: str) -> bool:
    word = text.lower()
    if word in ("y", "yes", "n", "no"):
        return word.startswith("y")
    raise InvalidInput("answer", "must be y or n.")


def _zone_here() -> str:
    """The time zone of this machine, where it tells one."""
    try:
        place = os.environ.get("TZ") or os.readlink("/etc/localtime").rpartition(_ZONES)[2]
        return parse_zone(place, "TZ")
    except (OSError, BudgetError):
        return "UTC"


# --- Doing ---------------------------------------------------------------------------------------


def _make_limit(face: Face, wanted: Wanted, *, anew: bool) -> LimitSet | None:
    """The first budget; None where none is wanted, or some are there and no limit was said.

    The books are opened in any case, so that nothing is written of those that cannot be had.
    """
    with open_budget(replace(face, target=wanted.target), create=True) as books:
        if wanted.limit is None or (not anew and books.budgets(limit=1).items):
            books.budgets(limit=1)  # is it there, and may we?
            return None
        ask: dict[str, Any] = {"period": wanted.period, "limit": wanted.limit}
        if wanted.timezone != "UTC":
            ask["timezone"] = wanted.timezone
        if wanted.hard:
            ask["enforcement"] = "hard_limit"
        with typed_as(limit="--limit", period="--period", timezone="--timezone"):
            return books.set_limit(**ask)


def _keep(folder: Path, wanted: Wanted) -> Path:
    return config_file.write(folder, Config(wanted.target, wanted.timezone))


def _as_json(path: Path, wanted: Wanted, made: LimitSet | None) -> dict[str, Any]:
    return {
        "file": str(path),
        "target": _shown(wanted.target),
        "timezone": wanted.timezone,
        "limit": None if made is None else limit_set(made),
    }


def _tell(face: Face, path: Path, before: Config, wanted: Wanted, made: LimitSet | None) -> None:
    changes = [
        f"{name} was {_shown(was)}"
        for name, was in (("target", before.target), ("timezone", before.timezone))
        if was not in (None, getattr(wanted, name))
    ]
    face.print(f"Wrote {path}: target {_shown(wanted.target)}, timezone {wanted.timezone}.")
    if changes:
        face.print(f"In it {' and '.join(changes)}.")
    if made is not None:
        face.print(told_of(made))
    if os.environ.get("BUDGET_TARGET", wanted.target) not in ("", wanted.target):
        face.note("BUDGET_TARGET wins over the target in it: unset it, or set it to the same.")
    face.print()
    face.print("What next:")
    for step, (command, what) in enumerate(_steps(wanted), 1):
        face.print(f"  {step}. {command:<42}  {what}")


def _steps(wanted: Wanted) -> tuple[tuple[str, str], ...]:
    first = (
        ("budget doctor", "checks that all is well")
        if wanted.target.startswith("http")
        else ("budget serve", "starts the service, for programs and people")
    )
    return (
        first,
        ("budget set-limit daily 5 --provider openai", "limits a part of the calls"),
        ("budget status", "shows what was spent, and what is left"),
    )


def _shown(target: str | None) -> str:
    """A target without a password."""
    text = target or ""
    return books_name(text) if text.startswith(("sqlite:", "postgres")) else text
