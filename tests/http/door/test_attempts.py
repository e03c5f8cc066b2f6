"""Whoever is wrong too often waits, and costs the database nothing; who is right gets in."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial

import httpx2
import pytest

from budget.domain.errors import Unauthorized
from budget.engine import keys
from budget.engine.door_settings import DoorSettings
from budget.http.auth import Gate
from budget.http.door import door
from budget.http.door.attempts import MAX_NAMES, Attempts, address_of
from budget.http.door.visits import Visits
from budget.http.problems import TooMany
from tests.http.running import Running, running
from tests.support.databases import SqliteTemplates, sqlite_url


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- Counting ------------------------------------------------------------------------------------


def test_a_name_may_fail_so_often_a_minute_and_then_as_time_allows() -> None:
    clock = Clock()
    attempts = Attempts(20, clock)
    assert [attempts.fail("a") for _ in range(20)] == [0] * 20
    anybody = [attempts.anybody]
    assert attempts.fail("a") == attempts.wait_seconds("a") == 3
    assert attempts.fail("b") == 0
    clock.now += 2.5
    assert attempts.wait_seconds("a") == 1
    clock.now += 0.5
    assert [attempts.fail("a") for _ in range(2)] == [0, 3]
    clock.now += 60
    assert [*anybody, attempts.anybody] == [True, False]
    assert [attempts.fail("a") for _ in range(21)] == [0] * 20 + [3]


def test_names_are_remembered_up_to_a_number() -> None:
    attempts = Attempts(2, Clock())
    for _ in range(2):
        attempts.fail("first")
    for at in range(MAX_NAMES - 1):
        attempts.fail(str(at))
    assert attempts.wait_seconds("first")
    attempts.fail("one more")
    assert not attempts.wait_seconds("first")


@pytest.mark.parametrize(
    ("client", "forwarded", "proxied", "address"),
    [
        ("192.0.2.1", None, False, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", False, "192.0.2.1"),
        ("127.0.0.1", "198.51.100.7", True, "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", True, "198.51.100.7"),
        ("127.0.0.1", None, True, "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4,", True, "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", None, False, "2001:db8:1:2::"),
        ("2001:db8:1:2::9", None, False, "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", None, False, "192.0.2.1"),
        ("127.0.0.1", "[2001:db8:1:2::9]", True, "2001:db8:1:2::"),
        ("127.0.0.1", "x" * 100_000, True, "x" * 64),
        (None, None, False, ""),
    ],
)
def test_an_address_is_what_can_not_be_made_up(
    client: str | None, forwarded: str | None, proxied: bool, address: str
) -> None:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    peer = None if client is None else (client, 1)
    assert address_of(peer, headers, proxied) == address


# --- At the door ---------------------------------------------------------------------------------

BAD = "bud_' OR 1--"


class Street:
    """A service behind a proxy, with the usual limits, where time stands still for attempts."""

    def __init__(self, service: Running, client: httpx2.Client) -> None:
        self.service = service
        self._client = client

    def ask(self, address: str, key: str = "", cookie: str = "") -> httpx2.Response:
        """Who am I, from an address."""
        headers = {"X-Forwarded-For": address}
        headers |= {"X-API-Key": key} if key else {}
        headers |= {"Cookie": cookie} if cookie else {}
        return self._client.get("/api/v1/sessions/current", headers=headers)

    def open_link(self, address: str, token: str) -> httpx2.Response:
        """Press the button of a link."""
        headers = {"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin"}
        answer = self._client.post(f"/login?token={token}", headers=headers)
        self._client.cookies.clear()  # each request here says itself what it carries
        return answer

    def key(self) -> keys.NewKey:
        """A new key that may read."""
        key = keys.make_key()
        keys.add_key(self.service.books, key, name="x", scopes="read")
        return key


@pytest.fixture(scope="module")
def street(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Street]:
    """Each test has addresses of its own."""
    url = sqlite_url(tmp_path_factory.mktemp("attempts") / "budget.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "Attempts", partial(Attempts, clock=Clock()))
        with (
            running(url, door=DoorSettings(), proxied=True) as service,
            httpx2.Client(
                base_url=service.url, trust_env=False, verify=False, timeout=30
            ) as client,
        ):
            yield Street(service, client)


def test_an_address_that_is_wrong_too_often_waits_and_no_other(street: Street) -> None:
    answers = [street.ask("192.0.2.1", BAD) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    problem = answers[-1].json()
    assert (problem["code"], problem["retry_after_seconds"]) == ("too_many_attempts", 3)
    assert answers[-1].headers["retry-after"] == "3"
    assert len({answer.content for answer in answers[:-1]}) == 1
    assert street.ask("192.0.2.2", BAD).status_code == 401
    assert street.ask("192.0.2.1").status_code == 401  # who brings nothing has tried nothing


def test_a_key_that_was_seen_gets_in_whoever_else_was_wrong(street: Street) -> None:
    known, unseen = street.key(), street.key()
    assert street.ask("192.0.2.9", known.text).status_code == 200
    statuses = [street.ask("192.0.2.3", BAD).status_code for _ in range(21)]
    assert statuses[-1] == 429
    assert street.ask("192.0.2.3", known.text).status_code == 200
    assert street.ask("192.0.2.3", unseen.text).status_code == 429
    assert street.ask("192.0.2.4", unseen.text).status_code == 200
    assert street.ask("192.0.2.3", unseen.text).status_code == 200


def with_another_secret(key: keys.NewKey) -> str:
    """A key of the same id, well formed and wrong."""
    body = f"bud_{key.key_id[4:]}_{keys.make_key().text[13:56]}"
    return body + keys._checksum(body)


def test_the_id_of_a_key_is_tried_in_vain_from_many_addresses(street: Street) -> None:
    key = street.key()
    statuses = [
        street.ask(f"198.51.100.{at}", with_another_secret(key)).status_code for at in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    assert street.ask("198.51.100.99", key.text).status_code == 200


def test_cookies_and_links_are_counted_too(street: Street) -> None:
    by_cookie = [street.ask("203.0.113.80", cookie=f"budget_session={at:043d}") for at in range(21)]
    by_link = [street.open_link("203.0.113.81", f"{at:043d}") for at in range(21)]
    for answers in (by_cookie, by_link):
        assert [answer.status_code for answer in answers] == [401] * 20 + [429]
        assert answers[-1].headers["retry-after"] == "3"


def test_a_browser_that_is_logged_in_stays_so_whoever_else_was_wrong(street: Street) -> None:
    link = street.service.post("/login-links")["url"]
    token = street.open_link("192.0.2.20", link.partition("token=")[2]).cookies["budget_session"]
    cookie = f"budget_session={token}"
    assert street.ask("192.0.2.20", cookie=cookie).status_code == 200
    assert [street.ask("192.0.2.20", BAD).status_code for _ in range(21)][-1] == 429
    time.sleep(keys.REMEMBERED_SECONDS)  # what was remembered of it is old, and is asked anew
    assert street.ask("192.0.2.20", cookie=cookie).status_code == 200


def test_a_page_left_open_asks_again_and_again(street: Street) -> None:
    for _ in range(30):
        answer = street.ask("203.0.113.82", cookie=f"budget_session={'0' * 43}")
        assert answer.status_code == 401


# --- What it costs -------------------------------------------------------------------------------


def attacked(texts: list[str]) -> tuple[list[str], list[type[Exception]]]:
    """What the books are asked, and what is answered, when one address brings all of these keys."""
    asked: list[str] = []

    def read(key_id: str) -> keys.KeyRow | None:
        asked.append(key_id)
        return None

    def no_session(hashed: str) -> None:
        raise AssertionError(hashed)

    async def attack() -> list[type[Exception]]:
        gate = Gate(keys.Keyring(read))
        entrance = door.Door(gate, Visits(no_session, lambda: 0), DoorSettings())
        answers: list[type[Exception]] = []
        for text in texts:
            try:
                await entrance.admit("GET", {b"x-api-key": text.encode()}, ("192.0.2.1", 1))
            except (Unauthorized, TooMany) as error:
                answers.append(type(error))
        return answers

    return asked, asyncio.run(attack())


def test_ten_thousand_bad_keys_ask_the_books_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "Attempts", partial(Attempts, clock=Clock()))
    asked, answers = attacked([f"bud_' OR {at}--" for at in range(10_000)])
    assert answers == [Unauthorized] * 20 + [TooMany] * 9_980
    assert asked == []


def test_ten_thousand_keys_that_look_good_ask_the_books_twenty_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "Attempts", partial(Attempts, clock=Clock()))
    made = [keys.make_key() for _ in range(100)]
    asked, answers = attacked([key.text for key in made] * 100)
    assert answers == [Unauthorized] * 20 + [TooMany] * 9_980
    assert asked == [key.key_id for key in made[:20]]
