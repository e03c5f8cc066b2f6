"""Neighbours over HTTP: all that there are, and the states of those that are on."""

from tests.http.running import Running


def test_all_are_told_and_none_but_mcp_is_on_unless_it_is_set(shared: Running) -> None:
    items = shared.client.get("/api/v1/neighbours").json()["items"]
    on = [one["name"] for one in items if one["state"] != "off"]
    assert on == list(shared.client.get("/health").json()["neighbours"]) == ["mcp"]
    off = [one for one in items if one["name"] != "mcp"]
    assert {(one["address"], one["last_contact_at"]) for one in off} == {(None, None)}
    assert all(one["setting"].startswith("BUDGET_") and one["about"] for one in items)
