"""Own files: deployments that stand for models, what models can do, and mistakes that are named."""

from pathlib import Path

import pytest

from budget.domain.errors import InvalidInput
from budget.prices.book import PriceBook
from budget.prices.own import book_with
from tests.support.command import ROOT
from tests.support.markdown import blocks

JAN_US = 1_767_225_600_000_000
"""2026-01-01."""
DAY_US = 86_400_000_000


def book_of(folder: Path, text: str, name: str = "own.yaml") -> PriceBook:
    file = folder / name
    file.write_text(text)
    return book_with(file)


def refused(folder: Path, text: str, name: str = "own.yaml") -> str:
    with pytest.raises(InvalidInput) as caught:
        book_of(folder, text, name)
    return str(caught.value)


def test_a_deployment_has_the_price_of_its_model(tmp_path: Path) -> None:
    book = book_of(tmp_path, """
deployments:
  - {name: Prod-GPT4, provider: azure, model: gpt-4o}
  - {name: fast, model: groq/llama-3.3-70b-versatile}
  - {name: "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
     model: bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0}
""")  # fmt: skip
    # Azure sells gpt-4o at 2.50 and 10 USD a million tokens, as OpenAI does.
    for provider, name in (("azure", "prod-gpt4"), (None, "azure/PROD-gpt4")):
        found = book.resolve(provider, name, JAN_US)
        assert (found.provider, found.model) == ("azure", "gpt-4o")
        assert found.how[-1] == "deployment prod-gpt4 -> gpt-4o"
        assert found.rates is not None
        assert (found.rates.input, found.rates.output) == (2_500_000, 10_000_000)
        assert book.lookup(provider, name, JAN_US) == found.rates
    assert book.lookup(None, "prod-gpt4", JAN_US) is None  # only as it is called at azure
    assert book.lookup("openai", "prod-gpt4", JAN_US) is None
    fast = book.resolve(None, "fast", JAN_US)
    assert (fast.provider, fast.how) == (
        "groq",
        ("deployment fast -> groq/llama-3.3-70b-versatile",),
    )
    profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    for provider in (None, "bedrock"):
        found = book.resolve(provider, profile, JAN_US)
        assert found.provider == "aws"
        assert found.rates is not None
        assert found.rates == book.lookup("aws", profile, JAN_US)
    assert book.seller(None, profile, JAN_US) == "aws"


def test_a_deployment_may_stand_for_another_model_from_a_day_on(tmp_path: Path) -> None:
    book = book_of(tmp_path, """
deployments:
  - {name: chat, model: openai/gpt-4o, until: 2026-01-02}
  - {name: chat, model: openai/gpt-4o-mini, from: 2026-01-02, until: 2026-01-04}
""")  # fmt: skip
    models = []
    for day in (0, 1, 2, 3):
        rates = book.lookup(None, "chat", JAN_US + day * DAY_US)
        assert rates == book.resolve(None, "chat", JAN_US + day * DAY_US).rates
        models.append(None if rates is None else rates.model)
    assert models == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini", None]


def test_a_deployment_may_stand_for_another_and_for_an_own_price(tmp_path: Path) -> None:
    book = book_of(tmp_path, """
prices: [{model: house, input: 1, output: 2}]
deployments:
  - {name: a, model: b}
  - {name: b, model: house}
""")  # fmt: skip
    found = book.resolve(None, "a", JAN_US)
    assert found.how == ("deployment a -> b", "deployment b -> house", "a price of your own")
    assert found.rates is not None
    assert (found.rates.input, found.rates.model) == (1_000_000, "house")
    assert book.lookup("anybody", "A", JAN_US) == found.rates


