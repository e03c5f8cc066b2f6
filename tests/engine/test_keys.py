"""Keys are recognised by their secret, lie where only their owner reads, and can be lost."""

import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from budget.domain.errors import InvalidInput, Unauthorized, Unavailable
from budget.engine import key_file, keys
from budget.engine.callers import Caller
from budget.engine.jobs import Books
from budget.engine.keys import KEY_PATTERN, Keyring, KeyRow, make_key, read_key
from budget.engine.settings import Settings, parse_port
from budget.engine.snapshots import snapshot
from budget.prices.book import PriceBook
from budget.storage.database import open_database
from budget.storage.schema import api_keys
from tests.support.databases import Databases


def migrate(url: str) -> None:
    database = open_database(url)
    database.migrate()
    database.close()


@pytest.fixture
def target(databases: Databases) -> str:
    return databases.new(migrate)


@pytest.fixture
def books(target: str) -> Iterator[Books]:
    opened = open_books(target)
    yield opened
    opened.close()


def open_books(target: str) -> Books:
    return Books.open(target, prices=PriceBook(None), sweep=False)


def rows(books: Books) -> list[tuple[object, ...]]:
    with snapshot(books.database) as connection:
        return [tuple(row) for row in connection.execute(select(api_keys))]


# --- The key itself ------------------------------------------------------------------------------


def test_a_key_has_its_id_a_secret_of_256_bits_and_a_checksum() -> None:
    key = make_key()
    assert re.fullmatch(r"bud_[0-9a-z]{8}_[0-9A-Za-z]{49}", key.text)
    assert key.key_id == "key_" + key.text[4:12]
    assert 62**43 > 2**256  # 43 digits of base 62 are enough
    assert KEY_PATTERN.fullmatch(key.text)


def test_a_thousand_keys_are_a_thousand_different_ones() -> None:
    assert len({make_key().text for _ in range(1_000)}) == 1_000


def test_a_key_is_read_back_as_its_id_and_the_hash_of_its_secret() -> None:
    key = make_key()
    assert read_key(key.text) == (key.key_id, key.secret_hash)
    assert key.text[13:56] not in key.secret_hash


