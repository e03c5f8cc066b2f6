"""Mistakes: what keeps a client from its service, and what to do about it, in words.

Not here: what a service answers that it refuses (`problems`).
"""

from typing import Final
from urllib.parse import urlsplit

from budget.client.sending import Address

_NO_NAME: Final = ("Name or service not known", "nodename nor servname", "getaddrinfo failed",
                   "name resolution", "No address associated")  # fmt: skip
_TIME_OUT: Final = ("timed out", "ReadTimeout", "took too long")
_NO_WORD: Final = ("ended before the answer", "no HTTP", "does not speak HTTP", "reset by peer",
                   "disconnected without", "illegal", "ReadError")  # fmt: skip
"""How it is told that nothing came back, or nothing that begins as an answer does."""
_NOT_TRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"


def unreached(url: str, why: str) -> str:
    """Nobody could be spoken to at all."""
    parts = urlsplit(url)
    if _NOT_TRUSTED in why:
        return (
            f"{url} shows a certificate that is not trusted here ({why}). Name the service as its "
            "certificate does, and let SSL_CERT_FILE be the file of who issued it."
        )
    if "SSL" in why:
        return f"What answers at {url} does not speak https ({why}). Is it http://{parts.netloc}?"
    if any(one in why for one in _NO_NAME):
        return f"There is no host {parts.hostname} ({why}). Is the name in {url} right?"
    return f"No service answers at {url} ({why}). Start one with `budget serve`, or name another."


def unanswered(url: str, why: str, seconds: float) -> str:
    """Somebody was asked something that changes nothing, and said nothing that was understood."""
    if any(one in why for one in _TIME_OUT):
        return (
            f"No answer came from {url} in {seconds:g} seconds ({why}). Ask again, or give the "
            "client a longer timeout_seconds."
        )
    other = "http" if url.startswith("https:") else "https"
    return (
        f"No answer came from {url} ({why}). Is it a service of Budget, and is it really not "
        f"{other}?"
    )


def unknown(url: str, why: str, how: str) -> str:
    """Somebody was asked to do something, and said nothing that was understood; `how` to learn it.

    Who speaks https alone lets go of a caller who does not, without a word or with a strange one.
    """
    told = f"Whether {url} has done it is not known ({why})."
    if url.startswith("http:") and any(one in why for one in _NO_WORD):
        return f"{told} If nothing ever answers there: is it really not https? {how}"
    return f"{told} {how}"


def foreign(url: str, status: int, moved_to: str | None) -> str:
    """Something else than Budget answered."""
    if moved_to is not None:
        return (
            f"{url} answered {status}, and not as Budget does: it sends to {moved_to[:200]}. Name "
            "the address of the service itself."
        )
    return (
        f"{url} answered {status}, and not as Budget does. Is the address right, and does nothing "
        "stand between?"
    )


def nowhere(url: str) -> str:
    """A service of Budget answered that it has nothing of the kind."""
    return (
        f"The service at {url} has no such route. Is there a path too many in the address, or is "
        "the service of an older version than this client?"
    )


def unauthorized(address: Address) -> str:
    """The key is missing, or not one of this service."""
    if address.key is None:
        return f"{address.url} asks for a key, and none was given. Name one as key, or BUDGET_KEY."
    return (
        f"{address.url} does not accept the key that was given: it is of another service, has "
        "ended or was revoked. Name another as key, or BUDGET_KEY."
    )
