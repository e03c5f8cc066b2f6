"""The most output tokens that a request allows, wherever its provider has it written."""

from decimal import Decimal
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.output_limits import output_tokens_limit


@pytest.mark.parametrize(
    ("request_body", "tokens"),
    [
        ({"max_tokens": 500}, 500),
        ({"max_completion_tokens": 500}, 500),
        ({"max_output_tokens": 500}, 500),
        ({"max_tokens_to_sample": 500}, 500),
        ({"generationConfig": {"maxOutputTokens": 500}}, 500),
        ({"generation_config": {"max_output_tokens": 500}}, 500),
        ({"inferenceConfig": {"maxTokens": 500}}, 500),
        ({"options": {"num_predict": 500}}, 500),
        ({"options": {"num_predict": -1}}, None),
        ({"options": {"num_predict": -2}}, None),
        ({"options": None, "max_tokens": None}, None),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": 100, "max_completion_tokens": 700}, 700),
        ({"max_tokens": 500, "n": 3}, 1500),
        ({"generationConfig": {"maxOutputTokens": 500, "candidateCount": 2}}, 1000),
        ({"max_tokens": 500, "n": 0}, 500),
        ({"max_tokens": 500, "n": 2, "best_of": 4}, 2000),
        ({"max_tokens": 500, "n": 2, "prompt": ["one", "two", "three"]}, 3000),
        ({"max_tokens": 500, "prompt": [[1, 2], [3]]}, 1000),
        ({"max_tokens": 500, "prompt": [1, 2, 3]}, 500),
        ({"n": 3}, None),
        ({"generationConfig": "none"}, None),
        ("a text", None),
        ([{"role": "user", "content": "Hi"}], None),
    ],
)
def test_the_limit_is_found_where_each_provider_has_it(
    request_body: Any, tokens: int | None
) -> None:
    assert output_tokens_limit(request_body) == tokens


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({"max_tokens": "many"}, "request.max_tokens"),
        ({"max_tokens": -1}, "request.max_tokens"),
        ({"max_tokens": True}, "request.max_tokens"),
        ({"max_tokens": Decimal("1.5")}, "request.max_tokens"),
        ({"max_tokens": {"a": 1}}, "request.max_tokens"),
        ({"max_tokens": 10**15}, "request.max_tokens"),
        ({"options": {"num_predict": "all"}}, "request.options.num_predict"),
        ({"max_tokens": 5, "n": 1001}, "request.n"),
    ],
)
def test_what_is_no_count_is_refused_by_name(request_body: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        output_tokens_limit(request_body)
    assert refused.value.field == field
