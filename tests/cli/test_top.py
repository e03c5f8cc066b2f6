"""`budget top` shows spend, the fullest limits and the last refusals in a frame."""

import pytest

from budget.cli.top_frame import until_full
from budget.domain.answers_usage import Figures
from tests.cli.conftest import Say
from tests.cli.spent import limit, opened, spend


def test_a_frame_tells_spend_limits_spenders_and_refusals(
    local: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("1", hard=True, name="All")
    spend(0, "m-small", "0.75", user="ann")
    with opened() as books:
        books.allocate(usd="0.5", attributes={"user": "bob"})
        (balance,) = books.status()
    for width in ("80", "140"):
        monkeypatch.setenv("COLUMNS", width)
        said = local("top", "--once")
        assert (said.code, said.err) == (0, "")
        text = said.out
        assert "Today 0.75 USD, 1 calls" in text
        # 0.75 USD in the last hour, 0.25 left: 20 minutes.
        assert "75.0%  0.75/1.00" in text
        assert "full in 20 min" in text
        assert "ann 0.75" in text
        assert "user=bob  asked 0.50 USD" in text
        assert max(map(len, text.splitlines())) <= int(width)
    assert until_full(balance, Figures()) == ""
    assert until_full(balance, Figures(cost_nanos=1_000_000)) == "full in 10 d"


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--every", "0"], "--every"), (["--every", "nan"], "--every"), (["--json"], "--json")],
)
def test_bad_values_are_refused_in_one_sentence(local: Say, words: list[str], named: str) -> None:
    said = local("top", *words)
    assert said.code == 2, said
    assert named in said.err
