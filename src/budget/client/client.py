"""The client: `Client` for threads. Under work."""

from typing import Self


class Client:
    """The books behind a service."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of: object) -> None:
        return None
