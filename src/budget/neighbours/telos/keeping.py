"""Keeping: budgets that belong to requirements, as the books have them, and changed as Telos says.

A budget says so in its metadata: `{"telos": {"project": …, "requirement": …}}` was made for a
requirement, `{"telos": {"project": …}}` asks for one. Not here: what they are to be (`merging`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from budget.domain.attributes import Scope, scope_to_json
from budget.domain.budgets import Budget, Policy, amount_to_json
from budget.engine.balances import read_budgets
from budget.engine.batch import Batch
from budget.engine.budget import AsyncBudget
from budget.engine.job import Job
from budget.engine.rows import to_json
from budget.engine.snapshots import snapshot
from budget.neighbours.telos.requirements import (
    Key,
    Limit,
    Limits,
    Requirement,
    Terms,
    key_of,
    limit_of,
    noted_limits,
)
from budget.storage import schema

FLAG: Final = "telos"

_FLAGGED: Final = (
    select(schema.budgets)
    .where(schema.budgets.c.metadata.contains(f'"{FLAG}"'))
    .order_by(schema.budgets.c.budget_id)
)


class Kept(NamedTuple):
    """A budget that belongs to a project, and the requirement it was made for; None: it is ours."""

    budget: Budget
    project: str
    requirement: str | None

    @property
    def is_live(self) -> bool:
        return self.budget.archived_us is None

    @property
    def limits(self) -> Limits:
        """Its limits in force; of several of the same unit and period the strictest."""
        found: dict[Key, Limit] = {}
        for policy in self.budget.live_policies:
            key, limit = key_of(policy), limit_of(policy)
            found[key] = found[key].with_stricter(limit) if key in found else limit
        return found


async def read_kept(budget: AsyncBudget) -> list[Kept]:
    """All budgets that belong to Telos's projects, the archived ones too, the oldest first."""

    def read() -> list[Budget]:
        with snapshot(budget.books.database) as connection:
            found = [tuple(row) for row in connection.execute(_FLAGGED)]
            return read_budgets(connection, found)

    return [kept for one in await budget.run(Job(read=read)) if (kept := _kept(one)) is not None]


def _kept(budget: Budget) -> Kept | None:
    flag = budget.metadata.get(FLAG)
    if not isinstance(flag, Mapping) or not isinstance(flag.get("project"), str):
        return None
    requirement = flag.get("requirement")
    if requirement is not None and not isinstance(requirement, str):
        return None
    return Kept(budget, flag["project"], requirement)


async def make(
    budget: AsyncBudget, requirement: Requirement, terms: Terms, made_before: int
) -> Budget:
    """A budget for a requirement. Done again after no answer, it is the same budget."""
    named = to_json([requirement.title, *requirement[:2], scope_to_json(terms.scope),
                     noted_limits(terms.limits), made_before])  # fmt: skip
    return await budget.create_budget(
        name=requirement.title,
        description="As a requirement of Telos says.",
        scope=scope_to_json(terms.scope),
        policies=[_asked(key, limit, terms) for key, limit in sorted(terms.limits.items())],
        metadata={FLAG: {
            "project": requirement.project, "requirement": requirement.requirement,
        }},
        backfill=True,
        idempotency_key=f"telos-{hashlib.blake2b(named.encode(), digest_size=16).hexdigest()}",
    )  # fmt: skip


def _asked(key: Key, limit: Limit, terms: Terms) -> Any:
    return {
        **terms.policies.get(key, {}),
        "unit": key[0],
        "period": key[1],
        "limit": amount_to_json(limit.amount, key[0]),
        "enforcement": limit.enforcement,
    }


async def bring(budget: AsyncBudget, kept: Kept, limits: Limits, terms: Terms) -> None:
    """Give a budget these limits: first what is there is changed and what is not is made, then the
    rest is archived, so that at no time there is less than on either side.
    """
    by_key: dict[Key, list[Policy]] = {}
    for policy in kept.budget.live_policies:
        by_key.setdefault(key_of(policy), []).append(policy)
    for key, limit in sorted(limits.items()):
        policies = by_key.get(key)
        if policies is None:
            asked = {**_asked(key, limit, terms), "backfill": True}
            await budget.create_policy(kept.budget.budget_id, **asked)
        elif kept.limits[key] != limit:
            await _change(budget, policies, limit)
    for key, policies in by_key.items():
        if key not in limits:
            await _archive(budget, policies)


async def _archive(budget: AsyncBudget, policies: Iterable[Policy]) -> None:
    for policy in policies:
        await budget.archive_policy(policy.policy_id)


async def _change(budget: AsyncBudget, policies: list[Policy], limit: Limit) -> None:
    """Give a policy a limit; others of the same unit and period that are stricter go."""
    first, *others = policies
    asked: Any = {
        "limit": amount_to_json(limit.amount, first.unit), "enforcement": limit.enforcement,
    }  # fmt: skip
    if limit_of(first) != limit:
        await budget.change_policy(first.policy_id, **asked)
    await _archive(budget, [one for one in others if limit.is_looser_than(limit_of(one))])


async def follow_words(
    budget: AsyncBudget, kept: Kept, requirement: Requirement, scope: Scope
) -> None:
    """Give a budget the name and the scope that its requirement says."""
    changes: dict[str, Any] = {}
    if kept.budget.name != requirement.title:
        changes["name"] = requirement.title
    if kept.budget.scope != scope:
        changes |= {"scope": scope_to_json(scope), "backfill": True}
    if changes:
        await budget.change_budget(kept.budget.budget_id, **changes)


async def alert(budget: AsyncBudget, subject: str, said: str) -> None:
    """Raise an alert about the limits of a requirement, once a day."""

    def change(batch: Batch) -> None:
        batch.alert_subject("requirement_limits", subject, {"said": said})
        batch.write(())

    await budget.run(Job[None](change=change))
