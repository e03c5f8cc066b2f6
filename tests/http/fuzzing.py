"""Fuzzing: schemathesis run over a real service by its own engine, every check on.

    python -m tests.http.fuzzing 50 [operation ...]

Not here: which tests run it, and how long (`test_schemathesis.py`).
"""

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from budget.http.openapi import tag_of
from budget.http.openapi.operations import operation_id
from budget.http.routes import ROUTES
from tests.http.keeping import kept_strategies, rare_collections
from tests.http.running import Running
from tests.http.storytelling import stage

IN_TESTS: Final = 200
"""Examples an operation in `make test`."""
IN_FAULTS: Final = 5_000
SCENARIOS: Final = 100
"""Chains of calls in `make test`; in `make faults` as many as examples of an operation."""

TAGS: Final = frozenset({
    "allocations", "usage", "check", "estimate", "budgets", "policies", "status", "limits",
    "requests", "short paths",
})  # fmt: skip
SPENDING: Final = [operation_id(route) for route in ROUTES if tag_of(route) in TAGS]
"""The operations of spending and its limits."""
OTHERS: Final = [operation_id(route) for route in ROUTES if tag_of(route) not in TAGS]

WORDS: Final = {part for route in ROUTES for part in route.path.split("/") if "{" not in part}

OVER: Final = ("archived_at", "revoked_at", "ended_at", "dismissed_at")
"""What tells of a thing that it is over: nothing that was counted in the books is taken out."""

ANSWERS_TO_VALID: Final = ["2xx", "3xx", "401", "402", "403", "404", "409", "429"]
"""402 and 429: refusing what a limit does not allow is what the service is for."""

RULES: Final = (
    # what is opaque, and what came before
    "is not a cursor", "differs from the header Idempotency-Key", "was used before with another",
    "is not the id of a budget", "names no budget that counts such a call",
    # between fields: what is required by itself, the schemas say
    "is required", "must include the", "together must be at most",
    "give one of them", "give either", "give apply with it", "give it to the calls",
    "is stated beside", "differs from attributes", "in both spellings", "given twice",
    "exchanges .* twice", "names an attribute twice", "names the budget already",
    "needs an estimate", "needs an amount", "needs ttl_seconds", "needs a model",
    "an envelope cannot", "and an envelope is for several", "must not be above",
    "must lie before until", "must be after the start", "rolls nothing over",
    "goes without an allocation_id", "needs policies to try", "leave out policies",
    "is not what this policy splits", "would make more than", "is no field of the answer",
    "only a monthly policy", "each tier must", "tiers must", "must be stated: policy",
    "is there, but for other calls", "must say which of", "at most what was asked for",
    "does not change; make another",
    "is none of the kinds of these", r"may have a \* at its end only",
    # of a tool that the path or the body names: its own schema says
    "is not an argument of this tool", "must be a text", "must be true or false",
    # of the calendar, and of now
    "must lie in the years", "must lie in the future", "must not lie in the past",
    "is not a date", "ahead", "a rolling period lasts", "IANA name",
    # of amounts
    "would make a hold of", "decimals", "must not be negative", "must be a whole number such as",
    "must be at most 10+",
    # of where a channel leads, which is a URL or an address
    r"^(url|to|apprise_url)\b",
    # of what is left when blanks around a value are left away
    r"^scope\..* must have 1 to 256 characters",
    # a time or a cursor
    "^since: must be an RFC 3339",
    "is required beside the right",
    # of tasks to plan
    "is neither a tier nor one of the models", "is there twice",
    # of the operator's settings and books
    "email needs BUDGET_SMTP_URL", "is not configured", "is not a source", "cannot be read",
)  # fmt: skip
"""What no JSON Schema can say: why a request may be refused that is as the schemas say."""

_RULE: Final = re.compile("|".join(RULES))


class Found(NamedTuple):
    """What a run found, and how much it sent."""

    failures: dict[str, str]
    requests: Counter[str]
    errors: list[str]


