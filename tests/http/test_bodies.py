"""Bodies are limited, exact and strict: what cannot be read is told of, and never a 500."""

import http.client
import json
import time
from decimal import Decimal
from typing import Any

import pytest

from budget.domain.attributes import CAMEL_CASE, STANDARD
from budget.domain.errors import InvalidInput
from budget.http import bodies
from tests.http.running import Running

PATH = "/allocations"
CALL = '"tokens":1'


def problem(service: Running, content: bytes | str, status: int = 422, **headers: str) -> Any:
    before = service.written()
    answer = service.send("POST", PATH, content, **headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.written() == before
    return answer.json()


# --- Reading -------------------------------------------------------------------------------------


def test_numbers_arrive_exactly() -> None:
    read = bodies.parse_object(b'{"a":0.1,"b":1e400,"c":100000000000000000000000000001,"d":-0.0}')
    assert read == {
        "a": Decimal("0.1"), "b": Decimal("1e400"), "c": 10**29 + 1, "d": Decimal("-0.0"),
    }  # fmt: skip
    assert [type(value) for value in read.values()] == [Decimal, Decimal, int, Decimal]


def test_an_empty_body_is_an_empty_object() -> None:
    assert bodies.parse_object(b"") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b"1", b'"x"', b"null", b"{'a':1}", b'{"a":1}x', b'{"a":1,}', b'{"a":.5}',
        b'{"a":01}', b'{"a":+1}', b'{"a":0x10}', b'{"a":1_000}', b'{"a":NaN}', b'{"a":Infinity}',
        b'{"a":-Infinity}', b'{"a":1e99999999999999999999}', b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":"\x00"}', b'{"a":"\n"}', b'{"a":"\xff"}', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}",
        b'{"a":"\\x41"}', b'{"a":tru}', b"{,}", b"\x00", b'{"a":"\xed\xa0\x80"}', b"[" * 100_000,
        b'{"a":' * 50_000, b" \n",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        bodies.parse_object(content)
    assert caught.value.field == "body"
    assert len(caught.value.detail) < 200


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"


def test_twenty_levels_are_read_and_twenty_one_are_not() -> None:
    assert bodies.parse_object(nested(20))
    with pytest.raises(InvalidInput, match="20 deep"):
        bodies.parse_object(nested(21))
    wide = b'{"a":[' + b",".join(b"{}" for _ in range(1_000)) + b"]}"
    assert len(bodies.parse_object(wide)["a"]) == 1_000
    assert bodies.parse_object(b'{"a":"' + b"[" * 1_000 + b'"}')


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":1,"b":{"c":1,"c":2}}', "c"),
        (b'{"a":[{"d":1,"d":2}]}', "d"),
        (b'{"a":1,"\\u0061":2}', "a"),
    ],
)
def test_a_key_that_comes_twice_is_named(content: bytes, field: str) -> None:
    with pytest.raises(InvalidInput, match="twice") as caught:
        bodies.parse_object(content)
    assert caught.value.field == field


def test_reading_a_usual_body_takes_microseconds() -> None:
    content = json.dumps({"attributes": {"org": "a", "user": "b"}, "tokens": 5}).encode()
    began = time.perf_counter()
    for _ in range(1_000):
        bodies.parse_object(content)
    assert time.perf_counter() - began < 0.1


# --- Spelling ------------------------------------------------------------------------------------


def test_both_spellings_of_a_known_field_are_taken_and_unknown_ones_left() -> None:
    fields = frozenset({"input_tokens", "cache_write_1h_tokens", "model"})
    given = {"inputTokens": 1, "cacheWrite1hTokens": 2, "model": "m", "otherThing": 3}
    assert bodies.in_snake_case(given, fields) == {
        "input_tokens": 1, "cache_write_1h_tokens": 2, "model": "m", "otherThing": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [{"inputTokens": 1, "input_tokens": 1}, {"input_tokens": 1, "inputTokens": 1}],
)
def test_a_field_in_both_spellings_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="twice") as caught:
        bodies.in_snake_case(given, frozenset({"input_tokens"}))
    assert caught.value.field == "input_tokens"


