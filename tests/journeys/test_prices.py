"""Prices from a source over the network: read, changed, held, accepted; and a source that fails."""

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.journeys.conftest import serving
from tests.support.priced import FOUR, litellm_map


class Feed(ThreadingHTTPServer):
    """A source of prices on this machine; `body` is what it sends."""

    body = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Sends)

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Sends(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Feed)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def feed() -> Iterator[Feed]:
    with Feed() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_wild_price_waits_until_it_is_accepted_and_a_failing_source_changes_nothing(
    user: dict[str, str], feed: Feed
) -> None:
    settings = {
        "BUDGET_PRICE_SOURCES": f"litellm={feed.origin}/map.json",
        "BUDGET_PRICE_ORIGINS": feed.origin,
    }
    said: list[str] = []

    def budget(command: str, *, code: int = 0) -> str:
        heard = subprocess.run(
            ["bash", "-c", f"budget {command}"],
            capture_output=True, text=True, env=user, check=False,
        )  # fmt: skip
        said.append(f"$ budget {command}\n{heard.stdout}{heard.stderr}")
        assert heard.returncode == code, "\n".join(said)
        return heard.stdout

    a_million = "calc-cost --provider groq --model a --input-tokens 1000000"
    with serving({**user, **settings}):
        feed.body = litellm_map(FOUR)
        assert "applied" in budget("prices update")
        feed.body = litellm_map({**FOUR, "a": ("100", "2"), "b": ("3.30", "6")})
        told = budget("prices update litellm")
        assert re.search(r"groq/b +input +3\.00 +3\.30 +10\.00 +applied$", told, re.MULTILINE)
        (accept,) = re.findall(r"^  budget (prices accept \w+ --reason)", told, re.MULTILINE)
        assert budget(a_million).endswith("Total 1.00 USD\n")
        budget(f"{accept} 'their price page says so'")
        assert budget(a_million).endswith("Total 100.00 USD\n")
        feed.body = b"<!doctype html><title>Sign in</title>"
        assert "Its prices stay as they were." in budget("prices update", code=1)
        assert budget(a_million).endswith("Total 100.00 USD\n")