def config(examples: int, seed: int) -> SchemathesisConfig:
    """Every phase, every check, nothing left out."""
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "generation": {
                "max-examples": examples,
                "database": "none",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "max-stream-events": 1,
            "phases": {
                "stateful": {
                    "max-steps": 8,
                    "generation": {"max-examples": examples if examples > IN_TESTS else SCENARIOS},
                }
            },
            "checks": {"positive_data_acceptance": {"expected-statuses": ANSWERS_TO_VALID}},
        }
    )


def fuzz(service: Running, examples: int, *, seed: int = 1, only: Sequence[str] = ()) -> Found:
    """Send what schemathesis makes of the description; every failure with how to send it again."""
    headers = {"Authorization": f"Bearer {service.key}"}
    schema: Any = schemathesis.openapi.from_url(
        f"{service.url}/api/v1/openapi.json", headers=headers, config=config(examples, seed)
    )
    schema.config.update(headers=headers)
    if only:
        schema = schema.include(operation_id=list(only))
    schema.hook(filter_failure)
    found = Found({}, Counter(), [])
    sparing = _sparing(service.key)
    schemathesis.hook(sparing)
    try:
        with kept_strategies(), rare_collections():
            for event in from_schema(schema).execute():
                _note(event, found)
    finally:
        schemathesis.hooks.unregister(sparing)
    return found


def check(found: Found, operations: Sequence[str]) -> None:
    """Nothing was found, and every operation was sent something."""
    told = [f"### {label}\n{words}" for label, words in found.failures.items()]
    assert not told, "\n\n".join(told[:20])
    assert not found.errors, "\n".join(found.errors[:20])
    assert len(found.requests) >= len(operations)


def _sparing(key: str) -> Any:
    """A hook that keeps the run from revoking its own key, and from taking one path for another."""
    own = f"key_{key.split('_')[1]}"

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        del context, kwargs
        for name, value in (case.path_parameters or {}).items():
            # Where another route has a word, the word goes first: it is no value there.
            if value == own or value in WORDS:
                case.path_parameters[name] = "of-nobody"

    return before_call


def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one: a rule that no schema can say is none, nor that what was deleted is
    still read as what is over: its books stay.
    """
    del context
    if isinstance(failure, UseAfterFree):
        told = json.loads(response.content)
        chosen = "fields" in (case.query or {})  # and perhaps not that which tells that it is over
        return not chosen and "items" not in told and not any(told.get(name) for name in OVER)
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    return _RULE.search(_detail(response.content)) is None


def _note(event: events.EngineEvent, found: Found) -> None:
    if isinstance(event, events.ScenarioFinished):
        _note_scenario(event, found)
    elif isinstance(event, events.NonFatalError):
        found.errors.append(f"{event.label}: {event.value!r}")
    elif isinstance(event, events.FatalError):
        raise event.exception


def _note_scenario(event: events.ScenarioFinished, found: Found) -> None:
    recorder = event.recorder
    for case_id, node in recorder.cases.items():
        if case_id in recorder.interactions:
            found.requests[node.value.operation.label] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.failure_info is None:
                continue
            failure = check.failure_info.failure
            label = f"{check.name}: {node.value.operation.label}"
            response = recorder.interactions[case_id].response
            said = b"" if response is None or response.content is None else response.content
            found.failures.setdefault(
                f"{label}: {_kind(said)}",
                f"{event.phase.value}: {failure.title}: {failure.message[:600]}\n{said[:600]!r}\n"
                f"{check.failure_info.code_sample[:900]}",
            )


def _detail(said: bytes) -> str:
    """What a problem says in its one sentence."""
    try:
        told = json.loads(said)
    except ValueError:
        return ""
    return str(told.get("detail", "")) if isinstance(told, dict) else ""


def _kind(said: bytes) -> str:
    """The same without what differs from one to the next."""
    return re.sub(r"'.*?'|[0-9]+", "…", _detail(said))[:120]


def main(examples: int, only: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as service:
        found = fuzz(service, examples, only=only)
    for label, told in found.failures.items():
        sys.stdout.write(f"### {label}\n{told}\n\n")
    for error in found.errors:
        sys.stdout.write(f"!!! {error}\n")
    sys.stdout.write(f"{sum(found.requests.values())} requests, {len(found.failures)} failures\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