def test_camel_case_is_read_in_bodies_and_within_policies_but_not_in_what_callers_name(
    shared: Running,
) -> None:
    made = shared.post(
        "/budgets",
        {
            "name": "Camel",
            "scope": {"org": "camel"},
            "policies": [
                {
                    "unit": "usd", "period": "monthly", "limit": "5", "resetDay": 15,
                    "warningThreshold": "0.5", "onExpiry": "release",
                    "reservedForPriority": {"8": "10%"},
                }
            ],
            "metadata": {"costCentre": {"innerName": 1}},
        },
    )  # fmt: skip
    (policy,) = made["policies"]
    assert (policy["reset_day"], policy["warning_threshold"]) == (15, "0.5")
    assert (policy["on_expiry"], policy["reserved_for_priority"]) == ("release", {"8": "10%"})
    assert made["metadata"] == {"costCentre": {"innerName": 1}}
    held = shared.post(
        "/allocations",
        {
            "attributes": {"org": "camel", "tag.costCentre": "x"}, "usd": "1", "ttlSeconds": 60,
            "contextId": "c-1", "taskType": "chat", "userId": "ann",
        },
    )  # fmt: skip
    assert held["attributes"]["session"] == "c-1"
    assert held["attributes"]["task_type"] == "chat"
    assert held["attributes"]["user"] == "ann"
    assert held["attributes"]["tag.costCentre"] == "x"
    wrong = problem(shared, '{"attributes":{"costCentre":"x"},"tokens":1}')
    assert wrong["field"] == "attributes"
    assert problem(shared, '{"taskType":"a","task_type":"a","tokens":1}')["field"] == "task_type"
    twice = '{"name":"x","policies":[{"unit":"usd","resetDay":1,"reset_day":1}]}'
    answer = shared.send("POST", "/budgets", twice)
    assert (answer.status_code, answer.json()["field"]) == (422, "policies[0].reset_day")


def test_every_standard_attribute_has_its_other_spelling() -> None:
    both = {bodies.camel_case(name): name for name in STANDARD if "_" in name}
    assert both == CAMEL_CASE == {"taskType": "task_type"}


def test_camel_case_is_read_wherever_an_attribute_is_named(shared: Running) -> None:
    made = shared.post(
        "/budgets",
        {
            "name": "Chat", "scope": {"org": "spelt", "taskType": ["chat", "code"]},
            "per": ["taskType"],
            "policies": [{"unit": "usd", "period": "daily", "limit": "5"}],
        },
    )  # fmt: skip
    assert made["scope"] == {"org": "spelt", "task_type": ["chat", "code"]}
    assert made["per"] == ["task_type"]
    attributes = {"org": "spelt", "taskType": "chat"}
    held = shared.post("/allocations", {"attributes": attributes, "usd": "2"})
    assert held["attributes"]["task_type"] == "chat"
    assert [leg["partition"] for leg in held["legs"]] == [{"task_type": "chat"}]
    path = f"/policies/{made['policies'][0]['policy_id']}/top-ups"
    raised = shared.post(path, {"amount": 1, "reason": "r", "partition": {"taskType": "chat"}})
    assert raised["partition"] == {"task_type": "chat"}
    status = shared.get("/status", org="spelt", taskType="chat")
    assert status["attributes"] == {"org": "spelt", "task_type": "chat"}
    (balance,) = status["balances"]
    assert (balance["reserved"], balance["limit"]) == ("2.00", "6.00")


def test_camel_case_is_read_in_parameters(shared: Running) -> None:
    shared.budget(scope={"org": "query"})
    envelope = shared.post(
        "/allocations", {"attributes": {"org": "query"}, "envelope": True, "usd": "5"}
    )["allocation_id"]
    inside = {"parent_id": envelope, "model": "m", "input_tokens": 1, "max_output_tokens": 1}
    child = shared.post("/allocations", inside)["allocation_id"]
    for name in ("parentId", "parent_id"):
        (listed,) = shared.get("/allocations", **{name: envelope})["items"]
        assert listed["allocation_id"] == child
    shared.post(f"/allocations/{child}/usage", {"input_tokens": 1})
    (record,) = shared.get("/usage", allocationId=child)["items"]
    assert record["allocation_id"] == child


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/allocations?parentId=a&parent_id=a", "parent_id"),
        ("/allocations?parentId=a&parentId=a", "parent_id"),
        ("/allocations?ParentId=a", "ParentId"),
        ("/allocations?parentId=%00", "parent_id"),
        ("/status?taskType=chat&task_type=code", "task_type"),
        ("/status?taskType=", "task_type"),
        ("/status?UserId=ann", "UserId"),
    ],
)
def test_a_parameter_in_both_spellings_or_in_neither_is_refused(
    shared: Running, path: str, field: str
) -> None:
    answer = shared.send("GET", path, "")
    assert (answer.status_code, answer.json()["field"]) == (422, field)


# --- Over HTTP -----------------------------------------------------------------------------------


