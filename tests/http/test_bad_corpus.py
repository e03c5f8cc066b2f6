"""What no request may say, said to every route: never a 5xx, and nothing of it is written.

The requests are made of the description of the API: each example with one thing in it that its
schema does not allow. So a new route is in here when it is described.
"""

import http.client
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import jsonschema_rs
import pytest

from budget.http.bodies import camel_case
from budget.http.openapi import describe
from budget.http.openapi.examples import STORY, Example, resolved
from budget.http.routes import ROUTES
from tests.http.running import Json, Running
from tests.http.storytelling import BY_ID, stage, tell

API: Final[Json] = describe(ROUTES)
OPERATIONS: Final[dict[str, Json]] = {
    told["operationId"]: told for place in API["paths"].values() for told in place.values()
}
EXAMPLES: Final = {example.operation: example for example in STORY}
MIN_CASES: Final = 5000
A_FIELD: Final = 9
"""How many values each field gets; all fields together get all of them."""

VALUES: Final[tuple[str, ...]] = (
    "true", "0", "-1", "-0.5", "1.5", "1e400", "-1e400", "1e-400", "9223372036854775808",
    "123456789012345678901234567890", "0.0000000001", '""', '" "', '"x"', '"-1"', '"1e3"', '"NaN"',
    '"Infinity"', '"0x10"', '"1,5"', '"\\u0000"', '"a\\u0000b"', '"a\\nb"', '"\\u202e"',
    '"\\ud83d\\ude00"', '"١٢"', '"' + "x" * 5000 + '"', '"2026-02-30T00:00:00Z"', '"yesterday"',
    '"../../etc/passwd"', '"\'; DROP TABLE entries; --"', '"{{7*7}}"', "[]", "[[]]", "[null]",
    '["x", 7]', "{}", '{"x": 1}', '{"\\u0000": 1}', '{"org": {}}', '{"": ""}', '{"org": []}',
    '{"$ref": "#"}', '{"__proto__": 1}',
)  # fmt: skip
"""JSON values that a field may get."""

