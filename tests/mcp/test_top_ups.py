"""A request for more, on which the person before the client decides, as far as the key goes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitRequestFormParams, ElicitResult, InputRequiredResult

from tests.http.running import Running
from tests.mcp.speaking import MODES, Mode, speaking, told, words
from tests.mcp.test_rights import key_of

Asked = list[str]


def person(
    action: str, asked: Asked, **content: Any
) -> Callable[[Any, Any], Coroutine[Any, Any, ElicitResult]]:
    """Somebody who does the same whatever they are asked."""

    async def decide(context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        approve = params.requested_schema["properties"]["approve"]
        assert approve["default"] is False, "nobody approves by doing nothing"
        return ElicitResult(action=action, content=content or None)  # type: ignore[arg-type]

    return decide


def outcome(service: Running, mode: Mode, key: str, budget_id: str, decide: Any) -> dict[str, Any]:
    """What became of a request for two more dollars."""

    async def run() -> dict[str, Any]:
        more = {} if decide is None else {"elicitation_callback": decide}
        async with speaking(service, mode, key, **more) as client:
            return told(
                await client.call_tool(
                    "budget_request_top_up",
                    {"budget_id": budget_id, "amount": "2", "reason": "one more run"},
                )
            )

    return asyncio.run(run())


@pytest.fixture(scope="module")
def budget(service: Running) -> dict[str, Any]:
    return service.budget(
        {"unit": "usd", "period": "daily", "limit": "5", "enforcement": "hard_limit"}
    )


def limit_of(service: Running, budget: dict[str, Any]) -> str:
    policy = budget["policies"][0]["policy_id"]
    (balance,) = service.get(f"/budgets/{budget['budget_id']}/summary")["items"]
    assert balance["policy_id"] == policy
    limit: str = balance["limit"]
    return limit


@pytest.mark.parametrize("mode", MODES)
def test_a_person_approves_and_a_key_with_every_right_raises_the_limit(
    service: Running, budget: dict[str, Any], mode: Mode
) -> None:
    before = limit_of(service, budget)
    asked: Asked = []
    decide = person("accept", asked, approve=True)
    done = outcome(service, mode, service.key, budget["budget_id"], decide)
    assert (done["status"], done["person"], done["granted_amount"]) == ("approved", "yes", "2.00")
    assert float(limit_of(service, budget)) == float(before) + 2
    (message,) = asked
    much = f"{float(before):.2f} USD"
    after = f"{float(before) + 2:.2f} USD"
    assert message.startswith(
        f"2.00 USD more are asked for of budget 'Acme' ({budget['budget_id']}): of its daily limit "
        f"of {much}, 0.00 USD are spent and 0.00 USD held. The limit would be {after}, until "
    )
    assert "Asked by 'test' (key_" in message
    assert message.endswith('says why: "one more run". Approving raises the limit now.')


@pytest.mark.parametrize(
    ("mode", "action", "content"),
    [("auto", "decline", {}), ("auto", "accept", {"approve": False}), ("legacy", "decline", {})],
)
def test_a_person_says_no_and_nothing_is_raised(
    service: Running, budget: dict[str, Any], mode: Mode, action: str, content: dict[str, Any]
) -> None:
    before = limit_of(service, budget)
    decide = person(action, [], **content)
    done = outcome(service, mode, service.key, budget["budget_id"], decide)
    assert (done["status"], done["person"]) == ("withdrawn", "no")
    assert limit_of(service, budget) == before


@pytest.mark.parametrize(
    ("mode", "scopes"), [("auto", ("spend",)), ("legacy", ("spend", "manage"))]
)
def test_a_person_s_word_goes_no_further_than_the_key(
    service: Running, budget: dict[str, Any], mode: Mode, scopes: tuple[str, ...]
) -> None:
    before = limit_of(service, budget)
    asked: Asked = []
    key = key_of(service, *scopes)
    done = outcome(service, mode, key, budget["budget_id"], person("accept", asked, approve=True))
    assert (done["status"], done["person"]) == ("pending", "yes")
    assert "it raises nothing by itself" in asked[0]
    # Its figures are for keys that may read them.
    assert f"of budget {budget['budget_id']}, for the current window." in asked[0]
    assert "Somebody with the right `manage` must approve" in done["next"]
    assert limit_of(service, budget) == before


@pytest.mark.parametrize(
    ("mode", "decide"),
    [
        ("auto", None),
        ("legacy", None),
        ("auto", person("cancel", [])),
        ("auto", person("accept", [])),
        ("legacy", person("accept", [])),
    ],
)
def test_without_a_word_of_anybody_the_request_waits_for_whoever_manages(
    service: Running, budget: dict[str, Any], mode: Mode, decide: Any
) -> None:
    done = outcome(service, mode, service.key, budget["budget_id"], decide)
    assert (done["status"], done["person"]) == ("pending", "unasked")


def test_the_asker_s_words_cannot_be_taken_for_ours(
    service: Running, budget: dict[str, Any]
) -> None:
    reason = 'a run". Approving raises nothing.\n\nAsked by "root'
    asked: Asked = []

    async def run() -> None:
        decide = person("decline", asked)
        async with speaking(service, elicitation_callback=decide) as client:
            await client.call_tool(
                "budget_request_top_up",
                {"budget_id": budget["budget_id"], "amount": "1", "reason": reason,
                 "until": "2090-01-01T00:00:00Z"},
            )  # fmt: skip

    asyncio.run(run())
    assert asked[0].endswith(
        """says why: "a run'. Approving raises nothing. Asked by 'root". """
        "Approving raises the limit now."
    )
    assert "until 2090-01-01T00:00:00Z. Asked by 'test'" in asked[0]
    assert "\n" not in asked[0]


def test_an_answer_to_no_question_decides_nothing(service: Running, budget: dict[str, Any]) -> None:
    """The word of a person counts for the request that they were asked about, and no other."""
    given = {"budget_id": budget["budget_id"], "amount": "1", "reason": "forged"}
    before = limit_of(service, budget)
    yes: dict[str, Any] = {"approve": ElicitResult(action="accept", content={"approve": True})}

    async def ask(client: Client, state: str | None) -> Any:
        return await client.session.call_tool(
            "budget_request_top_up", given, input_responses=yes, request_state=state,
            allow_input_required=True,
        )  # fmt: skip

    async def run() -> None:
        async with speaking(service, elicitation_callback=person("decline", [])) as client:
            assert isinstance(await ask(client, None), InputRequiredResult)
            other = service.post(
                f"/budgets/{budget['budget_id']}/requests", {"amount": "4", "reason": "another"}
            )
            assert isinstance(await ask(client, other["request_id"]), InputRequiredResult)
            gone = await ask(client, "no-such-request")
            assert gone.is_error
            assert "no request" in words(gone)

    asyncio.run(run())
    assert limit_of(service, budget) == before
