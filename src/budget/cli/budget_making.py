"""`budget budgets create`, `edit` and `archive`: budgets and their limits, as they are written.

Not here: setting one limit in a word (`limits`), raising one for a while (`budget_raising`).
"""

import sys
from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.budget_words import limit_words, name_of, scope_words
from budget.cli.face import Face
from budget.cli.limit_typed import parse_limits, terms
from budget.cli.naming import find_budget, find_policy
from budget.cli.tables import counted
from budget.cli.typed import parse_amount, split_pairs, typed_as
from budget.domain import wire
from budget.domain.asks_budgets import BudgetAsk, PolicyAsk
from budget.domain.attributes import parse_key
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import InvalidInput

_TYPED: Final = {
    "name": "NAME", "description": "--description", "owner": "--owner", "scope": "--scope",
    "per": "--per", "unpriced": "--unpriced", "degrade": "--degrade",
    "policies": "--limit", "limit": "--limit",
    "period": "--limit", "unit": "--limit", "enforcement": "--limit",
    "timezone": "--timezone", "reset_day": "--reset-day", "rollover": "--rollover",
    "on_expiry": "--on-expiry", "backfill": "--backfill",
    "warning_threshold": "--warning-threshold", "action_threshold": "--action-threshold",
    "reserved_for_priority": "--reserve",
}  # fmt: skip
"""Fields of the API, and what they are typed as."""


