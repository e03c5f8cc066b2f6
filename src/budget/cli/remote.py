"""A service as `replay` speaks to it: in JSON, as it stands, so that its books can be judged.

Not here: the client of all other commands and of programs (`budget.client`).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from budget.cli.books import check_key, not_accepted
from budget.cli.exits import Answered
from budget.cli.face import Face
from budget.domain.errors import Unavailable
from budget.domain.shapes import BalanceShape
from budget.engine.places import find_key, find_place, service_url

if TYPE_CHECKING:
    import httpx2

PAGE: Final = 1000
TIMEOUT_SECONDS: Final = 30


def find_service(face: Face, url: str | None) -> "Service":
    """The service at an address, or that of this machine. Unavailable when there is none."""
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    if url is not None:
        url = service_url(url, "--url")
        return Service(url, find_key(settings.config_dir, url), option="--url")
    place = find_place(settings)
    if place.url is None:
        raise Unavailable(
            "No service runs on this machine. Start one with `budget serve`, or name another with "
            "--url.",
            code="unreachable",
        )
    return Service(place.url, place.key, option="--url")


def heads(key: str | None) -> dict[str, str]:
    """The headers of every request. InvalidInput for a key that no header can carry."""
    if key is None:
        return {}
    check_key(key)
    return {"Authorization": f"Bearer {key}"}


def near(url: str) -> bool:
    """Whether a service runs on this machine, which no proxy stands before."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def unreachable(url: str, error: Exception, option: str) -> Unavailable:
    """What to say when nobody answers at an address; `option` is how to name another."""
    what = str(error) or type(error).__name__
    return Unavailable(
        f"No service answers at {url} ({what}). Start one with `budget serve`, or name another "
        f"with {option}.",
        code="unreachable",
    )


def read_answer(url: str, answer: "httpx2.Response") -> Any:
    """The JSON of an answer, or the error it tells of."""
    import msgspec

    try:
        body = msgspec.json.decode(answer.content) if answer.content else None
    except msgspec.DecodeError:
        body = None
    if answer.is_success and body is not None:
        return body
    if isinstance(body, dict) and isinstance(body.get("detail"), str):
        code = str(body.get("code", "error"))
        detail = body["detail"] if code != "unauthorized" else not_accepted(url, _key_of(answer))
        raise Answered(answer.status_code, detail, code)
    raise Answered(
        answer.status_code,
        f"{url} answered {answer.status_code}, and not as Budget does. Is the address right?",
        "not_budget",
    )


def _key_of(answer: "httpx2.Response") -> str | None:
    """The key that was sent."""
    sent: str | None = answer.request.headers.get("Authorization")
    return None if sent is None else sent.removeprefix("Bearer ")


class Service:
    """A connection to a service; `option` is the one that names it."""

    def __init__(self, url: str, key: str | None, *, option: str = "--target") -> None:
        import httpx2

        self.where = url
        self.timeout_seconds = TIMEOUT_SECONDS
        self._option = option
        self.key = key
        self._client = httpx2.Client(
            base_url=url,
            headers=heads(key),
            trust_env=not near(url),
            # To read whose certificates are believed takes 25 ms; here none is shown.
            verify=not (near(url) and url.startswith("http:")),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        asked: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask, and read the answer. Raises Answered or Unavailable."""
        import httpx2

        try:
            answer = self._client.request(
                method,
                f"/api/v1{path}",
                json=body,
                params=asked,
                timeout=self.timeout_seconds,
            )
        except httpx2.TransportError as error:
            raise unreachable(self.where, error, self._option) from None
        return read_answer(self.where, answer)

    def pages(self, path: str, **asked: str) -> Iterator[Any]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.call("GET", path, None, {"limit": str(PAGE), **asked, **more})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def status(self, attributes: Mapping[str, str]) -> list[BalanceShape]:
        """Every balance that calls with these attributes meet."""
        balances: list[BalanceShape] = self.call("GET", "/status", None, attributes)["balances"]
        return balances
