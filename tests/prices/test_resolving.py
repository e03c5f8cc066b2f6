"""Resolving: which listed model a name means, how that is told, and what is not guessed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.layers import OwnEntry
from budget.prices.resolutions import why_unpriced
from budget.prices.schedules import Context, Piece, Schedule

AT_US = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp()) * 1_000_000


class Listed:
    """A source that sells what it lists, by whole names, and gives no provider to a bare name."""

    basis = "listed/1"

    def __init__(self, *names: str) -> None:
        self._listed = [(name.split(" ")[0], name.split(" ")[1]) for name in names]

    def provider_id(self, provider: str) -> str | None:
        known = {seller for seller, _ in self._listed}
        spelled = {"bedrock": "aws", "vertex_ai": "google", "gemini": "google"}.get(provider)
        return provider if provider in known else spelled

    def models(self) -> Iterator[tuple[str, str]]:
        yield from self._listed

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Schedule | None:
        del context
        for number, (seller, name) in enumerate(self._listed, 1):
            if (seller, name.lower()) == (provider, model):
                rates = Rates(number, number, provider=seller, model=name, basis=self.basis)
                return Schedule((Piece(rates),))
        return None


@pytest.fixture(scope="module")
def bundled() -> PriceBook:
    return bundled_book()


@pytest.mark.parametrize(
    ("provider", "name", "seller", "model", "how"),
    [
        (None, "gpt-4o", "openai", "gpt-4o", ()),
        (None, "OpenAI/GPT-4o", "openai", "gpt-4o", ("prefix openai/",)),
        (None, "azure/gpt-4o", "azure", "gpt-4o", ("prefix azure/",)),
        (None, "azure_ai/gpt-4o", "azure", "gpt-4o", ("prefix azure_ai/",)),
        (None, "gpt-4o-2024-08-06", "openai", "gpt-4o", ("dated id gpt-4o-2024-08-06",)),
        (None, "gpt-4o-20240806", "openai", "gpt-4o", ("dated id gpt-4o-20240806",)),
        (None, "claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5",
         ("dated id claude-sonnet-4-5-20250929",)),
        (None, "claude-3-5-sonnet-latest", "anthropic", "claude-3-5-sonnet",
         ("alias claude-3-5-sonnet-latest of claude-3-5-sonnet",)),
        ("google", "claude-sonnet-4-5@20250929", "google", "claude-sonnet-4-5",
         ("dated id claude-sonnet-4-5@20250929",)),
        (None, "gemini-2.0-flash-001", "google", "gemini-2.0-flash",
         ("version gemini-2.0-flash-001",)),
        ("gemini", "gemini-2-5-pro", "google", "gemini-2.5-pro",
         ("gemini-2-5-pro with a dot in its version",)),
        (None, "gemini-2-5-flash-lite", "google", "gemini-2.5-flash-lite",
         ("gemini-2-5-flash-lite with a dot in its version",)),
        (None, "models/gemini-2.5-pro", "google", "gemini-2.5-pro", ("path models/",)),
        ("gemini", "models/gemini-2.5-pro", "google", "gemini-2.5-pro", ("path models/",)),
        (None, "gemini/gemini-2.5-pro", "google", "gemini-2.5-pro", ("prefix gemini/",)),
        (None, "vertex_ai/publishers/anthropic/models/claude-sonnet-4-5@20250929", "google",
         "claude-sonnet-4-5", ("prefix vertex_ai/", "vertex publisher anthropic",
                               "dated id claude-sonnet-4-5@20250929")),
        (None, "projects/p/locations/eu/publishers/google/models/gemini-2.5-pro", "google",
         "gemini-2.5-pro", ("vertex publisher google",)),
        (None, "openrouter/anthropic/claude-sonnet-4.5", "openrouter",
         "anthropic/claude-sonnet-4.5", ("prefix openrouter/",)),
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter", "anthropic/claude-sonnet-4.5",
         ()),
        (None, "litellm_proxy/gpt-4o", "openai", "gpt-4o", ("prefix litellm_proxy/",)),
        (None, "litellm_proxy/azure/gpt-4o", "azure", "gpt-4o",
         ("prefix litellm_proxy/", "prefix azure/")),
        ("litellm", "azure/gpt-4o", "azure", "gpt-4o", ("prefix azure/",)),
        (None, "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together",
         "meta-llama/Llama-3.3-70B-Instruct-Turbo", ("prefix together_ai/",)),
        (None, "fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct", "fireworks",
         "llama-v3p1-8b-instruct", ("prefix fireworks_ai/", "path accounts/fireworks/models/")),
        (None, "groq/llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile",
         ("prefix groq/",)),
        (None, "mistral/mistral-large-2411", "mistral", "mistral-large",
         ("prefix mistral/", "alias mistral-large-2411 of mistral-large")),
        (None, "xai/grok-4-0709", "x-ai", "grok-4-0709", ("prefix xai/",)),
        (None, "deepseek/deepseek-chat", "deepseek", "deepseek-chat", ("prefix deepseek/",)),
        (None, "huggingface/together/meta-llama/Llama-3.3-70B-Instruct", "huggingface_together",
         "meta-llama/Llama-3.3-70B-Instruct", ("prefix huggingface/together/",)),
        (None, "text-embedding-3-small", "openai", "text-embedding-3-small",
         ("sold by openai, who makes it",)),
    ],
)  # fmt: skip
def test_a_name_is_found_and_says_how(
    bundled: PriceBook,
    provider: str | None,
    name: str,
    seller: str,
    model: str,
    how: tuple[str, ...],
) -> None:
    found = bundled.resolve(provider, name, AT_US)
    assert (found.provider, found.model, found.how) == (seller, model, how)
    assert found.rates is not None
    assert found.rates == bundled.lookup(provider, name, AT_US)
    assert bundled.seller(provider, name, AT_US) == seller


HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (HAIKU, ("bedrock vendor anthropic",)),
        (f"us.{HAIKU}", ("bedrock region us, vendor anthropic",)),
        (f"apac.{HAIKU}", ("bedrock region apac, vendor anthropic",)),
        (f"bedrock/eu.{HAIKU}", ("prefix bedrock/", "bedrock region eu, vendor anthropic")),
        (f"bedrock/converse/{HAIKU}",
         ("prefix bedrock/", "bedrock path converse/", "bedrock vendor anthropic")),
        (f"bedrock/us-east-1/{HAIKU}",
         ("prefix bedrock/", "bedrock path us-east-1/", "bedrock vendor anthropic")),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU}",
         ("ARN of type foundation-model in eu-west-1", "bedrock vendor anthropic")),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{HAIKU}",
         ("ARN of type inference-profile in us-east-1", "bedrock region us, vendor anthropic")),
    ],
)  # fmt: skip
def test_bedrock_ids_profiles_and_arns_are_sold_by_aws(
    bundled: PriceBook, name: str, how: tuple[str, ...]
) -> None:
    found = bundled.resolve(None, name, AT_US)
    assert found.how == (*how, f"listed as regional.{HAIKU}")
    assert found.provider == "aws"
    # Claude 3 Haiku at Bedrock: 0.25 and 1.25 USD a million tokens.
    assert found.rates is not None
    assert (found.rates.input, found.rates.output) == (250_000, 1_250_000)
    assert bundled.lookup(None, name, AT_US) == found.rates
    assert bundled.lookup("bedrock", name, AT_US) == found.rates
    assert bundled.lookup("openai", name, AT_US) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "An ARN of"),
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", "An ARN of"),
        ("bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1", "Committed throughput"),
        ("projects/p/locations/eu/endpoints/123", "An endpoint of one's own"),
        ("ollama/llama3:8b-q4", "a server of your own"),
        ("lm_studio/qwen3", "a server of your own"),
        ("openai/ft:gpt-9:org::id", "A fine-tuned gpt-9 is not sold at the price of gpt-9"),
        ("gpt-4o.ft-0123", "A fine-tuned gpt-4o is not sold at the price of gpt-4o"),
    ],
)
def test_a_name_that_cannot_tell_its_price_has_none_and_says_why(
    bundled: PriceBook, name: str, why: str
) -> None:
    found = bundled.resolve(None, name, AT_US)
    assert found.rates is None
    assert why in why_unpriced(found)
    assert bundled.lookup(None, name, AT_US) is None


def test_a_region_in_a_name_is_a_context() -> None:
    class Regional(Listed):
        def schedule(
            self, provider: str | None, model: str, context: Context = ()
        ) -> Schedule | None:
            found = super().schedule(provider, model)
            if found is None or ("region", "eu") not in context:
                return found
            rates = Rates(7, 7, provider=provider or "", model=model, context="region=eu")
            return Schedule((Piece(rates),))

    book = PriceBook(Regional("azure m", "aws meta.m"))
    found = book.resolve(None, "azure/eu/m", AT_US)
    assert found.rates is not None
    assert (found.rates.input, found.how) == (7, ("prefix azure/", "azure region eu"))
    # Azure's regional price is not its global one; Bedrock's regions mostly share a price.
    other = book.resolve(None, "azure/us/m", AT_US)
    assert (other.rates, other.why) == (None, "Its price in region us is not known.")
    for name in ("azure/global/m", "azure/m", "bedrock/us-east-1/meta.m"):
        assert book.lookup(None, name, AT_US) is not None
    assert book.lookup(None, "azure/global/m", AT_US) == book.lookup("azure", "m", AT_US)


def test_a_fine_tuned_model_has_its_own_price_or_none() -> None:
    book = PriceBook(Listed("openai gpt-4o", "openai ft:gpt-4o", "openai o9", "azure gpt-4o"))
    tuned = book.resolve(None, "ft:gpt-4o-2024-08-06:org::id", AT_US)
    assert tuned.rates is None  # the source says no provider for its base
    tuned = book.resolve("openai", "ft:gpt-4o-2024-08-06:org::id", AT_US)
    assert tuned.rates is not None
    assert (tuned.rates.input, tuned.how) == (2, ("fine-tuned gpt-4o-2024-08-06",))
    for seller, name in (("openai", "ft:o9:org::id"), ("azure", "ft:gpt-4o:org::id")):
        assert book.lookup(seller, name, AT_US) is None


def test_a_name_that_several_sell_is_reported_not_guessed(bundled: PriceBook) -> None:
    name = "meta-llama/Llama-3.3-70B-Instruct"
    found = bundled.resolve(None, name, AT_US)
    assert found.rates is None
    assert len(found.candidates) > 1
    for candidate in found.candidates:
        seller, _, model = candidate.partition("/")
        assert bundled.lookup(seller, model, AT_US) is not None or seller.startswith("hugging")
    told = why_unpriced(found)
    assert told.startswith("The name may mean any of these; say provider and model: ")
    assert all(candidate in told for candidate in found.candidates)


@pytest.mark.parametrize(
    "name", ["mistralai/Mixtral-8x7B-Instruct-v0.1", "deepseek-ai/DeepSeek-V3", "Qwen/Qwen3-32B"]
)
def test_open_weights_by_their_publishers_name_are_nobodys(bundled: PriceBook, name: str) -> None:
    found = bundled.resolve(None, name, AT_US)
    assert (found.provider, found.rates) == (None, None)
    assert found.candidates


def test_a_bare_name_is_its_makers_not_a_hosts() -> None:
    book = PriceBook(Listed("groq m", "maker m", "openrouter maker/m", "together only"))
    found = book.resolve(None, "m", AT_US)
    assert (found.provider, found.how) == ("maker", ("sold by maker, who makes it",))
    hosted = book.resolve(None, "only", AT_US)
    assert (hosted.rates, hosted.candidates) == (None, ("together/only",))
    two = PriceBook(Listed("maker m", "other m")).resolve(None, "m", AT_US)
    assert (two.rates, two.candidates) == (None, ("maker/m", "other/m"))


def test_the_nearest_names_are_told_where_nothing_fits(bundled: PriceBook) -> None:
    found = bundled.resolve("openai", "gpt4o", AT_US)
    assert found.rates is None
    assert found.nearest[0] == "openai/gpt-4o"
    assert len(found.nearest) == 3
    assert why_unpriced(found).startswith("Known by names like it: openai/gpt-4o, ")
    unlike = bundled.resolve("openai", "zzzzzzzzzz", AT_US)
    assert (unlike.nearest, why_unpriced(unlike)) == ((), "")


def test_a_dated_id_falls_back_to_the_name_without_its_date() -> None:
    book = PriceBook(Listed("maker m", "maker m-2024-05-13"))
    named = {
        name: book.resolve("maker", name, AT_US)
        for name in ("m-2024-05-13", "m-2026-01-01", "m@20260101", "m-latest", "m-20260101")
    }
    assert {name: found.rates and found.rates.input for name, found in named.items()} == {
        "m-2024-05-13": 2, "m-2026-01-01": 1, "m@20260101": 1, "m-latest": 1, "m-20260101": 1,
    }  # fmt: skip
    assert named["m@20260101"].how == ("dated id m@20260101",)
    assert named["m-latest"].how == ("alias m-latest",)
    assert book.lookup("maker", "m-002", AT_US) is None  # a model of its own, but at Google


def test_the_latest_of_a_family_is_its_highest_version() -> None:
    book = PriceBook(
        Listed("maker f-9", "maker f-10-1", "maker f-10", "maker f-20250101", "groq f-11")
    )
    found = book.resolve(None, "f-latest", AT_US)
    assert found.model == "f-10-1"
    assert found.how == ("alias f-latest of f-10-1, the newest listed",)


def test_bedrock_ids_fall_back_to_any_region_and_version() -> None:
    book = PriceBook(Listed("aws anthropic.claude-9-v1:0", "aws meta.llama9", "aws global.meta.l8"))
    for name, input_pico in (
        ("us.anthropic.claude-9-v1:0", 1), ("eu.meta.llama9-v1:0", 2), ("global.meta.l8-v1:0", 3),
        ("global.anthropic.claude-9-v1:0", None), ("us.meta.l8", None),
    ):  # fmt: skip
        rates = book.lookup(None, name, AT_US)
        assert (rates and rates.input) == input_pico, name


# --- Own prices and Ollama -----------------------------------------------------------------------


def tags(*names: str) -> PriceBook:
    """A book of own prices for Ollama, the first at 1 pico, and so on."""
    return PriceBook(
        None, {("ollama", name): Rates(number, number) for number, name in enumerate(names, 1)}
    )


@pytest.mark.parametrize(
    ("own", "asked", "input_pico"),
    [
        (("llama3",), "llama3", 1),
        (("llama3",), "llama3:latest", 1),
        (("llama3:latest",), "llama3", 1),
        (("llama3",), "llama3:8b-instruct-q4_0", 1),
        (("llama3:8b",), "llama3:8b-instruct-q4_0", 1),
        (("llama3", "llama3:8b"), "llama3:8b-instruct-q4_0", 2),
        (("llama3", "llama3:8b"), "llama3:70b", 1),
        (("llama3:8b",), "llama3", 1),
        (("llama3:8b", "llama3:70b"), "llama3", None),
        (("llama3:8b",), "llama3:80b", None),
        (("llama3:8b",), "llama3:70b", None),
        (("llama3",), "llama3.1", None),
    ],
)
def test_an_ollama_tag_fits_the_nearest_own_price(
    own: tuple[str, ...], asked: str, input_pico: int | None
) -> None:
    book = tags(*own)
    for provider, name in (("ollama", asked), (None, f"ollama/{asked}"), ("ollama_chat", asked)):
        rates = book.lookup(provider, name, AT_US)
        assert (rates and rates.input) == input_pico
        assert book.resolve(provider, name, AT_US).rates == rates


def test_several_own_prices_that_fit_an_ollama_model_are_named() -> None:
    found = tags("llama3:8b", "llama3:70b").resolve("ollama", "llama3", AT_US)
    assert found.candidates == ("ollama/llama3:8b", "ollama/llama3:70b")
    fitting = tags("llama3:8b").resolve(None, "ollama/llama3:8b-q4", AT_US)
    assert fitting.how == ("prefix ollama/", "ollama tag llama3:8b-q4 of llama3:8b")
    unnamed = tags("llama3:8b").resolve(None, "llama3:8b", AT_US)
    assert (unnamed.rates, unnamed.candidates) == (None, ("ollama/llama3:8b",))


def test_no_source_prices_what_a_server_of_ones_own_answers() -> None:
    book = PriceBook(Listed("ollama llama3", "vllm m"))
    assert book.lookup("ollama", "llama3", AT_US) is None
    assert book.lookup(None, "hosted_vllm/m", AT_US) is None


def test_an_own_price_is_told_as_such_while_it_holds() -> None:
    class Own:
        basis = "own/1"
        entries: Mapping[tuple[str | None, str], tuple[OwnEntry, ...]] = {
            (None, "m"): (OwnEntry((), Schedule((Piece(Rates(9, 9, basis="own/1")),)), AT_US),)
        }

        def discounted(self, found: object, names: object, context: object) -> object:
            del names, context
            return found

    book = PriceBook(Listed("maker m"), own=Own())  # type: ignore[arg-type]
    before, after = book.resolve("maker", "m", AT_US - 1), book.resolve("maker", "m", AT_US)
    assert (before.how, before.rates and before.rates.input) == ((), 1)
    assert (after.how, after.rates and after.rates.input) == (("a price of your own",), 9)


# --- Any name ------------------------------------------------------------------------------------

_WORDS = st.sampled_from([
    "openai", "azure", "bedrock", "ollama", "us", "anthropic", "gpt-4o", "claude-3-haiku", "llama3",
    "litellm_proxy", "models", "publishers", "arn:aws:bedrock:::foundation-model", "ft", "latest",
    "20250929", "2024-08-06", "v1", "0", "x",
])  # fmt: skip
_NAMES = st.lists(st.tuples(_WORDS, st.sampled_from("/.:-@")), min_size=1, max_size=6).map(
    lambda parts: "".join(word + mark for word, mark in parts)[:-1]
) | st.text(max_size=30)


@given(st.none() | _WORDS, _NAMES)
def test_any_name_is_resolved_as_it_is_looked_up(provider: str | None, name: str) -> None:
    book = bundled_book()
    found = book.resolve(provider, name, AT_US)
    assert found.rates == book.lookup(provider, name, AT_US)
    assert found.rates is None or not (found.candidates or found.nearest or found.why)


def test_names_beyond_reason_are_not_looked_for(bundled: PriceBook) -> None:
    for name in ("x" * 257, "/" * 256, ":" * 256, "ft:", "arn:aws:bedrock:::x/", "", "openai/"):
        assert bundled.resolve(None, name, AT_US).rates is None
        assert bundled.lookup(None, name, AT_US) is None