def test_bad_json_is_422_with_its_place(shared: Running) -> None:
    told = problem(shared, '{"tokens":1,}')
    assert (told["code"], told["field"]) == ("invalid_input", "body")
    assert "column" in told["detail"]
    assert problem(shared, "[1]")["field"] == "body"
    assert problem(shared, nested(21))["field"] == "body"
    assert problem(shared, '{"tokens":1,"tokens":1}')["field"] == "tokens"
    assert problem(shared, b'{"tokens":"\xff"}')["field"] == "body"
    assert problem(shared, '{"tokens":NaN}')["field"] == "body"


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"\\ud800"}', '{"attributes":{"user":"\\uDFFF"}}', '{"allocation_id":"\\ud800"}',
        '{"metadata":{"a":"\\ud800"},"tokens":1}', '{"idempotency_key":"\\ud800","tokens":1}',
        '{"\\ud800":1}', '{"attributes":{"\\ud800":"x"}}', '{"model":"\\ude00\\ud83d"}',
    ],
)  # fmt: skip
def test_half_a_character_is_refused_wherever_it_stands(shared: Running, body: str) -> None:
    assert problem(shared, body)["field"] == "body"


def test_a_whole_character_is_read_however_it_is_written(shared: Running) -> None:
    written = shared.send(
        "POST", PATH, '{"tokens":1,"attributes":{"user":"\\ud83d\\ude00 \\\\ud800"}}'
    )
    assert written.json()["attributes"]["user"] == "\U0001f600 \\ud800"


def padded(size: int) -> bytes:
    return b'{"tokens":1,"metadata":{}' + b" " * (size - 26) + b"}"


def test_a_body_of_256_kilobytes_is_read_and_one_byte_more_is_413(shared: Running) -> None:
    assert len(padded(262_144)) == 262_144
    assert shared.send("POST", PATH, padded(262_144)).status_code == 201
    told = problem(shared, padded(262_145), 413)
    assert told["code"] == "body_too_large"


def raw(service: Running) -> http.client.HTTPConnection:
    host, port = service.url.removeprefix("http://").split(":")
    return http.client.HTTPConnection(host, int(port), timeout=10)


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(shared: Running) -> None:
    connection = raw(shared)
    connection.putrequest("POST", f"/api/v1{PATH}")
    connection.putheader("X-API-Key", shared.key)
    connection.putheader("Content-Length", "99999999999999999999")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 413)  # beyond 64 bits the parser itself refuses
    connection.close()
    connection = raw(shared)
    connection.putrequest("POST", f"/api/v1{PATH}")
    connection.putheader("X-API-Key", shared.key)
    connection.putheader("Content-Length", "10000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    connection.close()


def test_a_body_in_chunks_is_cut_off_when_it_has_become_too_long(shared: Running) -> None:
    connection = raw(shared)
    connection.putrequest("POST", "/api/v1/usage")
    connection.putheader("X-API-Key", shared.key)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    for _ in range(9):  # 9 x 32 KB, and no end
        connection.send(chunk)
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "body_too_large"
    connection.close()


def test_chunks_that_stay_within_the_limit_are_put_together(shared: Running) -> None:
    def parts() -> Any:
        yield b'{"tok'
        yield b'ens":7}'

    answer = shared.client.post("/api/v1/allocations", content=parts())
    assert answer.json()["reserved"]["tokens"] == 7


def test_a_body_that_stops_coming_is_given_up(
    shared: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.1)
    connection = raw(shared)
    connection.putrequest("POST", f"/api/v1{PATH}")
    connection.putheader("X-API-Key", shared.key)
    connection.putheader("Content-Length", "100")
    connection.endheaders()
    connection.send(b"{")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (408, "body_too_slow")
    connection.close()


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 201), ("application/json; charset=utf-8", 201),
        ('Application/JSON;charset="UTF-8"', 201), ("application/vnd.acme+json", 201), ("", 201),
        ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("text/json", 415),
        ("application/json; charset=utf-16", 415), ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415), ("json", 415), (";", 415), ("é", 415),
    ],
)  # fmt: skip
def test_json_is_what_a_body_may_be(shared: Running, media_type: str, status: int) -> None:
    encoded = media_type.encode("latin-1")
    answer = shared.client.post(
        "/api/v1/allocations", content=b'{"tokens":1}', headers=[(b"Content-Type", encoded)]
    )
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["code"] == "unsupported_media_type"


def test_headers_beyond_16_kilobytes_are_431(shared: Running) -> None:
    answer = shared.client.get("/api/v1/status", headers={"X-Long": "x" * 20_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")
