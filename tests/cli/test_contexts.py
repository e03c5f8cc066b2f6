"""`budget contexts` and `budget limits apollo`."""

import json
from pathlib import Path

from tests.cli.conftest import Say
from tests.cli.spent import opened


def settle(times: int = 1) -> None:
    """Calls of a context: 1,000 tokens held, 400 used."""
    with opened() as books:
        for _ in range(times):
            hold = books.allocate(
                context_id="ctx-1", component="rhetor", task_type="chat", tokens=1000
            )
            assert hasattr(hold, "allocation_id")
            books.settle(hold.allocation_id, input_tokens=300, output_tokens=100)


def test_contexts_are_shown_with_what_they_used_and_what_is_left(local: Say) -> None:
    assert "No context to show" in local("contexts").err
    assert "Created" not in local("limits", "apollo").out
    local("set-limit", "per_session", "4000", "--unit", "tokens", "--name", "Contexts")
    settle(5)
    shown = local("contexts")
    assert shown.code == 0
    (line,) = [line for line in shown.out.splitlines() if line.startswith("ctx-1")]
    assert line.split() == [
        "ctx-1", "rhetor", "2,000", "0.00", "5,000", "40.00%", "5", "size",
    ]  # fmt: skip
    one = local("contexts", "ctx-1").out
    assert "2,000 of 5,000 tokens that were held were used (40.00%)." in one
    assert "The limit of Contexts: 2000 tokens of 4000 tokens left, about 5 calls" in one
    assert "Hint: Calls used 40% of the tokens that were held for them" in one
    told = local("contexts", "ctx-1", "--json").json
    assert (told["efficiency"], told["exhaustions"][0]["calls_left"]) == ("0.4", 5)
    assert local("contexts", "--component", "athena", "--json").json["items"] == []
    sizes = local("contexts", "--sizes", "--json").json["items"]
    assert [(one["component"], one["calls"], one["tokens"]) for one in sizes] == [
        ("rhetor", 5, 4000)
    ]
    assert "5 of the 20 calls" in local("contexts", "--sizes").out
    assert local("contexts", "nobody").code == 4


def test_apollo_s_limits_are_set_up_once(local: Say) -> None:
    rehearsed = local("limits", "apollo", "--dry-run", "--json").json
    assert [one["did"] for one in rehearsed["limits"]] == ["would be set"] * 9
    first = local("limits", "apollo", "--json").json
    dids = [one["did"] for one in first["limits"]]
    assert dids == ["created budget", "created policy", "created policy"] * 3
    again = local("limits", "apollo", "--json").json
    assert [one["did"] for one in again["limits"]] == ["nothing"] * 9
    rehearsed = local("limits", "apollo", "--dry-run", "--json").json
    assert [one["did"] for one in rehearsed["limits"]] == ["nothing"] * 9
    assert local("limits", "apollo").out.count("there already") == 9
    rehearsed = local("limits", "apollo", "--hard", "--dry-run", "--json").json
    assert [one["did"] for one in rehearsed["limits"]] == ["would be changed"] * 9
    hard = local("limits", "apollo", "--hard", "--json").json
    assert [one["did"] for one in hard["limits"]] == ["changed policy"] * 9
    with opened() as books:
        tiers = [budget.scope[0].exact for budget in books.budgets().items]
    assert len(tiers) == 3


def test_policies_and_allocations_of_a_file_are_taken_over_once(local: Say, tmp_path: Path) -> None:
    file = tmp_path / "apollo.json"
    limit = {"type": "hard_limit", "period": "per_session", "token_limit": 3000}
    held = {"context_id": "ctx-1", "tokens_allocated": 4000, "tokens_used": 1500}
    large = {"context_id": "ctx-2", "tokens_allocated": 4000}
    file.write_text(json.dumps({"policies": [limit, 7], "allocations": [held, large]}))
    said = local("limits", "apollo", str(file))
    assert said.code == 1
    assert "1 allocation held." in said.out
    assert "Not held: Budget 'Apollo' has 3000 tokens of its per_session 3000 tokens" in said.out
    assert "Not read: policies 2: is not an object" in said.out
    again = local("limits", "apollo", str(file), "--json").json
    assert [one["did"] for one in again["limits"]] == ["nothing"]
    assert again["holds"][0]["did"] == "held before"
    said = local("limits", "apollo", str(file), "--dry-run")
    assert "1 allocation would be held.\n1 allocation held before." in said.out
    with opened() as books:
        (hold,) = books.allocations().items
    assert (hold.attributes["session"], hold.reserved.tokens) == ("ctx-1", 2500)


def test_a_file_that_is_none_is_told(local: Say, tmp_path: Path) -> None:
    said = local("limits", "apollo", str(tmp_path / "nowhere.json"))
    assert said.code == 2
    assert "FILE" in said.err
