"""`budget allocate create`, `list`, `release` and `settle`; how a refusal is told."""

import pytest

from tests.cli.conftest import Say


def test_a_call_is_held_and_settled(local: Say) -> None:
    words = ("--context-id", "s1", "--component", "web", "--usd", "1.50", "--tokens", "900")
    held = local("allocate", "create", *words, "--ttl", "1h", "--json").json
    assert held["reserved"] == {"usd": "1.50", "tokens": 900, "requests": 1}
    assert held["attributes"] == {"component": "web", "session": "s1"}
    said = local(
        "allocate", "settle", held["allocation_id"], "--input-tokens", "10",
        "--output-tokens", "5", "--model", "nobody-sells-this", "--cost", "0.25",
    )  # fmt: skip
    assert said.out.startswith("Booked 0.25 USD as use_")
    assert said.out.endswith(f"{held['allocation_id']} is settled.\n")


def test_an_id_alone_is_answered_when_quiet(local: Say) -> None:
    said = local("allocate", "create", "--usd", "1", "--quiet")
    allocation_id = said.out.strip()
    assert allocation_id.startswith("alloc_")
    assert local("allocate", "release", allocation_id).out == f"{allocation_id} is released.\n"


def test_what_is_held_is_listed_by_session_and_component(local: Say) -> None:
    def hold(*words: str) -> str:
        return local("allocate", "create", "--usd", "1", *words, "--quiet").out.strip()

    one = hold("--context-id", "s1", "--component", "web")
    other = hold("--context-id", "s2", "--component", "web", "--attribute", "team=a")
    run = hold("--envelope")
    part = hold("--parent-id", run)
    local("allocate", "release", one)

    def listed(*options: str) -> list[str]:
        items = local("allocate", "list", *options, "--format", "json").json["items"]
        return [item["allocation_id"] for item in items]

    assert sorted(listed()) == sorted(listed("--active-only")) == sorted([other, run, part])
    assert len(listed("--all")) == 4
    assert listed("--all", "--context-id", "s1") == listed("--status", "released") == [one]
    assert listed("--component", "web") == listed("--attribute", "team=a") == [other]
    assert listed("--parent-id", run) == [part]
    assert len(listed("--limit", "2")) == 2


def test_a_dry_run_holds_nothing(local: Say) -> None:
    said = local("allocate", "create", "--usd", "1", "--dry-run")
    assert said.out == "Would hold 1.00 USD, 1 request; no limit meets this call.\n"
    assert local("allocate", "list").err == "Nothing is held.\n"


def test_a_refusal_is_told_whole(local: Say) -> None:
    local("budgets", "create", "Cap", "--limit", "3/daily:hard", "--limit", "50/total/tokens:hard")
    local("allocate", "create", "--usd", "2", "--tokens", "40")
    said = local("allocate", "create", "--usd", "1.25", "--tokens", "30")
    assert said.code == 3
    refused, _, head, daily, total, _, top_up, more = said.out.splitlines()
    assert refused.startswith("Refused: Budget 'Cap' ")
    assert head.startswith("Refused by  Partition  Period  Unit")
    # 2 of 3 USD are held and 1.25 asked for: 0.25 are missing. 40 of 50 tokens, 30 more: 20.
    limits = {" ".join(line.split()[:9]) for line in (daily, total)}
    assert limits == {
        "Cap daily usd 3.00 0.00 2.00 0.00 1.25 0.25",
        "Cap total tokens 50 0 40 0 30 20",
    }
    assert {line.split("top-up ")[1].split()[1] for line in (top_up, more)} == {"0.25", "20"}
    quiet = local("allocate", "create", "--usd", "1.25", "--tokens", "30", "--quiet")
    assert (quiet.code, quiet.out) == (3, "")
    assert quiet.err.startswith("budget: Budget 'Cap' ")
    told = local("allocate", "create", "--usd", "1.25", "--tokens", "30", "--json")
    assert told.code == 3
    assert {line["shortfall"] for line in told.json["refused_by"]} == {"0.25", 20}
    told = local("allocate", "create", "--usd", "9", "--tokens", "1", "--dry-run", "--json")
    assert (told.code, told.json["allowed"]) == (3, False)


def test_what_would_help_is_told_of_other_refusals(local: Say) -> None:
    local("budgets", "create", "Cap", "--limit", "3/daily:hard")
    words = ("--model", "nobody-sells-this", "--input-tokens", "1", "--max-output-tokens", "1")
    said = local("allocate", "create", *words)
    assert said.code == 3
    assert "`budget prices set nobody-sells-this --input 1 --output 2 --reason WHY`" in said.out
    assert "Shortfall" not in said.out
    run = local("allocate", "create", "--envelope", "--usd", "1", "--quiet").out.strip()
    said = local("allocate", "create", "--parent-id", run, "--usd", "2")
    assert said.code == 3
    assert f"The envelope {run} is spent; the next one must be larger." in said.out


