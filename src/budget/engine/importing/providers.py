"""Providers' admin APIs: what OpenAI and Anthropic say of usage and cost, page after page.

The rows are those of their exports, so `sources` reads them. Keys come from the environment and are
told to nobody else. As their references describe them in 2026. Not here: the comparison
(`engine.reconciling`), and keys of OpenRouter (`openrouter`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.errors import Unavailable
from budget.domain.windows import to_rfc3339
from budget.engine.importing.asking import MAX_PAGES, Asked, Query, asked_of, key_in
from budget.engine.importing.files import Row
from budget.engine.importing.lines import Bad, Line
from budget.engine.importing.sources import READERS, lines_of_rows

_US_PER_SECOND: Final = 1_000_000
_DAYS_A_PAGE: Final = 31
_VERSION: Final = "2023-06-01"


class Provider(NamedTuple):
    """An admin API: where it is, which variables name another place and hold the key, and what is
    asked: paths with their queries for a time.
    """

    url: str
    url_setting: str
    key_setting: str
    headers: Callable[[str], Mapping[str, str]]
    asks: Callable[[int, int], tuple[tuple[str, Query], ...]]


def _openai_asks(since_us: int, until_us: int) -> tuple[tuple[str, Query], ...]:
    span: dict[str, str | int | list[str]] = {
        "start_time": since_us // _US_PER_SECOND, "end_time": -(-until_us // _US_PER_SECOND),
        "bucket_width": "1d", "limit": _DAYS_A_PAGE,
    }  # fmt: skip
    by_model = {**span, "group_by": ["model"]}
    return (
        ("/v1/organization/usage/completions", by_model),
        ("/v1/organization/usage/embeddings", by_model),
        ("/v1/organization/costs", {**span, "group_by": ["line_item"]}),
    )


def _anthropic_asks(since_us: int, until_us: int) -> tuple[tuple[str, Query], ...]:
    span: dict[str, str | int | list[str]] = {
        "starting_at": to_rfc3339(since_us), "ending_at": to_rfc3339(until_us),
        "bucket_width": "1d", "limit": _DAYS_A_PAGE,
    }  # fmt: skip
    return (
        ("/v1/organizations/usage_report/messages", {**span, "group_by[]": ["model"]}),
        ("/v1/organizations/cost_report", {**span, "group_by[]": ["description"]}),
    )


PROVIDERS: Final[Mapping[str, Provider]] = {
    "openai": Provider(
        "https://api.openai.com", "BUDGET_OPENAI_ADMIN_URL", "BUDGET_OPENAI_ADMIN_KEY",
        lambda key: {"Authorization": f"Bearer {key}"}, _openai_asks,
    ),
    "anthropic": Provider(
        "https://api.anthropic.com", "BUDGET_ANTHROPIC_ADMIN_URL", "BUDGET_ANTHROPIC_ADMIN_KEY",
        lambda key: {"x-api-key": key, "anthropic-version": _VERSION}, _anthropic_asks,
    ),
}  # fmt: skip


def read_provider(
    name: str, since_us: int, until_us: int, env: Mapping[str, str]
) -> Iterator[Line | Bad]:
    """What a provider says of whole UTC days, as lines. InvalidInput for settings that are wrong;
    Unavailable where it does not answer, or not in its own shape.
    """
    provider = PROVIDERS[name]
    headers = provider.headers(key_in(env, provider.key_setting))
    asked = asked_of(provider.url, headers, env, provider.url_setting, provider.key_setting)
    for path, query in provider.asks(since_us, until_us):
        yield from lines_of_rows(_buckets(asked, path, query), READERS[name], "UTC")


def _buckets(asked: Asked, path: str, query: Query) -> Iterator[Row]:
    """The buckets of all pages."""
    page: str | None = None
    for number in range(1, MAX_PAGES):
        answer: Any = asked.get(path, {**query, **({"page": page} if page else {})})
        buckets = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(buckets, list):
            raise Unavailable(f"{path} was not answered with buckets.")
        for place, bucket in enumerate(buckets, start=1):
            yield f"{path} page {number} bucket {place}", bucket
        before, page = page, answer.get("next_page")
        if not answer.get("has_more") or not isinstance(page, str) or page == before:
            return
