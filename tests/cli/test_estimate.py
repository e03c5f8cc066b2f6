"""`budget estimate`: requests from files and standard input; with a ledger or service, or none."""

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Say

TEXT = "What is the capital of France?"
CHAT = {"max_tokens": 50, "messages": [{"role": "user", "content": TEXT}]}


@pytest.fixture
def chat(tmp_path: Path) -> str:
    file = tmp_path / "chat.json"
    file.write_text(json.dumps(CHAT))
    return str(file)


def test_a_request_is_estimated_without_a_ledger(say: Say, chat: str, tmp_path: Path) -> None:
    said = say("estimate", "gpt-4o", chat)
    # 7 tokens of text and 12 around it; 2.5 USD a million, and 10 for output
    assert said.out.splitlines()[0] == "gpt-4o: 19 input tokens, its texts counted exactly" or (
        said.out.splitlines()[0] == "openai gpt-4o: 19 input tokens, its texts counted exactly"
    )
    assert "Input costs 0.0000475 USD" in said.out
    assert said.out.splitlines()[2] == "A call with up to 50 output tokens holds 0.0005475 USD"
    assert said.code == 0
    assert list(tmp_path.rglob("*.db")) == []


def test_plain_text_comes_from_standard_input(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    said = say("estimate", "gpt-4o", "-", "--json")
    assert (said.json["input_tokens"], said.json["how"], said.json["hold"]) == (19, "counted", None)


def test_a_ledger_and_a_service_answer_alike(local: Say, chat: str) -> None:
    said = local("estimate", "an-own-model", chat)
    assert said.out.splitlines() == [
        "an-own-model: 75 input tokens, at most", "The price of the model is not known.",
    ]  # fmt: skip
    assert local("estimate", "--factors").out.startswith("Nothing was learnt yet")
    assert local("estimate", "--factors", "--json").json == {"items": []}


def test_a_service_is_asked_where_one_is_named(remote: Say, chat: str) -> None:
    said = remote("estimate", "gpt-4o", chat, "--max-output-tokens", "5", "--json")
    assert (said.json["input_tokens"], said.json["max_output_tokens"]) == (19, 5)
    assert said.json["hold"] == "0.0000975"
    assert remote("estimate", "--factors", "--json").json == {"items": []}


def test_what_only_looks_like_json_is_text_unless_the_file_says_that_it_is(
    say: Say, tmp_path: Path
) -> None:
    file = tmp_path / "note.txt"
    file.write_text("[see below] Hello")
    said = say("estimate", "gpt-4o", str(file))
    assert said.code == 0
    assert "counted as plain text" in said.err


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["estimate"], 2, "model: is required"),
        (["estimate", "gpt-4o"], 2, "FILE: is required"),
        (["estimate", "gpt-4o", "nowhere.json"], 2, "cannot be read: No such file"),
        (["estimate", "gpt-4o", "bad.json"], 2, "bad.json is not JSON."),
        (["estimate", "gpt-4o", "nan.json"], 2, "nan.json is not JSON."),
        (["estimate", "gpt-4o", "half.json"], 2, "half.json is not JSON."),
        (["estimate", "gpt-4o", "latin.txt"], 2, "is not UTF-8 at byte 1."),
        (["estimate", "gpt-4o", "odd.json"], 2, "request.max_tokens: "),
        (
            ["estimate", "gpt-4o", "--providr"],
            2,
            "'--providr' is neither a file nor an option here",
        ),
        (["estimate", "--factors"], 4, "There is no ledger"),
    ],
)
def test_mistakes_are_one_sentence(
    say: Say,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    part: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text('{"messages": [')
    (tmp_path / "nan.json").write_text('{"temperature": NaN}')
    (tmp_path / "half.json").write_text('{"messages": ["\\ud800"]}')
    (tmp_path / "latin.txt").write_bytes(b"h\xe9")
    (tmp_path / "odd.json").write_text('{"max_tokens": "many"}')
    said = say(*words)
    assert (said.code, said.err.count("\n")) == (code, 1)
    assert part in said.err
