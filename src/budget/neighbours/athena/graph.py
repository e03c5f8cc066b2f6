"""The graph of spend: entities and relations made of a picture of the books, each with a digest.

Amounts are text in the unit that stands beside them. Names of keys are not told: neither by scopes
and partitions nor by alerts about a key. Not here: how the picture is taken (`picture`), and how
the graph is sent (`sending`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.answers_usage import Figures
from budget.domain.attributes import scope_to_json
from budget.domain.budgets import Budget, Policy
from budget.domain.entities import ANOMALIES, EntityType, RelationType, entity_id, named
from budget.domain.money import format_fraction, format_usd
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount, partition_of
from budget.neighbours.athena.picture import Picture, Stand, ToldAlert

SHARED: Final = ("component", "model", "provider")
"""Types of entities whose names are everybody's: one of somebody else is left as it is."""
_RELATION: Final = "relation:"


class Entity(NamedTuple):
    """A thing; `properties` are JSON."""

    entity_id: str
    entity_type: str
    name: str
    properties: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What it is kept under."""
        return self.entity_id

    @property
    def shared(self) -> bool:
        """Whether somebody else may have one of this id."""
        return self.entity_type in SHARED


class Relation(NamedTuple):
    """How one entity is related to another; the id follows from that."""

    relation_type: RelationType
    source_id: str
    target_id: str
    properties: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What it is kept under: the same for the same two, so that none is there twice."""
        between = f"{self.source_id}\0{self.target_id}".encode()
        told = hashlib.blake2b(between, digest_size=12).hexdigest()
        return f"{_RELATION}{self.relation_type}:{told}"


Thing = Entity | Relation
Graph = dict[str, Thing]
"""Things by their ids, entities first."""


def is_relation(thing_id: str) -> bool:
    """Whether an id is that of a relation."""
    return thing_id.startswith(_RELATION)


def is_shared(thing_id: str) -> bool:
    """Whether an id may be that of somebody else's entity."""
    return thing_id.partition(":")[0] in SHARED


