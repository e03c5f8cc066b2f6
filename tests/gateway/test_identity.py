"""Who a call is booked on: the key, the headers, the baggage and the body, in that order."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import anthropic
import openai
import pytest

from budget.gateway.incoming import words_of
from tests.fakes.providers import Providers
from tests.gateway.sdks import SDKS, Sdk
from tests.gateway.through import REAL_KEY, Through, through

MESSAGES: Final[Any] = [{"role": "user", "content": "Say five words."}]
CHAT: Final[Mapping[str, Any]] = {"model": "gpt-4o", "messages": MESSAGES}
CHAT_PATH: Final = "/openai/v1/chat/completions"
CLAUDE: Final[Mapping[str, Any]] = {
    "model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 100,
}  # fmt: skip
GEMINI: Final[Mapping[str, Any]] = {"contents": [{"parts": [{"text": "Say five words."}]}]}
GEMINI_PATH: Final = "/gemini/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, running_providers: Providers
) -> Iterator[Through]:
    """One service for all of this file: nothing here limits anybody."""
    path = tmp_path_factory.mktemp("identity") / "books.db"
    with through(f"sqlite:///{path}", running_providers) as running:
        yield running


@pytest.fixture
def gateway(shared: Through) -> Through:
    """That service, before providers that have seen nothing."""
    shared.providers.forget()
    return shared


def booked(gateway: Through) -> Mapping[str, str]:
    """The attributes of the newest record."""
    return gateway.records()[0].attributes


def key_of(gateway: Through, **given: Any) -> str:
    text = gateway.books.create_key(name="another", **given).text
    assert text is not None
    return text


# --- Keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key"])
def test_the_key_may_stand_where_any_provider_looks_for_its_own(
    gateway: Through, header: str
) -> None:
    text = f"Bearer {gateway.key}" if header == "Authorization" else gateway.key
    named: Any = {"Authorization": "", header: text}
    gateway.post(CHAT_PATH, CHAT, **named)
    assert booked(gateway)["key"].startswith("key_")
    (sent,) = gateway.providers.headers()
    assert sent["authorization"] == f"Bearer {REAL_KEY}"
    assert "bud_" not in str(sent)


def test_the_key_may_stand_in_the_address_and_goes_no_further(gateway: Through) -> None:
    gateway.post(f"{GEMINI_PATH}?key={gateway.key}", GEMINI, Authorization="")
    ((path, _),) = gateway.providers.requests()
    assert "bud_" not in path
    assert gateway.providers.headers()[0]["x-goog-api-key"] == REAL_KEY


def test_beside_a_budget_key_the_providers_own_key_is_passed_on(gateway: Through) -> None:
    own = "Bearer sk-of-the-caller"
    gateway.post(CHAT_PATH, CHAT, Authorization=own, X_Budget_Key=gateway.key)
    (sent,) = gateway.providers.headers()
    assert sent["authorization"] == own
    assert "x-budget-key" not in sent
    assert "sk-of-the-caller" not in str(gateway.records()[0])


def test_a_providers_own_key_alone_is_not_enough(gateway: Through) -> None:
    gateway.post(CHAT_PATH, CHAT, status=401, Authorization="Bearer sk-of-the-caller")
    assert gateway.providers.requests() == []


@pytest.mark.parametrize("name", [name for name in SDKS if "async" not in name])
def test_a_wrong_key_is_the_error_that_an_sdk_knows(gateway: Through, name: str) -> None:
    sdk: Sdk = SDKS[name]
    with pytest.raises(sdk.error) as raised:
        sdk.ask(gateway.url, "bud_nobody", "words=1", False, 10)
    told: Any = raised.value
    assert getattr(told, "status_code", None) == 401 or getattr(told, "code", None) == 401
    assert gateway.providers.requests() == []


def test_openai_raises_its_own_errors_for_keys(gateway: Through) -> None:
    reads = key_of(gateway, scopes=["read"])
    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=reads, max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError, match="lacks the right `spend`"):
            client.chat.completions.create(**CHAT)
        revoked = gateway.books.create_key(name="gone", scopes=["spend"])
        gateway.books.revoke_key(revoked.key_id)
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key=revoked.text).chat.completions.create(**CHAT)


def test_anthropic_raises_its_own_errors_for_keys(gateway: Through) -> None:
    reads = key_of(gateway, scopes=["read"])
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=reads, max_retries=0
    ) as client:
        with pytest.raises(anthropic.PermissionDeniedError, match="lacks the right `spend`"):
            client.messages.create(**CLAUDE)
        with pytest.raises(anthropic.AuthenticationError):
            client.with_options(api_key="bud_nobody").messages.create(**CLAUDE)


def test_a_key_of_an_envelope_spends_from_that_alone(gateway: Through) -> None:
    gateway.books.allocate(
        allocation_id="run-1", envelope=True, usd="0.0001", attributes={"tag.envelope": "run-1"}
    )
    draws = key_of(gateway, scopes=["draw"], bound={"tag.envelope": "run-1"})
    limited = {**CHAT, "max_tokens": 5}  # holds 3 in, or a few more, and 5 out: about 0.00007
    gateway.post(CHAT_PATH, limited, Authorization=f"Bearer {draws}")
    answer = gateway.post(
        CHAT_PATH, {**limited, "max_tokens": 5000}, status=402,
        Authorization=f"Bearer {draws}", X_Budget_Fit="off",
    )  # fmt: skip
    assert answer.json()["error"]["code"] == "envelope_exhausted"
    (child,) = gateway.books.allocation("run-1").children
    assert child.parent_id == "run-1"


# --- Attributes ----------------------------------------------------------------------------------


def test_headers_name_attributes_and_tags(gateway: Through) -> None:
    gateway.post(
        CHAT_PATH, CHAT,
        X_Budget_Team="search", X_Budget_Task_Type="review", X_Budget_Tag_Ticket="T-1",
    )  # fmt: skip
    found = booked(gateway)
    assert (found["team"], found["task_type"]) == ("search", "review")
    assert found["tag.ticket"] == "T-1"


def test_a_header_may_be_utf_8_or_latin_1() -> None:
    for name, text in ((b"x-budget-team", "Süd".encode()), (b"x-budget-team", b"S\xfcd")):
        assert words_of({name: text}).attributes == {"team": "Süd"}


def test_baggage_names_attributes_and_what_else_is_there_is_not_ours(gateway: Through) -> None:
    gateway.post(
        CHAT_PATH, CHAT, baggage="budget.team=r%C3%A9d;p=1, userId=alice, budget.tag.ticket=T-2"
    )
    found = booked(gateway)
    assert (found["team"], found["tag.ticket"]) == ("réd", "T-2")
    assert "user" not in found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT_PATH, {**CHAT, "user": "alice"}),
        (CHAT_PATH, {**CHAT, "user": "old", "safety_identifier": "alice"}),
        (CHAT_PATH, {**CHAT, "metadata": {"user": "alice", "colour": "red"}}),
        ("/anthropic/v1/messages", {**CLAUDE, "metadata": {"user_id": "alice"}}),
        (GEMINI_PATH, {**GEMINI, "labels": {"user": "alice"}}),
    ],
    ids=["user", "safety_identifier", "metadata", "anthropic", "gemini"],
)
def test_a_body_names_its_user_as_its_provider_has_it(
    gateway: Through, path: str, body: Mapping[str, Any]
) -> None:
    gateway.post(path, body)
    found = booked(gateway)
    assert found["user"] == "alice"
    assert "colour" not in found


def test_a_header_goes_before_baggage_and_baggage_before_the_body(gateway: Through) -> None:
    body = {**CHAT, "metadata": {"team": "body", "project": "body", "task": "body"}}
    gateway.post(
        CHAT_PATH, body, baggage="budget.team=baggage,budget.project=baggage",
        X_Budget_Team="header",
    )  # fmt: skip
    found = booked(gateway)
    assert (found["team"], found["project"], found["task"]) == ("header", "baggage", "body")


def test_no_body_names_another_key_model_or_provider(gateway: Through) -> None:
    named = {"key": "key_another", "model": "free", "provider": "nobody"}
    gateway.post(CHAT_PATH, {**CHAT, "metadata": named})
    found = booked(gateway)
    assert found["key"] != "key_another"
    assert (found["model"], found["provider"]) == ("gpt-4o", "openai")


def test_a_bound_key_spends_as_that_whatever_a_body_says(gateway: Through) -> None:
    bound = key_of(gateway, scopes=["spend"], bound={"user": "alice"})
    gateway.post(CHAT_PATH, {**CHAT, "user": "a-customer"}, Authorization=f"Bearer {bound}")
    assert booked(gateway)["user"] == "alice"


def test_a_header_that_a_bound_key_may_not_say_is_forbidden(gateway: Through) -> None:
    bound = key_of(gateway, scopes=["spend"], bound={"user": "alice"})
    answer = gateway.post(
        CHAT_PATH, CHAT, status=403, Authorization=f"Bearer {bound}", X_Budget_User="bob"
    )
    assert "bound to 'alice'" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("X-Budget-Teem", "red"),
        ("X-Budget-Team", ""),
        ("X-Budget-Team", "x" * 257),
        ("X-Budget-Tag-A!", "red"),
        ("X-Budget-Max-Usd", "much"),
        ("X-Budget-Max-Usd", "-1"),
        ("X-Budget-Priority", "11"),
        ("X-Budget-Priority", "high"),
        ("X-Budget-Fit", "maybe"),
    ],
)
def test_a_wrong_header_is_named(gateway: Through, header: str, text: str) -> None:
    named: Any = {header: text}
    answer = gateway.post(CHAT_PATH, CHAT, status=400, **named)
    told = answer.json()["error"]
    assert told["message"].startswith(header)
    assert told["param"] == header
    assert told["type"] == "invalid_request_error"
    assert gateway.providers.requests() == []


def test_a_wrong_header_is_told_in_the_shape_of_its_provider(gateway: Through) -> None:
    claude = gateway.post("/anthropic/v1/messages", CLAUDE, status=400, X_Budget_Teem="red").json()
    assert (claude["type"], claude["error"]["type"]) == ("error", "invalid_request_error")
    google = gateway.post(GEMINI_PATH, GEMINI, status=400, X_Budget_Teem="red").json()
    assert (google["error"]["code"], google["error"]["status"]) == (400, "INVALID_ARGUMENT")
