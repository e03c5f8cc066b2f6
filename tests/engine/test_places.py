"""Places: the order in which a target is found, and the key that goes with it."""

from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine import config_file, key_file
from budget.engine.config_file import Config
from budget.engine.places import Place, find_place
from budget.engine.settings import Settings, default_target


def _place(folder: Path, target: str | None = None, **env: str) -> Place:
    settings = Settings.read(env, target=target, config_dir=folder)
    return find_place(settings, environ=env)


def test_a_target_is_what_was_said_else_the_variable_else_the_config_file_else_this_users_database(
    tmp_path: Path,
) -> None:
    assert _place(tmp_path).target == default_target()
    config_file.write(tmp_path, Config(target="sqlite:///config.db"))
    assert _place(tmp_path).target == "sqlite:///config.db"
    assert _place(tmp_path, BUDGET_TARGET="").target == "sqlite:///config.db"
    assert _place(tmp_path, BUDGET_TARGET="sqlite:///env.db").target == "sqlite:///env.db"
    said = _place(tmp_path, "sqlite:///said.db", BUDGET_TARGET="sqlite:///env.db")
    assert said == Place("sqlite:///said.db")


def test_a_service_is_asked_with_the_key_that_was_given_else_the_variable_else_the_kept_one(
    tmp_path: Path,
) -> None:
    with key_file.locked(tmp_path):
        key_file.put(tmp_path, "sqlite:////b.db", "bud_kept")
    key_file.note_url(tmp_path, "sqlite:////b.db", "http://127.0.0.1:8013")
    url = "http://localhost:8013"
    assert _place(tmp_path, f"{url}/") == Place(f"{url}/", url, "bud_kept")
    assert _place(tmp_path, url, BUDGET_KEY=" bud_env ").key == "bud_env"
    settings = Settings.read({}, target=url, config_dir=tmp_path)
    assert find_place(settings, key="bud_said", environ={"BUDGET_KEY": "bud_env"}).key == "bud_said"
    assert _place(tmp_path, "https://elsewhere.example").key is None


@pytest.mark.parametrize(
    "target", ["mysql://x", "budget.db", "http://", "http://h:99999", "https:"]
)
def test_what_is_no_target_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(InvalidInput, match="target"):
        _place(tmp_path, target)


def test_a_key_is_not_shown_with_its_place(tmp_path: Path) -> None:
    assert "bud_env" not in repr(_place(tmp_path, "http://h:1", BUDGET_KEY="bud_env"))


# --- The config file -----------------------------------------------------------------------------


def test_what_is_written_is_read_again_and_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    told = Config(target='sqlite:///a "b" \\ \x7f.db', timezone="Europe/Berlin")
    path = config_file.write(tmp_path / "new", told)
    assert config_file.read(tmp_path / "new") == told
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("target =", "is not TOML"),
        ("targt = 'sqlite:///a.db'", "'targt' is not known there. Allowed: target, timezone"),
        ("target = 5", "target must be text in quotes"),
        ("target = 'mysql://x'", "is not the URL of a database"),
        ("timezone = 'Mars/Olympus'", "timezone"),
    ],
)
def test_a_config_file_that_is_not_understood_says_what_is_wrong(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(InvalidInput) as found:
        config_file.read(tmp_path)
    assert words in str(found.value)


def test_a_config_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(Unavailable, match="config file"):
        config_file.read(tmp_path)
    (tmp_path / "config.toml").rmdir()
    (tmp_path / "config.toml").write_bytes(b"\xff")
    with pytest.raises(Unavailable, match="config file"):
        config_file.read(tmp_path)


def test_the_time_zone_is_the_variable_else_the_config_file_else_utc(tmp_path: Path) -> None:
    assert Settings.read({}, config_dir=tmp_path).timezone == "UTC"
    config_file.write(tmp_path, Config(timezone="Asia/Tokyo"))
    assert Settings.read({}, config_dir=tmp_path).timezone == "Asia/Tokyo"
    zoned = Settings.read({"BUDGET_TIMEZONE": "Europe/Berlin"}, config_dir=tmp_path)
    assert zoned.timezone == "Europe/Berlin"
    with pytest.raises(InvalidInput, match="BUDGET_TIMEZONE"):
        Settings.read({"BUDGET_TIMEZONE": "Nowhere"}, config_dir=tmp_path)
