"""What Langfuse and Helicone watched is read in each of the shapes that they export."""

import json
from pathlib import Path
from typing import Any

import pytest

from budget.engine.importing.lines import Bad, Line
from budget.engine.importing.sources import READERS, read_lines


def read(tmp_path: Path, format: str, *rows: Any) -> list[Line | Bad]:
    file = tmp_path / "export.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return list(read_lines(file, READERS[format], "UTC"))


def one(tmp_path: Path, format: str, row: Any) -> Line:
    (line,) = read(tmp_path, format, row)
    assert isinstance(line, Line), line
    return line


OBSERVATION: Any = {
    "id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": "2026-11-20T10:00:00.000Z",
    "model": "gpt-4o", "usageDetails": {"input": 70, "input_cached_tokens": 30, "output": 5,
                                        "output_reasoning_tokens": 2, "total": 107},
    "costDetails": {"input": 0.000175, "total": 0.000225}, "calculatedTotalCost": 0.000225,
    "environment": "production",
}  # fmt: skip


def test_kinds_that_add_up_to_the_total_stand_beside_input_and_output(tmp_path: Path) -> None:
    line = one(tmp_path, "langfuse", OBSERVATION)
    assert (line.input_tokens, line.output_tokens) == (100, 7)
    assert (line.cache_read_tokens, line.reasoning_tokens) == (30, 2)
    assert (line.model, line.cost_nanos) == ("gpt-4o", 225_000)
    assert line.attributes == {"tag.environment": "production"}


def test_kinds_that_do_not_are_parts_of_them(tmp_path: Path) -> None:
    details = {**OBSERVATION["usageDetails"], "input": 100, "output": 7, "total": 107}
    line = one(tmp_path, "langfuse", {**OBSERVATION, "usageDetails": details})
    assert (line.input_tokens, line.output_tokens) == (100, 7)
    assert (line.cache_read_tokens, line.reasoning_tokens) == (30, 2)


def test_rows_of_its_export_to_a_storage_are_read(tmp_path: Path) -> None:
    line = one(tmp_path, "langfuse", {
        "id": "o2", "trace_id": "t1", "type": "GENERATION", "user_id": "ann", "session_id": "s1",
        "start_time": "2026-11-20 10:00:00.250000", "provided_model_name": "claude-sonnet-4-5",
        "usage_details": '{"input": 10, "cache_read_input_tokens": 4, '
                         '"cache_creation_input_tokens": 3, "output": 2, "total": 19}',
        "cost_details": "{}", "total_cost": "0.5",
    })  # fmt: skip
    assert line.attributes == {"user": "ann", "session": "s1"}
    assert (line.input_tokens, line.cache_read_tokens, line.cache_write_tokens) == (17, 4, 3)
    assert (line.cost_nanos, line.at_us % 10**6) == (500_000_000, 250_000)


def test_a_trace_gives_its_observations_who_it_was_for(tmp_path: Path) -> None:
    trace = {"id": "t1", "userId": "ann", "observations": [OBSERVATION, {
        "id": "o3", "type": "SPAN", "startTime": "2026-11-20T10:00:00Z"}]}  # fmt: skip
    (line,) = read(tmp_path, "langfuse", trace)
    assert isinstance(line, Line)
    assert line.attributes["user"] == "ann"


def test_older_observations_have_plain_counts(tmp_path: Path) -> None:
    old = {"id": "o4", "type": "GENERATION", "startTime": "2024-01-01T00:00:00Z", "model": "m",
           "usage": {"input": 3, "output": 4, "total": 7, "unit": "TOKENS"}}  # fmt: skip
    line = one(tmp_path, "langfuse", old)
    assert (line.input_tokens, line.output_tokens) == (3, 4)


REQUEST: Any = {
    "request_id": "r1", "request_created_at": "2026-11-20T10:00:00Z", "response_status": 200,
    "provider": "ANTHROPIC", "request_model": "claude-sonnet-4-5", "prompt_tokens": 10,
    "prompt_cache_read_tokens": 40, "prompt_cache_write_tokens": 0, "completion_tokens": 7,
    "total_tokens": 57, "cost_usd": 0.001, "request_user_id": "ann",
    "cache_reference_id": "00000000-0000-0000-0000-000000000000",
    "request_properties": {"Helicone-Session-Id": "s1", "App": "search", "bad name!": "x"},
}  # fmt: skip


def test_requests_of_helicone_are_read_with_their_properties(tmp_path: Path) -> None:
    line = one(tmp_path, "helicone", REQUEST)
    assert (line.provider, line.model) == ("anthropic", "claude-sonnet-4-5")
    assert (line.input_tokens, line.cache_read_tokens, line.output_tokens) == (50, 40, 7)
    assert line.cost_nanos == 1_000_000
    assert line.attributes == {"user": "ann", "session": "s1", "tag.app": "search"}


def test_what_its_cache_answered_or_failed_is_no_usage(tmp_path: Path) -> None:
    cached = {**REQUEST, "cache_reference_id": "5b0e3a4e-7d5b-4c8f-9a0e-000000000001"}
    failed = {"request_id": "r2", "request_created_at": "2026-11-20T10:00:00Z",
              "response_status": 500, "prompt_tokens": None}  # fmt: skip
    assert read(tmp_path, "helicone", cached, failed) == []


@pytest.mark.parametrize(
    ("format", "row", "why"),
    [
        ("langfuse", {**OBSERVATION, "id": None}, "id is missing"),
        ("langfuse", {**OBSERVATION, "startTime": "soon"}, "startTime is not a time"),
        ("langfuse", {**OBSERVATION, "usageDetails": {"input": -1}}, "input must be from 0"),
        ("langfuse", {**OBSERVATION, "calculatedTotalCost": "much"}, "totalCost must be a number"),
        ("helicone", {**REQUEST, "request_id": ""}, "request_id is missing"),
        ("helicone", {**REQUEST, "prompt_tokens": 1.5}, "input must be a whole number"),
    ],
)
def test_rows_that_cannot_be_read_say_why(tmp_path: Path, format: str, row: Any, why: str) -> None:
    (bad,) = read(tmp_path, format, row)
    assert isinstance(bad, Bad)
    assert why in bad.why