BODIES: Final[tuple[bytes, ...]] = (
    b"{", b"[]", b"null", b'"x"', b"1", b"true", b"\xff\xfe", b'{"a": 1, "a": 2}', b"{} {}",
    b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999999999999999999999}', b'{"a": 01}',
    b"{'a': 1}",
    b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": "\x00"}', b'\xef\xbb\xbf{"a": 1}', b'{"a": 1,}',
    b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", b'{"a": ' + b"[" * 100_000 + b"}",
    b'{"a": ' + b"9" * 5000 + b"}", b'{"no_such_field": 1}', b'{"__class__": {}}',
)  # fmt: skip
"""Bodies that are no object with fields of ours."""
MEDIA: Final = (
    "text/plain", "application/xml", "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/jsonx",
)  # fmt: skip
QUERIES: Final = (
    "no_such=1", "limit=%ff", "limit=%zz", "%00=1", "=1", "limit=1&limit=2", "a[]=1",
    "%F0%9F%98%80",
    "&".join(f"a{n}=1" for n in range(200)), "fields=%00", "sort=no_such", "cursor=%00",
    "limit=-1", "limit=1e3", "limit=" + "9" * 300,
)  # fmt: skip
NAMES: Final = (
    "%00", "%ff", "%zz", "%20", "%0d%0a", "x" * 600, "%2e%2e", "..%2f..", "'--", "%F0%9F%98%80",
    "no-such-thing", "%C0%AF", "a%2Fb", "{id}", "*",
)  # fmt: skip
HEADERS: Final = (
    {"Idempotency-Key": "x" * 256}, {"Idempotency-Key": "\xe9"}, {"Idempotency-Key": "a\tb"},
    {"X-Filler": "x" * 20_000},
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A bad request."""

    method: str
    path: str
    body: bytes | None = None
    media: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Json]]:
    """A service to which the story was told, and what it answered."""
    with stage(tmp_path_factory.mktemp("bad")) as service:
        heard: Json = {}
        for example, answer in tell(service):
            if answer.headers.get("content-type") == "application/json":
                heard[example.operation] = answer.json()
        yield service, heard


class Wire:
    """A connection that sends what it is told, byte for byte."""

    def __init__(self, service: Running) -> None:
        self._place = urlsplit(service.url)
        self._key = service.key
        self._open()

    def _open(self) -> None:
        self._connection = http.client.HTTPConnection(self._place.netloc, timeout=30)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def status_of(self, case: Case) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        connection = self._connection
        connection.putrequest(case.method, case.path)
        connection.putheader("X-API-Key", self._key)
        for name, value in case.headers:
            connection.putheader(name, value)
        if case.body is not None:
            connection.putheader("Content-Type", case.media)
            connection.putheader("Content-Length", str(len(case.body)))
        connection.endheaders(case.body)
        answer = connection.getresponse()
        said = answer.read()
        if answer.will_close:
            connection.close()
            self._open()
        return answer.status, said


# --- What is sent --------------------------------------------------------------------------------


def bad_values(schema: Json, of_all: Iterator[str]) -> list[str]:
    """Some values that the schema of a field does not allow."""
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": API["components"]})
    found: list[str] = []
    for text in itertools.islice(of_all, len(VALUES)):
        try:
            value = json.loads(text)
        except ValueError:
            continue
        if not validator.is_valid(value):
            found.append(text)
        if len(found) >= A_FIELD:
            break
    return found


def path_of(example: Example, heard: Json) -> str:
    """The path of an example, with the ids of what is there."""
    path = BY_ID[example.operation].path.replace(":path}", "}")
    for name, value in resolved(example.ids, heard).items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/"))
    return path


def bad_bodies(name: str, path: str, heard: Json, values: Iterator[str]) -> Iterator[Case]:
    """The example of a body with one field that cannot be; and bodies that are none."""
    route = BY_ID[name]
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    usual = resolved(EXAMPLES[name].ask or {}, heard)
    for field, allowed in schema["properties"].items():
        for text in bad_values(allowed, values):
            rest = json.dumps({key: one for key, one in usual.items() if key != field})[1:-1]
            body = f"{{{json.dumps(field)}: {text}{', ' if rest else ''}{rest}}}"
            yield Case(route.method, path, body.encode())
        if "_" in field:
            twice = json.dumps({**usual, field: usual.get(field), camel_case(field): None})
            yield Case(route.method, path, twice.encode())
    for field in schema.get("required", ()):
        less = {key: one for key, one in usual.items() if key != field}
        yield Case(route.method, path, json.dumps(less).encode())
    for raw in BODIES:
        yield Case(route.method, path, raw)
    for media in MEDIA:
        yield Case(route.method, path, json.dumps(usual).encode(), media)


def bad_queries(name: str, path: str, values: Iterator[str]) -> Iterator[Case]:
    """Parameters that are not there, or cannot be so."""
    route = BY_ID[name]
    for query in QUERIES:
        # What is called `limit` elsewhere is an unknown parameter here: as bad.
        yield Case(route.method, f"{path}?{query}")
    for parameter in OPERATIONS[name].get("parameters", ()):
        if parameter["in"] != "query" or parameter["schema"].get("type") == "object":
            continue
        schema = {key: one for key, one in parameter["schema"].items() if key != "type"}
        if parameter["schema"].get("type") in ("integer", "boolean"):
            schema = {"pattern": "^[0-9]{1,4}$", "not": {"pattern": "^0*$"}}
        for text in bad_values({"type": "string", **schema}, values):
            value = json.loads(text)
            if isinstance(value, str):
                query = urlencode({parameter["name"]: value}, errors="surrogatepass")
                yield Case(route.method, f"{path}?{query}")


def bad_paths(name: str) -> Iterator[Case]:
    """Ids and names of nothing."""
    route = BY_ID[name]
    if "{" not in route.path:
        return
    before, _, rest = route.path.partition("{")
    after = rest.partition("}")[2].replace("{delivery_id}", "x").replace("{model:path}", "x")
    for part in NAMES:
        yield Case(route.method, f"{before}{part}{after}", None)


def cases_of(name: str, heard: Json, values: Iterator[str]) -> Iterator[Case]:
    """All that is sent to one operation."""
    route = BY_ID[name]
    path = path_of(EXAMPLES.get(name, Example(name)), heard)
    if route.fields:
        yield from bad_bodies(name, path, heard, values)
        body = json.dumps(resolved(EXAMPLES[name].ask or {}, heard)).encode()
        if "idempotency_key" in route.fields:
            for headers in HEADERS:
                yield Case(route.method, path, body, headers=tuple(headers.items()))
    if not route.path.startswith("/login"):
        yield from bad_queries(name, path, values)
    if route.method != "GET" or not route.path.startswith("/api/v1/prices/history"):
        yield from bad_paths(name)


def operations() -> Sequence[str]:
    return sorted(OPERATIONS)


def test_what_cannot_be_is_refused_by_every_route_and_nothing_of_it_is_written(
    told: tuple[Running, Json],
) -> None:
    service, heard = told
    wire = Wire(service)
    values = itertools.cycle(VALUES)
    taken: list[str] = []
    sent = 0
    for name in operations():
        before = service.written()
        for case in cases_of(name, heard, values):
            status, said = wire.status_of(case)
            if not 400 <= status < 500:
                taken.append(f"{name}: {status} for {case}: {said[:300]!r}")
            sent += 1
        if service.written() != before:
            taken.append(f"{name} has written something")
    wire.close()
    assert not taken, "\n".join(taken[:20])
    assert sent >= MIN_CASES, sent
