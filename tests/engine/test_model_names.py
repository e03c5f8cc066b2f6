"""Names of models in scopes and partitions: no spelling of one escapes a limit, on both engines."""

from contextlib import closing
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from budget.domain import attributes
from budget.domain.answers import Allocation, Refusal
from budget.domain.attributes import compared
from budget.engine.audit import matching
from budget.engine.budget import Budget as Books
from budget.engine.callers import LOCAL
from budget.engine.intake import placing
from budget.prices.book import PriceBook, bundled_book
from budget.storage import schema
from tests.engine.opened import allocated, figures

SPELLINGS: Final = ("gpt-4o", "GPT-4o", "openai/gpt-4o", "azure/GPT-4O", "litellm_proxy/gpt-4o")


def limited(books: Books, **budget: Any) -> str:
    """A budget of two requests a day; its policy."""
    policy: Any = {"unit": "requests", "period": "daily", "limit": 2, "enforcement": "hard_limit"}
    return books.create_budget(name="Two", policies=[policy], **budget).policies[0].policy_id


@pytest.mark.parametrize("wanted", ["gpt-4o", "OpenAI/GPT-4o", "gpt-4*"])
def test_a_scope_of_a_model_meets_every_spelling_of_it(books: Books, wanted: str) -> None:
    policy_id = limited(books, scope={"model": wanted})
    answers = [books.allocate(model=name, requests=1) for name in SPELLINGS]
    assert [type(answer) for answer in answers] == [Allocation, Allocation, *[Refusal] * 3]
    assert isinstance(books.allocate(model="gpt-5", requests=1), Allocation)
    # What was said is kept as it was said, and the scope as it was written.
    assert answers[1].model == "GPT-4o"
    assert answers[1].attributes["model"] == "GPT-4o"  # type: ignore[union-attr]
    assert figures(books, policy_id) == {"{}": (0, 2, 0)}
    assert books.verify().violations == ()


def test_spellings_of_a_model_share_its_part_of_a_budget(books: Books) -> None:
    policy_id = limited(books, per=["model"])
    answers = [books.allocate(model=name, requests=1) for name in (*SPELLINGS, "o3")]
    refused = [isinstance(answer, Refusal) for answer in answers]
    assert refused == [False, False, True, True, True, False]
    assert figures(books, policy_id) == {
        '{"model":"gpt-4o"}': (0, 2, 0),
        '{"model":"o3"}': (0, 1, 0),
    }
    for answer in answers:
        if isinstance(answer, Allocation):
            books.settle(answer.allocation_id, input_tokens=1)
    assert len(books.status(model="openai/GPT-4o")) == 1
    assert books.verify().violations == ()


def test_a_policy_that_begins_with_the_past_counts_every_spelling(books: Books) -> None:
    for name in SPELLINGS:
        books.record_usage(model=name, input_tokens=1)
    scope: Any = {"model": "gpt-4o"}
    budget = books.create_budget(name="Later", scope={"model": "none"}, policies=[
        {"unit": "requests", "period": "daily", "limit": 9}])  # fmt: skip
    changed = books.change_budget(budget.budget_id, scope=scope, backfill=True)
    live = [policy for policy in changed.policies if policy.archived_us is None]
    assert figures(books, live[0].policy_id) == {"{}": (len(SPELLINGS), 0, 0)}
    assert books.verify().violations == ()


def test_a_name_says_its_provider_whether_it_is_priced_or_not() -> None:
    book = bundled_book()
    for model, provider in (
        ("gpt-4o", "openai"), ("openai/unheard-of", "openai"), ("ollama/llama3", "ollama"),
        ("us.anthropic.unheard-of-v1:0", "aws"), ("unheard-of", None),
    ):  # fmt: skip
        command = placing({"model": model, "requests": 1}, LOCAL, book, 1_795_000_000_000_000)
        assert command.attributes.get("provider") == provider
        assert command.model == model


def test_a_name_of_ones_own_book_says_no_provider() -> None:
    command = placing({"model": "openai/x", "requests": 1}, LOCAL, PriceBook(None), 0)
    assert command.provider is None


_WORDS = st.sampled_from(
    ["us", "eu", "global", "us-gov", "anthropic", "meta", "xai", "GPT-4o", "x"]
)
NAMES: Final = st.text(max_size=20) | st.lists(
    st.tuples(_WORDS, st.sampled_from(["/", ".", "..", "-", ":", ""])), min_size=1, max_size=5
).map(lambda parts: "".join(word + mark for word, mark in parts))


@given(NAMES)
def test_the_audit_reads_names_as_the_ledger_does_by_code_of_its_own(name: str) -> None:
    for key in ("model", "provider", "user"):
        assert matching._plain(key, name) == compared(key, name)
        once = compared(key, name)
        assert compared(key, once) == once  # as partitions are read back


def test_the_books_of_before_names_compared_alike_are_read_as_they_were_kept(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy: Any = {"unit": "tokens", "period": "daily", "limit": 100}
    books.create_budget(name="B", per=["model"], policies=[policy], unpriced="allow")
    with monkeypatch.context() as before:
        before.setattr(attributes, "compared", lambda _, value: value)
        for model in ("m", "x/M"):
            held = allocated(books, model=model, tokens=10)
            books.settle(held.allocation_id, input_tokens=10)
    allocated(books, model="X/m", tokens=10)
    found = {view.partition: view.reserved for view in books.status()}
    assert found == {'{"model":"m"}': 10, '{"model":"x/M"}': 0}
    assert books.verify().violations  # as if the call of x/M were on the wrong balance
    last = books.events(limit=1000).items[-2].cursor
    with closing(books.books.database.unit()) as unit:
        unit.begin_catalogue()
        unit.execute(update(schema.state).values(alike_after=last))
        unit.commit()
    assert books.verify().violations == ()
