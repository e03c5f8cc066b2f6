"""Books behind a service: the few calls that the commands make over HTTP, no more.

Not here: a client for programs.
"""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit

from budget.cli.exits import Answered
from budget.domain.errors import InvalidInput, Unavailable
from budget.domain.shapes import (
    BalanceShape,
    BudgetShape,
    CalculationShape,
    PolicyShape,
    VerificationShape,
)
from budget.domain.shapes_estimates import EstimateShape, FactorsShape
from budget.domain.shapes_rating import CoverageShape, ReratingShape, WhatIfShape

if TYPE_CHECKING:
    import httpx2

PAGE: Final = 1000
TIMEOUT_SECONDS: Final = 30
VERIFY_SECONDS: Final = 3600

Json = dict[str, Any]


def heads(key: str | None) -> dict[str, str]:
    """The headers of every request. InvalidInput for a key that no header can carry."""
    if key is None:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("BUDGET_KEY", "is no key; one looks like bud_… and is one word.")
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
        detail = body["detail"] if code != "unauthorized" else _unauthorized(url, answer)
        raise Answered(answer.status_code, detail, code)
    raise Answered(
        answer.status_code,
        f"{url} answered {answer.status_code}, and not as Budget does. Is the address right?",
        "not_budget",
    )


def _unauthorized(url: str, answer: "httpx2.Response") -> str:
    """Which key was not accepted, and how to name another. The service speaks of headers."""
    sent = answer.request.headers.get("Authorization")
    if sent is None:
        return f"{url} asks for a key, and none is kept here for it. Name one with BUDGET_KEY."
    if sent == f"Bearer {os.environ.get('BUDGET_KEY')}":
        return (
            f"{url} does not accept the key in BUDGET_KEY. Is it of another service? Without it, "
            "the one in the key file is used."
        )
    return (
        f"{url} does not accept the key that the key file has for it. Name another with "
        "BUDGET_KEY, or make one with `budget serve --new-admin-key`."
    )


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
        *,
        timeout_seconds: int | None = None,
    ) -> Any:
        """Ask, and read the answer. Raises Answered or Unavailable."""
        import httpx2

        try:
            answer = self._client.request(
                method,
                f"/api/v1{path}",
                json=body,
                params=asked,
                timeout=timeout_seconds or self.timeout_seconds,
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

    def budgets(self) -> Iterator[BudgetShape]:
        """Every budget in force."""
        return self.pages("/budgets")

    def budget(self, budget_id: str) -> BudgetShape:
        """One budget."""
        found: BudgetShape = self.call("GET", f"/budgets/{quote(budget_id, safe='')}")
        return found

    def create_budget(self, asked: Json) -> BudgetShape:
        """Create a budget with its policies."""
        made: BudgetShape = self.call("POST", "/budgets", asked)
        return made

    def create_policy(self, budget_id: str, asked: Json) -> PolicyShape:
        """Add a policy to a budget."""
        made: PolicyShape = self.call("POST", "/policies", {"budget_id": budget_id, **asked})
        return made

    def change_policy(self, policy_id: str, asked: Json) -> PolicyShape:
        """Change fields of a policy."""
        changed: PolicyShape = self.call("PUT", f"/policies/{quote(policy_id, safe='')}", asked)
        return changed

    def verify(self, anchor: str | None, tell: object) -> VerificationShape:
        """Have the service recompute its books; it does not tell how far it has come."""
        del tell
        asked = "" if anchor is None else f"?anchor={quote(anchor, safe='')}"
        found: VerificationShape = self.call(
            "GET", f"/verify{asked}", timeout_seconds=VERIFY_SECONDS
        )
        return found

    def rerate(self, asked: Json, tell: object) -> ReratingShape:
        """Have the service price usage again; it does not tell how far it has come. So below."""
        del tell
        found: ReratingShape = self.call(
            "POST", "/prices/rerate", asked, timeout_seconds=VERIFY_SECONDS
        )
        return found

    def what_if(self, asked: Json, tell: object) -> WhatIfShape:
        """Have the service price usage on other models."""
        del tell
        found: WhatIfShape = self.call(
            "POST", "/prices/whatif", asked, timeout_seconds=VERIFY_SECONDS
        )
        return found

    def coverage(self, asked: Mapping[str, str]) -> CoverageShape:
        """How much of what was seen has a price."""
        found: CoverageShape = self.call("GET", "/prices/coverage", None, asked)
        return found

    def calculate(self, asked: Json) -> CalculationShape:
        """What usage costs."""
        told: CalculationShape = self.call("POST", "/prices/calculate", asked)
        return told

    def estimate(self, asked: Json) -> EstimateShape:
        """What a request comes to."""
        told: EstimateShape = self.call("POST", "/estimate", asked)
        return told

    def factors(self) -> FactorsShape:
        """What settled calls have taught about estimates."""
        told: FactorsShape = self.call("GET", "/estimate/factors")
        return told
