"""Mail, handed to a real server on this machine."""

import asyncio
import contextlib
import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from budget.domain.errors import InvalidInput
from budget.engine.books import Books as Opened
from budget.engine.budget import Budget as Books
from budget.engine.channels import mail
from budget.engine.channels.settings import ChannelSettings, MailServer, is_address
from tests.engine.channels.post import Post, deliveries, made
from tests.engine.opened import PRICES, SECOND, Clock


class Inbox:
    """A mail server's handler: keeps what comes, refuses whom it is told to."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refused: set[str] = set()
        self.answer = "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        del server, session, options
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        del server, session
        if self.answer.startswith("250"):
            read = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(read, EmailMessage)
            self.mails.append((list(envelope.rcpt_tos), read))
        return self.answer


@pytest.fixture
def inbox() -> Inbox:
    """What has come."""
    return Inbox()


@contextlib.contextmanager
def serving(inbox: Inbox, **options: Any) -> Iterator[int]:
    """A mail server on a port of this machine, in a thread."""
    loop = asyncio.new_event_loop()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", 0)

    server = loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def server(inbox: Inbox) -> Iterator[MailServer]:
    """A mail server on this machine."""
    with serving(inbox) as port:
        yield MailServer("smtp", "127.0.0.1", port, "budget@example.com")


@pytest.fixture
def mailing(light_url: str, clock: Clock, server: MailServer) -> Iterator[Post]:
    """Books that may send mail."""
    settings = ChannelSettings(mail=server)
    opened = Opened.open(
        light_url, clock=clock, prices=PRICES, channel_settings=settings, sweep=False
    )
    with Books(opened) as books, Post(books) as post:
        yield post


def test_a_notice_comes_as_plain_text_to_all_that_are_named(mailing: Post, inbox: Inbox) -> None:
    books = mailing.books
    channel = books.create_channel(
        name="us", kind="email", to=["a@example.com", "b@example.com"],
        wanted={"kinds": ["budget_created"]},
    )  # fmt: skip
    made(books, "Größe")
    mailing.turn()
    ((to, message),) = inbox.mails
    assert to == ["a@example.com", "b@example.com"]
    assert message["From"] == "budget@example.com"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Subject"] == "Budget created (Größe)"
    assert message["Auto-Submitted"] == "auto-generated"
    (sent,) = deliveries(books, channel)
    assert message["Message-ID"] == f"<{sent.delivery_id}@example.com>"
    assert message.get_content_type() == "text/plain"
    assert "budget: Größe" in message.get_content()
    assert (sent.status, sent.answer) == ("delivered", "accepted")


def test_owners_of_budgets_get_what_is_about_theirs(
    mailing: Post, inbox: Inbox, clock: Clock
) -> None:
    books = mailing.books
    channel = books.create_channel(
        name="owners", kind="email", to="owner", wanted={"kinds": ["budget_created"]},
        digest_seconds=60,
    )  # fmt: skip
    made(books, "one", "two", owner="one@example.com")
    made(books, "three", owner="three@example.com")
    made(books, "nobody's")
    made(books, "odd", owner="the search team")
    mailing.turn()
    clock.move(60 * SECOND)
    mailing.turn()
    assert sorted((to, mail["Subject"]) for to, mail in inbox.mails) == [
        (["one@example.com"], "owners: 2 notices"),
        (["three@example.com"], "Budget created (three)"),
    ]
    assert len({mail["Message-ID"] for _, mail in inbox.mails}) == 2
    found = [(d.status, d.answer) for d in deliveries(books, channel)]
    nobody = ("skipped", "The budget's owner is no e-mail address.")
    assert found == [("delivered", "accepted")] * 3 + [nobody] * 2


@pytest.mark.parametrize(
    "ending", ["\nBcc: evil@example.com", "\r\n\r\nEvil", "\x85X: y", "\u2028Z: y"]
)
def test_a_name_cannot_add_a_header(server: MailServer, inbox: Inbox, ending: str) -> None:
    outcome = mail.send(server, ["a@example.com"], "x", 0, f"Budget{ending}", f"text{ending}")
    assert outcome.status == "delivered"
    ((to, message),) = inbox.mails
    assert to == ["a@example.com"]
    assert {name.lower() for name in message} <= {
        "from", "to", "subject", "date", "message-id", "auto-submitted", "content-type",
        "content-transfer-encoding", "mime-version", "x-peer", "x-mailfrom", "x-rcptto",
    }  # fmt: skip
    assert "\n" not in message["Subject"]


def test_a_server_that_refuses_is_tried_again(mailing: Post, inbox: Inbox, clock: Clock) -> None:
    books = mailing.books
    channel = books.create_channel(
        name="us", kind="email", to="a@example.com", wanted={"kinds": ["budget_created"]}
    )
    made(books, "a")
    inbox.answer = "451 later, please, with words that nobody should repeat"
    mailing.turn()
    (waiting,) = deliveries(books, channel)
    assert (waiting.status, waiting.answer) == ("pending", "The mail server answered 451.")
    inbox.answer = "250 OK"
    inbox.refused = {"a@example.com"}
    clock.move(6 * SECOND)
    mailing.turn()
    (waiting,) = deliveries(books, channel)
    assert waiting.answer == "The mail server refused every recipient."
    inbox.refused = set()
    clock.move(40 * SECOND)
    mailing.turn()
    assert [d.status for d in deliveries(books, channel)] == ["delivered"]


def test_a_test_says_what_came_of_it(mailing: Post, inbox: Inbox) -> None:
    books = mailing.books
    one = books.create_channel(name="us", kind="email", to="a@example.com")
    owners = books.create_channel(name="all", kind="email", to="owner")
    assert books.test_channel(one.channel_id).delivered
    assert not books.test_channel(owners.channel_id).delivered
    ((_, message),) = inbox.mails
    assert message["Subject"] == "Test of the channel us"


def test_a_password_goes_over_tls_or_stays_here(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    seen: list[LoginPassword] = []

    def authenticate(*args: Any) -> AuthResult:
        seen.append(args[-1])
        return AuthResult(success=True)

    options = {"tls_context": context, "require_starttls": True, "authenticator": authenticate,
               "auth_required": True}  # fmt: skip
    with serving(inbox, **options) as port:
        server = MailServer(
            "smtp+starttls", "localhost", port, "budget@example.com", "user", "p@ss"
        )
        untrusted = mail.send(server, ["a@example.com"], "x", 0, "Title", "text")
        assert (untrusted.status, seen) == ("failed", [])
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        assert mail.send(server, ["a@example.com"], "x", 0, "Title", "text").status == "delivered"
    assert [(login.login, login.password) for login in seen] == [(b"user", b"p@ss")]
    assert "p@ss" not in repr(server)


def test_a_password_is_not_sent_to_another_machine_in_the_clear(
    server: MailServer, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(mail, "_is_this_machine", lambda _: False)
    outcome = mail.send(
        replace(server, user="user", password="secret"), ["a@example.com"], "x", 0, "T", "t"
    )
    assert outcome.status == "failed"
    assert "no TLS" in outcome.answer
    assert inbox.mails == []


def test_a_server_that_is_not_there_is_said_to_be() -> None:
    gone = MailServer("smtp", "127.0.0.1", 9, "budget@example.com")
    outcome = mail.send(gone, ["a@example.com"], "x", 0, "T", "t")
    assert (outcome.status, outcome.unreachable) == ("failed", True)


@pytest.mark.parametrize(
    ("url", "scheme", "port", "user", "password"),
    [
        ("smtp://mail.example.com", "smtp", 25, None, None),
        ("smtps://u:p%40%3A@mail.example.com", "smtps", 465, "u", "p@:"),
        ("smtp+starttls://u:@[::1]:2525/", "smtp+starttls", 2525, "u", ""),
    ],
)
def test_the_server_is_read_from_its_url(
    url: str, scheme: str, port: int, user: str | None, password: str | None
) -> None:
    env = {"BUDGET_SMTP_URL": url, "BUDGET_SMTP_FROM": "a@b.example"}
    read = ChannelSettings.read(env).mail
    assert read is not None
    assert (read.scheme, read.port, read.user, read.password) == (scheme, port, user, password)


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://a b", "smtp://u@host",
     "smtp://u:secret@host:0", "smtp://u:secret@host:99999", "smtp://u:secret@host/path"],
)  # fmt: skip
def test_a_mistake_in_it_is_named_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ChannelSettings.read({"BUDGET_SMTP_URL": url, "BUDGET_SMTP_FROM": "a@b.example"})
    assert caught.value.field == "BUDGET_SMTP_URL"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sender", ["", "budget", "Budget <a@b.example>", "a@b.example\nBcc: c@d"])
def test_mail_needs_an_address_that_it_comes_from(sender: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ChannelSettings.read({"BUDGET_SMTP_URL": "smtp://x", "BUDGET_SMTP_FROM": sender})
    assert caught.value.field == "BUDGET_SMTP_FROM"


@pytest.mark.parametrize("origins", ["localhost:9000", "http://x/path", "http://u:p@x"])
def test_an_origin_is_a_scheme_a_host_and_a_port(origins: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ChannelSettings.read({"BUDGET_WEBHOOK_ORIGINS": origins})
    assert caught.value.field == "BUDGET_WEBHOOK_ORIGINS"


def test_addresses_are_plain() -> None:
    assert all(map(is_address, ["a@b.example", "a.b+c@d-e.example", "x@localhost"]))
    for wrong in ("", "a", "@b", "a@", "a b@c", "a@b,c@d", "<a@b>", "a@b\n", "a@-b", "ä@b", 1):
        assert not is_address(wrong), wrong
