"""`budget set-limit`: how much may be spent in a period, by whom, and what happens beyond.

It finds or makes the budget it speaks of, and in it the policy of that period and unit. Not here:
budgets with several partitions, reset days or rollover, which are made through the API.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.naming import find_budget
from budget.cli.typed import parse_amount, typed_as
from budget.domain import wire
from budget.domain.answers_limits import LimitSet
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import parse_enforcement, parse_unit
from budget.domain.shapes import PolicyShape
from budget.domain.shapes_limits import LimitSetShape
from budget.domain.windows import parse_period, parse_zone
from budget.domain.wire.limits import limit_set
from budget.engine.settings import Settings

if TYPE_CHECKING:
    from budget.domain.facade import Facade

_TYPED: Final = {
    "period": "PERIOD", "limit": "LIMIT", "policy_type": "--policy-type", "unit": "--unit",
    "enforcement": "--policy-type", "warning_threshold": "--warning-threshold",
    "action_threshold": "--action-threshold", "timezone": "--timezone", "name": "--name",
    "policy_id": "--policy-id", "provider": "--provider", "tier": "--tier",
    "component": "--component", "budget_id": "--budget-id", "scope.provider": "--provider",
    "scope.tier": "--tier", "scope.component": "--component",
}  # fmt: skip
"""What the fields of the facade are called here."""

_BEYOND: Final = {
    "ignore": "beyond it nothing happens",
    "warn": "beyond it an alert is raised; --hard refuses calls instead",
    "soft_limit": "beyond it calls go on, with an alert and advice",
    "hard_limit": "beyond it calls are refused",
}

Ask = dict[str, Any]


def set_limit(
    period: str,
    limit: str,
    /,
    *,
    budget_id: str | None = None,
    name: str | None = None,
    provider: str | None = None,
    tier: str | None = None,
    component: str | None = None,
    unit: str = "usd",
    policy_type: str | None = None,
    hard: bool = False,
    warning_threshold: str | None = None,
    action_threshold: str | None = None,
    timezone: str | None = None,
    policy_id: str | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Set how much may be spent in a period, and what happens beyond.

    Parameters
    ----------
    period:
        minute, hourly, daily, weekly, monthly, quarterly, yearly, total, per_session, per_task, or
        rolling:<n> with s, m, h or d.
    limit:
        USD such as 12.50, or a whole number for the other units.
    budget_id:
        The budget to change, by its id or name. Without it, the one of that name and scope is found
        or made.
    name:
        The name of the budget to find or make; "Default Budget" if not given.
    provider:
        Only calls to this provider count.
    tier:
        Only calls of this tier count: local_lightweight, local_midweight, remote_heavyweight.
    component:
        Only calls of this component count.
    unit:
        usd, tokens, input_tokens, output_tokens or requests.
    policy_type:
        ignore, warn, soft_limit or hard_limit; a new limit warns.
    hard:
        The same as --policy-type hard_limit: calls beyond the limit are refused.
    warning_threshold:
        The share of the limit at which to warn, such as 0.8.
    action_threshold:
        The share of the limit at which to act, such as 0.95.
    timezone:
        Where the period begins and ends, such as Europe/Berlin; without it that of BUDGET_TIMEZONE
        or the config file, else UTC.
    policy_id:
        Which limit to change, where a budget has several of that period and unit.
    """
    if budget_id is not None and any((provider, tier, component, name)):
        raise InvalidInput(
            "--budget-id", "names the budget already; leave out --name and whom it is for."
        )
    if hard and policy_type not in (None, "hard_limit"):
        raise InvalidInput("--hard", f"says the opposite of --policy-type {policy_type}.")
    if limit.isalpha() and not period.isalpha():
        raise InvalidInput("PERIOD", f"comes first: `budget set-limit {limit} {period}`.")
    of_unit = parse_unit(unit, "--unit")
    zone = timezone or Settings.read(target=face.target).timezone
    ask: Ask = {
        "period": parse_period(period, "PERIOD").text,
        "unit": of_unit,
        "limit": parse_amount(limit, of_unit, "LIMIT"),
        "enforcement": _enforcement(policy_type, hard),
        "timezone": None if zone == "UTC" and timezone is None else parse_zone(zone, "--timezone"),
        "warning_threshold": warning_threshold,
        "action_threshold": action_threshold,
        "policy_id": policy_id,
        "name": name,
        "provider": provider, "tier": tier, "component": component,
    }  # fmt: skip
    with open_budget(face, create=True) as books, typed_as(**_TYPED):
        if budget_id is not None:
            ask["budget_id"] = find_budget(books, budget_id, "--budget-id").budget_id
        did = _set(books, {field: value for field, value in ask.items() if value is not None})
    if face.json:
        face.print_json(limit_set(did))
    else:
        face.print(told_of(did))
    return 0


def _enforcement(policy_type: str | None, hard: bool) -> str | None:
    if hard:
        return "hard_limit"
    return None if policy_type is None else parse_enforcement(policy_type, "--policy-type")


def _set(books: "Facade", ask: Ask) -> LimitSet:
    """Set the limit; where several are meant, the error says which there are."""
    try:
        return books.set_limit(**ask)
    except InvalidInput as error:
        if error.code != "ambiguous":
            raise
        several = "; ".join(
            f"{policy_id}, {_words(wire.policy(books.policy(policy_id)))}"
            for policy_id in error.allowed
        )
        raise InvalidInput(
            "--policy-id",
            f"must say which of the {ask['period']} limits of {ask['unit']} to change: {several}.",
            code="ambiguous",
        ) from None


def told_of(done: LimitSet) -> str:
    """What was set, in a sentence."""
    did: LimitSetShape = limit_set(done)
    budget, policy = did["budget"], did["policy"]
    beyond = f"{_BEYOND[policy['enforcement']]}."
    name = f"{budget['name']!r} ({budget['budget_id']})"
    if did["did"] == "created_budget":
        return f"Created {name}: {_words(policy)}; {beyond}"
    if did["did"] == "created_policy":
        return f"Added to {name}: {_words(policy)}; {beyond}"
    if did["did"] == "nothing":
        return f"Nothing to change in {name}: {_words(policy)}; {beyond}"
    before = did["before"] or policy
    changes = ", ".join(
        f"{title} from {then} to {now}"
        for (title, then), (_, now) in zip(_facts(before), _facts(policy), strict=True)
        if then != now
    )
    if before["policy_id"] != policy["policy_id"]:
        beyond += " Its windows are others now, so it begins at zero."
    return f"Changed {name}: {changes}. It is now {_words(policy)}; {beyond}"


def _facts(policy: PolicyShape) -> list[tuple[str, str]]:
    """What this command may change, each in words."""
    return [
        ("limit", _amount(policy)),
        ("enforcement", policy["enforcement"]),
        ("warning threshold", policy["warning_threshold"]),
        ("action threshold", policy["action_threshold"]),
        ("time zone", policy["timezone"]),
    ]


def _words(policy: PolicyShape) -> str:
    zone = "" if policy["timezone"] == "UTC" else f", {policy['timezone']}"
    return f"{_amount(policy)} {policy['period']} ({policy['enforcement']}{zone})"


def _amount(policy: PolicyShape) -> str:
    return f"{policy['limit']} {'USD' if policy['unit'] == 'usd' else policy['unit']}"
