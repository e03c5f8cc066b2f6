"""The audit log over HTTP: for keys with the right `audit`, in the words of the journal."""

import httpx2

from budget.engine import keys
from tests.http.running import Running


def test_a_change_is_told_with_who_made_it_and_what_it_was_before(fresh: Running) -> None:
    made = fresh.budget(name="Before")
    fresh.client.patch(f"/api/v1/budgets/{made['budget_id']}", json={"name": "After"})
    newest, oldest = fresh.get("/audit", budgetId=made["budget_id"])["items"]
    assert (newest["kind"], oldest["kind"]) == ("budget_changed", "budget_created")
    assert newest["changes"]["name"] == {"old": "Before", "new": "After"}
    assert newest["actor_name"] == "test"
    assert newest["actor"].startswith("key_")
    (event,) = [one for one in fresh.get("/events")["items"] if one["kind"] == "budget_changed"]
    assert (event["cursor"], event["at"]) == (newest["cursor"], newest["at"])


def test_it_needs_the_right_audit(fresh: Running) -> None:
    for scopes, status in (("read spend manage", 403), ("audit", 200)):
        key = keys.make_key()
        keys.add_key(fresh.books, key, name="some", scopes=scopes)
        answer = httpx2.get(
            f"{fresh.url}/api/v1/audit",
            headers={"X-API-Key": key.text},
            trust_env=False,
            verify=False,
        )
        assert answer.status_code == status
