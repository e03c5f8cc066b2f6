"""`budget simulate` tells what limits would have refused."""

import pytest

from tests.cli.conftest import Say
from tests.cli.spent import limit, spend, today


@pytest.fixture
def used(local: Say) -> Say:
    """Ann spent 0.4 and 0.8 USD today, and Bob 1 USD; nobody was refused."""
    limit("10", hard=True)
    for user, usd in (("ann", "0.4"), ("ann", "0.8"), ("bob", "1")):
        spend(0, "m-small", usd, user=user)
    return local


def test_a_limit_for_each_user_tells_the_day_and_who_and_the_first(used: Say) -> None:
    said = used("simulate", "--limit", "1/daily", "--per", "user", "--hard")
    assert (said.code, said.err) == (0, "")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert f"{today()} 3 1 0.80 0 2.20" in lines
    assert "user=ann 2 1 0.80 0 1.20" in lines
    assert any("user=ann" in one and "asked 0.80 USD; spent 0.40 USD" in one for one in lines)
    assert lines[-1] == "1 call would have been refused, which cost 0.80 of 2.20 USD."


def test_without_hard_what_goes_beyond_is_counted(used: Say) -> None:
    told = used("simulate", "--limit", "1/daily", "--json").json
    assert (told["total"]["refused"], told["total"]["over"]) == (0, 2)
    assert "beyond it" in used("simulate", "--limit", "1/daily").out


def test_the_limits_in_force_are_tried_where_none_is_named(used: Say) -> None:
    (one,) = used("simulate", "--budget", "Default Budget", "--json").json["limits"]
    assert (one["limit"], one["calls"], one["fullest"]["used"]) == ("10.00", 3, "2.20")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--limit", "5"], "--limit"),
        (["--unit", "tokens"], "--limit"),
        (["--limit", "-5/daily"], "--limit"),
        (["--limit", "5/sometimes"], "--limit"),
        (["--limit", "nan/daily"], "--limit"),
        (["--limit", "1.5/daily", "--unit", "tokens"], "--limit"),
        (["--limit", "5/daily", "--unit", "eur"], "--unit"),
        (["--limit", "5/daily", "--scope", "team"], "--scope"),
        (["--limit", "5/daily", "--per", "no such"], "--per"),
        (["--limit", "5/daily", "--per", "user", "--per", "user"], "--per"),
        (["--limit", "5/daily", "--budget", "x"], "--budget"),
        (["--hard"], "--limit"),
        (["--from", "soon"], "--from"),
        (["--to", "2026-13-01"], "--to"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--from"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(local: Say, words: list[str], named: str) -> None:
    said = local("simulate", *words)
    assert said.code == 2, said
    assert named in said.err
    assert said.err.count("\n") == 1
