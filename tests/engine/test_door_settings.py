"""Settings of the door are read from the environment; what is wrong is said by its variable."""

from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.door_settings import DEFAULT_DOOR, DoorSettings, Rate

RULES = '[{"when": {"groups": "a"}, "scopes": ["read"]}]'
OIDC = {
    "BUDGET_OIDC_ISSUER": "https://login.example.com", "BUDGET_OIDC_CLIENT_ID": "budget",
    "BUDGET_OIDC_CLIENT_SECRET": "hush", "BUDGET_OIDC_RULES": RULES,
}  # fmt: skip


def test_nothing_need_be_set() -> None:
    assert DoorSettings.read({}) == DEFAULT_DOOR == DoorSettings.read({"BUDGET_RATE_LIMIT": ""})
    assert (DEFAULT_DOOR.rate, DEFAULT_DOOR.failures) == (Rate(1000, 2000), 20)
    assert (DEFAULT_DOOR.tls, DEFAULT_DOOR.oidc) == (False, None)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("off", None), ("100", Rate(100, 200)), ("10/5", Rate(10, 5)), (" OFF ", None)],
)
def test_a_rate_is_so_many_a_second_and_at_once(text: str, rate: Rate | None) -> None:
    assert DoorSettings.read({"BUDGET_RATE_LIMIT": text}).rate == rate


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Budget.example.com/", "https://budget.example.com"),
        ("https://budget.example.com:443", "https://budget.example.com"),
        ("https://b:8443", "https://b:8443"), ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8013", "http://[::1]:8013"),
    ],
)  # fmt: skip
def test_a_public_url_is_what_browsers_call_an_origin(text: str, url: str) -> None:
    door = DoorSettings.read({"BUDGET_PUBLIC_URL": text})
    assert door.public_url == url
    assert door.tls == url.startswith("https")


def test_an_issuer_needs_an_id_a_secret_and_rules(tmp_path: Path) -> None:
    read = DoorSettings.read(OIDC).oidc
    assert read is not None
    assert (read.issuer, read.client_id, read.client_secret()) == (
        "https://login.example.com", "budget", "hush",
    )  # fmt: skip
    assert "hush" not in repr(read)
    for missing in list(OIDC)[1:]:
        with pytest.raises(InvalidInput) as caught:
            DoorSettings.read({**OIDC, missing: ""})
        assert caught.value.field == missing
    secret, rules = tmp_path / "secret", tmp_path / "rules"
    secret.write_text("whisper\n")
    rules.write_text(RULES)
    files = {
        **OIDC, "BUDGET_OIDC_CLIENT_SECRET": "", "BUDGET_OIDC_CLIENT_SECRET_FILE": str(secret),
        "BUDGET_OIDC_RULES": f"@{rules}",
    }  # fmt: skip
    read = DoorSettings.read(files).oidc
    assert read is not None
    assert (read.client_secret(), len(read.rules())) == ("whisper", 1)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BUDGET_RATE_LIMIT", "fast"), ("BUDGET_RATE_LIMIT", "0"), ("BUDGET_RATE_LIMIT", "1/0"),
        ("BUDGET_RATE_LIMIT", "9999999"), ("BUDGET_RATE_LIMIT", "-1"),
        ("BUDGET_FAILED_ATTEMPTS", "1"), ("BUDGET_FAILED_ATTEMPTS", "many"),
        ("BUDGET_PUBLIC_URL", "budget.example.com"), ("BUDGET_PUBLIC_URL", "https://a/b"),
        ("BUDGET_PUBLIC_URL", "https://u:p@a"), ("BUDGET_PUBLIC_URL", "javascript:alert(1)"),
        ("BUDGET_OIDC_ISSUER", "login.example.com"), ("BUDGET_OIDC_ORIGINS", "nonsense"),
        ("BUDGET_OIDC_RULES", ""), ("BUDGET_OIDC_CLIENT_SECRET", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_variable_and_no_secret(variable: str, text: str) -> None:
    env = {**OIDC, variable: text}
    with pytest.raises(InvalidInput) as caught:
        DoorSettings.read(env)
    assert caught.value.field == variable
    assert "hush" not in caught.value.detail


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BUDGET_OIDC_CLIENT_SECRET_FILE", "/nowhere"), ("BUDGET_OIDC_RULES", "@/nowhere"),
        ("BUDGET_OIDC_RULES", "[]"), ("BUDGET_OIDC_CLIENT_SECRET_FILE", "/dev/null"),
    ],
)  # fmt: skip
def test_files_are_read_when_a_service_starts_and_not_by_every_command(
    variable: str, text: str
) -> None:
    env = {**OIDC, variable: text}
    if variable == "BUDGET_OIDC_CLIENT_SECRET_FILE":
        env["BUDGET_OIDC_CLIENT_SECRET"] = ""
    read = DoorSettings.read(env).oidc
    assert read is not None
    late = read.rules if variable == "BUDGET_OIDC_RULES" else read.client_secret
    with pytest.raises(InvalidInput) as caught:
        late()
    assert caught.value.field == variable


def test_other_sites_may_be_allowed_to_follow_events() -> None:
    assert DoorSettings.read({}).allowed_origins == frozenset()
    env = {"BUDGET_ALLOWED_ORIGINS": " https://a.example.com/, http://B.example.com:8080 ,"}
    assert DoorSettings.read(env).allowed_origins == {
        "https://a.example.com", "http://b.example.com:8080",
    }  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        DoorSettings.read({"BUDGET_ALLOWED_ORIGINS": "https://a.example.com,*"})
    assert caught.value.field == "BUDGET_ALLOWED_ORIGINS"