def test_a_deployment_of_a_model_without_a_price_has_none(tmp_path: Path) -> None:
    book = book_of(tmp_path, "deployments: [{name: gpt-4o, model: openai/unheard-of}]")
    assert book.lookup(None, "gpt-4o", JAN_US) is None
    assert book.resolve(None, "gpt-4o", JAN_US).rates is None
    assert book.resolve(None, "gpt-4o", JAN_US).provider == "openai"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("deployments: [{model: m}]", "deployment 1, name: is required"),
        ("deployments: [{name: a}]", "deployment 1, model: is required"),
        ("deployments: [{name: a, model: m, price: 1}]", "deployment 1, price: is not a field"),
        ("deployments: [{name: [], model: m}]", "deployment 1, name: must be a string"),
        ("deployments: [{name: a, model: A}]", "deployment 1, model: leads back"),
        ("deployments: [{name: a, model: b}, {name: b, model: c}, {name: c, model: a}]",
         "deployment 1, model: leads back"),
        ("deployments: [{name: a, provider: azure, model: azure/a}]", "model: leads back"),
        ("deployments: [{name: a, model: m}, {name: A, model: n}]",
         "deployment 2, name: is that of own.yaml: deployment 1 at the same time"),
        ("deployments: [{name: a, model: m, from: 2026-01-02, until: 2026-01-02}]",
         "deployment 1, until: must be after from"),
        ("prices: [{model: a, input: 1, output: 1}]\ndeployments: [{name: a, model: m}]",
         "deployment 1, name: has a price of its own, own.yaml: price 1"),
        ("deployments: 5", "deployments: must be a list"),
        ("models: [{context_window: 5}]", "model 1, model: is required"),
        ("models: [{model: m}]", "model 1, model: is all that is said"),
        ("models: [{model: m, tools: maybe}]", "model 1, tools: must be true or false"),
        ("models: [{model: m, context_window: 0}]", "context_window: must be a whole number"),
        ("models: [{model: m, context_window: -1}]", "context_window: must be a whole number"),
        ("models: [{model: m, max_output_tokens: 1e9}]", "max_output_tokens: must be a whole"),
        ("models: [{model: m, max_output_tokens: [1]}]", "max_output_tokens: must be a whole"),
        ("models: [{model: m, mode: talk}]", "model 1, mode: is not one of them. Allowed: chat"),
        ("models: [{model: m, tier: huge}]", "tier: is not one of them. Allowed: local_light"),
        ("models: [{model: m, tier: [local_midweight]}]", "tier: is not one of them"),
        ("models: [{model: m, retired: soon}]", "model 1, retired: "),
        ("models: [{model: m, tools: yes}, {model: M, json: no}]",
         "model 2, model: is that of own.yaml: model 1; make them one"),
        ("models: [{model: m, tools: yes, tools: no}]", "tools: is given twice"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(tmp_path, text)


def test_a_long_way_of_deployments_is_refused(tmp_path: Path) -> None:
    lines = [f"  - {{name: d{number}, model: d{number + 1}}}" for number in range(12)]
    assert "leads back" in refused(tmp_path, "\n".join(["deployments:", *lines]))
    book = book_of(
        tmp_path, "\n".join(["deployments:", *lines[:9], "  - {name: d9, model: gpt-4o}"])
    )
    assert book.lookup(None, "d0", JAN_US) == book.lookup(None, "gpt-4o", JAN_US)


@pytest.mark.parametrize("column", ["deployment", "name", "tier", "context_window"])
def test_a_table_has_no_deployments(tmp_path: Path, column: str) -> None:
    told = refused(tmp_path, f"model,{column},input,output\nm,a,1,1\n", "own.csv")
    assert f"{column}: a table has prices and discounts only" in told


def test_json_says_the_same(tmp_path: Path) -> None:
    book = book_of(
        tmp_path,
        '{"deployments": [{"name": "a", "model": "openai/gpt-4o"}],'
        ' "models": [{"model": "m", "tools": true, "context_window": 9, "retired": "2026-01-01"}]}',
        "own.json",
    )
    assert book.lookup(None, "a", JAN_US) is not None
    said = book.capabilities(None, "M")
    assert (said.tools, said.context_window, said.retired_us) == (True, 9, JAN_US)


def test_the_example_of_the_guide_is_read_as_it_says(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "docs" / "guide" / "model-names.md", "yaml")
    book = book_of(tmp_path, example.text)
    july_us = JAN_US + 181 * DAY_US
    assert book.resolve("azure", "prod-gpt4", JAN_US).model == "gpt-4o"
    models = [book.resolve(None, "chat", at_us).model for at_us in (july_us - 1, july_us)]
    assert models == ["gpt-4o", "gpt-4o-mini"]
    assert book.capabilities(None, "house-large").vision is False
    assert book.tier_of(None, "house-large") == "local_midweight"
