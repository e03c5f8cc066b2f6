"""POST /usage/batch: many usage records, each with its own status or problem."""

from typing import Any

from tests.http.running import Running


def used(name: str, tokens: int = 1, **more: Any) -> dict[str, Any]:
    """A record of some input tokens, each 2,500 nanos."""
    return {"usage_id": name, "model": "m", "input_tokens": tokens, "output_tokens": 0, **more}


def spent(service: Running) -> str:
    """What the one budget has spent."""
    (balance,) = service.get("/status")["balances"]
    return str(balance["spent"])


def test_each_record_has_its_own_status_and_a_problem_names_its_field(service: Running) -> None:
    service.budget()
    held = service.post("/allocations", {"model": "m", "input_tokens": 9, "max_output_tokens": 0})
    told = service.post(
        "/usage/batch",
        {
            "records": [
                used("u0", 4),
                used("u1", -1),
                {"usageId": "u2", "inputTokens": 2, "allocationId": held["allocation_id"]},
                used("u3", 1, units={"inputAudioTokens": 2}),
                used("u4", 1, occurred_at="2199-01-01T00:00:00Z"),
            ]
        },
        status=200,
    )
    assert (told["accepted"], told["failed"]) == (2, 3)
    assert told["results"][0] == {
        "index": 0, "status": 201, "usage_id": "u0", "allocation_id": None, "cost": "0.00001",
        "flags": ["unreserved"], "replayed": False, "problem": None,
    }  # fmt: skip
    assert told["results"][2]["allocation_id"] == held["allocation_id"]
    problems = [told["results"][at]["problem"] for at in (1, 3, 4)]
    assert [told["results"][at]["status"] for at in (1, 3, 4)] == [422, 422, 422]
    assert [problem["field"] for problem in problems] == [
        "records[1].input_tokens", "records[3].input_tokens", "records[4].occurred_at",
    ]  # fmt: skip
    assert problems[0]["type"] == "urn:budget:problem:invalid_input"
    assert spent(service) == "0.000015"  # 6 tokens at 2,500 nanos


def test_a_batch_that_is_sent_again_says_so_and_books_nothing(service: Running) -> None:
    service.budget()
    body = {"records": [{"model": "m", "input_tokens": 4}, {"model": "m", "input_tokens": 4}]}
    send: Any = {"json": body, "headers": {"Idempotency-Key": "monday"}}
    first = service.client.post("/api/v1/usage/batch", **send)
    again = service.client.post("/api/v1/usage/batch", **send)
    assert [result["status"] for result in first.json()["results"]] == [201, 201]
    assert [result["status"] for result in again.json()["results"]] == [200, 200]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert spent(service) == "0.00002"


def test_a_record_spends_as_the_key_that_sent_it(fresh: Running) -> None:
    fresh.budget()
    fresh.post("/usage/batch", {"records": [used("u0")]}, status=200)
    record = fresh.get("/usage/u0")
    assert record["attributes"]["key"] == record["actor"]


def test_a_body_of_two_megabytes_is_taken_and_one_of_five_is_not(fresh: Running) -> None:
    fresh.budget()
    note = {"note": "x" * 2000}
    records = [used(f"u{n}", 1, metadata=note) for n in range(1000)]
    told = fresh.post("/usage/batch", {"records": records}, status=200)
    assert (told["accepted"], told["failed"]) == (1000, 0)
    assert spent(fresh) == "0.0025"
    padded = {"records": [{**record, "metadata": {"note": "x" * 5000}} for record in records]}
    answer = fresh.client.post("/api/v1/usage/batch", json=padded)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_request_that_is_wrong_as_a_whole_books_nothing(fresh: Running) -> None:
    fresh.budget()
    before = fresh.written()
    wrong: list[Any] = [
        {}, {"records": []}, {"records": {}}, {"records": "u"}, {"records": None},
        {"records": [used(f"u{n}") for n in range(1001)]},
        {"records": [used("u0")], "colour": "red"},
        {"records": [{**used("u0"), "usageId": "u1"}]},
        {"records": [used("u0")], "idempotency_key": "k" * 255},
        {"records": [used("u0")], "idempotency_key": 7},
    ]  # fmt: skip
    for body in wrong:
        answer = fresh.client.post("/api/v1/usage/batch", json=body)
        assert answer.status_code == 422, body
    assert fresh.written() == before


def test_what_no_record_can_be_is_told_for_each_and_books_nothing(fresh: Running) -> None:
    fresh.budget()
    before = fresh.written()
    wrong: list[Any] = [
        None, 7, "u", [], {}, {"usage_id": ""}, used("u", attributes=[]), used("u", attributes=7),
        used("u", attributes={"team": 7}), used("u", metadata="x"), used("u", units=[]),
        used("u", units={"nanos": 1}), used("u", cost="NaN"), used("u", cost=-1),
        used("u", allocation_id=""), used("u", allocation_id=7), used("u", allocation_id="none"),
        used("u", final=True), used("u", colour=1), used("u\x00"), used("u", 10**13),
        used("u", price_context=[]), used("u", occurred_at="now"), used("u", self=1),
        used("u", idempotency_key=""), used("u", model=""),
    ]  # fmt: skip
    told = fresh.post("/usage/batch", {"records": wrong}, status=200)
    assert [wrong[at] for at, one in enumerate(told["results"]) if one["status"] < 400] == []
    assert (told["accepted"], told["failed"]) == (0, len(wrong))
    assert {result["status"] for result in told["results"]} == {404, 422}
    assert fresh.written() == before


def test_the_records_of_a_bound_key_are_its_own(fresh: Running) -> None:
    fresh.budget(scope={"team": "a"})
    foreign = {"attributes": {"team": "b"}, "model": "m", "input_tokens": 9, "max_output_tokens": 0}
    held = fresh.post("/allocations", foreign)["allocation_id"]
    made = fresh.post("/keys", {"name": "a", "scopes": ["spend"], "bound": {"team": "a"}})
    records = [
        used("u0", 4), used("u1", 4, attributes={"team": "b"}),
        {"usage_id": "u2", "allocation_id": held, "input_tokens": 1},
        {"usage_id": "u3", "allocation_id": "alloc_none", "input_tokens": 1},
    ]  # fmt: skip
    answer = fresh.client.post(
        "/api/v1/usage/batch", json={"records": records}, headers={"X-API-Key": made["key"]}
    )
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 403, 404, 404]
    told = [result["problem"]["detail"] for result in results[2:]]
    assert told[0].replace(held, "alloc_none") == told[1]
    assert fresh.get("/usage/u0")["attributes"]["team"] == "a"
