"""Calling a neighbour: JSON over HTTP to an address that the operator named, within bounds.

    line = Line("athena", "http://127.0.0.1:8005")
    told = await line.ask("GET", "/api/v1/knowledge/stats")

Whatever goes wrong is an `Unanswered`, whose sentence is for people. Not here: addresses that
anybody else names, which go through `outbound`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2
import msgspec

from budget.domain.errors import InvalidInput, Unavailable
from budget.neighbours.neighbour import Contact
from budget.outbound.guard import read_url

TIMEOUT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
MAX_TOLD_CHARS: Final = 200
_ABOUT_THE_ASK: Final = (400, 404, 422)

Mistake = Callable[[Any], str | None]
"""What an answer of status 200 says went wrong, if it says so."""


class Unanswered(Unavailable):
    """A neighbour did not do what it was asked; `status` None: it gave no answer at all."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail, code="neighbour_failed")
        self.status = status


@contextmanager
def noting(contact: Contact) -> Iterator[None]:
    """Note how calls go that somebody waits for. An answer that says that the ask is wrong, or that
    there is no such thing, says nothing of the neighbour.
    """
    try:
        yield
    except Unanswered as error:
        if error.status not in _ABOUT_THE_ASK:
            contact.failed(error)
        raise
    contact.went_well()


def read_address(
    env: Mapping[str, str], setting: str, former: str | None = None, *, port: int
) -> str:
    """The address that a setting names, without a slash at its end; InvalidInput, which repeats
    nothing of it, if it is none. `port` is the usual one of whoever is called.
    """
    field = setting if env.get(setting) or former is None else former
    text = (env.get(field) or "").rstrip("/")
    try:
        site = read_url(text)
    except InvalidInput:
        site = None
    if site is None or "?" in site.path:
        raise InvalidInput(
            field,
            f"must be an http or https address such as http://127.0.0.1:{port}: a host in ASCII, a "
            "port and a path where needed, no credentials and no query.",
        )
    return text


def said_error(answer: Any) -> str | None:
    """The mistake in an answer of status 200 as Tekton's components tell of one."""
    if not isinstance(answer, dict):
        return None
    failed = answer.get("status") in ("error", "failed") or answer.get("success") is False
    named = answer.get("error")
    if not failed and not (named and len(answer) == 1):
        return None
    for told in (named, answer.get("errors"), answer.get("message"), answer.get("detail")):
        if told:
            return _words(told)
    return "it says that it failed"


class Line:
    """A way to one neighbour; opened at the first call, closed by `close`."""

    def __init__(
        self,
        name: str,
        address: str,
        *,
        mistake: Mistake = said_error,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.address = address
        self._name = name
        self._mistake = mistake
        self._client = httpx2.AsyncClient(
            base_url=address,
            timeout=timeout_seconds,
            trust_env=False,
            follow_redirects=False,
            # To read whose certificates are believed takes 25 ms; over http none is shown.
            verify=address.startswith("https:"),
            headers={"accept": "application/json", "user-agent": "budget"},
        )

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What it answers, as JSON; None for an empty answer. Unanswered for everything else."""
        content = None if body is None else msgspec.json.encode(body)
        sent = dict(headers or {})
        if content is not None:
            sent["content-type"] = "application/json"
        try:
            async with self._client.stream(
                method, path, content=content, params=query, headers=sent
            ) as answer:
                told = await self._read(answer)
                status = answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._silent(error) from None
        return self._judged(status, told)

    async def _read(self, answer: httpx2.Response) -> bytes:
        came = bytearray()
        async for piece in answer.aiter_bytes():
            came += piece
            if len(came) > MAX_ANSWER_BYTES:
                raise Unanswered(f"{self._name} sent more than {MAX_ANSWER_BYTES} bytes.")
        return bytes(came)

    def _judged(self, status: int, told: bytes) -> Any:
        try:
            answer = msgspec.json.decode(told) if told else None
        except msgspec.DecodeError:
            if status < 300:
                raise Unanswered(f"{self._name} answered, but not in JSON.", status) from None
            answer = None
        if status >= 300:
            raise Unanswered(f"{self._name} answered {status}{_detail(answer)}.", status)
        mistake = self._mistake(answer)
        if mistake is not None:
            raise Unanswered(f"{self._name} says: {mistake}", status)
        return answer

    def _silent(self, error: Exception) -> Unanswered:
        if isinstance(error, httpx2.TimeoutException):
            return Unanswered(f"{self._name} did not answer in time at {self.address}.")
        if isinstance(error, httpx2.ConnectError):
            return Unanswered(f"{self._name} could not be reached at {self.address}.")
        return Unanswered(
            f"{self._name} broke off, or did not speak HTTP ({type(error).__name__})."
        )


def _detail(answer: Any) -> str:
    if not isinstance(answer, dict):
        return ""
    told = answer.get("detail") or answer.get("error") or answer.get("message")
    return f": {_words(told)}" if told else ""


def _words(told: Any) -> str:
    """What an answer says, in one line that is not too long."""
    if isinstance(told, list) and told and all(isinstance(one, str) for one in told):
        told = "; ".join(told)
    text = told if isinstance(told, str) else msgspec.json.encode(told).decode()
    return " ".join(text.split())[:MAX_TOLD_CHARS].rstrip(".")