def create_budget(
    name: str,
    /,
    *,
    limit: tuple[str, ...] = (),
    scope: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    per: tuple[str, ...] = (),
    hard: bool = False,
    timezone: str | None = None,
    reset_day: str | None = None,
    rollover: str | None = None,
    on_expiry: str | None = None,
    warning_threshold: str | None = None,
    action_threshold: str | None = None,
    reserve: Annotated[tuple[str, ...], Parameter(metavar="PRIORITY=SHARE")] = (),
    owner: str | None = None,
    description: str | None = None,
    unpriced: str | None = None,
    degrade: str | None = None,
    backfill: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Create a budget.

    Parameters
    ----------
    name:
        What it is called.
    limit:
        AMOUNT/PERIOD, such as 100/monthly in USD; AMOUNT/PERIOD/UNIT, such as 50000/daily/tokens;
        with :hard, :soft, :warn or :ignore behind it. May be given several times.
    scope:
        Whose calls count, such as team=search or model=gpt-*; may be given several times, for
        further attributes or further values of one. All calls count unless given.
    per:
        Each value of this attribute has limits of its own, such as user; may be given several
        times.
    hard:
        Refuse calls beyond its limits, where a limit does not say otherwise; else they warn.
    timezone:
        Where periods begin and end, such as Europe/Berlin; UTC unless given.
    reset_day:
        On which day the months of monthly limits begin: 1 to 28, or last.
    rollover:
        unused: what a period leaves is added to the next; none unless given.
    on_expiry:
        What becomes of a hold that nobody settles: assume (it stays) or release; assume unless
        given where calls are refused, else release.
    warning_threshold:
        The share of a limit at which to warn, such as 0.8.
    action_threshold:
        The share of a limit at which to act, such as 0.95.
    reserve:
        What is kept for calls of this priority and above, such as 8=10%; may be given several
        times.
    owner:
        Who answers for it.
    description:
        What it is for.
    unpriced:
        What to do with models that have no price: refuse, allow, or IN,OUT: take them to cost this
        much, in USD per million tokens, such as 3,15.
    degrade:
        What to do with calls through the gateway before they are refused, in this order, such as
        gpt-4o-mini,smaller,refuse: names of models, and cheaper, smaller, queue, refuse.
    backfill:
        Count in what the present periods have seen already.
    """
    limits = parse_limits(limit, hard=hard)
    if not limits:
        raise InvalidInput("--limit", "is required: AMOUNT/PERIOD, such as 100/monthly.")
    shared = terms(
        timezone=timezone, rollover=rollover, on_expiry=on_expiry,
        warning_threshold=warning_threshold, action_threshold=action_threshold, reserve=reserve,
    )  # fmt: skip
    policies: list[PolicyAsk] = [{**shared, **one} for one in limits]
    if reset_day is not None:
        monthly = [one for one in policies if one["period"] == "monthly"]
        if not monthly:
            raise InvalidInput("--reset-day", "only a monthly limit has a reset day.")
        for one in monthly:
            one["reset_day"] = _day(reset_day)
    asked: BudgetAsk = {"name": name, "policies": policies, **_described(owner, description)}
    asked |= _whose(scope, per, unpriced, degrade)
    if backfill:
        asked["backfill"] = True
    with open_budget(face, create=True) as books, typed_as(**_TYPED):
        made = books.create_budget(**asked)
    if face.json:
        face.print_json(wire.changed_budget(made))
    elif face.quiet:
        face.print(made.budget_id)
    else:
        whose = scope_words(made) or "all calls"
        each = f", each {' and '.join(made.per)} by itself" if made.per else ""
        face.print(f"Created {name_of(made)} for {whose}{each}: {_limits(made)}.")
        _note(face, made)
    return 0


def edit_budget(
    budget: str,
    /,
    *,
    name: str | None = None,
    owner: str | None = None,
    description: str | None = None,
    scope: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    per: tuple[str, ...] = (),
    unpriced: str | None = None,
    degrade: str | None = None,
    add: str | None = None,
    period: str | None = None,
    unit: str | None = None,
    policy_id: str | None = None,
    remove: bool = False,
    limit: str | None = None,
    enforcement: str | None = None,
    warning_threshold: str | None = None,
    action_threshold: str | None = None,
    timezone: str | None = None,
    reset_day: str | None = None,
    rollover: str | None = None,
    on_expiry: str | None = None,
    reserve: Annotated[tuple[str, ...], Parameter(metavar="PRIORITY=SHARE")] = (),
    backfill: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Change a budget, or one of its limits: its only one, or that of --period, --unit or
    --policy-id.

    Parameters
    ----------
    budget:
        Its id, or its name where no other budget has it.
    name:
        What the budget is called from now on.
    owner:
        Who answers for it.
    description:
        What it is for.
    scope:
        Whose calls count from now on, all of it; its limits begin anew.
    per:
        By what it is split from now on, all of it; its limits begin anew.
    unpriced:
        What to do with models that have no price: refuse, allow, or IN,OUT in USD per million.
    degrade:
        What to do with calls through the gateway before they are refused, all of it, such as
        gpt-4o-mini,smaller,refuse; none: nothing.
    add:
        A further limit: AMOUNT/PERIOD, as `budget budgets create --limit` takes it.
    period:
        Which limit to change: that of this period.
    unit:
        Which limit to change: that of this unit.
    policy_id:
        Which limit to change, by its id.
    remove:
        Take the limit out of force; its books stay.
    limit:
        The limit's new amount.
    enforcement:
        ignore, warn, soft_limit or hard_limit.
    warning_threshold:
        The share of the limit at which to warn, such as 0.8.
    action_threshold:
        The share of the limit at which to act, such as 0.95.
    timezone:
        Where its period begins and ends from now on; the limit begins anew.
    reset_day:
        On which day its months begin from now on: 1 to 28, or last; the limit begins anew.
    rollover:
        none, or unused: what a period leaves is added to the next.
    on_expiry:
        assume or release.
    reserve:
        What is kept for calls of this priority and above, such as 8=10%; all of it.
    backfill:
        Where limits begin anew: count in what the present periods have seen already.
    """
    of_budget: BudgetAsk = {
        **_described(owner, description),
        **_whose(scope, per, unpriced, degrade),
    }
    if name is not None:
        of_budget["name"] = name
    of_limit = terms(
        enforcement=enforcement, timezone=timezone, rollover=rollover, on_expiry=on_expiry,
        warning_threshold=warning_threshold, action_threshold=action_threshold, reserve=reserve,
    )  # fmt: skip
    if reset_day is not None:
        of_limit["reset_day"] = _day(reset_day)
    ways = (bool(of_budget), add is not None, remove, bool(of_limit) or limit is not None)
    if sum(ways) != 1:
        raise InvalidInput(
            "edit",
            "Change fields of the budget, or of one limit, or --add a limit, or --remove one; one "
            "of these at a time.",
        )
    names = {**_TYPED, "name": "--name", "enforcement": "--enforcement"}
    with open_budget(face) as books, typed_as(**names):
        found = find_budget(books, budget)
        if of_budget:
            if backfill:
                of_budget["backfill"] = True
            return _told(face, books.change_budget(found.budget_id, **of_budget), found)
        if add is not None:
            (more,) = parse_limits((add,), option="--add")
            if backfill:
                more["backfill"] = True
            made = books.create_policy(found.budget_id, **more)
            return _told_limit(face, found, None, made)
        which = {"period": period, "unit": unit, "policy_id": policy_id}
        old = find_policy(books, found.budget_id, **which)
        if remove:
            return _told_limit(face, found, old, books.archive_policy(old.policy_id))
        if limit is not None:
            of_limit["limit"] = parse_amount(limit, old.unit, "--limit")
        if backfill:
            of_limit["backfill"] = True
        new = books.change_policy(old.policy_id, **of_limit)
    return _told_limit(face, found, old, new)


def archive_budget(
    budget: str, /, *, yes: bool = False, face: Annotated[Face, Parameter(parse=False)]
) -> int:
    """Take a budget out of force; its books stay.

    Parameters
    ----------
    budget:
        Its id, or its name where no other budget has it.
    yes:
        Do not ask.
    """
    with open_budget(face) as books:
        found = find_budget(books, budget)
        limits = counted(len(found.live_policies), "limit")
        if not yes and not agreed(f"Take {name_of(found)} and its {limits} out of force?"):
            face.note("Nothing was changed.")
            return 1
        done = books.archive_budget(found.budget_id)
    if face.json:
        face.print_json(wire.changed_budget(done))
    elif done.replayed:
        face.print(f"{name_of(done)} was out of force already.")
    else:
        face.print(f"{name_of(done)} is out of force: calls no longer count on it.")
    return 0


def agreed(question: str) -> bool:
    """Whether whoever sits at the terminal says yes. InvalidInput where nobody does."""
    if not sys.stdin.isatty():
        raise InvalidInput("--yes", "is required where nobody can be asked.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _described(owner: str | None, description: str | None) -> BudgetAsk:
    asked: BudgetAsk = {}
    if owner is not None:
        asked["owner"] = owner
    if description is not None:
        asked["description"] = description
    return asked


def _whose(
    scope: tuple[str, ...], per: tuple[str, ...], unpriced: str | None, degrade: str | None
) -> BudgetAsk:
    asked: BudgetAsk = {}
    if scope:
        values: dict[str, list[str]] = {}
        for key, value in split_pairs(scope, "--scope"):
            values.setdefault(key, []).append(value)
        asked["scope"] = {key: some[0] if len(some) == 1 else some for key, some in values.items()}
    if per:
        keys = (key.strip() for word in per for key in word.split(","))
        asked["per"] = [parse_key(key, "--per") for key in keys]
    if unpriced is not None:
        given, comma, wanted = unpriced.partition(",")
        asked["unpriced"] = (
            {"input": given.strip(), "output": wanted.strip()} if comma else unpriced.strip()
        )
    if degrade is not None:
        steps = [step.strip() for step in degrade.split(",")]
        asked["degrade"] = [] if steps == ["none"] else steps
    return asked


def _day(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text


def _limits(budget: Budget) -> str:
    return "; ".join(map(limit_words, budget.live_policies)) or "no limit"


def _told(face: Face, new: Budget, old: Budget) -> int:
    if face.json:
        face.print_json(wire.changed_budget(new))
        return 0
    then, now = wire.budget(old), wire.budget(new)
    fields = ("name", "description", "owner", "scope", "per", "unpriced", "degrade")
    changed = {field: (dict(then)[field], dict(now)[field]) for field in fields}
    told = [
        f"{field} from {_word(was)} to {_word(is_now)}"
        for field, (was, is_now) in changed.items()
        if was != is_now
    ]
    if not told:
        face.print(f"Nothing to change in {name_of(new)}.")
        return 0
    face.print(f"Changed {name_of(new)}: {', '.join(told)}.")
    if then["scope"] != now["scope"] or then["per"] != now["per"]:
        face.note("Other calls count now, so its limits have begun anew: new ids, own figures.")
    _note(face, new)
    return 0


def _note(face: Face, budget: Budget) -> None:
    """Say what to look at again."""
    for note in budget.notes:
        face.note(f"Note: {note}")


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{k}={_word(v)}" for k, v in value.items()) or "all calls"
    if isinstance(value, list | tuple):
        return "|".join(map(str, value)) or "none"
    return str(value) or "none"


def _told_limit(face: Face, budget: Budget, old: Policy | None, new: Policy) -> int:
    if face.json:
        face.print_json(wire.changed_policy(new))
    elif old is None:
        face.print(f"Added to {name_of(budget)}: {limit_words(new)}.")
    elif new.archived_us is not None:
        face.print(f"Taken out of force in {name_of(budget)}: {limit_words(new)}.")
    else:
        face.print(f"Changed in {name_of(budget)}: it was {limit_words(old)},")
        face.print(f"now it is {limit_words(new)}{_more_words(old, new)}.")
        if old.policy_id != new.policy_id:
            face.note("Its windows are others now, so it has begun anew.")
    return 0


def _more_words(old: Policy, new: Policy) -> str:
    """What has changed of a limit that its own words do not tell."""
    then, now = dict(wire.policy(old)), dict(wire.policy(new))
    fields = ("warning_threshold", "action_threshold", "on_expiry", "rollover",
              "reserved_for_priority")  # fmt: skip
    told = [f"{field.replace('_', ' ')} {_word(now[field])}" for field in fields
            if then[field] != now[field]]  # fmt: skip
    return f"; {', '.join(told)}" if told else ""
