"""`budget replay` drives a trace through a real service and holds its books to account."""

import asyncio
import csv
import datetime as dt
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from budget.cli.driver import Driver, Plan, Tally
from budget.cli.trace import read_trace
from budget.prices.book import PriceBook
from tests.cli.conftest import Say
from tests.support.command import (
    SAMPLE,
    Served,
    clean_environ,
    command,
    start_service,
    stop_service,
)
from tests.support.results import report

LIST_PRICES = {"gpt-4o": ("2.50", "10.00"), "gpt-4o-mini": ("0.15", "0.60")}
"""USD per million tokens, in and out, as in examples/README.md."""


def true_cost(calls: int) -> Decimal:
    """The cost of the sample's first calls by the list prices, in decimals."""
    total = Decimal(0)
    with SAMPLE.open() as file:
        for row, _ in zip(csv.DictReader(file), range(calls), strict=False):
            price_in, price_out = map(Decimal, LIST_PRICES[row["model"]])
            total += int(row["input_tokens"]) * price_in + int(row["output_tokens"]) * price_out
    return total / 1_000_000


def write_trace(folder: Path, *calls: str) -> Path:
    """A trace of calls given as `service,model,input,output`."""
    file = folder / "trace.csv"
    lines = [f"2026-01-01T00:00:{at:02d}Z,{call}\n" for at, call in enumerate(calls)]
    file.write_text("timestamp,service,model,input_tokens,output_tokens\n" + "".join(lines))
    return file


