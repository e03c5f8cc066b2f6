"""`budget keys list`, `show`, `create`, `rotate` and `revoke`."""

import re

import pytest

from tests.cli.conftest import Say

KEY = re.compile(r"bud_[0-9a-z]{8}_[0-9A-Za-z]{49}\n")


def test_a_key_stands_alone_on_standard_output(local: Say) -> None:
    said = local("keys", "create", "ci", "--scopes", "spend, read", "--max-priority", "8")
    assert KEY.fullmatch(said.out)
    assert "of 'ci' (read, spend). It is not shown again." in said.err
    said = local("keys", "create", "ci2", "--scopes", "spend", "--quiet")
    assert KEY.fullmatch(said.out)
    assert said.err == ""
    secret = said.out.strip().split("_")[2]
    for words in (("list",), ("show", "ci2"), ("list", "--json"), ("show", "ci2", "--json")):
        assert secret not in local("keys", *words).out


def test_a_key_is_shown_with_what_it_may_do(local: Say) -> None:
    words = ("--bound", "team=search", "--bound", "user=ann", "--expires", "2099-01-31")
    local("keys", "create", "ann", "--scopes", "read", *words)
    shown = local("keys", "show", "ann").out
    assert "  bound to: team=search,user=ann\n" in shown
    assert "  expires: 2099-01-31 00:00 UTC\n" in shown
    assert "  last used: never\n" in shown
    made = local("keys", "create", "day", "--scopes", "read", "--expires", "1d", "--json").json
    assert made["expires_at"][:10] > made["created_at"][:10]


def test_a_rotated_key_works_on_for_a_while_and_a_revoked_one_does_not(local: Say) -> None:
    old = local("keys", "create", "ci", "--scopes", "spend", "--json").json["key_id"]
    said = local("keys", "rotate", "ci", "--overlap", "1h")
    assert KEY.fullmatch(said.out)
    assert f"{old} works until " in said.err
    said = local("keys", "show", "ci")
    assert said.code == 2
    assert "2 are called 'ci'; name one by its id: key_" in said.err
    assert local("keys", "revoke", old, "--yes").out == (
        f"'ci' ({old}) was revoked: nobody can use it.\n"
    )
    assert f"'ci' ({old})" not in local("keys", "show", "ci").out
    assert "revoked before" in local("keys", "revoke", old, "--yes").out

    def listed(*options: str) -> int:
        return len(local("keys", "list", *options, "--json").json["items"])

    assert (listed(), listed("--revoked"), listed("--revoked", "--limit", "1")) == (1, 2, 1)


CREATE = ("create", "x", "--scopes", "read")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list", "--limit", "0"), 2, "--limit: must be 1 or more."),
        (("show",), 4, "No key is in use: the database is opened directly."),
        (("show", "nobody"), 4, "There is no key 'nobody'."),
        (("show", "key_00000000"), 4, "There is no key 'key_00000000'."),
        (("create",), 2, "NAME"),
        (("create", "x"), 2, "--scopes: is required"),
        (("create", "", "--scopes", "read"), 2, "NAME: "),
        (("create", "x", "--scopes", "write"), 2, "--scopes: is not a right."),
        (("create", "x", "--scopes", ""), 2, "--scopes: is not a right."),
        ((*CREATE, "--bound", "team"), 2, "--bound: 'team' is not KEY=VALUE."),
        ((*CREATE, "--bound", "model=x"), 2, "--bound model: says what is called"),
        ((*CREATE, "--expires", "soon"), 2, "--expires: must be a day, or a time with"),
        ((*CREATE, "--expires", "2020-01-01"), 2, "--expires: must lie in the future."),
        ((*CREATE, "--expires", "99999d"), 2, "--expires: "),
        ((*CREATE, "--max-priority", "11"), 2, "--max-priority: must be at most 10."),
        ((*CREATE, "--max-priority", "high"), 2, "--max-priority"),
        (("rotate", "nobody"), 4, "There is no key 'nobody'."),
        (("revoke", "nobody", "--yes"), 4, "There is no key 'nobody'."),
    ],
)
def test_bad_values_are_told(local: Say, words: tuple[str, ...], code: int, said: str) -> None:
    answer = local("keys", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rotate", "ci", "--overlap", "soon"), "--overlap: 'soon' is not a duration"),
        (("rotate", "ci", "--overlap", "31d"), "--overlap: must be at most"),
        (("revoke", "ci"), "--yes: is required where nobody can be asked."),
    ],
)
def test_a_key_stays_as_it_was(local: Say, words: tuple[str, ...], said: str) -> None:
    local("keys", "create", "ci", "--scopes", "spend")
    answer = local("keys", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert local("keys", "show", "ci", "--json").json["status"] == "live"