def digest(thing: Thing) -> str:
    """What tells a thing from the same thing changed."""
    text = json.dumps(thing, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()


def graph_of(picture: Picture) -> Graph:
    """All that should be in the graph, of a picture of the books."""
    entities: Graph = {}
    relations: Graph = {}
    for thing in _things(picture):
        kept = relations if isinstance(thing, Relation) else entities
        kept.setdefault(thing.id, thing)
    return {**entities, **relations}


def _things(picture: Picture) -> Iterator[Thing]:
    for budget in picture.budgets:
        yield from _of_budget(budget, picture)
    for (budget_id, component), used in picture.funded.items():
        yield _name("component", component)
        yield Relation("funds", entity_id("budget", budget_id),
                       entity_id("component", component), _figures(used, picture))  # fmt: skip
    for component, model, provider in picture.spends:
        yield from _offered(model, provider)
        yield _name("component", component)
    for (component, model), used in _by_model(picture).items():
        yield Relation("spends_on", entity_id("component", component),
                       entity_id("model", model), _figures(used, picture))  # fmt: skip
    policies = {one.policy_id for budget in picture.budgets for one in budget.live_policies}
    for alert in picture.alerts:
        yield from _of_alert(alert, policies)


def _name(entity_type: EntityType, key: str) -> Entity:
    return Entity(entity_id(entity_type, key), entity_type, named(entity_type, key), {})


def _offered(model: str, provider: str) -> Iterator[Thing]:
    yield _name("model", model)
    if provider:
        yield _name("provider", provider)
        yield Relation("offered_by", entity_id("model", model), entity_id("provider", provider), {})


# --- Budgets -------------------------------------------------------------------------------------


def _of_budget(budget: Budget, picture: Picture) -> Iterator[Thing]:
    own_id = entity_id("budget", budget.budget_id)
    scope = scope_to_json(tuple(one for one in budget.scope if one.key != "key"))
    told = {"budget_id": budget.budget_id, "scope": scope, "per": list(budget.per)}
    yield Entity(own_id, "budget", budget.name, told)
    for policy in budget.live_policies:
        policy_id = entity_id("policy", policy.policy_id)
        stand = picture.standing.get(policy.policy_id, Stand())
        yield Entity(policy_id, "policy", _policy_name(policy), _policy(policy, stand))
        yield Relation("governed_by", own_id, policy_id, {})


def _policy_name(policy: Policy) -> str:
    return f"{policy.calendar.period.text} {policy.unit} {policy.enforcement}"


def _policy(policy: Policy, stand: Stand) -> dict[str, Any]:
    return {
        "policy_id": policy.policy_id,
        "unit": policy.unit,
        "period": policy.calendar.period.text,
        "enforcement": policy.enforcement,
        "limit": _text(policy.limit, policy.unit),
        "warning_threshold": format_fraction(policy.warning_bps),
        "spent": _text(stand.spent, policy.unit),
        "reserved": _text(stand.reserved, policy.unit),
        "assumed": _text(stand.assumed, policy.unit),
        "balances": stand.balances,
    }


def _text(value: int, unit: str) -> str:
    return str(amount(value, unit))


def _figures(used: Figures, picture: Picture) -> dict[str, Any]:
    """What is told of usage: since which day, and how much."""
    return {
        "since": to_rfc3339(picture.since_us)[:10],
        "cost": format_usd(used.cost_nanos),
        "unit": "usd",
        "requests": used.requests,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
    }


def _by_model(picture: Picture) -> dict[tuple[str, str], Figures]:
    """What components spend on models, whoever offers them and however they are spelled."""
    found: dict[tuple[str, str], Figures] = {}
    spelled: dict[tuple[str, str], tuple[str, str]] = {}
    for (component, model, _), used in picture.spends.items():
        pair = spelled.setdefault((component, entity_id("model", model)), (component, model))
        found[pair] = found.get(pair, Figures()).plus(used)
    return found


# --- Alerts --------------------------------------------------------------------------------------


def _of_alert(told: ToldAlert, policies: Iterable[str]) -> Iterator[Thing]:
    alert = told.alert
    own_id = entity_id("alert", alert.alert_id)
    names_key = _names_key(told)
    properties = {
        "alert_id": alert.alert_id, "kind": alert.kind, "severity": alert.severity,
        "status": alert.status, "at": to_rfc3339(alert.at_us),
        "window_start": to_rfc3339(alert.window_us), **_about(told),
    }  # fmt: skip
    yield Entity(own_id, "alert", alert.kind if names_key else told.message, properties)
    if alert.policy_id in policies:
        yield Relation("raised", entity_id("policy", alert.policy_id), own_id, {})
    if alert.kind in ANOMALIES:
        subject = alert.partition.partition(":")[0] if names_key else alert.partition
        anomaly = entity_id("anomaly", alert.alert_id)
        yield Entity(anomaly, "anomaly", f"{alert.kind} of {subject}", {"kind": alert.kind})
        yield Relation("explains", anomaly, own_id, {})
    for one in told.causes:
        share = {
            "amount": _text(one.amount, told.unit), "unit": told.unit,
            "share": format_fraction(one.share_bps), "rank": one.rank,
        }  # fmt: skip
        component, model = entity_id("component", one.component), entity_id("model", one.model)
        yield _name("component", one.component)
        yield from _offered(one.model, one.provider)
        yield Relation("spends_on", component, model, {})
        if one.of == "component":
            yield Relation("explains", component, own_id, {**share, "model": model})
        else:
            yield Relation("explains", model, own_id, {**share, "component": component})


def _about(told: ToldAlert) -> dict[str, Any]:
    """What an alert is about: the partition of its policy, or its subject, without keys."""
    alert = told.alert
    if not alert.policy_id:
        return {} if _names_key(told) else {"subject": alert.partition}
    parts = partition_of(alert.partition)
    return {"partition": {key: value for key, value in parts.items() if key != "key"}}


def _names_key(told: ToldAlert) -> bool:
    alert = told.alert
    if alert.policy_id:
        return "key" in partition_of(alert.partition)
    return alert.partition.startswith("key:")
