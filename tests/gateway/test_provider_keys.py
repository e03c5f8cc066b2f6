"""Keys of providers: from the environment, from files; and never shown."""

from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput
from budget.gateway.upstreams import read_upstreams


def file_of(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys.env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_has_the_keys_of_several_providers(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        "# of the team\n\nOPENAI_API_KEY=sk-a\nexport ANTHROPIC_API_KEY = 'sk-b'\n"
        "BUDGET_GATEWAY_VLLM_API_KEY=sk-c\n",
    )
    env = {
        "BUDGET_GATEWAY_SECRETS": str(path), "BUDGET_GATEWAY_VLLM_BASE_URL": "http://10.0.0.1/v1",
    }  # fmt: skip
    found = read_upstreams(env)
    keys = [found[name].api_key for name in ("openai", "anthropic", "vllm", "groq")]
    assert keys == ["sk-a", "sk-b", "sk-c", None]
    assert "sk-a" not in repr(found)


def test_the_environment_comes_before_the_file_and_what_is_empty_there_is_absent(
    tmp_path: Path,
) -> None:
    path = file_of(tmp_path, "OPENAI_API_KEY=sk-file\nGROQ_API_KEY=sk-file\n")
    env = {
        "BUDGET_GATEWAY_SECRETS": str(path), "OPENAI_API_KEY": "sk-env", "GROQ_API_KEY": "",
    }  # fmt: skip
    found = read_upstreams(env)
    assert (found["openai"].api_key, found["groq"].api_key) == ("sk-env", "sk-file")


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ("OPENAI_API_KEY=sk-secret\n", 0o644, "chmod 600"),
        ("OPENAI_API_KEY=sk-secret\n", 0o660, "chmod 600"),
        ("OPENAI_API_KEY=sk-secret\nwhat is sk-secret\n", 0o600, "line 2"),
        ("OPENAI_API_KEY=\n", 0o600, "line 1"),
        ("PATH=/sk-secret\n", 0o600, "line 1"),
        ("OPENAI_API_KEY=sk-secret\x01\n", 0o600, "line 1"),
        ("x" * 70_000, 0o600, "NAME=key lines"),
    ],
)
def test_a_file_that_others_may_read_or_that_says_something_else_is_refused_without_its_keys(
    tmp_path: Path, text: str, mode: int, told: str
) -> None:
    path = file_of(tmp_path, text, mode)
    with pytest.raises(InvalidInput) as raised:
        read_upstreams({"BUDGET_GATEWAY_SECRETS": str(path)})
    assert told in raised.value.detail
    assert raised.value.field == "BUDGET_GATEWAY_SECRETS"
    assert "sk-secret" not in raised.value.detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_upstreams({"BUDGET_GATEWAY_SECRETS": str(tmp_path / "none.env")})


def test_each_variable_may_name_a_file_too(tmp_path: Path) -> None:
    path = file_of(tmp_path, "sk-alone\n")
    assert read_upstreams({"GROQ_API_KEY_FILE": str(path)})["groq"].api_key == "sk-alone"
