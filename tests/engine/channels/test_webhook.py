"""Webhooks: the library of Standard Webhooks verifies ours, and nothing that was tampered with."""

import base64
import random
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from budget.domain.errors import InvalidInput
from budget.engine.budget import Budget as Books
from budget.engine.channels import webhook
from budget.engine.channels.settings import ChannelSettings
from tests.engine.channels.post import Post, hook, made
from tests.engine.opened import HOUR, SECOND, Clock, told
from tests.support.receivers import Receiver


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    # The message, secret and signature that the specification's own test vectors have.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = webhook.signature(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_of_256_bits_and_no_two_alike() -> None:
    made = {webhook.new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_official_library_verifies_what_is_sent(
    books: Books, post: Post, receiver: Receiver
) -> None:
    channel = hook(books, receiver)
    assert channel.secret is not None
    made(books, "Grüße", "日本")
    books.test_channel(channel.channel_id)
    post.turn()
    verifier = Webhook(channel.secret)
    read = [verifier.verify(r.body, r.headers) for r in receiver.received]
    assert [told["type"] for told in read] == ["test", "budget_created", "budget_created"]
    assert [told["data"]["detail"]["name"] for told in read[1:]] == ["Grüße", "日本"]
    assert read[1]["timestamp"] == read[1]["data"]["at"]


def tampered(rng: random.Random, body: bytes, headers: dict[str, str]) -> tuple[bytes, Any]:
    """A message in which one thing is not as it was sent."""
    changed = dict(headers)
    what = rng.choice(["body", "id", "timestamp", "signature", "cut", "longer"])
    at = rng.randrange(len(body))
    if what == "body":
        swapped = (body[at] + rng.randrange(1, 96) - 32) % 95 + 32
        body = body[:at] + bytes([swapped if swapped != body[at] else 126]) + body[at + 1 :]
    elif what == "cut":
        body = body[:at]
    elif what == "longer":
        body = body[:at] + bytes([rng.randrange(32, 127)]) + body[at:]
    elif what == "id":
        name = headers["webhook-id"]
        at = rng.randrange(len(name))
        changed["webhook-id"] = name[:at] + ("x" if name[at] != "x" else "y") + name[at + 1 :]
    elif what == "timestamp":
        changed["webhook-timestamp"] = str(
            int(headers["webhook-timestamp"]) + rng.choice([-9, -1, 1, 9])
        )
    else:
        raw = bytearray(base64.b64decode(headers["webhook-signature"].removeprefix("v1,")))
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        changed["webhook-signature"] = f"v1,{base64.b64encode(raw).decode()}"
    return body, changed


def test_a_thousand_messages_that_were_tampered_with_are_rejected(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    channel = hook(light, receiver)
    assert channel.secret is not None
    made(light, "Acme")
    light_post.turn()
    (sent,) = receiver.received
    verifier = Webhook(channel.secret)
    verifier.verify(sent.body, sent.headers)
    rng = random.Random(14)
    rejected = 0
    for _ in range(1000):
        body, headers = tampered(rng, sent.body, sent.headers)
        assert (body, headers) != (sent.body, sent.headers)
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)
        rejected += 1
    assert rejected == 1000


def test_after_a_rotation_both_secrets_sign_for_a_day_and_then_the_new_one_alone(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(books, receiver)
    rotated = books.rotate_channel_secret(channel.channel_id)
    assert channel.secret is not None
    assert rotated.secret is not None
    assert rotated.secret != channel.secret
    assert rotated.former_until_us == clock.now_us + 24 * HOUR
    made(books, "a")
    post.turn()
    (sent,) = receiver.received
    assert len(sent.headers["webhook-signature"].split(" ")) == 2
    for secret in (channel.secret, rotated.secret):
        Webhook(secret).verify(sent.body, sent.headers)
    clock.move(24 * HOUR)
    made(books, "b")
    post.turn()
    later = receiver.received[-1]
    assert len(later.headers["webhook-signature"].split(" ")) == 1
    at_s = int(later.headers["webhook-timestamp"])
    assert at_s == clock.now_us // SECOND
    signed = webhook.signature(rotated.secret, later.id, at_s, later.body)
    assert later.headers["webhook-signature"] == signed


def test_a_secret_is_in_no_entry_no_list_and_no_words_about_a_channel(
    books: Books, receiver: Receiver
) -> None:
    channel = hook(books, receiver, url=f"{receiver.origin}/token-in-the-path?k=v")
    rotated = books.rotate_channel_secret(channel.channel_id)
    for secret in (channel.secret, rotated.secret):
        assert secret is not None
        for shown in (
            repr(channel), repr(rotated), repr(books.channels()),
            repr(books.channel(channel.channel_id)), repr(books.events(limit=100)),
        ):  # fmt: skip
            assert secret not in shown
            assert secret.removeprefix("whsec_") not in shown
    assert "token-in-the-path" not in repr(books.events(limit=100))
    assert told(books, "channel_secret_rotated")[0]["channel_id"] == channel.channel_id


PRIVATE = [
    "http://hooks.example.com/", "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/",
    "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/",
    "https://hooks.example.com:8443/", "https://user:secret@hooks.example.com/", "https://hooks/",
    "https://0x7f000001/", "https://2130706433/", "https://127.1/", "https://100.64.0.1/",
    "ftp://hooks.example.com/", "file:///etc/passwd", "//hooks.example.com", "hooks.example.com",
    "https://hooks.example.com/\r\nHost: x", "https://hooks.example.com/#x", "https:///x", "",
    "https://hooks.example.com\\@127.0.0.1/", "https://ḣooks.example.com/",
    "https://hooks.example.com./",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_a_url_that_leads_into_our_network_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        webhook.check_url(url, ChannelSettings())
    assert caught.value.field == "url"
    assert "secret" not in str(caught.value)


def test_an_origin_that_the_operator_names_may_be_near(receiver: Receiver) -> None:
    settings = ChannelSettings(frozenset({receiver.origin}))
    assert webhook.check_url(receiver.url, settings) == receiver.url
    with pytest.raises(InvalidInput) as caught:
        webhook.check_url(receiver.url, ChannelSettings())
    assert "BUDGET_WEBHOOK_ORIGINS" in caught.value.detail


def test_a_name_that_has_come_to_lead_into_our_network_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "budget.outbound.posting.post.__kwdefaults__",
        {**(webhook_post().__kwdefaults__ or {}), "resolve": lambda *_: ["127.0.0.1"]},
    )
    outcome = webhook.send(
        "https://rebound.example.com/", [webhook.new_secret()], "x", 0, b"{}", ChannelSettings()
    )
    assert (outcome.status, outcome.unreachable) == ("failed", True)
    assert "127.0.0.1" not in outcome.answer
    assert receiver.received == []


def webhook_post() -> Any:
    from budget.outbound.posting import post

    return post
