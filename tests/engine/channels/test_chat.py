"""Chat: which services may be told, and how apprise tells them."""

import http.server
import importlib.util
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.budget import Budget as Books
from budget.engine.channels import chat
from tests.engine.channels.post import Post, deliveries, made

DISCORD = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV"


@pytest.mark.parametrize(
    "url",
    [
        DISCORD,
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944/k6erlBQRUhEmYt?pa=yes",
        "gchat://space/key/token",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "pagerduty://integration@key",
        "opsgenie://a-b-c?priority=high",
    ],
)
def test_services_on_hosts_of_their_own_may_be_told(url: str) -> None:
    assert chat.check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/", "jsons://evil.example.com", "xml://127.0.0.1", "form://10.0.0.1/",
        "mailto://user:pass@evil.example.com", "syslog://", "dbus://", "windows://", "macosx://",
        "apprise://127.0.0.1/token", "ntfy://127.0.0.1/topic", "gotify://127.0.0.1/token",
        "matrix://user:pass@127.0.0.1", "mmost://127.0.0.1/token", "rocket://127.0.0.1/a/b",
        "signal://127.0.0.1/+1", "hassio://127.0.0.1/token", "file:///etc/passwd",
        "https://hooks.slack.com/services/a/b/c", "http://127.0.0.1/", "SLACK://a/b/c", "slack:a",
        "workflows://127.0.0.1/a/b", "workflows://evil.example.com/a/b", "workflows:///a/b",
        "workflows://logic.azure.com.evil.example.com/a/b", "slack://", "slack://a/b",
        "workflows://x.logic.azure.com@evil.example.com/643e69f83c8944/k6erlBQRUhEmYt",
        "workflows://evil.example.com#.logic.azure.com/643e69f83c8944/k6erlBQRUhEmYt",
        "workflows://x.logic.azure.com:8080/643e69f83c8944/k6erlBQRUhEmYt",
        f"{DISCORD}?template=/etc/passwd", f"{DISCORD}?verify=no", f"{DISCORD}?cto=999999",
        f"{DISCORD}?Template=/etc/passwd", f"{DISCORD}?+x=1", f"{DISCORD}?a=1&include=http://x",
        f"{DISCORD}?avatar_url=http://169.254.169.254/", f"{DISCORD} json://127.0.0.1",
        f"{DISCORD},json://127.0.0.1", f"{DISCORD};json://127.0.0.1", f"{DISCORD}\njson://x", "",
        "x" * 3000, 1, None, ["slack://a/b/c"],
    ],
)  # fmt: skip
def test_others_are_refused_and_nothing_of_them_repeated(url: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        chat.check_url(url)
    assert caught.value.field == "apprise_url"
    for secret in ("evil", "127.0.0.1", "passwd", "pass@", "JHMHI8"):
        assert secret not in str(caught.value)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        return None if name == "apprise" else importlib.util.find_spec(name)

    monkeypatch.setattr(chat, "find_spec", missing)
    with pytest.raises(InvalidInput) as caught:
        chat.check_url(DISCORD)
    assert caught.value.code == "extra_missing"
    assert "budgetd[chat]" in caught.value.detail
    assert chat.send(DISCORD, "t", "t").status == "failed"


@pytest.fixture
def discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Paths and bodies of what a stand-in for Discord on this machine is told."""
    heard: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            heard.append((self.path, body))
            self.send_response(204 if "JHMHI8" in self.path else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    chat.check_url(DISCORD)  # loads apprise's services
    from apprise.plugins.discord import NotifyDiscord

    url = f"http://127.0.0.1:{server.server_port}/api/webhooks"
    monkeypatch.setattr(NotifyDiscord, "notify_url", url)
    monkeypatch.setattr(NotifyDiscord, "request_rate_per_sec", 0)
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_notice_reaches_the_service(
    light: Books, light_post: Post, discord: list[tuple[str, str]]
) -> None:
    channel = light.create_channel(
        name="chat", kind="chat", apprise_url=DISCORD, wanted={"kinds": ["budget_created"]}
    )
    made(light, "Acme")
    light_post.turn()
    assert [d.status for d in deliveries(light, channel)] == ["delivered"]
    ((path, body),) = discord
    assert path.startswith("/api/webhooks/4174216298/")
    assert "Budget created (Acme)" in json.dumps(json.loads(body))
    assert light.test_channel(channel.channel_id).delivered


def test_what_a_service_refuses_is_tried_again_and_its_url_is_in_no_log(
    light: Books,
    light_post: Post,
    discord: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "discord://4174216298/revoked-token-4711"
    channel = light.create_channel(
        name="chat", kind="chat", apprise_url=url, wanted={"kinds": ["budget_created"]}
    )
    made(light, "Acme")
    light_post.turn()
    assert len(discord) == 1
    (waiting,) = deliveries(light, channel)
    assert (waiting.status, waiting.answer) == ("pending", "was not accepted")
    told = "".join(r.getMessage() for r in caplog.records if not r.name.startswith("urllib3"))
    assert "4711" not in told
    assert "4711" not in repr(light.events(limit=100))
