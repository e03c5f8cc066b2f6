"""What calls usually write: learnt from calls, remembered from the books, spared a little."""

import asyncio
import sys

import pytest

from budget.gateway.learning import FIRST_GRANT, KEPT, LEAST_GRANT, Outputs
from budget.gateway.remembering import remember, written_before
from tests.gateway.through import Through

NAME = ("key_1", "openai", "gpt-4o")


def taught(*tokens: int) -> Outputs:
    """Outputs that heard of such calls."""
    outputs = Outputs()
    for each in tokens:
        outputs.learn(NAME, each)
    return outputs


def test_little_is_known_of_fewer_than_ten_calls() -> None:
    usual = taught(*[100] * 9).usual(NAME, None)
    assert (usual.tokens, usual.least, usual.is_sure) == (FIRST_GRANT, LEAST_GRANT, False)


def test_what_95_of_100_wrote_is_usual_with_a_tenth_more() -> None:
    usual = taught(*range(1, 101)).usual(NAME, None)
    assert (usual.tokens, usual.least, usual.is_sure) == (96 + 9, 96 + 9, True)


def test_the_latest_two_hundred_calls_count_and_take_little_memory() -> None:
    outputs = taught(*[1000] * 300, *[100] * 200)
    assert outputs.grant(NAME) == 110
    outputs.recall(NAME, [5000] * KEPT)  # those were before all that it heard itself
    assert outputs.grant(NAME) == 110
    assert sys.getsizeof(outputs._seen[NAME]._tokens) < 3 * 8 * KEPT


def test_no_more_is_usual_than_a_model_can_write() -> None:
    assert taught(*[1000] * 10).usual(NAME, 800).tokens == 800


def test_n_answers_teach_what_each_wrote() -> None:
    outputs = Outputs()
    for _ in range(10):
        outputs.heard(NAME, 1000, 2, own_limit=None, our_limit=None)
    assert outputs.grant(NAME) == 550


def test_what_its_callers_limit_ended_teaches_nothing() -> None:
    outputs = Outputs()
    for _ in range(10):
        outputs.heard(NAME, 100, 1, own_limit=100, our_limit=None)
    assert outputs.grant(NAME) == FIRST_GRANT


def test_what_our_limit_ended_would_have_been_longer() -> None:
    outputs = Outputs()
    for _ in range(10):
        outputs.heard(NAME, 100, 1, own_limit=None, our_limit=100)
    assert outputs.grant(NAME) == 220


def test_who_writes_more_than_it_was_told_is_not_believed_any_more() -> None:
    outputs = Outputs()
    assert outputs.keeps_to_limits("openai", "gpt-4o")
    outputs.heard(NAME, 101, 1, own_limit=100, our_limit=None)
    assert not outputs.keeps_to_limits("openai", "gpt-4o")
    assert outputs.keeps_to_limits("openai", "gpt-4.1")


def test_what_is_recalled_comes_before_what_was_learnt_meanwhile() -> None:
    outputs = Outputs()
    assert outputs.is_new(NAME)
    assert not outputs.is_new(NAME)
    outputs.learn(NAME, 7)
    outputs.recall(NAME, [1000] * KEPT)
    for _ in range(KEPT - 1):
        outputs.learn(NAME, 7)
    assert outputs.grant(NAME) == LEAST_GRANT


def test_after_a_restart_the_books_tell_what_calls_wrote(gateway: Through) -> None:
    """Twelve calls of 100 tokens, whole and streamed; another key's calls do not count."""
    gateway.limit("1")
    path = "/openai/v1/chat/completions"
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Go on."}]}
    for number in range(12):
        gateway.post(path, {**body, "stream": number % 2 == 0}, x_fake="words=100")
    database = gateway.running.books.database
    (actor,) = {record.actor for record in gateway.records()}
    name = (actor, "openai", "gpt-4o")
    assert written_before(database, name) == [100] * 12
    assert written_before(database, ("key_other", "openai", "gpt-4o")) == []
    outputs = Outputs()
    asyncio.run(remember(outputs, database, name))
    assert outputs.grant(name) == 110


@pytest.mark.parametrize("taught_first", [False, True])
def test_what_cannot_be_read_is_as_new_unless_calls_taught(taught_first: bool) -> None:
    outputs = Outputs()
    assert outputs.is_new(NAME)
    if taught_first:
        outputs.learn(NAME, 5)
    outputs.forget(NAME)
    assert outputs.is_new(NAME) is not taught_first