CREATE = ("create",)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*CREATE, "--context-id", ""), 2, "--context-id: must have 1 to 256 characters."),
        ((*CREATE, "--component", ""), 2, "--component: must have 1 to 256 characters."),
        ((*CREATE, "--user-id", ""), 2, "--user-id: must have 1 to 256 characters."),
        ((*CREATE, "--task-type", "\t"), 2, "--task-type: must have 1 to 256 characters."),
        ((*CREATE, "--tier", ""), 2, "--tier: must have 1 to 256 characters."),
        ((*CREATE, "--provider", ""), 2, "--provider: must have 1 to 256 characters."),
        ((*CREATE, "--model", "\x01"), 2, "--model: must not contain control characters"),
        ((*CREATE, "--tokens", "many"), 2, "--tokens"),
        ((*CREATE, "--tokens", "-1"), 2, "--tokens: must not be negative."),
        ((*CREATE, "--tokens", "9" * 30), 2, "--tokens: must be at most"),
        ((*CREATE, "--usd", "1e3"), 2, "--usd: must be a plain decimal"),
        ((*CREATE, "--usd", "1000001"), 2, "--usd: must be at most 1000000.00 USD."),
        ((*CREATE, "--requests", "-1"), 2, "--requests: must not be negative."),
        ((*CREATE, "--input-tokens", "-1"), 2, "--input-tokens: must not be negative."),
        ((*CREATE, "--max-output-tokens", "5"), 2, "--input-tokens: is required beside"),
        ((*CREATE, "--input-tokens", "1", "--min-output-tokens", "x"), 2, "--min-output-tokens"),
        ((*CREATE, "--input-tokens", "1", "--usd", "1"), 2, "--usd: is stated beside"),
        ((*CREATE, "--usd", "1", "--fit"), 2, "--fit: needs an estimate: --input-tokens"),
        ((*CREATE, "--envelope"), 2, "--envelope: needs an amount"),
        ((*CREATE, "--envelope", "--usd", "1", "--parent-id", "x"), 2, "--parent-id: an envelope"),
        ((*CREATE, "--usd", "1", "--parent-id", "x"), 4, "'x'"),
        ((*CREATE, "--priority", "11"), 2, "--priority: must be at most 10."),
        ((*CREATE, "--priority", "0"), 2, "--priority: "),
        ((*CREATE, "--ttl", "soon"), 2, "--ttl: 'soon' is not a duration"),
        ((*CREATE, "--ttl", "2d"), 2, "--ttl: must be 1 to 86400"),
        ((*CREATE, "--attribute", "team"), 2, "--attribute: 'team' is not KEY=VALUE."),
        ((*CREATE, "--attribute", "colour=red"), 2, "--attribute: 'colour' is not an attribute."),
        (("list", "--status", "gone"), 2, "--status: 'gone' is not known."),
        (("list", "--active-only", "--all"), 2, "--active-only: says the opposite"),
        (("list", "--component", ""), 2, "--component: must have 1 to 256 characters."),
        (("list", "--attribute", "x=y"), 2, "--attribute: 'x' is not an attribute."),
        (("list", "--format", "xml"), 2, "--format"),
        (("list", "--limit", "0"), 2, "--limit: must be 1 or more."),
        (("release",), 2, "ALLOCATION"),
        (("release", "nothing"), 4, "There is no allocation 'nothing'."),
        (("settle", "x"), 2, "--input-tokens: is required"),
        (("settle", "nothing", "--input-tokens", "1"), 4, "There is no allocation 'nothing'."),
        (("settle", "x", "--input-tokens", "-1"), 2, "--input-tokens: must not be negative."),
        (("settle", "x", "--output-tokens", "x"), 2, "--output-tokens"),
        (("settle", "x", "--cache-read-tokens", "5"), 2, "tokens: "),
        (("settle", "x", "--cache-write-tokens", "-5"), 2, "--cache-write-tokens: "),
        (("settle", "x", "--cost", "much"), 2, "--cost: must be a plain decimal"),
        (("settle", "x", "--model", ""), 2, "--model: must have 1 to 256 characters."),
        (("settle", "x", "--provider", ""), 2, "--provider: must have 1 to 256 characters."),
    ],
)
def test_bad_values_are_told(local: Say, words: tuple[str, ...], code: int, said: str) -> None:
    answer = local("allocate", *words)
    assert (answer.code, answer.out) == (code, ""), answer.err
    assert said in answer.err
    assert answer.err.count("\n") == 1
