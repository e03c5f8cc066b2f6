"""The demo of the gateway: a budget that runs dry, told call by call; with no provider, no key.

A service with a mock model behind its gateway, over books in a folder that goes with it. Not here:
the command that tells it (`gateway`), and the model (`budget.gateway.mock`).
"""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from budget.domain.errors import Unavailable

if TYPE_CHECKING:
    import httpx2

    from budget.engine.budget import Budget

BUDGET_NAME: Final = "Demo"
LIMIT_USD: Final = "0.01"
MODEL: Final = "gpt-4o"
START_SECONDS: Final = 20
ANSWER_SECONDS: Final = 60
_FIRST: Final = (100, 250)
_LONG: Final = 2000
_LAST: Final = 40
_SAID_BEFORE: Final = "A budget holds money before a call and books what it really cost. " * 16
"""What is sent along with every call, as the history of a conversation is: some 260 tokens. So a
call costs more than the little that a cut leaves over.
"""


class Demo(NamedTuple):
    """What the story is told of: the gateway's address, its books and a key that may spend."""

    url: str
    books: "Budget"
    client: "httpx2.Client"


class Told(NamedTuple):
    """One call: how many words were asked for and came, how it ended, and what it did.

    `left_nanos` and `cost_nanos` are those of the books, right after. `message` says why it was
    refused; `how` what the caller did beside asking.
    """

    asked_words: int
    words: int
    status: int
    finish: str | None
    cost_nanos: int
    left_nanos: int
    message: str | None = None
    how: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether the money ended within the answer."""
        return self.message is not None and self.words > 0


@contextmanager
def running() -> Iterator[Demo]:
    """The service, the mock model and a budget of 0.01 USD a day; gone afterwards."""
    import httpx2

    from budget.engine.budget import Budget
    from budget.engine.jobs import Books
    from budget.engine.price_book.settings import PriceSettings
    from budget.gateway.mock import NAME, Mock
    from budget.http.serve import listen, make_app, url_of

    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="budget-demo-"))
        mock = opened.enter_context(closing(Mock()))
        books = opened.enter_context(
            closing(Books.open(f"sqlite:///{folder}/budget.db", price_settings=PriceSettings()))
        )
        listener = opened.enter_context(closing(listen("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        url = url_of("127.0.0.1", port)
        app = make_app(books, port=port, url=url, upstreams={NAME: mock.upstream})
        opened.enter_context(_served(app, listener))
        budget = Budget(books)
        budget.create_budget(
            name=BUDGET_NAME,
            policies=[
                {"unit": "usd", "period": "daily", "limit": LIMIT_USD, "enforcement": "hard_limit"}
            ],
        )
        key = budget.create_key(name="demo", scopes=["spend"]).text
        client = opened.enter_context(
            httpx2.Client(
                base_url=f"{url}/{NAME}/v1", headers={"Authorization": f"Bearer {key}"},
                trust_env=False, verify=False, timeout=ANSWER_SECONDS,
            )
        )  # fmt: skip
        yield Demo(f"{url}/{NAME}/v1", budget, client)


@contextmanager
def _served(app: Any, listener: Any) -> Iterator[None]:
    """The service, in a thread of its own."""
    from budget.http.serve import make_server

    started = threading.Event()
    server = make_server(app, started.set, last_seconds=(0, 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not started.wait(START_SECONDS):
            raise Unavailable("The demo's service did not start.", code="not_ready")
        yield
    finally:
        server.should_exit = True
        thread.join()


def story(demo: Demo) -> Iterator[Told]:
    """Calls until the money has ended, the refusal, and the same call once there is more."""
    for words in _FIRST:
        yield _asked(demo, words)
    yield _asked(demo, _LONG, unlimited=True)
    yield _asked(demo, _LAST)
    (budget,) = demo.books.budgets().items
    demo.books.top_up(budget.policies[0].policy_id, amount=LIMIT_USD, reason="The demo goes on.")
    yield _asked(demo, _LAST, how=f"after {LIMIT_USD} USD more")


def _asked(demo: Demo, words: int, *, unlimited: bool = False, how: str = "") -> Told:
    """Ask for so many words as a stream; `unlimited`: of a model that looks at no limit."""
    body = {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": _SAID_BEFORE},
            {"role": "user", "content": f"Write {words} words about budgets."},
        ],
        "stream": True,
    }
    headers = {"X-Mock-Limit": "off"} if unlimited else {}
    before_nanos = _spent(demo)[0]
    with demo.client.stream("POST", "/chat/completions", json=body, headers=headers) as answer:
        status = answer.status_code
        if status >= 400:
            problem = json.loads(answer.read())["error"]
            heard = _Heard(message=str(problem["message"]))
        else:
            heard = _heard(answer)
    spent_nanos, left_nanos = _spent(demo)
    how = "of a server that looks at no limit" if unlimited else how
    cost_nanos = spent_nanos - before_nanos
    return Told(
        words, heard.words, status, heard.finish, cost_nanos, left_nanos, heard.message, how
    )


class _Heard(NamedTuple):
    """How many words came, the reason to finish, and why it was refused or cut, if it was."""

    words: int = 0
    finish: str | None = None
    message: str | None = None


def _heard(answer: "httpx2.Response") -> _Heard:
    count = 0
    finish: str | None = None
    message: str | None = None
    for line in answer.iter_lines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line.removeprefix("data: "))
        for choice in event.get("choices", ()):
            count += 1 if choice.get("delta", {}).get("content") else 0
            finish = choice.get("finish_reason") or finish
        if "budget" in event:
            message = str(event["budget"]["detail"])
    return _Heard(count, finish, message)


def _spent(demo: Demo) -> tuple[int, int]:
    """What is spent of the budget, and what is left, in nano-USD."""
    (balance,) = demo.books.status()
    return balance.spent, balance.remaining
