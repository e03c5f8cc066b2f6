"""Changes: what the acts on budgets, policies and top-ups have in common.

A change is run by the ledger alone in its transaction: it looks its subject up in the catalogue,
stores what is new, takes over the next catalogue and writes an entry; under an idempotency key once
only. Not here: what each act does (`budgets`, `policies`, `top_ups`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast

from budget.domain.budgets import Budget, Policy
from budget.domain.errors import Conflict, Forbidden, KeyReused, NotFound
from budget.domain.rights import UNBOUND, Bound, pins, sees_budget
from budget.domain.windows import to_rfc3339
from budget.engine import catalogue_rows
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.fields import parse_idempotency_key, request_hash

T = TypeVar("T")


class Request(NamedTuple):
    """Who asks for which act, and what recognises the same request again."""

    act: str
    actor: str
    key: str | None
    request_hash: str


def requested(act: str, ask: Mapping[str, Any], caller: Caller, *of: str) -> Request:
    """The request for an act on the subject `of`; Forbidden unless the caller manages."""
    if not caller.manage:
        raise Forbidden("This key may not change budgets; use one with the right `manage`.")
    return Request(act, caller.actor, parse_idempotency_key(ask), request_hash(ask, *of))


def once(
    request: Request,
    act: Callable[[Batch], tuple[T, str]],
    present: Callable[[Batch, str], T],
    *,
    catalogue: bool = True,
) -> Callable[[Batch], T]:
    """A change that runs `act` unless its key was used before: then `present` tells what that made.

    `act` answers with the id that `present` needs. One that changes nothing takes no key. A replay
    tells of things as they are now, but for limits, which are those answered then; it is the same
    value (a dataclass or a named tuple) with `replayed` true. Without `catalogue` no budget, policy
    or top-up changes, and no process need load them anew.
    """

    def change(batch: Batch) -> T:
        earlier = recall(batch, request)
        if earlier is not None:
            ref, at_us = earlier
            return _as_answered(present(batch, ref), at_us)
        answer, ref = act(batch)
        if batch.changes.entries:
            if catalogue:
                catalogue_rows.count_up(batch.unit)
            remember(batch, request, ref)
        batch.write(batch.needs.keys)
        return answer

    return change


def recall(batch: Batch, request: Request) -> tuple[str, int] | None:
    """What the request's key refers to and since when, if it was used before; else it is locked.

    KeyReused if that was another request.
    """
    if request.key is None:
        return None
    name = (request.actor, request.act, request.key)
    batch.needs.keys.append((*name, request.request_hash, "", batch.now_us))
    batch.load_keys()
    if name not in batch.keys:
        return None
    earlier_hash, ref, at_us = batch.keys[name]
    if earlier_hash != request.request_hash:
        raise KeyReused("This idempotency key was used before with another payload; use a new key.")
    return ref, at_us


def remember(batch: Batch, request: Request, ref: str) -> None:
    """Let the request's key, if it has one, refer to what was done."""
    if request.key is None:
        return
    name = (request.actor, request.act, request.key)
    batch.keys[name] = (request.request_hash, ref, batch.now_us)
    batch.changes.keys.append((*name, request.request_hash, ref, batch.now_us))


def _as_answered(made: T, at_us: int) -> T:
    """What an earlier command made, with the limits of its time."""
    if isinstance(made, Policy):
        return cast("T", replace(made, limit=made.limit_at(at_us), replayed=True))
    if isinstance(made, Budget):
        policies = tuple(replace(p, limit=p.limit_at(at_us)) for p in made.policies)
        return cast("T", replace(made, policies=policies, replayed=True))
    if isinstance(made, tuple):
        return cast("T", cast("Any", made)._replace(replayed=True))
    return cast("T", replace(cast("Any", made), replayed=True))


def find_budget(batch: Batch, budget_id: str, bound: Bound = UNBOUND) -> Budget:
    """The budget, archived or not, for a caller who may change it.

    NotFound for one that is not there, or that a caller so bound may not see; Forbidden for one
    that it sees, but shares with others.
    """
    found = batch.catalogue.budgets.get(budget_id)
    if found is None or not sees_budget(bound, found):
        raise NotFound("budget", budget_id)
    _check_own(bound, found)
    return found


def find_policy(batch: Batch, policy_id: str, bound: Bound = UNBOUND) -> Policy:
    """The policy, archived or not, as `find_budget` finds its budget."""
    found = batch.catalogue.policies.get(policy_id)
    if found is None:
        raise NotFound("policy", policy_id)
    if bound:
        budget = batch.catalogue.budgets[found.budget_id]
        if not sees_budget(bound, budget):
            raise NotFound("policy", policy_id)
        _check_own(bound, budget)
    return found


def _check_own(bound: Bound, budget: Budget) -> None:
    if not pins(bound, budget.scope):
        raise Forbidden("This budget is shared with others; use a key that is not bound.")


def live_budget(batch: Batch, budget_id: str, bound: Bound = UNBOUND) -> Budget:
    """The budget as `find_budget` finds it, or a Conflict once it is archived."""
    budget = find_budget(batch, budget_id, bound)
    if budget.archived_us is not None:
        raise Conflict(
            f"The budget was archived on {to_rfc3339(budget.archived_us)}; create a new one.",
            code="archived",
        )
    return budget


def live_policy(batch: Batch, policy_id: str, bound: Bound = UNBOUND) -> tuple[Budget, Policy]:
    """The policy as `find_policy` finds it and its budget, or a Conflict once it is archived."""
    policy = find_policy(batch, policy_id, bound)
    if policy.archived_us is not None:
        raise Conflict(
            f"The policy was archived on {to_rfc3339(policy.archived_us)}; create a new one.",
            code="archived",
        )
    return live_budget(batch, policy.budget_id, bound), policy


def with_policies(budget: Budget, changed: Sequence[Policy], now_us: int) -> Budget:
    """The budget with these policies in place of their former selves, or added at the end."""
    policies = {policy.policy_id: policy for policy in (*budget.policies, *changed)}
    return replace(budget, policies=tuple(policies.values()), updated_us=now_us)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs, as `{field: {old, new}}`."""
    return {
        name: {"old": old.get(name), "new": new.get(name)}
        for name in (*old, *(name for name in new if name not in old))
        if old.get(name) != new.get(name)
    }
