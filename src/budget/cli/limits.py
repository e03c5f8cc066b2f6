"""`budget set-limit`: how much may be spent in a period, by whom, and what happens beyond.

It finds or makes the budget it speaks of, and in it the policy of that period and unit. Not here:
budgets with several partitions, reset days or rollover, which are made through the API.
"""

from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli.books import Books, open_books
from budget.cli.face import Face
from budget.domain.attributes import parse_value
from budget.domain.budgets import Unit, parse_enforcement, parse_limit, parse_thresholds, parse_unit
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.money import format_usd
from budget.domain.shapes import BudgetShape, PolicyShape
from budget.domain.windows import parse_period, parse_zone

DEFAULT_NAME: Final = "Default Budget"
DEFAULT_ENFORCEMENT: Final = "warn"

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
        The budget to change. Without it, the one of that name and scope is found or made.
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
        Where the period begins and ends, such as Europe/Berlin; UTC if not given.
    policy_id:
        Which limit to change, where a budget has several of that period and unit.
    """
    scope = _scope(provider=provider, tier=tier, component=component)
    if budget_id is not None and (scope or name):
        raise InvalidInput(
            "--budget-id", "names the budget already; leave out --name and whom it is for."
        )
    if hard and policy_type not in (None, "hard_limit"):
        raise InvalidInput("--hard", f"says the opposite of --policy-type {policy_type}.")
    asked = _policy(period, limit, unit, "hard_limit" if hard else policy_type, timezone)
    asked |= _thresholds(warning_threshold, action_threshold)
    with open_books(face, create=True) as books:
        if budget_id is not None:
            budget: BudgetShape | None = books.budget(budget_id)
        else:
            budget = _find(books, name or _name(scope), scope)
        policy = _same(budget, asked, policy_id)
        did = _set(books, budget, policy, name or _name(scope), scope, asked)
    if face.json:
        face.print_json(did)
    else:
        face.print(_told(did))
    return 0


def _scope(**given: str | None) -> dict[str, str]:
    return {
        key: parse_value(value, f"--{key}") for key, value in given.items() if value is not None
    }


def _name(scope: dict[str, str]) -> str:
    """A name of its own for each scope, so that the same words find the same budget again."""
    if not scope:
        return DEFAULT_NAME
    return f"{DEFAULT_NAME} ({', '.join(f'{key} {value}' for key, value in scope.items())})"


def _policy(
    period: str, limit: str, unit: str, enforcement: str | None, timezone: str | None
) -> Ask:
    """What was asked, checked here so that an error names what was typed."""
    of_unit = parse_unit(unit, "--unit")
    asked: Ask = {
        "period": parse_period(period, "PERIOD").text,
        "unit": of_unit,
        "limit": _limit(limit, of_unit),
    }
    if enforcement is not None:
        asked["enforcement"] = parse_enforcement(enforcement, "--policy-type")
    if timezone is not None:
        asked["timezone"] = parse_zone(timezone, "--timezone")
    return asked


def _limit(text: str, unit: Unit) -> str | int:
    if unit == "usd":
        return format_usd(parse_limit(text, unit, "LIMIT"))
    if not text.isascii() or not text.isdigit():
        raise InvalidInput("LIMIT", f"must be a whole number of {unit}, such as 100000.")
    return parse_limit(int(text[:40]), unit, "LIMIT")


def _thresholds(warning: str | None, action: str | None) -> Ask:
    try:
        parse_thresholds(warning, action, "--")
    except InvalidInput as error:
        option = error.field.replace("_", "-")
        said = error.detail.removeprefix(f"{error.field}: ")
        raise InvalidInput(option, said.replace("action_threshold", "--action-threshold")) from None
    given = {"warning_threshold": warning, "action_threshold": action}
    return {field: value for field, value in given.items() if value is not None}


def _find(books: Books, name: str, scope: dict[str, str]) -> BudgetShape | None:
    named = [budget for budget in books.budgets() if budget["name"] == name]
    for budget in named:
        if budget["scope"] == scope and not budget["per"]:
            return budget
    if named:
        raise InvalidInput(
            "--name",
            f"{name!r} ({named[0]['budget_id']}) is there, but for other calls. Name it with "
            "--budget-id, or choose another name.",
            code="other_scope",
        )
    return None


def _set(
    books: Books,
    budget: BudgetShape | None,
    policy: PolicyShape | None,
    name: str,
    scope: dict[str, str],
    asked: Ask,
) -> Ask:
    fresh = {"enforcement": DEFAULT_ENFORCEMENT, **asked}
    if budget is None:
        made = books.create_budget({"name": name, "scope": scope, "policies": [fresh]})
        return {"did": "created_budget", "budget": made, "policy": made["policies"][0]}
    if policy is None:
        new = books.create_policy(budget["budget_id"], fresh)
        return {"did": "created_policy", "budget": budget, "policy": new}
    changes = {
        field: value
        for field, value in asked.items()
        if field not in ("unit", "period") and not _equal(policy, field, value)
    }
    if not changes:
        return {"did": "nothing", "budget": budget, "policy": policy}
    changed = books.change_policy(policy["policy_id"], changes)
    return {"did": "changed_policy", "budget": budget, "policy": changed, "before": policy}


class NoSuchLimit(NotFound):
    """The budget has no limit of that id, period and unit."""

    def __init__(self, policy_id: str, asked: Ask) -> None:
        super().__init__("policy", policy_id)
        self.detail = (
            f"There is no {asked['period']} limit of {asked['unit']} {policy_id!r} in this budget. "
            "`budget status --json` tells the ids of policies."
        )


def _same(budget: BudgetShape | None, asked: Ask, policy_id: str | None) -> PolicyShape | None:
    """The policy in force of that unit and period; of several, that of the id, or of the zone."""
    found = [
        policy
        for policy in ([] if budget is None else budget["policies"])
        if policy["archived_at"] is None
        and policy["unit"] == asked["unit"]
        and policy["period"] == asked["period"]
    ]
    if policy_id is not None:
        for policy in found:
            if policy["policy_id"] == policy_id:
                return policy
        raise NoSuchLimit(policy_id, asked)
    if len(found) <= 1:
        return found[0] if found else None
    of_zone = [policy for policy in found if policy["timezone"] == asked.get("timezone")]
    if len(of_zone) == 1:
        return of_zone[0]
    several = "; ".join(f"{policy['policy_id']}, {_words(policy)}" for policy in found)
    raise InvalidInput(
        "--policy-id",
        f"must say which of the {asked['period']} limits of {asked['unit']} to change: {several}.",
        code="ambiguous",
    )


def _equal(policy: PolicyShape, field: str, value: object) -> bool:
    now = dict(policy)[field]
    if field in ("warning_threshold", "action_threshold"):
        return float(str(now)) == float(str(value))
    return now == value


def _told(did: Ask) -> str:
    budget, policy = did["budget"], did["policy"]
    beyond = f"{_BEYOND[policy['enforcement']]}."
    name = f"{budget['name']!r} ({budget['budget_id']})"
    if did["did"] == "created_budget":
        return f"Created {name}: {_words(policy)}; {beyond}"
    if did["did"] == "created_policy":
        return f"Added to {name}: {_words(policy)}; {beyond}"
    if did["did"] == "nothing":
        return f"Nothing to change in {name}: {_words(policy)}; {beyond}"
    before = did["before"]
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