def items(service: Served, path: str) -> list[Any]:
    """The first page of a list of the service."""
    request = urllib.request.Request(
        f"{service.url}/api/v1/{path}", headers={"Authorization": f"Bearer {service.key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: list[Any] = json.load(answer)["items"]
        return found


def test_the_books_hold_the_true_cost_of_the_trace_to_the_nano(remote: Say) -> None:
    remote("set-limit", "monthly", "100", "--hard", "--name", "Roomy")
    said = remote("replay", str(SAMPLE), "--limit", "300", "--json")
    assert said.code == 0, said
    told = said.json
    assert (told["admitted"], told["refused"], told["settled"]) == (300, 0, 300)
    assert Decimal(told["cost"]["true"]) == true_cost(300)
    assert told["cost"]["books"] == told["cost"]["receipts"] == told["cost"]["true"]
    assert told["cost"]["agrees"] is True
    assert told["left_open"] == []
    (policy,) = told["policies"]
    assert Decimal(policy["spent"]) == true_cost(300)
    assert Decimal(policy["overshoot"]) == 0
    assert policy["reserved"] == "0.00"
    took = told["latency_ms"]
    report(
        "replay, 300 calls by 32",
        calls_per_second=told["calls_per_second"],
        allocate_p50_ms=took["allocate"]["p50"],
        allocate_p99_ms=took["allocate"]["p99"],
    )
    assert remote("verify").code == 0


def test_a_hard_limit_refuses_what_does_not_fit_and_is_never_exceeded(remote: Say) -> None:
    remote("set-limit", "total", "0.50", "--hard", "--name", "Tight", "--component", "conversation")
    said = remote("replay", str(SAMPLE), "--limit", "300", "--json")
    assert said.code == 0, said
    told = said.json
    assert told["refused"] > 0
    assert told["admitted"] + told["refused"] == 300
    tight = next(one for one in told["policies"] if one["budget"] == "Tight")
    assert Decimal(tight["spent"]) <= Decimal("0.50")
    assert Decimal(tight["overshoot"]) == 0
    assert tight["refused_calls"] == told["refused"]
    (first,) = told["first_refusals"]
    assert first["budget"] == "Tight"
    assert first["limit"] == "0.50"
    free = Decimal(first["limit"]) - Decimal(first["spent"]) - Decimal(first["reserved"])
    assert Decimal(first["requested"]) - free == Decimal(first["shortfall"]) > 0
    text = remote("replay", str(SAMPLE), "--limit", "20").out
    assert re.search(r"Tight, total usd hard_limit, refused \d+ calls?\. The first, line \d+", text)
    assert "It never resets." in text
    assert "agree to the nano-USD" in text


def test_a_chosen_speed_is_kept(remote: Say) -> None:
    # The first ten calls of the sample came within 13 s; at 20 times that takes over half a second.
    said = remote("replay", str(SAMPLE), "--limit", "10", "--speed", "20", "--json")
    with SAMPLE.open() as file:
        times = [row["timestamp"] for row, _ in zip(csv.DictReader(file), range(10), strict=False)]
    first, last = (dt.datetime.fromisoformat(text) for text in (times[0], times[-1]))
    assert said.json["seconds"] >= (last - first).total_seconds() / 20


def test_attributes_and_session_are_those_that_were_asked_for(
    remote: Say, service: Served, tmp_path: Path
) -> None:
    trace = write_trace(tmp_path, "search,gpt-4o,10,10")
    words = ("--session", "mine", "--attribute", "team=red", "--attribute", "tag.env=test")
    assert remote("replay", str(trace), *words, "--json").json["session"] == "mine"
    # A second run under the same session is a run of its own.
    assert remote("replay", str(trace), *words, "--json").json["admitted"] == 1
    first, second = items(service, "usage?session=mine")
    assert first["attributes"].items() >= {
        "component": "search", "session": "mine", "team": "red", "tag.env": "test",
    }.items()  # fmt: skip
    assert first["usage_id"] != second["usage_id"]


def test_what_goes_beyond_the_hold_is_booked_in_full_and_is_no_overshoot(
    remote: Say, tmp_path: Path
) -> None:
    remote("set-limit", "total", "0.01", "--hard", "--name", "Overrun", "--component", "long")
    # 1,000 output tokens of gpt-4o cost 0.01 USD; 16 are held.
    trace = write_trace(tmp_path, "long,gpt-4o,1000,1000", "long,gpt-4o,1000,1000")
    said = remote(
        "replay", str(trace), "--max-output-tokens", "16", "--concurrency", "1", "--json"
    )  # fmt: skip
    told = said.json
    assert said.code == 0
    assert (told["admitted"], told["refused"]) == (1, 1)
    # 1,000 x 2.50 + 1,000 x 10.00 per million
    assert told["cost"]["books"] == "0.012500000"
    overrun = next(one for one in told["policies"] if one["budget"] == "Overrun")
    assert overrun["overrun"] == "0.0025"
    assert Decimal(overrun["overshoot"]) == 0
    assert told["flags"] == {"overrun": 1}


def test_a_provider_that_was_asked_for_prices_the_calls_as_the_service_does(
    remote: Say, tmp_path: Path
) -> None:
    # A model that has a price with this provider alone.
    trace = write_trace(tmp_path, "made,Meta-Llama-3.1-405B-Instruct,1000,1000")
    told = remote("replay", str(trace), "--attribute", "provider=avian", "--json").json
    assert told["settled"] == 1
    assert Decimal(told["cost"]["books"]) > 0
    assert told["cost"]["agrees"] is True


def test_a_price_that_was_set_at_the_service_is_reckoned_with(remote: Say, tmp_path: Path) -> None:
    trace = write_trace(tmp_path, "set,house-large,1000,1000", "set,house-large,3000,1000")
    made = remote("prices", "set", "house-large", "--input", "1,2000=3", "--output", "2",
                  "--request", "0.5", "--reason", "ours", "--json").json  # fmt: skip
    told = remote("replay", str(trace), "--json").json
    assert told["cost"]["agrees"] is True
    # 1,000 x 1 + 1,000 x 2 and, in the upper tier, 3,000 x 3 + 1,000 x 2 per million; two requests
    assert told["cost"]["true"] == "1.014000000"
    remote("prices", "end", made["override_id"], "--reason", "tested")


def test_a_model_without_a_price_is_refused_under_a_hard_limit_and_said_so(
    remote: Say, tmp_path: Path
) -> None:
    trace = write_trace(tmp_path, "odd,no-such-model,10,10", "odd,gpt-4o,10,10")
    remote("set-limit", "total", "5", "--hard", "--name", "Odd", "--component", "odd")
    said = remote("replay", str(trace))
    assert "model_unpriced: 1 call" in said.out
    assert "no-such-model" in said.out


def test_ctrl_c_returns_what_is_held(service: Served, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text(SAMPLE.read_text().replace(",conversation,", ",cut,"))
    process = subprocess.Popen(
        [*command(), "replay", str(trace), "--speed", "5", "--json", "--session", "cut"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**clean_environ(service.home), "BUDGET_TARGET": service.url},
    )  # fmt: skip
    while not items(service, "usage?session=cut"):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping: what is held will be released." in err
    told = json.loads(out)
    assert told["interrupted"] is True
    assert told["left_open"] == []
    assert told["cost"]["agrees"] is True
    assert items(service, "allocations?status=open") == []


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service of the test's own that is killed as soon as two callers have settled three calls.

    One of them has then heard that its call was settled: it has gone on to another.
    """
    served = start_service(tmp_path)
    monkeypatch.setenv("BUDGET_KEY", served.key)
    monkeypatch.setattr("budget.cli.driver.PATIENCE_SECONDS", 1)

    def kill_once_used() -> None:
        while len(items(served, "usage")) < 3:
            time.sleep(0.01)
        served.process.kill()

    killer = threading.Thread(target=kill_once_used)
    killer.start()
    yield served
    killer.join()
    stop_service(served)


def test_when_the_service_dies_what_was_seen_is_reported_soon_and_the_exit_code_is_5(
    say: Say, mortal: Served
) -> None:
    began = time.monotonic()
    said = say("replay", str(SAMPLE), "--url", mortal.url, "--concurrency", "2")
    assert time.monotonic() - began < 20
    assert said.code == 5, said
    assert f"The run ended early: No service answers at {mortal.url}" in said.err
    assert "with --url." in said.err
    assert re.search(r"^admitted +[1-9]", said.out, re.MULTILINE)
    assert re.search(r"^perhaps still held, .*: [12]$", said.out, re.MULTILINE)
    assert "could not be asked, so nothing was compared" in said.out
    assert "DIFFER" not in said.out


def test_when_the_service_dies_programs_are_told_what_was_seen(say: Say, mortal: Served) -> None:
    said = say("replay", str(SAMPLE), "--url", mortal.url, "--concurrency", "2", "--json")
    assert said.code == 5, said
    told = said.json
    assert 0 < told["settled"] <= told["admitted"]
    assert 1 <= len(told["left_open"]) <= 2
    assert told["cost"]["books"] is told["cost"]["agrees"] is None
    assert Decimal(told["cost"]["true"]) > 0
    assert "No service answers" in told["error"]


@pytest.mark.anyio
async def test_a_run_that_is_left_at_once_still_says_how_long_it_took(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        calls = read_trace(write_trace(tmp_path, "a,gpt-4o,1,1"))
        plan = Plan(url, None, calls, {"a": 16}, "r", "s", {}, None, 1, PriceBook(None))
        tally = Tally()
        running = asyncio.ensure_future(Driver(plan, tally, lambda: None).run())
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert tally.seconds >= 0.1
    assert list(tally.open_ids) == ["r.2"]


class Flaky(http.server.BaseHTTPRequestHandler):
    """Stands before a service: each POST is first lost on its way there or back, or answered with a
    503, and goes through when it comes again.
    """

    upstream = ""
    seen: dict[str, int] = {}  # noqa: RUF012 - one for the server's life
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Pass it on."""
        self._answer(*self._ask(None))

    def do_POST(self) -> None:
        """Lose it, or its answer, or say no; then pass it on."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = f"{self.path} {body.decode()}"
        times = Flaky.seen[name] = Flaky.seen.get(name, 0) + 1
        if times > 1:
            self._answer(*self._ask(body))
        elif len(Flaky.seen) % 3 == 0:
            self._answer(503, b'{"detail": "Not now.", "code": "unavailable"}', retry=True)
        else:
            if len(Flaky.seen) % 3 == 1:
                self._ask(body)  # it was done, but its answer is lost
            self.close_connection = True
            self.connection.close()

    def _ask(self, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Authorization": self.headers["Authorization"]}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.upstream + self.path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def _answer(self, status: int, body: bytes, *, retry: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if retry:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of callers that went away."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@pytest.fixture
def flaky(service: Served) -> Iterator[str]:
    """The address of something unreliable before the service."""
    Flaky.upstream = service.url
    Flaky.seen.clear()
    server = Quiet(("127.0.0.1", 0), Flaky)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_lost_answers_and_503s_book_nothing_twice(remote: Say, flaky: str) -> None:
    said = remote("replay", str(SAMPLE), "--limit", "40", "--url", flaky, "--json")
    told = said.json
    assert said.code == 0, said
    # Each call was sent twice, its settling too, where it was admitted.
    assert told["retried"] >= 40
    assert told["cost"]["agrees"] is True
    assert told["settled"] == told["admitted"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "fast"], "--speed: 'fast' is neither max nor a number"),
        (["--speed", "0"], "--speed: '0' is neither"),
        (["--speed", "-3"], "--speed"),
        (["--speed", "nan"], "--speed: 'nan' is neither"),
        (["--concurrency", "0"], "--concurrency: must be 1 to 1000."),
        (["--limit", "0"], "--limit: must be 1 or more."),
        (["--max-output-tokens", "0"], "--max-output-tokens: must be 1 to"),
        (["--attribute", "team"], "--attribute: 'team' is not KEY=VALUE."),
        (["--attribute", "session=s"], "--attribute session: has an option of its own, --session."),
        (["--attribute", "component=c"], "--attribute component: is each call's service in the"),
        (["--attribute", "model=gpt-4o"], "--attribute model: is each call's model in the trace"),
        (["--session", ""], "--session: must have 1 to 256 characters."),
        (["--url", "ftp://x"], "--url: 'ftp://x' is not the address of a service"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_sent(
    say: Say, words: list[str], said: str
) -> None:
    heard = say("replay", str(SAMPLE), *words)
    assert heard.code == 2
    assert said in heard.err
    assert heard.err.count("\n") == 1


def test_a_trace_that_cannot_be_read_names_the_line(say: Say, tmp_path: Path) -> None:
    trace = write_trace(tmp_path, "a,gpt-4o,1,1", "a,gpt-4o,many,1")
    heard = say("replay", str(trace))
    assert heard.code == 2
    assert "trace.csv, line 3, input_tokens: 'many' is not a whole number" in heard.err
    assert say("replay", str(tmp_path / "none.csv")).code == 4


def test_without_a_service_it_says_how_to_start_one(say: Say) -> None:
    heard = say("replay", str(SAMPLE), "--limit", "1")
    assert heard.code == 5
    assert "budget serve" in heard.err
    heard = say("replay", str(SAMPLE), "--limit", "1", "--url", "http://127.0.0.1:9")
    assert heard.code == 5
    assert "No service answers at http://127.0.0.1:9" in heard.err
    assert "with --url." in heard.err


def test_without_a_key_it_says_where_to_put_one(say: Say, service: Served) -> None:
    heard = say("replay", str(SAMPLE), "--limit", "1", "--url", service.url)
    assert heard.code == 3
    assert f"{service.url} asks for a key, and none is kept here" in heard.err
    assert "Name one with BUDGET_KEY." in heard.err
    assert os.environ.get("BUDGET_KEY") is None


def test_the_key_of_the_user_who_started_the_service_is_found_by_its_address(
    service: Served, tmp_path: Path
) -> None:
    heard = subprocess.run(
        [*command(), "replay", str(SAMPLE), "--limit", "1", "--url", service.url, "--json"],
        capture_output=True, text=True, env=clean_environ(service.home), check=False,
    )  # fmt: skip
    assert heard.returncode == 0, heard.stderr
