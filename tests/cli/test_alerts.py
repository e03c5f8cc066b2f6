"""`budget alerts list`, `acknowledge` and `dismiss`."""

import pytest

from tests.cli.conftest import Say


def test_alerts_are_listed_until_somebody_has_seen_to_them(local: Say) -> None:
    local("budgets", "create", "Cap", "--limit", "1/daily:hard")
    local("budgets", "create", "Soft", "--limit", "10/daily:warn")
    local("allocate", "create", "--usd", "2", "--quiet")
    held = local("allocate", "create", "--usd", "0.90", "--quiet").out.strip()
    words = ("--input-tokens", "1", "--model", "nobody-sells-this", "--cost", "0.90")
    local("allocate", "settle", held, *words)

    def alerts(*options: str) -> dict[str, str]:
        items = local("alerts", "list", *options, "--format", "json").json["items"]
        return {item["kind"]: item["alert_id"] for item in items}

    # The refusal, and 0.90 of 1.00, beyond the warning threshold of 0.8 and short of 0.95. What has
    # no price is another matter.
    assert {"limit", "warning"} <= set(alerts())
    assert set(alerts("--budget-id", "Cap")) == {"limit", "warning"}
    assert alerts("--budget-id", "Soft") == {}
    assert "warning" not in alerts("--severity", "error")
    assert set(alerts("--kind", "limit")) == set(alerts("--type", "cost_limit_exceeded"))
    assert alerts("--to", "2020-01-01") == {}
    assert set(alerts("--from", "2020-01-01")) == set(alerts())
    limit = alerts()["limit"]
    said = local("alerts", "acknowledge", limit, "--note", "it stays")
    assert said.out.startswith("Acknowledged: Cap: a call was refused by the daily limit")
    assert "limit" not in alerts("--unacknowledged")
    assert set(alerts("--acknowledged")) == {"limit"}
    assert "it stays" in local("alerts", "list", "--acknowledged").out
    assert local("alerts", "dismiss", limit, "--json").json["status"] == "dismissed"
    assert set(alerts("--status", "dismissed")) == {"limit"}
    assert local("alerts", "dismiss", limit).out.startswith("Dismissed before: ")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list", "--budget-id", "nothing"), 4, "There is no budget 'nothing'."),
        (("list", "--severity", "grave"), 2, "--severity: 'grave' is not known."),
        (("list", "--status", "new"), 2, "--status: 'new' is not known."),
        (("list", "--acknowledged", "--unacknowledged"), 2, "--acknowledged: says the opposite"),
        (("list", "--kind", "loud"), 2, "--kind: is not a kind of an alert."),
        (("list", "--type", "loud"), 2, "--type: is not a type of an alert."),
        (("list", "--from", "yesterday"), 2, "--from: must be a day, or a time with"),
        (("list", "--to", "2026-02-30"), 2, "--to: "),
        (("list", "--limit", "0"), 2, "--limit: must be 1 or more."),
        (("list", "--format", "xml"), 2, "--format"),
        (("acknowledge",), 2, "ALERT"),
        (("acknowledge", "nothing"), 4, "There is no alert 'nothing'."),
        (("acknowledge", "nothing", "--note", "x" * 10_000), 2, "--note: "),
        (("dismiss", "nothing"), 4, "There is no alert 'nothing'."),
    ],
)
def test_bad_values_are_told(local: Say, words: tuple[str, ...], code: int, said: str) -> None:
    answer = local("alerts", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err
