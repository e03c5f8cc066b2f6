"""`budget import` books what others recorded, once, and says of every other row why not."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from budget.domain.windows import to_rfc3339
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, today

NOW_S = int(time.time()) - 60


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *rows: Any) -> str:
    Path(name).write_text(
        "\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows)
    )
    return name


def records() -> list[Any]:
    with opened() as books:
        return books.usage_records(sort="occurred_at", limit=1000).items


SPEND = {
    "request_id": "req-1", "call_type": "acompletion", "api_key": "hash", "spend": 1.25e-05,
    "total_tokens": 30, "prompt_tokens": 20, "completion_tokens": 10, "model": "acme/m-x",
    "startTime": to_rfc3339(NOW_S * 10**6), "custom_llm_provider": "acme",
    "team_id": "search", "end_user": "u1",
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 5}}},
}  # fmt: skip


def test_spend_logs_are_booked_once_at_their_time_with_their_cost(local: Say) -> None:
    file = write("spend.jsonl", SPEND, {**SPEND, "request_id": "req-2", "spend": "0.5"})
    said = local("--json", "import", "litellm", file)
    assert said.code == 0, said.out + said.err
    assert (said.json["booked"], said.json["reported_cost"]) == (2, "0.5000125")
    first = records()[0]
    assert (first.provider, first.model, first.occurred_us) == ("acme", "m-x", NOW_S * 10**6)
    assert first.usage[:3] == (20, 10, 5)
    assert first.reported_cost_nanos in (12_500, 500_000_000)
    assert first.attributes["team"] == "search"
    again = local("--json", "import", "litellm", file)
    assert (again.json["booked"], again.json["booked_before"]) == (0, 2)
    assert len(records()) == 2


def test_a_dry_run_books_nothing(local: Say) -> None:
    said = local("import", "litellm", write("one.json", [SPEND]), "--dry-run")
    assert "Would book 1 usage record of 1 row, 30 tokens" in said.out
    assert records() == []


def test_buckets_of_openai_and_anthropic_are_booked(local: Say) -> None:
    openai = {"object": "page", "data": [{"start_time": NOW_S, "results": [
        {"object": "organization.usage.completions.result", "input_tokens": 100,
         "input_cached_tokens": 40, "output_tokens": 7, "num_model_requests": 3, "model": "gpt-x",
         "project_id": "p1"},
        {"object": "organization.costs.result", "amount": {"value": 1.5, "currency": "usd"}},
    ]}]}  # fmt: skip
    said = local("import", "openai", write("openai.json", json.dumps(openai, indent=1)))
    assert said.code == 1
    assert "Not booked: row 1: tells of money without usage" in said.out
    anthropic = {"data": [{"starting_at": to_rfc3339(NOW_S * 10**6 + 1), "results": [
        {"uncached_input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 4,
         "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
         "model": "claude-x"},
    ]}]}  # fmt: skip
    assert local("import", "anthropic", write("anthropic.json", anthropic)).code == 0
    first, second = records()
    assert first.usage[:3] + first.usage[6:7] == (100, 7, 40, 3)
    assert second.usage[:5] == (33, 4, 20, 1, 2)


def test_a_table_is_booked_by_its_mapping(local: Say) -> None:
    file = write(
        "any.csv", "when,who,in,out,price,model",
        f"{today()}T00:00:00,ann,5,6,0.1,m", f"{today()}T00:00:00,ann,-5,6,0.1,m",
        f"{today()}T00:00:00,ann,5",
    )  # fmt: skip
    maps = ("when=occurred_at", "who=user", "in=input_tokens", "out=output_tokens", "price=cost")
    words = [word for one in maps for word in ("--map", one)]
    strict = local("import", "csv", file, *words, "--strict")
    assert strict.code == 2
    assert "2 rows cannot be booked" in strict.err
    said = local("import", "csv", file, *words)
    assert said.code == 1
    assert "line 3: input_tokens must be from 0" in said.out
    assert "line 4: has 3 cells, not 6" in said.out
    assert [one.attributes["user"] for one in records()] == ["ann"]


def test_usage_of_tekton_is_read_from_its_database_which_stays_as_it_is(local: Say) -> None:
    with closing(sqlite3.connect("old.db")) as connection:
        connection.execute(
            "CREATE TABLE usage_record (record_id, context_id, component, provider, model, "
            "task_type, input_tokens, output_tokens, total_cost FLOAT, timestamp, user_id)"
        )
        connection.execute(
            "INSERT INTO usage_record VALUES ('r1', 's1', 'rhetor', 'acme', 'm', 'chat', 3, 4, "
            "0.1, ?, NULL)", (f"{today()} 00:00:00.000000",)
        )  # fmt: skip
        connection.commit()
    before = Path("old.db").read_bytes()
    assert local("import", "rhetor", "old.db").code == 0
    (one,) = records()
    assert (one.usage[:2], one.reported_cost_nanos) == ((3, 4), 100_000_000)
    assert one.attributes["component"] == "rhetor"
    assert Path("old.db").read_bytes() == before


def test_history_is_booked_and_reaches_no_limit_of_now(local: Say) -> None:
    old = write("old.jsonl", {**SPEND, "startTime": "2026-01-01T00:00:00", "spend": 5})
    limit("1", hard=True)
    said = local("import", "litellm", old)
    assert "1 are history: in reports, and in no window that is over." in said.out
    assert records()[0].cost_nanos == 5 * 10**9
    with opened() as books:
        assert [view.spent for view in books.status()] == [0]
    assert local("verify").code == 0
    said = local("--json", "import", "litellm", old)
    assert (said.json["booked"], said.json["booked_before"], said.json["history"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spend": -1}, "spend"),
        ({"prompt_tokens": 1.5}, "prompt_tokens"),
        ({"prompt_tokens": 10**40}, "prompt_tokens"),
        ({"completion_tokens": True}, "completion_tokens"),
        ({"startTime": "0000-01-01T00:00:00"}, "startTime"),
        ({"startTime": "9999-12-31T23:59:59"}, "ahead"),
        ({"startTime": None}, "startTime"),
        ({"request_id": None}, "request_id"),
        ({"model": "a\0b"}, "model"),
    ],
)
def test_a_row_that_will_not_do_is_told_with_its_place(
    local: Say, change: dict[str, Any], why: str
) -> None:
    said = local(
        "import",
        "litellm",
        write("x.jsonl", {**SPEND, **change}, {**SPEND, "request_id": "r2"}),
    )
    assert said.code == 1, said.err
    assert "Not booked: line 1: " in said.out
    assert why in said.out
    assert len(records()) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xfe{}", 2),
        (b"[" * 100_000, 2),
        (b'[{"spend": NaN}]', 2),
        (b'{"request_id": "x", "spend": 1e400}\n', 1),
        (b'{"request_id": "x"}\n{"request_id": ', 1),
        (b"", 0),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", 2),
        (b"\0\0\0", 0),
    ],
)
def test_a_hostile_file_leaves_a_sentence_and_no_record(
    local: Say, content: bytes, code: int
) -> None:
    Path("bad.json").write_bytes(content)
    said = local("import", "litellm", "bad.json")
    assert said.code == code, said.out + said.err
    assert "should not happen" not in said.err
    assert records() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("word", "x.csv"), 2),
        (("csv", "nowhere.csv"), 4),
        (("csv", "."), 2),
        (("csv", "a\0b"), 2),
        (("rhetor", "x.csv"), 2),
        (("rhetor", "nowhere.db"), 4),
        (("csv", "x.csv", "--map", "a"), 2),
        (("csv", "x.csv", "--map", "a=b"), 2),
        (("csv", "x.csv", "--map", "a=tag."), 2),
        (("litellm", "x.csv", "--map", "a=user"), 2),
        (("csv", "x.csv", "--timezone", "Mars"), 2),
        (("csv", "x.csv", "--dry-run=x"), 2),
        (("csv", "x.csv", "--strict=x"), 2),
        (("csv",), 2),
    ],
)
def test_a_value_that_will_not_do_is_told_in_a_sentence(
    local: Say, words: tuple[str, ...], code: int
) -> None:
    write("x.csv", "occurred_at,input_tokens", "2026-01-01,1")
    said = local("import", *words)
    assert said.code == code, said.out + said.err
    assert len(said.err.splitlines()) == 1
    assert "should not happen" not in said.err
