"""Rules say who of an issuer's people gets in, and as what; nobody else does."""

import json
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.people import parse_rules, person_of

RULES = parse_rules(
    json.dumps(
        [
            {"when": {"groups": "admins", "hd": "acme"}, "scopes": ["admin"], "max_priority": 10},
            {"when": {"email": "ann@acme"}, "scopes": ["read", "manage", "read"]},
            {"when": {"groups": "search"}, "scopes": ["read"], "bound": {"team": "search"}},
        ]
    ),
    "RULES",
)


def test_the_first_rule_that_holds_decides() -> None:
    person = person_of(
        {"sub": "1", "groups": ["search", "admins"], "hd": "acme", "name": "Ann"}, RULES
    )
    assert person is not None
    assert (person.subject, person.name, person.scopes) == ("1", "Ann", ("admin",))
    assert (person.bound, person.max_priority) == ({}, 10)
    person = person_of({"sub": "1", "groups": ["search", "admins"]}, RULES)
    assert person is not None
    assert (person.scopes, person.bound, person.max_priority) == (("read",), {"team": "search"}, 5)


def test_an_address_counts_only_if_it_is_verified() -> None:
    claims = {"sub": "1", "email": "ann@acme"}
    for verified in (None, False, "true", 1):
        assert person_of({**claims, "email_verified": verified}, RULES) is None
    person = person_of({**claims, "email_verified": True}, RULES)
    assert person is not None
    assert person.scopes == ("manage", "read")


@pytest.mark.parametrize(
    "claims",
    [
        {}, {"sub": ""}, {"sub": 1, "groups": "search"}, {"groups": "search"},
        {"sub": "1", "groups": "SEARCH"}, {"sub": "1", "groups": "searching"},
        {"sub": "1", "groups": ["sea", "rch"]}, {"sub": "1", "groups": {"search": 1}},
        {"sub": "1", "groups": None}, {"sub": "1", "hd": "acme"}, {"sub": "1", "team": "search"},
    ],
)  # fmt: skip
def test_nobody_else_gets_in(claims: dict[str, Any]) -> None:
    assert person_of(claims, RULES) is None


def test_a_name_is_plain_and_not_long() -> None:
    claims = {"sub": "1", "groups": "search", "name": "A\x00n\u202en\n" + "x" * 500}
    person = person_of(claims, RULES)
    assert person is not None
    assert person.name == "Ann" + "x" * 97


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "RULES"), ("{", "RULES"), ("{}", "RULES"), ("[]", "RULES"), ("[1]", "RULES[0]"),
        ('[{"when": {"a": "b"}}]', "RULES[0].scopes"),
        ('[{"when": {"a": "b"}, "scopes": []}]', "RULES[0].scopes"),
        ('[{"when": {"a": "b"}, "scopes": "read"}]', "RULES[0].scopes"),
        ('[{"when": {"a": "b"}, "scopes": ["root"]}]', "RULES[0].scopes"),
        ('[{"when": {"a": "b"}, "scopes": [["read"]]}]', "RULES[0].scopes"),
        ('[{"when": {}, "scopes": ["read"]}]', "RULES[0].when"),
        ('[{"scopes": ["read"]}]', "RULES[0].when"),
        ('[{"when": {"a": 1}, "scopes": ["read"]}]', "RULES[0].when.a"),
        ('[{"when": {"a": ""}, "scopes": ["read"]}]', "RULES[0].when.a"),
        ('[{"when": {"a": "b"}, "scopes": ["read"], "extra": 1}]', "RULES[0].extra"),
        ('[{"when": {"a": "b"}, "scopes": ["read"], "max_priority": 11}]',
         "RULES[0].max_priority"),
        ('[{"when": {"a": "b"}, "scopes": ["read"], "bound": {"colour": "x"}}]', "RULES[0].bound"),
        ('[{"when": {"a": "b"}, "scopes": ["read"], "bound": {"team": 1}}]',
         "RULES[0].bound.team"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_rules_is_said_where_it_is(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rules(text, "RULES")
    assert caught.value.field == field