def test_one_wrong_letter_anywhere_is_noticed_without_asking_the_books() -> None:
    text = make_key().text
    for at in range(4, len(text)):
        if text[at] != "_":
            other = "x" if text[at] != "x" else "y"
            assert read_key(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize(
    "text",
    ["", "bud_", "bud__", "x" * 62, "sk-1234", "bud_\x00", "bud_' OR 1=1 --", "bud_" + "0" * 58],
)
def test_what_is_no_key_is_not_read_as_one(text: str) -> None:
    assert read_key(text) is None


def test_a_key_with_something_around_it_is_not_read() -> None:
    text = make_key().text
    for wrong in (f" {text}", f"{text}\n", f"{text}0", text[:-1], text.upper()):
        assert read_key(wrong) is None


# --- Recognising ---------------------------------------------------------------------------------


NOW_US = 1_800_000_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def presented(text: str) -> keys.Presented:
    found = read_key(text)
    assert found is not None
    return found


def test_the_right_secret_is_believed_with_what_its_scopes_allow() -> None:
    key = make_key()
    kept = KeyRow(key.secret_hash, "admin", max_priority=10)
    admin = keys.believe(presented(key.text), kept, NOW_US)
    assert admin.caller == Caller(key.key_id, admin=True)
    assert admin.allows("spend")
    kept = KeyRow(key.secret_hash, "read spend", bound={"team": "a"}, max_priority=3)
    spender = keys.believe(presented(key.text), kept, NOW_US)
    assert spender.caller == Caller(key.key_id, manage=False, max_priority=3, bound={"team": "a"})
    assert spender.allows("spend")
    assert spender.allows("any")
    assert not spender.allows("admin")


@pytest.mark.parametrize("case", ["unknown", "wrong secret", "revoked", "expired"])
def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(case: str) -> None:
    key = make_key()
    row = {
        "unknown": None,
        "wrong secret": KeyRow(make_key().secret_hash, "admin"),
        "revoked": KeyRow(key.secret_hash, "admin", 7),
        "expired": KeyRow(key.secret_hash, "admin", expires_us=NOW_US),
    }[case]
    with pytest.raises(Unauthorized) as caught:
        keys.believe(presented(key.text), row, NOW_US)
    assert caught.value.detail == keys.unauthorized().detail


def test_the_books_are_asked_once_a_second_for_a_key_known_or_not() -> None:
    key, unknown = make_key(), make_key()
    kept = {key.key_id: KeyRow(key.secret_hash, "admin")}
    asked: list[str] = []

    def read(key_id: str) -> KeyRow | None:
        asked.append(key_id)
        return kept.get(key_id)

    clock = Clock()
    keyring = Keyring(read, clock=clock)
    for _ in range(5):
        keyring.find(presented(key.text))
        with pytest.raises(Unauthorized):
            keyring.find(presented(unknown.text))
    assert asked == [key.key_id, unknown.key_id]
    clock.now += 1.0
    keyring.find(presented(key.text))
    assert len(asked) == 3


def test_a_revoked_key_is_believed_for_less_than_a_second() -> None:
    key = make_key()
    kept = {key.key_id: KeyRow(key.secret_hash, "admin")}
    clock = Clock()
    keyring = Keyring(kept.get, clock=clock)
    keyring.find(presented(key.text))
    kept[key.key_id] = KeyRow(key.secret_hash, "admin", 7)
    clock.now += 0.999
    keyring.find(presented(key.text))
    clock.now += 0.001
    with pytest.raises(Unauthorized):
        keyring.find(presented(key.text))


def test_a_key_is_believed_until_the_instant_at_which_it_expires() -> None:
    key = make_key()
    kept = {key.key_id: KeyRow(key.secret_hash, "read", expires_us=NOW_US)}
    times = iter([NOW_US - 1, NOW_US])
    keyring = Keyring(kept.get, now_us=lambda: next(times))
    keyring.find(presented(key.text))
    with pytest.raises(Unauthorized):
        keyring.find(presented(key.text))


def test_a_flood_of_unknown_keys_is_forgotten_again() -> None:
    keyring = Keyring(lambda _: None)
    for _ in range(keys.MAX_REMEMBERED + 10):
        keyring.ask(os.urandom(8).hex())
    assert len(keyring._recalled) <= keys.MAX_REMEMBERED


# --- In the books --------------------------------------------------------------------------------


def test_a_key_in_the_books_is_found_and_a_revoked_one_is_not(books: Books) -> None:
    key = make_key()
    assert keys.add_key(books, key, name="ci", scopes="admin")
    assert Keyring.of(books.database).find(presented(key.text)).caller.actor == key.key_id
    assert keys.revoke_key(books, key.key_id)
    with pytest.raises(Unauthorized):
        Keyring.of(books.database).find(presented(key.text))
    assert not keys.revoke_key(books, key.key_id)
    assert not keys.revoke_key(books, "key_nowhere1")


def test_the_books_hold_nothing_that_opens_a_door(books: Books) -> None:
    key = make_key()
    keys.add_key(books, key, name="ci", scopes="admin")
    kept = repr(rows(books))
    assert key.secret_hash in kept
    assert key.text not in kept
    assert key.text[13:56] not in kept


# --- The first start -----------------------------------------------------------------------------


def test_the_first_start_makes_the_admin_key_and_the_next_ones_keep_it(
    books: Books, target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    path = keys.ensure_admin_key(books, folder, target)
    assert path == folder / "keys.toml"
    text = key_file.find_key(folder, target)
    assert text is not None
    key = Keyring.of(books.database).find(presented(text))
    assert key.caller.manage
    assert keys.ensure_admin_key(books, folder, target) == path
    assert key_file.find_key(folder, target) == text
    assert len(rows(books)) == 1


def test_only_the_owner_can_read_the_file_and_its_folder(
    books: Books, target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    before = os.umask(0)
    try:
        path = keys.ensure_admin_key(books, folder, target)
    finally:
        os.umask(before)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(file.name for file in folder.iterdir()) == ["keys.toml", "keys.toml.lock"]


def test_a_lost_file_is_not_replaced_unless_that_is_asked_for(
    books: Books, target: str, tmp_path: Path
) -> None:
    keys.ensure_admin_key(books, tmp_path / "one", target)
    assert keys.ensure_admin_key(books, tmp_path / "two", target) is None
    assert key_file.find_key(tmp_path / "two", target) is None
    assert len(rows(books)) == 1
    assert keys.ensure_admin_key(books, tmp_path / "two", target, anew=True) is not None
    for folder in ("one", "two"):
        text = key_file.find_key(tmp_path / folder, target)
        assert text is not None
        Keyring.of(books.database).find(presented(text))


def test_a_file_whose_key_the_books_do_not_know_gets_a_new_one(
    books: Books, target: str, tmp_path: Path
) -> None:
    key_file.put(tmp_path, target, make_key().text)
    assert keys.ensure_admin_key(books, tmp_path, target) is not None
    text = key_file.find_key(tmp_path, target)
    assert text is not None
    Keyring.of(books.database).find(presented(text))


def test_when_all_keys_are_revoked_the_next_start_makes_one(
    books: Books, target: str, tmp_path: Path
) -> None:
    keys.ensure_admin_key(books, tmp_path, target)
    first = key_file.find_key(tmp_path, target)
    assert first is not None
    keys.revoke_key(books, presented(first).key_id)
    assert keys.ensure_admin_key(books, tmp_path, target) is not None
    assert key_file.find_key(tmp_path, target) != first


def test_several_processes_that_start_at_once_agree_on_one_key(target: str, tmp_path: Path) -> None:
    opened = [open_books(target) for _ in range(4)]
    try:
        found: list[Path | None] = []
        threads = [
            threading.Thread(
                target=lambda one: found.append(keys.ensure_admin_key(one, tmp_path, target)),
                args=(one,),
            )
            for one in opened
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [tmp_path / "keys.toml"] * 4
        assert len(rows(opened[0])) == 1
        text = key_file.find_key(tmp_path, target)
        assert text is not None
        Keyring.of(opened[0].database).find(presented(text))
    finally:
        for one in opened:
            one.close()


def test_a_key_that_the_books_did_not_take_does_not_stay_in_the_file(
    books: Books, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise Unavailable("The database is gone.")

    monkeypatch.setattr(keys, "add_key", fail)
    with pytest.raises(Unavailable):
        keys.ensure_admin_key(books, tmp_path, target)
    assert key_file.find_key(tmp_path, target) is None


# --- The file ------------------------------------------------------------------------------------

ONE, TWO = "sqlite:////data/one.db", "sqlite:////data/two.db"


def test_several_databases_keep_their_keys_in_one_file(tmp_path: Path) -> None:
    key_file.put(tmp_path, ONE, "bud_one")
    key_file.put(tmp_path, TWO, "bud_two")
    key_file.put(tmp_path, ONE, "bud_other")
    assert key_file.find_key(tmp_path, ONE) == "bud_other"
    assert key_file.find_key(tmp_path, TWO) == "bud_two"
    assert key_file.find_key(tmp_path, "sqlite:////data/three.db") is None
    assert set(tomllib.loads((tmp_path / "keys.toml").read_text())) == {ONE, TWO}


def test_a_key_is_found_by_the_address_of_the_service_that_last_had_it(tmp_path: Path) -> None:
    key_file.put(tmp_path, ONE, "bud_one")
    key_file.put(tmp_path, TWO, "bud_two")
    key_file.note_url(tmp_path, ONE, "http://127.0.0.1:8013")
    assert key_file.find_key(tmp_path, "http://127.0.0.1:8013/") == "bud_one"
    assert key_file.find_key(tmp_path, "http://localhost:8013") == "bud_one"
    assert key_file.find_key(tmp_path, "http://127.0.0.1:9000") is None
    key_file.note_url(tmp_path, TWO, "http://127.0.0.1:8013")
    assert key_file.find_key(tmp_path, "http://127.0.0.1:8013") == "bud_two"
    assert key_file.find_key(tmp_path, ONE) == "bud_one"


def test_services_that_share_a_database_are_all_found_by_their_addresses(tmp_path: Path) -> None:
    key_file.put(tmp_path, ONE, "bud_one")
    for port in (8013, 8014):
        key_file.note_url(tmp_path, ONE, f"http://127.0.0.1:{port}")
    for port in (8013, 8014):
        assert key_file.find_key(tmp_path, f"http://127.0.0.1:{port}") == "bud_one"
    key_file.put(tmp_path, ONE, "bud_another")
    assert key_file.find_key(tmp_path, "http://127.0.0.1:8013") == "bud_another"


def test_of_the_addresses_of_many_starts_only_the_newest_are_kept(tmp_path: Path) -> None:
    key_file.put(tmp_path, ONE, "bud_one")
    for port in (1, *range(2, key_file.MAX_URLS + 2), 2):
        key_file.note_url(tmp_path, ONE, f"http://127.0.0.1:{port}")
    assert key_file.find_key(tmp_path, "http://127.0.0.1:1") is None
    (kept,) = tomllib.loads((tmp_path / "keys.toml").read_text()).values()
    assert len(kept["urls"]) == key_file.MAX_URLS
    assert kept["urls"][-1] == "http://127.0.0.1:2"


def test_what_is_no_key_or_address_in_the_file_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(
        f'x = 1\n["{ONE}"]\nkey = 5\nurls = "http://127.0.0.1:1"\n'
        f'["{TWO}"]\nkey = "bud_two"\nurls = [1, "http://127.0.0.1:2"]\n'
    )
    assert key_file.find_key(tmp_path, "http://127.0.0.1:2") == "bud_two"
    assert key_file.find_key(tmp_path, "http://127.0.0.1:1") is None
    assert key_file.find_key(tmp_path, ONE) is None


def test_an_address_of_unknown_books_is_not_noted(tmp_path: Path) -> None:
    key_file.note_url(tmp_path, ONE, "http://127.0.0.1:8013")
    assert not (tmp_path / "keys.toml").exists()


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("sqlite:////data/./x/../b.db", "sqlite:////data/b.db"),
        ("postgresql://ann:secret@DB:5432/budget", "postgresql://ann@db:5432/budget"),
        ("postgres://db/budget?password=secret&host=/run", "postgresql://db/budget?host=%2Frun"),
        ("postgresql://ann@/b?sslpassword=x&sslmode=require", "postgresql://ann@/b"),
    ],
)
def test_a_database_has_one_name_without_secrets_however_it_is_spelt(
    target: str, name: str
) -> None:
    assert key_file.books_name(target) == name


def test_a_relative_file_is_named_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert key_file.books_name("sqlite:///b.db") == f"sqlite:///{os.path.realpath(tmp_path)}/b.db"


def test_names_with_quotes_and_odd_letters_survive_the_file(tmp_path: Path) -> None:
    odd = 'sqlite:////data/a"b\\c\x7f é 😀.db'
    key_file.put(tmp_path, odd, "bud_odd")
    assert key_file.find_key(tmp_path, odd) == "bud_odd"


@pytest.mark.parametrize("content", [b"not toml [", b"\xff\xfe", b'a = "b" = "c"'])
def test_a_broken_file_is_told_of_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.toml"
    path.write_bytes(content)
    for act in broken_file_acts(tmp_path):
        with pytest.raises(Unavailable, match=re.escape(str(path))):
            act()
    assert path.read_bytes() == content


def broken_file_acts(folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: key_file.find_key(folder, ONE),
        lambda: key_file.put(folder, ONE, "bud_one"),
        lambda: key_file.note_url(folder, ONE, "http://127.0.0.1:8013"),
    ]


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"), key_file.locked(tmp_path / "file"):
        pass


# --- Settings ------------------------------------------------------------------------------------


def test_flags_come_before_variables_and_variables_before_defaults(tmp_path: Path) -> None:
    env = {
        "BUDGET_TARGET": "sqlite:///env.db",
        "BUDGET_HOST": "127.0.0.2",
        "BUDGET_PORT": "9000",
        "BUDGET_CONFIG_DIR": str(tmp_path),
    }
    from_env = Settings.read(env)
    assert from_env == Settings("sqlite:///env.db", "127.0.0.2", 9000, tmp_path)
    flags = Settings.read(env, target="sqlite:///flag.db", host="::1", port="0")
    assert flags == Settings("sqlite:///flag.db", "::1", 0, tmp_path)
    defaults = Settings.read({"BUDGET_PORT": "", "BUDGET_CONFIG_DIR": str(tmp_path)})
    assert (defaults.host, defaults.port) == ("127.0.0.1", 8013)
    assert defaults.target.startswith("sqlite:////")
    assert defaults.target.endswith("/budget/budget.db")


@pytest.mark.parametrize(
    ("text", "status"), [("", None), ("auto", None), ("402", 402), ("429", 429)]
)
def test_the_status_of_refusals_is_one_of_three(text: str, status: int | None) -> None:
    assert Settings.read({"BUDGET_REFUSAL_STATUS": text}).refusal_status == status


def test_another_status_of_refusals_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings.read({"BUDGET_REFUSAL_STATUS": "200"})
    assert caught.value.field == "BUDGET_REFUSAL_STATUS"
    assert caught.value.allowed == ("auto", "402", "429")


def test_the_price_file_is_that_of_the_flag_else_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    env = {"BUDGET_PRICES": "~/env.yaml"}
    assert Settings.read(env).prices == tmp_path / "env.yaml"
    assert Settings.read(env, prices="flag.csv").prices == Path("flag.csv")
    assert Settings.read({"BUDGET_PRICES": ""}).prices is None


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8013 ", "1" * 5_000, "٨٠", True, 1.5])
def test_what_is_no_port_is_refused_by_name(port: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_port(port, "port")
    assert caught.value.field == "port"
