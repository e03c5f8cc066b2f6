"""A browser as the door sees it: it keeps cookies and says where its requests began."""

from typing import Any

import httpx2

from tests.http.running import Running

OWN = {"Sec-Fetch-Site": "same-origin"}


class Browser:
    """Keeps cookies; `ask` is made by a page of the service, unless its headers say otherwise."""

    def __init__(self, service: Running, **given: Any) -> None:
        self.service = service
        self.client = httpx2.Client(
            base_url=service.url, trust_env=False, verify=False, timeout=30, **given
        )
        self.csrf = ""

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def log_in(self, key: str | None = None) -> httpx2.Response:
        """Make a link with a key, open it and press the button."""
        headers = {"X-API-Key": key or self.service.key}
        made = httpx2.post(
            f"{self.service.url}/api/v1/login-links", headers=headers, trust_env=False, verify=False
        )
        assert made.status_code == 201, made.text
        path = "/login" + made.json()["url"].partition("/login")[2]
        answer = self.client.post(path, headers=OWN)
        assert answer.status_code == 303, answer.text
        self.csrf = self.ask("GET", "/sessions/current").json()["csrf_token"]
        return answer

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """A request under /api/v1 by a page of ours, with the token that a change needs."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**OWN, "X-CSRF-Token": self.csrf, **named}
        return self.client.request(method, f"/api/v1{path}", json=body, headers=sent)
