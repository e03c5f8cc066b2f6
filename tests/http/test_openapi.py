"""The description of the API: every operation is told, and what it tells is so."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from budget.domain.errors import InvalidInput
from budget.engine.settings import Settings
from budget.http.openapi import describe
from budget.http.openapi.examples import STORY, recorded
from budget.http.openapi.operations import operation_id
from budget.http.openapi.problems import CODES
from budget.http.openapi.replies import ITEMS, REPLIES, SHAPES
from budget.http.problems import STATUSES
from budget.http.routes import ROUTES
from tests.http.running import Json, Running, running
from tests.http.storytelling import BY_ID, stage, tell
from tests.support.databases import sqlite_url

API: Json = describe(ROUTES)
OPERATIONS: dict[str, Json] = {
    told["operationId"]: told for place in API["paths"].values() for told in place.values()
}
UNTOLD = {
    "get_login_oidc", "get_login_oidc_callback", "post_logout", "post_channel_delivery_replay",
}  # fmt: skip
"""Operations of a browser that an issuer sent, or that has a session; and of what was delivered."""
ROOT = Path(__file__).parents[2]


def within(schema: Any) -> Json:
    """A schema of the description with the components that it refers to."""
    return {**schema, "components": API["components"]}


def check(schema: Any, value: Any, about: str) -> None:
    """The value is what the schema says."""
    errors = list(jsonschema_rs.Draft202012Validator(within(schema)).iter_errors(value))
    assert not errors, f"{about}: {errors[0]}"


def reply_of(operation: str, status: int) -> Json:
    """What the description tells of an answer."""
    replies = OPERATIONS[operation]["responses"]
    assert str(status) in replies, f"{operation} does not tell of {status}"
    reply: Json = replies[str(status)]
    if "$ref" in reply:
        reply = API["components"]["responses"][reply["$ref"].rpartition("/")[2]]
    return reply


# --- Complete ------------------------------------------------------------------------------------


def test_every_route_is_an_operation_with_a_name_of_its_own_and_its_right() -> None:
    assert len(OPERATIONS) == len(ROUTES)
    for route in ROUTES:
        told = OPERATIONS[operation_id(route)]
        assert told["x-required-scope"] == route.scope
        assert bool(told["security"]) == (route.scope != "open")
        assert told["summary"].endswith(".")
        if route.fields:
            body = told["requestBody"]["content"]["application/json"]["schema"]
            assert body["additionalProperties"] is False


def test_the_description_refers_to_nothing_that_is_not_there() -> None:
    found = json.dumps(API)
    for kind in ("schemas", "responses"):
        for part in found.split(f'"#/components/{kind}/')[1:]:
            assert part.partition('"')[0] in API["components"][kind]
    tables = {*ITEMS, *REPLIES, *SHAPES, *(one.operation for one in STORY)}
    assert tables <= OPERATIONS.keys(), tables - OPERATIONS.keys()


def test_every_schema_is_one_of_json_schema() -> None:
    for schema in API["components"]["schemas"].values():
        jsonschema_rs.meta.validate(within(schema))


def test_every_list_says_what_it_lists() -> None:
    for name, told in OPERATIONS.items():
        reply = next(iter(told["responses"].values()))
        schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
        for one in (schema, *schema.get("anyOf", ())):
            if "next_cursor" in one.get("properties", {}):
                assert one["properties"]["items"]["items"], f"{name}: add it to replies.ITEMS"


def test_every_status_and_every_code_of_an_error_is_told_as_in_the_reference() -> None:
    assert set(STATUSES.values()) <= CODES.keys()
    reference = (ROOT / "docs" / "reference" / "errors.md").read_text()
    told: dict[int, set[str]] = {}
    for statuses, codes in re.findall(r"^\| ([0-9, ]+) \| ([^|]+) \|", reference, re.MULTILINE):
        named = set(re.findall("`([a-z_]+)`", codes))
        found = {int(status) for status in statuses.split(", ")}
        for status in found:
            told.setdefault(status, set()).update(named)
        assert named <= {code for status in found for code in CODES[status]}, "add it to CODES"
    for status, known in CODES.items():
        assert set(known) - {"extra_missing"} <= told[status], status


def test_every_link_leads_to_an_operation_by_a_parameter_that_it_has() -> None:
    found = 0
    for told in OPERATIONS.values():
        for reply in told["responses"].values():
            for link in reply.get("links", {}).values():
                taken = {one["name"] for one in OPERATIONS[link["operationId"]]["parameters"]}
                assert link["parameters"].keys() <= taken
                found += 1
    assert found >= 30


# --- Examples ------------------------------------------------------------------------------------


def test_every_operation_has_an_example_of_a_request_and_of_its_answer() -> None:
    told = {example.operation for example in STORY}
    missing = OPERATIONS.keys() - told - UNTOLD
    assert not missing, f"add an Example to http/openapi/examples.py for {sorted(missing)}"
    for name in told - REPLIES.keys():
        if "openapi" not in name:
            assert name in recorded(), f"run `python -m tests.http.storytelling` to record {name}"


def test_the_examples_are_as_the_schemas_say() -> None:
    for name, told in OPERATIONS.items():
        body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in body.get("examples", {}).values():
            check(body["schema"], example["value"], name)
        for parameter in told.get("parameters", ()):
            if "example" in parameter:
                check(parameter["schema"], parameter["example"], f"{name}.{parameter['name']}")
        for status, reply in told["responses"].items():
            content = reply.get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                check(content["schema"], example["value"], f"{name} {status}")


def test_the_service_takes_every_example_and_answers_as_the_schemas_say(tmp_path: Path) -> None:
    with stage(tmp_path) as service:
        for example, answer in tell(service):
            name = example.operation
            assert answer.status_code < 400, f"{name}: {answer.text}"
            reply = reply_of(name, answer.status_code)
            media = answer.headers.get("content-type")
            assert (media in reply["content"]) if answer.content else "content" not in reply
            if media == "application/json":
                check(reply["content"][media]["schema"], answer.json(), name)
            if "openapi" not in name and name not in REPLIES:
                assert fields(answer.json()) == fields(recorded()[name]), (
                    f"{name} answers other fields: run `python -m tests.http.storytelling`"
                )


def fields(answer: Any) -> set[str]:
    """The names at the top of an answer."""
    return set(answer) if isinstance(answer, dict) else set()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_problem_of_an_unknown_parameter_is_told(shared: Running, name: str) -> None:
    route = BY_ID[name]
    path = route.path.replace("{file}", "docs.js").replace(":path}", "}")
    if "code" in route.query:
        pytest.skip("an issuer may send what it likes")
    answer = shared.client.request(route.method, path, params={"no_such": "1"})
    reply = reply_of(name, answer.status_code)
    assert answer.status_code in (404, 422)
    check(reply["content"][answer.headers["content-type"]]["schema"], answer.json(), name)


# --- Served --------------------------------------------------------------------------------------


def test_the_description_needs_a_key_and_the_page_does_not(shared: Running) -> None:
    assert (
        httpx2.get(f"{shared.url}/api/v1/openapi.json", trust_env=False, verify=False).status_code
        == 401
    )
    told = shared.client.get("/api/v1/openapi.json")
    assert told.headers["content-type"] == "application/json"
    assert told.json() == API
    for path in ("/docs", "/docs/openapi.json", "/docs/docs.js", "/docs/docs.css"):
        assert httpx2.get(shared.url + path, trust_env=False, verify=False).status_code == 200
    assert shared.client.get("/docs/other.js").status_code == 404


def test_a_service_whose_page_is_off_has_none(tmp_path: Path) -> None:
    with running(sqlite_url(tmp_path / "budget.db"), docs=False) as service:
        for path in ("/docs", "/docs/openapi.json", "/docs/docs.js"):
            answer = httpx2.get(service.url + path, trust_env=False, verify=False)
            assert (answer.status_code, answer.json()["code"]) == (404, "no_route")
        assert service.client.get("/api/v1/openapi.json").status_code == 200


@pytest.mark.parametrize(("said", "meant"), [(None, None), ("on", True), ("off", False)])
def test_the_page_is_on_unless_behind_a_proxy_or_as_it_is_said(
    said: str | None, meant: bool | None
) -> None:
    assert Settings.read({} if said is None else {"BUDGET_DOCS": said}).docs is meant


def test_the_page_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(InvalidInput, match="BUDGET_DOCS"):
        Settings.read({"BUDGET_DOCS": "perhaps"})
