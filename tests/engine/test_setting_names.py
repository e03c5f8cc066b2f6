"""A variable that begins like ours and is none is found, with the name that was meant."""

import pytest

from budget.engine.setting_names import unknown_settings


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BUDGET_HERMS_URL", "BUDGET_HERMES_URL"),
        ("BUDGET_TIME_ZONE", "BUDGET_TIMEZONE"),
        ("BUDGET_GATEWAY_RETRYS", "BUDGET_GATEWAY_RETRIES"),
        ("BUDGET_WHATEVER", None),
        ("BUDGET_", None),
    ],
)
def test_what_is_mistyped_is_told_with_what_is_most_like_it(name: str, nearest: str | None) -> None:
    assert list(unknown_settings({name: "x"})) == [(name, nearest)]


@pytest.mark.parametrize(
    "name",
    [
        "BUDGET_HERMES_URL", "BUDGET_GATEWAY_VLLM_BASE_URL", "BUDGET_GATEWAY_MY_OWN_API_KEY",
        "BUDGET_TEST_POSTGRES_URL", "BUDGET_SERVICE_HOST", "BUDGET_SERVICE_PORT_HTTP",
        "BUDGET_PORT_8013_TCP_ADDR", "BUDGET_API_PORT_80_TCP", "PATH", "MY_BUDGET_X",
    ],
)  # fmt: skip
def test_what_is_ours_or_others_is_known(name: str) -> None:
    assert list(unknown_settings({name: "x"})) == []


def test_an_empty_variable_is_an_absent_one() -> None:
    assert list(unknown_settings({"BUDGET_HERMS_URL": ""})) == []
