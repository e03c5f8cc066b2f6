"""Operations: what a route asks and answers, as OpenAPI tells it.

Not here: what a field may be (`fields`), and examples (`examples`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from budget.engine.summaries import PERIODS
from budget.http.openapi import problems
from budget.http.openapi.examples import answers_of, asks_of, path_of, query_example
from budget.http.openapi.fields import BLANK, FIELDS, ID, NAME, body_of, one_of
from budget.http.openapi.links import links_of
from budget.http.openapi.parameters import query_of
from budget.http.openapi.replies import REPLIES, answer_of
from budget.http.openapi.schemas import Components, Schema, words
from budget.http.route import V1, Nothing, Route

SHORT: Final = "/api"
_PARAMETER: Final = re.compile(r"\{([a-z_]+)(?::path)?\}")
_HEADER: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Recognises the same request sent again: it gets the first answer.",
    "schema": FIELDS["idempotency_key"],
    "example": "order-4711",
}
_CHOSEN: Final[Schema] = {"type": "object", "description": "With `fields`: only those."}
_WORDS: Final[Mapping[str, Schema]] = {
    "period": one_of(PERIODS), "file": one_of(("docs.js", "docs.css", "icon.svg")),
}  # fmt: skip


def operation_id(route: Route) -> str:
    """A name for a route: `GET /api/v1/budgets/{budget_id}` is `get_budget`."""
    path = route.path
    short = not path.startswith(V1) and path.startswith(SHORT)
    parts = [part for part in path.removeprefix(V1).removeprefix(SHORT).split("/") if part]
    named = []
    for at, part in enumerate(parts):
        if not part.startswith("{"):
            followed = at + 1 < len(parts) and parts[at + 1].startswith("{")
            named.append(_singular(part) if followed else part)
    name = "_".join([route.method.lower(), *(named or ["root"])])
    return re.sub(r"[^a-z0-9]+", "_", name) + ("_short" if short else "")


def template(path: str) -> str:
    """The path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", path)


def operation_of(route: Route, tag: str, components: Components) -> Schema:
    """One operation of the description."""
    name = operation_id(route)
    doc = words(route.doc)
    told: Schema = {
        "operationId": name,
        "tags": [tag],
        "summary": doc.split("\n\n")[0].partition(". ")[0].rstrip(".") + ".",
        "description": _with_right(doc, route),
        "x-required-scope": route.scope,
        "security": [] if route.scope == "open" else [{"bearer": []}, {"key": []}],
    }
    parameters = [
        *_path_parameters(route, name),
        *query_of(route, name, query_example(name)),
    ]
    if "idempotency_key" in route.fields:
        parameters.append(_HEADER)
    if parameters:
        told["parameters"] = parameters
    if route.ask is not Nothing:
        told["requestBody"] = _body(route, name, components)
    told["responses"] = {**_success(route, name, components), **problems.of(route)}
    return told


def _with_right(doc: str, route: Route) -> str:
    if route.scope == "open":
        return f"{doc}\n\nNeeds no key."
    if route.scope == "any":
        return f"{doc}\n\nNeeds a key, with whichever right."
    return f"{doc}\n\nNeeds a key with the right `{route.scope}`."


def _singular(word: str) -> str:
    if word == "usage":
        return "one_usage"
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word.removesuffix("s")


def _path_parameters(route: Route, operation: str) -> list[Schema]:
    examples = path_of(operation)
    parameters: list[Schema] = []
    for name in _PARAMETER.findall(route.path):
        parameter: Schema = {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _name_schema(name),
        }
        if name in examples:
            parameter["example"] = examples[name]
        parameters.append(parameter)
    return parameters


def _name_schema(name: str) -> Schema:
    """What may stand in a path: an id, or a name. Another route's own word goes first."""
    if name in _WORDS:
        return _WORDS[name]
    if name.endswith("_id"):
        return {"type": "string", "pattern": ID}
    return {"type": "string", "pattern": NAME, "not": BLANK}


def _body(route: Route, operation: str, components: Components) -> Schema:
    schema = body_of(route.ask, operation, components)
    content: Schema = {"schema": schema}
    examples = asks_of(operation)
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"required": bool(schema.get("required")), "content": {"application/json": content}}


def _success(route: Route, operation: str, components: Components) -> Schema:
    """Its answers that are no problems."""
    if operation in REPLIES:
        return dict(REPLIES[operation])
    schema = answer_of(operation, route.answer, components)
    if "fields" in route.query:
        schema = {"anyOf": [schema, _CHOSEN]}
    content: Schema = {"schema": schema}
    examples = answers_of(operation)
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    reply: Schema = {
        "description": "It is done." if route.status == 201 else "The answer.",
        "headers": _headers(route),
        "content": {"application/json": content},
    }
    links = links_of(operation)
    return {str(route.status): {**reply, "links": links} if links else reply}


def _headers(route: Route) -> Mapping[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": {"schema": {"type": "string"}}}
    if "idempotency_key" in route.fields:
        headers["Idempotency-Replayed"] = {
            "description": "The answer was given before, for the same key or id.",
            "schema": {"type": "string", "enum": ["true"]},
        }
    return headers
