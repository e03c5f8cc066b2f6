"""GET and PUT /settings: what may change while Budget runs, beside what the process was told."""

from pathlib import Path
from typing import Any

from budget.engine.settings import Settings, shown
from tests.http.running import Json, Running


def put(service: Running, status: int = 200, **ask: Any) -> Json:
    """What changing settings answers."""
    answer = service.client.put("/api/v1/settings", json=ask)
    assert answer.status_code == status, answer.text
    told: Json = answer.json()
    return told


def test_settings_are_shown_and_changed_in_either_spelling(fresh: Running) -> None:
    before = fresh.get("/settings")["settings"]
    assert before["request_expires_seconds"]["value"] == 604_800
    assert before["request_expires_seconds"]["updated_at"] is None
    changed = put(fresh, requestExpiresSeconds=3600, how_to_raise="Ask Ann.")
    one = changed["settings"]["request_expires_seconds"]
    assert (one["value"], one["default"]) == (3600, 604_800)
    assert one["updated_by"].startswith("key_")
    assert fresh.get("/settings")["settings"] == changed["settings"]


def test_words_for_whoever_is_refused_and_the_status_of_refusals_count_at_once(
    service: Running,
) -> None:
    service.budget({"unit": "usd", "period": "daily", "limit": "1", "enforcement": "hard_limit"})
    ask = {"usd": "2", "tokens": 0}
    assert service.client.post("/api/v1/allocations", json=ask).status_code == 402
    put(service, how_to_raise="Ask Ann.", refusal_status=429)
    refused = service.client.post("/api/v1/allocations", json=ask)
    assert refused.status_code == 429
    assert refused.json()["how_to_raise"].endswith(" Ask Ann.")
    put(service, how_to_raise=None, refusal_status=None)
    refused = service.client.post("/api/v1/allocations", json=ask)
    assert refused.status_code == 402
    assert not refused.json()["how_to_raise"].endswith(" Ask Ann.")


def test_settings_of_alerts_are_changed_elsewhere_and_unknown_ones_nowhere(
    shared: Running,
) -> None:
    before = shared.written()
    assert put(shared, 422, alerts={})["field"] == "alerts"
    told = shared.get("/settings")["settings"]["alerts"]
    assert told["changed_by"] == "PUT /api/v1/alerts/settings"
    assert "how_to_raise" in put(shared, 422, colour="red")["allowed"]
    assert put(shared, 422, refusal_status="500")["field"] == "refusal_status"
    assert shared.written() == before


def test_what_the_process_was_told_is_shown_without_secrets(tmp_path: Path) -> None:
    env = {
        "BUDGET_TARGET": "postgresql://ann:s3cret@db.lan/budget",
        "BUDGET_SMTP_URL": "smtps://ann:s3cret@mail.lan", "BUDGET_SMTP_FROM": "budget@mail.lan",
        "BUDGET_PRICE_SOURCES": "litellm=https://mirror.lan/map.json",
        "BUDGET_CONFIG_DIR": str(tmp_path),
    }  # fmt: skip
    told = shown(Settings.read(env))
    assert "s3cret" not in str(told)
    assert (told["price_sources"], told["mail"]) == (["litellm"], True)


def test_the_database_is_shown_without_its_password(shared: Running) -> None:
    process = shared.get("/settings")["process"]
    assert process["database"]["engine"] in ("sqlite", "postgresql")
    assert process["port"] is not None
