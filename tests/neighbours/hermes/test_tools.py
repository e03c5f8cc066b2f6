"""Tools: all that models are offered here is in Hermes' registry of tools, and gone at the end."""

import pytest

from budget.mcp.tools import TOOLS, find_tool
from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.hermes import tools
from tests.fakes.tekton.component import Asked, Component, Told
from tests.fakes.tekton.hermes import FakeHermes
from tests.neighbours.hermes.conftest import URL, Join, again, until

pytestmark = pytest.mark.anyio

FORMER = (
    "AllocateBudget", "CheckBudget", "RecordUsage", "GetBudgetStatus", "GetModelRecommendations",
    "RouteWithBudgetAwareness", "GetUsageAnalytics",
)  # fmt: skip
NAMES = {one.name for one in TOOLS} | {f"budget_{name}" for name in FORMER} | {
    "budget_health_check", "budget_component_info",
}  # fmt: skip


def _put(component: Component) -> int:
    return component.paths("POST").count("/api/mcp/v2/tools")


async def test_every_tool_is_offered_with_what_it_takes_and_where_it_is(
    join: Join, fake: FakeHermes
) -> None:
    async with join() as hermes:
        await until(lambda: hermes.contact.facts.get("tools") == str(len(NAMES)))
        assert {one["name"] for one in fake.tools.values()} == NAMES
        allocate, former = fake.tools["budget_allocate_budget"], fake.tools["budget_AllocateBudget"]
        assert allocate["schema"] == former["schema"] == find_tool("AllocateBudget").asks
        assert allocate["endpoint"] == f"{URL}/api/tools/budget_allocate_budget/execute"
        assert former["endpoint"] == f"{URL}/api/tools/budget_AllocateBudget/execute"
        assert allocate["metadata"]["component"] == "budget"
        assert allocate["metadata"]["port"] == 8013
        assert fake.tools["budget_health_check"]["endpoint"] == (
            f"{URL}/api/tools/budget_health_check/execute"
        )


def test_every_endpoint_of_a_tool_leads_to_one() -> None:
    for one in tools.offered(URL, 8013):
        path = one["endpoint"].removeprefix(URL)
        name = path.removeprefix("/api/tools/").removesuffix("/execute")
        if name not in ("budget_health_check", "budget_component_info"):  # which the bridge answers
            assert find_tool(name).name.startswith("budget_")


async def test_tools_are_offered_once_and_again_where_they_are_missing_or_not_as_they_were(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    async with join() as hermes:
        await until(lambda: hermes.contact.facts.get("tools") == str(len(NAMES)))
        await again(component, 8)
        assert _put(component) == len(NAMES)
        del fake.tools["budget_settle"]
        fake.tools["budget_release"]["endpoint"] = "http://localhost:8013/api/old"
        await until(lambda: _put(component) == len(NAMES) + 2)
        await again(component, 8)
        assert fake.tools["budget_release"]["endpoint"].startswith(URL)
        assert {one["name"] for one in fake.tools.values()} == NAMES


async def test_a_restart_that_forgot_them_has_them_again(join: Join, fake: FakeHermes) -> None:
    async with join() as hermes:
        await until(lambda: hermes.contact.facts.get("tools") == str(len(NAMES)))
        fake.forget()
        await until(lambda: {one["name"] for one in fake.tools.values()} == NAMES)


async def test_ours_are_taken_away_at_the_end_and_others_stay(join: Join, fake: FakeHermes) -> None:
    fake.tools["rhetor_chat"] = {"id": "rhetor_chat", "name": "rhetor_chat"}
    async with join() as hermes:
        await until(lambda: hermes.contact.facts.get("tools") == str(len(NAMES)))
    assert set(fake.tools) == {"rhetor_chat"}


async def test_an_id_that_hermes_gives_itself_is_the_one_that_is_taken_away(
    fake: FakeHermes, component: Component
) -> None:
    def stubborn(asked: Asked) -> Told:
        if asked.method == "POST" and isinstance(asked.body, dict):
            asked.body.pop("id", None)
        return fake.answer(asked)

    component.fault = stubborn
    line = Line("hermes", component.url)
    stall = tools.Stall(line, tools.offered(URL, 8013)[:3])
    await stall.offer()
    assert (stall.there, len(fake.tools)) == (3, 3)
    assert all(id.startswith("tool-") for id in fake.tools)
    await stall.offer()
    assert len(fake.tools) == 3
    await stall.take_back()
    assert fake.tools == {}
    await line.close()


async def test_tools_that_are_not_taken_do_not_keep_us_from_being_registered(
    join: Join, fake: FakeHermes, component: Component
) -> None:
    component.fault = lambda asked: (
        (500, {"detail": "no channels"}) if "mcp" in asked.path else fake.answer(asked)
    )
    async with join() as hermes:
        await until(lambda: "tools" in hermes.contact.facts)
        assert hermes.contact.facts["tools"] == "0; hermes answered 500: no channels."
        assert hermes.contact.state == "working"
        component.fault = None
        await until(lambda: hermes.contact.facts["tools"] == str(len(NAMES)))


@pytest.mark.parametrize("told", [{"tools": []}, None, "none"])
async def test_a_list_of_tools_that_is_none_is_an_error(component: Component, told: object) -> None:
    component.fault = lambda _: (200, told)
    line = Line("hermes", component.url)
    with pytest.raises(Unanswered, match="does not say which tools"):
        await tools.Stall(line, []).offer()
    await line.close()


async def test_what_was_never_offered_is_not_taken_away(component: Component) -> None:
    line = Line("hermes", component.url)
    await tools.Stall(line, tools.offered(URL, 8013)).take_back()
    assert component.asked == []
    await line.close()
