"""Agent runs: a session has an envelope of its own, and none of its calls goes beyond that."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import openai
import pytest

from budget.domain.answers import Allocation
from budget.domain.errors import InvalidInput
from budget.gateway.runs import Template, envelope_id_of, read_templates
from tests.fakes.providers import Providers
from tests.gateway.through import Through, through

PATH: Final = "/openai/v1/chat/completions"
MESSAGES: Final[Any] = [{"role": "user", "content": "Say five words."}]
CHAT: Final[Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 5}
# gpt-4o: 2,500 nanos a token of input, 10,000 of output. The fake provider bills 3 in and 5 out.
COST_NANOS: Final = 3 * 2_500 + 5 * 10_000
TEMPLATES: Final = (
    '{"default": {"usd": "0.01", "ttl_seconds": 600}, "tiny": {"usd": "0.0003"},'
    ' "two": {"usd": 1, "requests": 2}}'
)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, running_providers: Providers
) -> Iterator[Through]:
    """One service for all of this file; each test has sessions of its own."""
    path = tmp_path_factory.mktemp("runs") / "books.db"
    env = {"BUDGET_GATEWAY_RUNS": TEMPLATES, "BUDGET_GATEWAY_LOOP_IDENTICAL": "0"}
    with through(f"sqlite:///{path}", running_providers, env) as running:
        yield running


@pytest.fixture(scope="module")
def bare(
    tmp_path_factory: pytest.TempPathFactory, running_providers: Providers
) -> Iterator[Through]:
    """A service without templates."""
    path = tmp_path_factory.mktemp("bare") / "books.db"
    with through(f"sqlite:///{path}", running_providers) as running:
        yield running


def run_of(gateway: Through, session: str, key: str = "") -> Allocation:
    """The envelope of a run of a key, or of the usual one."""
    key_id = f"key_{(key or gateway.key)[4:12]}"
    return gateway.books.allocation(envelope_id_of(key_id, session))


def spent_nanos(gateway: Through, session: str) -> int:
    records = [one for one in gateway.records() if one.attributes.get("session") == session]
    return sum(one.cost_nanos or 0 for one in records)


def test_each_session_has_an_envelope_of_its_template(shared: Through) -> None:
    first = shared.post(PATH, CHAT, X_Budget_Session="usual", X_Budget_Agent="planner")
    shared.post(PATH, CHAT, X_Budget_Session="usual", X_Budget_Agent="coder")
    run = run_of(shared, "usual")
    assert run.envelope
    assert first.headers["x-budget-envelope"] == run.allocation_id
    assert run.reserved.usd == 10_000_000
    assert run.remaining.usd == 10_000_000 - 2 * COST_NANOS
    assert [child.attributes["agent"] for child in run.children] == ["planner", "coder"]
    assert run.expires_us - run.placed_us >= 600_000_000
    assert "agent" not in run.attributes


def test_a_template_is_chosen_by_its_header(shared: Through) -> None:
    shared.post(PATH, CHAT, X_Budget_Session="small", X_Budget_Template="tiny")
    assert run_of(shared, "small").reserved.usd == 300_000


def test_a_run_may_be_limited_in_calls(shared: Through) -> None:
    for _ in range(2):
        shared.post(PATH, CHAT, X_Budget_Session="calls", X_Budget_Template="two")
    answer = shared.post(PATH, CHAT, status=402, X_Budget_Session="calls")
    assert answer.json()["error"]["code"] == "envelope_exhausted"
    assert answer.json()["error"]["budget"]["unit"] == "requests"


def test_fifty_calls_of_one_run_at_once_never_exceed_it(shared: Through) -> None:
    with openai.OpenAI(
        base_url=f"{shared.url}/openai/v1", api_key=shared.key, max_retries=0
    ) as client:

        def call(number: int) -> int:
            headers = {
                "x-budget-session": "storm", "x-budget-template": "tiny",
                "x-budget-agent": f"sub-{number}", "x-fake": "words=5",
            }  # fmt: skip
            try:
                client.chat.completions.create(**CHAT, extra_headers=headers)
            except openai.APIStatusError as error:
                assert error.code == "envelope_exhausted"  # noqa: PT017 - others are no failure
                return 0
            return 1

        with ThreadPoolExecutor(16) as pool:
            served = sum(pool.map(call, range(50)))
    # 300,000 nanos; each call is billed 57,500 and holds a little more while it is open.
    assert spent_nanos(shared, "storm") == served * COST_NANOS <= 300_000
    assert served >= 4
    run = run_of(shared, "storm")
    assert run.remaining.usd == 300_000 - served * COST_NANOS
    assert not [child for child in run.children if child.status == "open"]


def test_calls_that_come_first_at_once_to_two_services_open_one_envelope(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers) as one, through(sqlite_url, providers) as other:
        key = one.key

        def call(number: int) -> int:
            at, usd = (one, "0.002") if number % 2 else (other, "0.001")
            headers: Any = {"Authorization": f"Bearer {key}", "X_Budget_Max_Usd": usd}
            return at.post(PATH, CHAT, X_Budget_Session="both", **headers).status_code

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(call, range(4))) == [200] * 4
        run = run_of(one, "both", key)
        assert run.reserved.usd in (2_000_000, 1_000_000)
        assert run.remaining.usd == run.reserved.usd - 4 * COST_NANOS


def test_two_keys_with_the_same_session_have_two_runs(shared: Through) -> None:
    other = shared.books.create_key(name="other", scopes=["spend"])
    for key in (shared.key, other.text):
        shared.post(PATH, CHAT, Authorization=f"Bearer {key}", X_Budget_Session="same")
    assert run_of(shared, "same").remaining.usd == 10_000_000 - COST_NANOS
    others = shared.books.allocation(envelope_id_of(other.key_id, "same"))
    assert others.remaining.usd == 10_000_000 - COST_NANOS


def test_a_run_goes_on_after_a_restart(sqlite_url: str, providers: Providers) -> None:
    env = {"BUDGET_GATEWAY_RUNS": TEMPLATES}
    with through(sqlite_url, providers, env) as first:
        key = first.key
        first.post(PATH, CHAT, X_Budget_Session="long")
    env = {"BUDGET_GATEWAY_RUNS": '{"default": {"usd": "5"}}'}
    with through(sqlite_url, providers, env) as second:
        for _ in range(2):
            second.post(
                PATH, CHAT, Authorization=f"Bearer {key}", X_Budget_Session="long",
                X_Budget_Team="another",
            )  # fmt: skip
        run = run_of(second, "long", key)
        assert (run.reserved.usd, run.remaining.usd) == (10_000_000, 10_000_000 - 3 * COST_NANOS)


def test_a_run_that_has_ended_is_over(shared: Through) -> None:
    shared.post(PATH, CHAT, X_Budget_Session="ended")
    shared.books.release(run_of(shared, "ended").allocation_id)
    answer = shared.post(PATH, CHAT, status=402, X_Budget_Session="ended")
    told = answer.json()["error"]
    assert told["code"] == "envelope_exhausted"
    assert "Send another X-Budget-Session" in told["message"]
    assert answer.headers["x-should-retry"] == "false"


def test_a_run_that_no_budget_has_room_for_is_refused(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, {"BUDGET_GATEWAY_RUNS": TEMPLATES}) as gateway:
        gateway.limit("0.005")
        answer = gateway.post(PATH, CHAT, status=402, X_Budget_Session="dear")
        assert answer.json()["error"]["code"] == "over_limit"
        gateway.post(PATH, CHAT, X_Budget_Session="cheap", X_Budget_Template="tiny")
        assert len(providers.billed()) == 1
        assert gateway.open_holds() == 1  # the envelope itself


# --- X-Budget-Max-Usd ----------------------------------------------------------------------------


def test_the_first_call_of_a_run_caps_it_and_no_later_one_raises_that(bare: Through) -> None:
    bare.post(PATH, CHAT, X_Budget_Session="capped", X_Budget_Max_Usd="0.00022")
    for usd in ("0.0001", "5"):
        bare.post(PATH, CHAT, X_Budget_Session="capped", X_Budget_Max_Usd=usd)
    assert run_of(bare, "capped").reserved.usd == 220_000
    answer = bare.post(PATH, CHAT, status=402, X_Budget_Session="capped", X_Budget_Max_Usd="5")
    assert answer.json()["error"]["code"] == "envelope_exhausted"


def test_a_cap_holds_for_calls_of_the_run_that_do_not_say_it(bare: Through) -> None:
    bare.post(PATH, CHAT, X_Budget_Session="silent", X_Budget_Max_Usd="0.0001")
    bare.post(PATH, CHAT, status=402, X_Budget_Session="silent")


def test_a_cap_makes_a_template_smaller_and_never_larger(shared: Through) -> None:
    shared.post(PATH, CHAT, X_Budget_Session="less", X_Budget_Max_Usd="0.002")
    shared.post(PATH, CHAT, X_Budget_Session="more", X_Budget_Max_Usd="2")
    assert run_of(shared, "less").reserved.usd == 2_000_000
    assert run_of(shared, "more").reserved.usd == 10_000_000


def test_a_session_without_a_template_or_a_cap_is_an_attribute(bare: Through) -> None:
    bare.post(PATH, CHAT, X_Budget_Session="plain")
    (record,) = [one for one in bare.records() if one.attributes.get("session") == "plain"]
    assert record.cost_nanos == COST_NANOS
    assert bare.books.allocations(status="open", limit=1000, session="plain").items == []


# --- What is wrong -------------------------------------------------------------------------------


def test_a_template_that_is_not_there_is_named_with_those_that_are(shared: Through) -> None:
    answer = shared.post(PATH, CHAT, status=400, X_Budget_Session="x", X_Budget_Template="huge")
    assert "X-Budget-Template" in answer.json()["error"]["message"]
    assert "default, tiny, two" in answer.json()["error"]["message"]
    answer = shared.post(PATH, CHAT, status=400, X_Budget_Template="tiny")
    assert "X-Budget-Session" in answer.json()["error"]["message"]


def test_templates_are_read_from_the_environment() -> None:
    found = read_templates({"BUDGET_GATEWAY_RUNS": TEMPLATES})
    assert found["default"] == Template(usd_nanos=10_000_000, ttl_seconds=600)
    assert found["two"] == Template(usd_nanos=1_000_000_000, requests=2, ttl_seconds=3600)
    assert read_templates({}) == {}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "BUDGET_GATEWAY_RUNS"),
        ("[]", "BUDGET_GATEWAY_RUNS"),
        ('{"a": 1}', "BUDGET_GATEWAY_RUNS.a"),
        ('{"a": {}}', "BUDGET_GATEWAY_RUNS.a"),
        ('{"a": {"eur": "1"}}', "BUDGET_GATEWAY_RUNS.a.eur"),
        ('{"a": {"usd": "much"}}', "BUDGET_GATEWAY_RUNS.a.usd"),
        ('{"a": {"tokens": -1}}', "BUDGET_GATEWAY_RUNS.a.tokens"),
        ('{"a": {"usd": "1", "ttl_seconds": 0}}', "BUDGET_GATEWAY_RUNS.a.ttl_seconds"),
    ],
)
def test_a_wrong_template_is_named(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_templates({"BUDGET_GATEWAY_RUNS": text})
    assert raised.value.field == field


# --- Waiting and growing within a run ------------------------------------------------------------


def test_a_call_waits_while_another_of_its_run_holds_what_it_needs(shared: Through) -> None:
    # "tiny" is 300,000 nanos: room for one call that holds over 200,000, twice if one waits.
    body = {**CHAT, "max_tokens": 16}
    slow: Any = {"X_Budget_Session": "turns", "X_Budget_Template": "tiny", "X_Budget_Fit": "off"}

    def call(_: int) -> int:
        return shared.post(PATH, body, x_fake="words=2 delay_ms=100", **slow).status_code

    assert shared.key
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(call, range(3))) == [200] * 3
    # 3 in and 2 out, three times.
    assert spent_nanos(shared, "turns") == 3 * (3 * 2_500 + 2 * 10_000)


def test_a_call_without_a_limit_may_write_a_share_of_what_its_run_has_left(
    shared: Through,
) -> None:
    # "tiny" pays for less than 30 tokens, "default" for nearly 1,000.
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    how: Any = {"x_fake": "words=400"}
    shared.post(PATH, body, X_Budget_Session="ample", **how)
    assert spent_nanos(shared, "ample") == 3 * 2_500 + 400 * 10_000
    answer = shared.post(PATH, body, X_Budget_Session="cut", X_Budget_Template="tiny", **how)
    assert '"finish_reason":"length"' in answer.text.replace(" ", "")
    assert 0 < spent_nanos(shared, "cut") <= 300_000


# --- The cap of one call -------------------------------------------------------------------------


def asked_limit(gateway: Through) -> int | None:
    """The limit of output that the newest request had when it came to the provider."""
    _, body = gateway.providers.requests()[-1]
    found: int | None = body.get("max_tokens") or body.get("max_completion_tokens")
    return found


def test_a_cap_without_a_session_shortens_this_call(bare: Through) -> None:
    # 1 USD pays for more than is asked for; of 0.0002 USD the input takes less than 0.00005.
    bare.post(PATH, {**CHAT, "max_tokens": 100}, X_Budget_Max_Usd="1")
    assert asked_limit(bare) == 100
    bare.post(PATH, {**CHAT, "max_tokens": 100}, X_Budget_Max_Usd="0.0002", x_fake="words=90")
    limit = asked_limit(bare)
    assert limit is not None
    assert 10 < limit < 20
    assert (bare.records()[0].cost_nanos or 0) <= 200_000


def test_a_cap_without_any_limit_tells_the_upstream_what_it_pays_for(bare: Through) -> None:
    body = {"model": "gpt-4o", "messages": MESSAGES}
    bare.post(PATH, body, X_Budget_Max_Usd="0.0002", x_fake="words=90")
    assert 10 < (asked_limit(bare) or 0) < 20
    assert (bare.records()[0].cost_nanos or 0) <= 200_000


def test_a_cap_that_does_not_pay_for_the_input_refuses(bare: Through) -> None:
    bare.providers.forget()
    answer = bare.post(PATH, CHAT, status=402, X_Budget_Max_Usd="0.000001")
    told = answer.json()["error"]
    assert told["code"] == "call_capped"
    assert "X-Budget-Max-Usd allows 0.000001 USD" in told["message"]
    assert bare.providers.requests() == []


def test_a_cap_and_no_fit_refuse_what_may_cost_more(bare: Through) -> None:
    body = {**CHAT, "max_tokens": 100}
    answer = bare.post(PATH, body, status=402, X_Budget_Max_Usd="0.0002", X_Budget_Fit="off")
    assert answer.json()["error"]["code"] == "call_capped"


def test_an_upstream_that_keeps_to_no_limit_is_cut_at_the_cap(bare: Through) -> None:
    body = {**CHAT, "max_tokens": 10, "stream": True}
    bare.post(PATH, body, X_Budget_Max_Usd="0.0002", x_fake="words=500 delay_ms=1 unlimited")
    # One piece may have come before it showed.
    assert (bare.records()[0].cost_nanos or 0) <= 200_000 + 10_000


def test_a_cap_of_a_model_without_a_price_cannot_be_kept(bare: Through) -> None:
    body = {**CHAT, "model": "nobody-knows"}
    answer = bare.post(PATH, body, status=400, X_Budget_Max_Usd="1")
    assert answer.json()["error"]["message"].startswith("X-Budget-Max-Usd: cannot be kept")


# --- What nobody knows the cost of ---------------------------------------------------------------


def test_what_cannot_be_metered_is_refused_within_a_run_and_under_a_cap(bare: Through) -> None:
    bare.post(PATH, CHAT, X_Budget_Session="strict", X_Budget_Max_Usd="1")
    for headers in ({"X_Budget_Session": "strict"}, {"X_Budget_Max_Usd": "1"}):
        said: Any = headers
        answer = bare.post("/openai/v1/fine_tuning/jobs", {"model": "gpt-4o"}, status=402, **said)
        assert answer.json()["error"]["code"] == "unmetered_route"


def test_a_stream_whose_run_is_ended_meanwhile_is_cut_and_booked(shared: Through) -> None:
    body = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 60}
    with openai.OpenAI(
        base_url=f"{shared.url}/openai/v1", api_key=shared.key, max_retries=0
    ) as client:
        how = {"x-budget-session": "torn", "x-fake": "words=300 delay_ms=5 unlimited"}
        finish = ""
        with client.chat.completions.create(**body, stream=True, extra_headers=how) as stream:
            for number, chunk in enumerate(stream):
                if number == 3:
                    shared.books.release(run_of(shared, "torn").allocation_id)
                finish = chunk.choices[0].finish_reason or finish
    assert finish == "length"
    assert spent_nanos(shared, "torn") > 0
