"""Fields: what a body and its fields may be, where the types of asks say less.

A field that is left out and one that is null are the same, so every field that is not required may
be null. What fields mean together (`cache_read_tokens` within `input_tokens`) no schema says: the
service tells of it with 422. Not here: what is checked (`engine.intake`, `engine.fields`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args, get_origin, get_type_hints, is_typeddict

from budget.domain import alerts, events, quiet, windows
from budget.domain.answers_channels import KINDS as CHANNEL_KINDS
from budget.domain.attributes import CAMEL_CASE, STANDARD
from budget.domain.budgets import ENFORCEMENTS, MAX_POLICIES, UNITS
from budget.domain.ladders import MAX_STEPS, STEP, STEPS
from budget.domain.money import MAX_TOKENS
from budget.domain.policy_terms import ENFORCEMENT_ALIASES
from budget.domain.rights import NOT_BOUND_BY
from budget.domain.usage import UNITS as USAGE_UNITS
from budget.engine import task_ways
from budget.engine.alerts.settings import MAX_FACTOR, MIN_FACTOR
from budget.engine.bulk import MAX_RECORDS
from budget.engine.channels.topics import TOPICS
from budget.engine.key_acts import MAX_OVERLAP_SECONDS
from budget.engine.key_acts import MAX_TTL_SECONDS as MAX_KEY_SECONDS
from budget.engine.keys import SCOPES
from budget.engine.requests.acts import MAX_EXPIRES_SECONDS, MIN_EXPIRES_SECONDS
from budget.engine.route_asks import CAPABILITIES, MOST_NAMED
from budget.engine.settings import REFUSAL_STATUSES
from budget.engine.summaries import BUCKETS, MAX_KEYS, PERIODS
from budget.http.openapi.schemas import Components, Schema, nullable, ref, schema_of, words
from budget.prices.schedules import CONTEXT_NAMES
from budget.prices.tiers import TIERS

ID: Final = "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
NAME: Final = "^[^\\x00-\\x1f\\x7f]{1,256}$"
_LINE: Final = "^[^\\x00-\\x1f\\x7f]+$"
_NAMED: Final = "^[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+$"
BLANK: Final[Schema] = {"type": "string", "pattern": "^\\s*$"}
_NOTHING: Final[Schema] = {"anyOf": [{"const": 0}, {"type": "string", "pattern": "^[0.]*$"}]}
_DECIMAL: Final = "(?:\\.[0-9]{1,9}0*)?"


def usd(most: int) -> Schema:
    """An amount of money: a decimal string, or a number with at most nine decimals."""
    digits = len(str(most)) - 1
    below = f"0{{0,{16 - digits}}}[0-9]{{1,{digits}}}{_DECIMAL}"
    pattern = f"^(?:{below}|0{{0,{15 - digits}}}{most}(?:\\.0+)?)$"
    return {
        "anyOf": [
            {"type": "string", "pattern": pattern, "examples": ["0.0048"]},
            {"type": "number", "minimum": 0, "maximum": most},
        ],
        "description": "USD, with at most nine decimals; a string keeps it exact.",
    }


def whole(least: int, most: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most}


def line(most: int) -> Schema:
    """A text without control characters, not blank."""
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": _LINE, "not": BLANK}


def words_of(most: int) -> Schema:
    """A text of several lines, not blank, without NUL."""
    return {**line(most), "pattern": "^[^\\x00]+$"}


def one_of(allowed: Iterable[str]) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(allowed)}


def named(names: Iterable[str], value: Schema) -> Schema:
    """An object of some names, each with a value of the same kind."""
    return {
        "type": "object",
        "properties": dict.fromkeys(names, value),
        "additionalProperties": False,
    }


def list_of(item: Schema, least: int = 0, most: int | None = None, **more: Any) -> Schema:
    """A list."""
    most_of = {} if most is None else {"maxItems": most}
    least_of = {} if not least else {"minItems": least}
    return {"type": "array", "items": item, **least_of, **most_of, **more}


_KEYS: Final = "|".join([*STANDARD, *CAMEL_CASE, "tag\\.[A-Za-z0-9_.-]{1,64}"])
ATTRIBUTE: Final = {"type": "string", "pattern": f"^(?:{_KEYS})$"}
SEVERAL: Final = {"type": "string", "pattern": f"^(?:{_KEYS})(?:,(?:{_KEYS})){{0,7}}$"}
_KINDS: Final = [*ENFORCEMENTS, *ENFORCEMENT_ALIASES]
_PERIODS: Final = [kind for kind in get_args(windows.Kind) if kind != "rolling"]
_PERIOD: Final = f"^(?:{'|'.join(_PERIODS)}|rolling:0*[1-9][0-9]{{0,7}}[smhd])$"
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_COUNT: Final = whole(0, MAX_TOKENS)
_CHOSEN: Final[Schema] = {"type": "string", "pattern": ID}
_KEY: Final[Schema] = {
    "type": "string",
    "pattern": "^[\\x21-\\x7e](?:[\\x20-\\x7e]{0,253}[\\x21-\\x7e])?$",
    "description": "Recognises the request when it is sent again, as does Idempotency-Key.",
}
_CLOCK: Final[Schema] = {"type": "string", "pattern": "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"}
_VALUE: Final = line(256)
_FREE: Final[Schema] = {"type": "object", "description": "Free JSON, at most 4 KB."}
_ATTRIBUTES: Final[Schema] = {
    "type": "object",
    "propertyNames": ATTRIBUTE,
    "additionalProperties": nullable(_VALUE),
}
_SCOPED: Final[Schema] = {
    "type": "string", "minLength": 1, "pattern": "^[^\\x00-\\x1f\\x7f*]{0,255}\\*?$", "not": BLANK,
}  # fmt: skip
_SCOPE: Final[Schema] = {
    "type": "object",
    "description": "attribute: value, values, or the beginning of one with a * behind it.",
    "propertyNames": ATTRIBUTE,
    "additionalProperties": {"anyOf": [_SCOPED, list_of(_SCOPED, 1, 1000)]},
}
_RATE: Final[Schema] = {
    "anyOf": [
        usd(10**6),
        list_of(
            {"type": "array", "prefixItems": [_COUNT, usd(10**6)], "minItems": 2, "maxItems": 2,
             "items": False}, 1, 10,
        ),
    ],
    "description": "USD for a million tokens, or of one of another unit; or tiers of it, by a "
    'call\'s total input tokens: [[0, "1.25"], [200001, "2.50"]].',
}  # fmt: skip

_FRACTION: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": "^(?:0{1,16}(?:\\.[0-9]{1,4}0*)?|0{0,15}1(?:\\.0+)?)$"},
        {"type": "number", "minimum": 0, "maximum": 1},
    ],
    "description": "A part of the limit, with at most four decimals.",
}

FIELDS: Final[Mapping[str, Schema]] = {
    "attributes": _ATTRIBUTES, "bound": _ATTRIBUTES, "scope": _SCOPE,
    "provider": _VALUE, "model": _VALUE, "context_id": _VALUE, "component": _VALUE,
    "task_type": _VALUE, "tier": _VALUE, "user_id": _VALUE, "basis": _VALUE,
    "request": {
        "type": ["string", "array", "object"],
        "description": "The body of the call, its messages, or a text.",
    },
    "input_tokens": _COUNT, "output_tokens": _COUNT, "max_output_tokens": _COUNT,
    "min_output_tokens": _COUNT, "cache_read_tokens": _COUNT, "cache_write_tokens": _COUNT,
    "cache_write_1h_tokens": _COUNT, "reasoning_tokens": _COUNT, "requests": _COUNT,
    "tokens": _COUNT, "tokens_allocated": _COUNT, "expected_tokens_used": _COUNT,
    "units": named(USAGE_UNITS, nullable(_COUNT)),
    "price_context": named(CONTEXT_NAMES, nullable(_VALUE)),
    "usd": usd(10**6), "cost": usd(10**6),
    "allocation_id": _CHOSEN, "usage_id": _CHOSEN, "parent_id": _CHOSEN,
    "ttl_seconds": whole(1, 86_400), "priority": whole(1, 10),
    "idempotency_key": _KEY, "metadata": _FREE,
    "occurred_at": TIME, "at": TIME, "since": TIME, "until": TIME, "starts_at": TIME,
    "ends_at": TIME, "expires_at": TIME, "expiration_time": TIME,
    "reason": words_of(1000), "name": {**line(200), "pattern": _NAMED},
    "description": {"type": "string", "maxLength": 2000, "pattern": "^[^\\x00]*$"},
    "owner": {"type": "string", "maxLength": 200, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$"},
    "per": list_of(ATTRIBUTE, uniqueItems=True),
    "unpriced": {"anyOf": [
        one_of(["refuse", "allow"]),
        {"type": "object", "properties": {"input": usd(10**6), "output": usd(10**6)},
         "required": ["input", "output"], "additionalProperties": False,
         "description": "USD per million tokens."},
    ]},
    "degrade": {
        **list_of({"type": "string", "pattern": STEP}, most=MAX_STEPS, uniqueItems=True),
        "description": f"Names of models, and {', '.join(STEPS)}; refuse comes last.",
        "examples": [["gpt-4o-mini", "smaller", "refuse"]],
    },
    "unit": one_of(UNITS),
    "period": {"type": "string", "pattern": _PERIOD, "description": "rolling: at most 366 days"},
    "limit": {**usd(10**9), "description": "USD for the unit usd, else a count (a number)."},
    "amount": {**usd(10**9), "not": _NOTHING,
               "description": "USD for the unit usd, else a count (a number); above 0."},
    "enforcement": one_of(_KINDS),
    "action_threshold": _FRACTION, "warning_threshold": _FRACTION,
    "timezone": {
        "type": "string", "pattern": "^[A-Za-z0-9_+/-]{1,64}$",
        "description": "IANA name", "examples": ["Europe/Berlin"],
    },
    "reset_day": {"anyOf": [whole(1, 28), one_of(["last"])]},
    "on_expiry": one_of(["assume", "release"]), "rollover": one_of(["none", "unused"]),
    "reserved_for_priority": {
        "type": "object", "propertyNames": {"pattern": "^(?:[2-9]|10)$"},
        "additionalProperties": {
            "type": "string",
            "pattern": "^(?:0{0,14}[0-9]{1,2}(?:\\.[0-9]{1,2}0*)?|0{0,13}100(?:\\.0+)?)%$",
        },
    },
    "scopes": list_of(one_of(SCOPES), 1, 100),
    "max_priority": whole(1, 10),
    "overlap_seconds": whole(0, MAX_OVERLAP_SECONDS),
    "expires_in_seconds": whole(MIN_EXPIRES_SECONDS, MAX_EXPIRES_SECONDS),
    "request_expires_seconds": whole(MIN_EXPIRES_SECONDS, MAX_EXPIRES_SECONDS),
    "refusal_status": {"enum": [*REFUSAL_STATUSES, 402, 429]},
    "how_to_raise": words_of(500),
    "note": words_of(1000),
    "policy_type": one_of(_KINDS),
    "runaway_factor": whole(MIN_FACTOR, MAX_FACTOR),
    "runaway_floor": usd(10**9),
    "off": list_of(one_of(alerts.KINDS)),
    "severities": {
        "type": "object",
        "propertyNames": one_of(alerts.KINDS),
        "additionalProperties": one_of(alerts.SEVERITIES),
    },
    "start_time": TIME, "end_time": TIME, "bucket": one_of(BUCKETS),
    "group_by": {"anyOf": [list_of(ATTRIBUTE, 1, MAX_KEYS, uniqueItems=True), SEVERAL],
                 "description": "Up to 8 attributes: a list, or a text with commas."},
    "max_cost": usd(10**6), "context_size": _COUNT, "output_size": _COUNT,
    "prefer_provider": _VALUE,
    "capability": one_of(CAPABILITIES), "requirements": _FREE,
    "input_text": {"type": "string", "pattern": "^[^\\x00]*$"},
    "providers": list_of(_VALUE, 0, MOST_NAMED),
    "partition": {
        "type": "object", "propertyNames": ATTRIBUTE, "additionalProperties": nullable(_VALUE),
    },
    "input": _RATE, "output": _RATE, "cache_read": _RATE, "cache_write": _RATE,
    "cache_write_1h": _RATE, "reasoning": _RATE,
    "models": {"type": "object", "propertyNames": _VALUE, "additionalProperties": _VALUE,
               "minProperties": 1, "maxProperties": 100},
    "sources": list_of({"type": "string"}, 1),
    "to": {"anyOf": [line(320), list_of(line(320), 1, 20)],
           "description": "`owner`, an address, or up to 20."},
    "url": {"type": "string", "format": "uri", "examples": ["https://hooks.example.com/budget"]},
    "apprise_url": {"type": "string", "description": "What apprise takes, such as slack://…"},
    "wanted": {
        "type": "object",
        "properties": {
            "topics": nullable(list_of(one_of(TOPICS), 0, 100)),
            "kinds": nullable(list_of(one_of(sorted(events.KINDS)), 0, 100)),
            "severities": nullable(list_of(one_of(quiet.SEVERITIES), 0, 100)),
            "budget_id": nullable({**line(200), "pattern": _NAMED}),
            "owner": nullable({**line(200), "pattern": _NAMED}),
            "attributes": nullable(_ATTRIBUTES),
        },
        "additionalProperties": False,
    },
    "quiet": {
        "type": "object",
        "properties": {
            "from": _CLOCK, "to": _CLOCK, "timezone": {"type": ["string", "null"]},
            "days": nullable(list_of(one_of(quiet.DAYS), 1)),
            "min_severity": nullable(one_of([*quiet.SEVERITIES, quiet.NEVER])),
        },
        "additionalProperties": False,
    },
    "digest_seconds": {"anyOf": [whole(10, 604_800), {"const": 0}]},
}  # fmt: skip
"""What a field may be wherever it stands."""

_CALLERS: Final = "|".join(
    [*(name for name in STANDARD if name not in NOT_BOUND_BY), "tag\\.[A-Za-z0-9_.-]{1,64}"]
)
OVERRIDES: Final[Mapping[tuple[str, str], Schema]] = {
    ("PriceAsk", "units"): named(USAGE_UNITS, nullable(_RATE)),
    ("PriceAsk", "request"): usd(10**6),
    ("ChannelAsk", "kind"): one_of(CHANNEL_KINDS),
    ("BulkAsk", "records"): list_of(
        {
            "anyOf": [ref("BulkRecordAsk"), {}],
            "description": "One that breaks a rule is told of in its own result.",
        },
        1,
        MAX_RECORDS,
    ),
    ("BulkAsk", "idempotency_key"): {**_KEY, "pattern": _KEY["pattern"].replace("253", "249")},
    ("AllocationAsk", "budget_id"): _CHOSEN,
    ("ToldUsageAsk", "request_id"): _KEY,
    ("ToldUsageAsk", "operation_id"): _KEY,
    ("BudgetAsk", "policies"): list_of(ref("BudgetPolicyAsk"), 1, MAX_POLICIES),
    ("RouteAsk", "models"): list_of(_VALUE, 0, MOST_NAMED),
    ("SimulateAsk", "budget_id"): nullable(_CHOSEN),
    ("SimulateAsk", "policies"): nullable(list_of(ref("BudgetPolicyAsk"), 1, MAX_POLICIES)),
    ("PlanAsk", "models"): list_of(_VALUE, 1, task_ways.MAX_NAMED),
    ("PlanAsk", "providers"): list_of(_VALUE, 1, task_ways.MAX_NAMED),
    ("PlanAsk", "tasks"): list_of(ref("TaskAsk"), 1, task_ways.MAX_TASKS),
    ("TaskAsk", "id"): _CHOSEN,
    ("TaskAsk", "models"): list_of(_VALUE, 1, task_ways.MAX_NAMED),
    ("TaskAsk", "value"): whole(1, task_ways.MAX_VALUE),
    ("TaskAsk", "values"): {
        "type": "object", "additionalProperties": nullable(whole(1, task_ways.MAX_VALUE)),
        "description": "By tier, or by one of the names in models.",
    },
    ("TaskAsk", "calls"): whole(1, task_ways.MAX_CALLS),
    ("TaskAsk", "min_tier"): one_of(TIERS),
    ("TaskAsk", "needs"): list_of(one_of(task_ways.NEEDS)),
    ("TaskAsk", "project"): _VALUE,
    ("TaskAsk", "requirement"): _VALUE,
    ("ReplayAsk", "since"): {"type": "string", "description": "A time, or a cursor."},
    ("NewKeyAsk", "ttl_seconds"): whole(1, MAX_KEY_SECONDS),
    ("NewKeyAsk", "bound"): {
        "type": "object",
        "propertyNames": {"type": "string", "pattern": f"^(?:{_CALLERS})$"},
        "additionalProperties": nullable(_VALUE),
    },
    ("SummaryAsk", "period"): one_of(PERIODS),
    ("WorkflowAsk", "purpose"): one_of(["check_work"]),
    ("WorkflowAsk", "dest"): one_of(["budget"]),
    ("CorrectAsk", "replacement"): named(
        [
            "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
            "cache_write_1h_tokens", "reasoning_tokens", "requests",
        ],
        nullable(_COUNT),
    ),
}  # fmt: skip
"""What it may be in one ask, by (ask, field)."""
OVERRIDES[("CorrectAsk", "replacement")]["properties"] |= {
    "cost": nullable(usd(10**6)), "units": nullable(FIELDS["units"]),
}  # fmt: skip

REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "post_usage_batch": frozenset({"records"}),
    "post_one_usage_correct": frozenset({"reason"}),
    "post_estimate": frozenset({"request"}),
    "post_budgets": frozenset({"name", "policies"}),
    "post_policies": frozenset({"budget_id", "unit", "period", "limit"}),
    "post_policy_top_ups": frozenset({"amount", "reason"}),
    "put_prices": frozenset({"model", "input", "output", "reason"}),
    "post_prices_override_end": frozenset({"reason"}),
    "post_prices_current": frozenset({"model"}),
    "post_prices_update_accept": frozenset({"reason"}),
    "post_prices_update_reject": frozenset({"reason"}),
    "post_prices_calculate": frozenset({"model"}),
    "post_prices_rerate": frozenset({"since"}),
    "post_prices_whatif": frozenset({"models"}),
    "post_channels": frozenset({"name", "kind"}),
    "post_channel_replay": frozenset({"since"}),
    "post_keys": frozenset({"name", "scopes"}),
    "post_budget_requests": frozenset({"amount", "reason"}),
    "post_request_reject": frozenset({"reason"}),
    "post_limits": frozenset({"period", "limit"}),
    "post_limits_short": frozenset({"period", "limit"}),
    "post_tasks_plan": frozenset({"tasks"}),
    "post_neighbours_rhetor_select": frozenset({"component"}),
    "post_workflow": frozenset({"purpose"}),
}
"""The fields that an operation needs."""

LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "patch_budget": frozenset({"policies"}),
    "put_budget": frozenset({"policies"}),
}
"""Fields of an ask that this operation refuses."""


def body_of(ask: type, operation: str, components: Components) -> Schema:
    """The schema of a body of an operation: the fields of its ask, and no other."""
    required = REQUIRED.get(operation, frozenset())
    left_out = LEFT_OUT.get(operation, frozenset())
    return _fields_of(ask, required, left_out, components)


def _fields_of(
    ask: type, required: frozenset[str], left_out: frozenset[str], components: Components
) -> Schema:
    properties: dict[str, Schema] = {}
    hints = get_type_hints(ask)
    for name, kind in hints.items():
        if name in left_out:
            continue
        schema = _field(ask, name, kind, components)
        properties[name] = schema if name in required else nullable(schema)
    told: Schema = {
        "type": "object",
        "description": words(ask.__doc__),
        "properties": properties,
        "additionalProperties": False,
    }
    needed = [name for name in properties if name in required]
    return {**told, "required": needed} if needed else told


def _field(ask: type, name: str, kind: Any, components: Components) -> Schema:
    override = OVERRIDES.get((ask.__name__, name))
    if override is not None:
        _name_parts(ask.__name__, name, components)
        return override
    if is_typeddict(kind) or (get_origin(kind) is not None and _inner(kind) is not None):
        return schema_of(kind, lambda inner: _named_ask(inner, components))
    return FIELDS.get(name) or schema_of(kind, lambda inner: _named_ask(inner, components))


def _inner(kind: Any) -> type | None:
    """The TypedDict within a list type, if it is one of those."""
    return next((one for one in get_args(kind) if is_typeddict(one)), None)


def _named_ask(ask: type, components: Components) -> Schema:
    name = ask.__name__
    if name not in components.schemas:
        components.schemas[name] = {}
        components.schemas[name].update(_fields_of(ask, frozenset(), frozenset(), components))
    return ref(name)


def _name_parts(ask: str, name: str, components: Components) -> None:
    """Give the components that an override refers to their schemas."""
    from budget.domain.asks import BulkRecordAsk
    from budget.domain.asks_budgets import PolicyAsk
    from budget.domain.asks_plans import TaskAsk

    if (ask, name) == ("BulkAsk", "records"):
        _named_ask(BulkRecordAsk, components)
    elif (ask, name) == ("PlanAsk", "tasks") and "TaskAsk" not in components.schemas:
        needed = frozenset({"id", "input_tokens", "max_output_tokens"})
        components.schemas["TaskAsk"] = _fields_of(TaskAsk, needed, frozenset(), components)
    elif name == "policies" and "BudgetPolicyAsk" not in components.schemas:
        components.schemas["BudgetPolicyAsk"] = _fields_of(
            PolicyAsk,
            frozenset({"unit", "period", "limit"}),
            frozenset({"backfill", "idempotency_key"}),
            components,
        )
