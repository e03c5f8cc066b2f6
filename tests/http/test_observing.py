"""Observing: requests have ids, which logs and answers share; of what is sent nothing is logged."""

import json
import re
from pathlib import Path

import httpx2
import pytest
import structlog

from budget.http.logs import REQUEST_ID, _with_request_id
from budget.http.observing import Observer
from budget.http.problems import Reply
from tests.http.running import Running, running
from tests.support.command import start_service, stop_service
from tests.support.databases import sqlite_url


def test_every_answer_has_an_id_of_its_own(shared: Running) -> None:
    paths = ("/health", "/api/v1/budgets", "/api/v1/budgets/none", "/api/v1/nothing?x=%00")
    ids = [shared.client.get(path).headers.get("x-request-id") for path in paths[:3]]
    assert len(set(ids)) == 3
    assert all(id is not None and re.fullmatch(r"req_[a-z0-9]+_[0-9a-f]+", id) for id in ids)


def test_an_id_that_the_caller_has_given_is_kept(shared: Running) -> None:
    answer = shared.client.get("/health", headers={"X-Request-Id": "job-7:3.1_a"})
    assert answer.headers["x-request-id"] == "job-7:3.1_a"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'q"', "{}", "é"])
def test_one_that_is_not_fit_for_a_log_is_not(shared: Running, given: str) -> None:
    answer = shared.client.get("/health", headers={b"X-Request-Id": given.encode()})
    assert answer.headers["x-request-id"].startswith("req_")


def scope(method: str = "POST", **headers: str) -> dict[str, object]:
    named = [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()]
    return {"type": "http", "method": method, "headers": named, "budget.actor": "key_1"}


def test_the_access_log_says_which_route_and_not_which_path() -> None:
    observer = Observer("abc", access=True)
    with structlog.testing.capture_logs() as logged:
        seen = observer.begin(scope(), "/api/v1/budgets/{budget_id}")
        observer.end(seen, scope(), "/api/v1/budgets/{budget_id}", Reply(200, b""))
    (line,) = logged
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "answered", "log_level": "info", "method": "POST", "status": 200,
        "route": "/api/v1/budgets/{budget_id}", "actor": "key_1",
    }  # fmt: skip


def test_without_it_only_what_failed_is_logged() -> None:
    observer = Observer("abc")
    with structlog.testing.capture_logs() as logged:
        for status in (200, 404, 402, 500):
            seen = observer.begin(scope(), "/x")
            observer.end(seen, scope(), "/x", Reply(status, b""))
    assert [line["status"] for line in logged] == [500]


def test_lines_say_which_request_they_are_of() -> None:
    observer = Observer("abc")
    observer.begin(scope(x_request_id="mine"), "/x")
    assert _with_request_id(None, "info", {"event": "e"})["request_id"] == "mine"
    REQUEST_ID.set("")
    assert "request_id" not in _with_request_id(None, "info", {"event": "e"})


def test_a_service_logs_json_lines_with_ids_and_no_secrets(tmp_path: Path) -> None:
    served = start_service(tmp_path, BUDGET_ACCESS_LOG="on")
    try:
        httpx2.get(
            f"{served.url}/api/v1/status?team=secret-team", trust_env=False, verify=False,
            headers={"X-API-Key": served.key, "X-Request-Id": "here-1"},
        )  # fmt: skip
    finally:
        stop_service(served)
    heard = (tmp_path / "service.log").read_text()
    (line,) = [json.loads(one) for one in heard.splitlines() if '"here-1"' in one]
    assert (line["event"], line["status"], line["route"]) == ("answered", 200, "/api/v1/status")
    assert line["timestamp"].endswith("Z")
    assert line["level"] == "info"
    assert "secret-team" not in heard
    assert served.key not in heard


def test_an_error_nobody_foresaw_is_logged_under_the_id_of_its_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(sqlite_url(tmp_path / "budget.db")) as service:
        monkeypatch.setattr(type(service.books.database), "describe", lambda _: {})
        with structlog.testing.capture_logs() as logged:
            answer = service.client.get("/health", headers={"X-Request-Id": "broken-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "broken-1"
    assert [line["event"] for line in logged] == ["unforeseen", "answered"]
