"""Extreme numbers in every numeric field: taken exactly or refused with 422, never anything else.

What each text should give is worked out here by a rule of its own: a count is a JSON number that is
whole and not negative; an amount may also be a plain decimal in a string.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.http.running import Json, Running

TEXTS = (
    "0", "1", "2", "15", "-1", "-0", "-0.0", "0.0", "1.0", "1.5", "0.5", "0.80", "1e0", "1E3",
    "1e-1", "1e-4", "1e-5", "1e-9", "1e-10", "1e-30", "1e-400", "1e15", "1e30", "1e400",
    "1e999999999", "0.1", "0.30000000000000004", "123456789.987654321", "1.0000000001", "28",
    "29", "10", "11", "86400", "86401", "1000000", "1000000.000000001", "1000000000",
    "1000000000.000000001", "1000000000000", "1000000000001", "1000000000000000000",
    "1000000000000000001", "2147483648", "9007199254740991", "9007199254740992", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "9223372036854775809",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "1000000000000000000000000000000",
    "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x10", "1_000",
    "true", "false", "[]", "{}", "[1]", '{"a":1}',
    '"0"', '"1"', '"0.5"', '"1.50"', '"1.0000000001"', '"1.0000000000"', '"123456789.987654321"',
    '"1000000"', '"1000000.000000001"', '"1000000000"', '"9007199254740993"',
    '"1000000000000000000000000000000"', '"-1"', '"-0"', '"+1"', '"1e-30"', '"1e3"', '"1E3"',
    '"NaN"', '"Infinity"', '"0x10"', '"1_000"', '"1,5"', '" 1"', '"1 "', '"1\\u0000"', '"1\\n"',
    '"1."', '".5"', '"00001"', '""', '"١٢"', '"½"', '"\\uff11"', '"one"', '"$1"', '"1%"', '"last"',
)  # fmt: skip

PLAIN = re.compile(r"[0-9]{1,16}(\.[0-9]+)?", re.ASCII)


def meant(text: str) -> object:
    """What a JSON text says, exactly; None if it is no JSON."""

    def no(_: str) -> Any:
        raise ValueError

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=no)
    except ValueError:
        return None


def count(most: int, least: int = 0) -> Callable[[str], Fraction | None]:
    """The count that a text means, if it may be one."""

    def rule(text: str) -> Fraction | None:
        number = unsigned(meant(text))
        if number is None or number.denominator != 1 or not least <= number <= most:
            return None
        return number

    return rule


def decimal(most: int, places: int, least: int = 0) -> Callable[[str], Fraction | None]:
    """The amount that a text means, as a string or a number, if it may be one."""

    def rule(text: str) -> Fraction | None:
        value = meant(text)
        if isinstance(value, str):
            number = Fraction(value) if PLAIN.fullmatch(value) else None
        else:
            number = unsigned(value)
        if number is None or not least <= number <= most:
            return None
        return number if (number * 10**places).denominator == 1 else None

    return rule


def unsigned(value: object) -> Fraction | None:
    """A JSON number without a minus sign; None for all else, and for what is far out of range."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    exact = Decimal(value)
    if exact.is_signed() or (exact and abs(exact.adjusted()) > 40):
        return None
    return Fraction(exact)


def whole(least: int, most: int, *words: str) -> Callable[[str], Fraction | str | None]:
    """A whole number, or one of a few words."""

    def rule(text: str) -> Fraction | str | None:
        value = meant(text)
        if isinstance(value, str) and value in words:
            return value
        return count(most, least)(text)

    return rule


HOLD_USD = decimal(10**6, 9)
LIMIT_USD = decimal(10**9, 9)
TOKENS = count(10**12)
TTL = count(86_400, 1)


@dataclass(frozen=True)
class Field:
    """A numeric field: the body it stands in (`%s`), what it may be, where the answer shows it."""

    name: str
    path: str
    body: str
    rule: Callable[[str], object]
    shown: Callable[[Json], object] | None = None
    method: str = "POST"


def held(unit: str) -> Callable[[Json], object]:
    return lambda answer: answer["reserved"][unit]


def allocating(name: str, rest: str, rule: Callable[[str], object], unit: str = "") -> Field:
    body = f'{{"{name}":%s{rest}}}'
    shown = held(unit) if unit else None
    return Field(f"allocate {name}", "/allocations", body, rule, shown)


def counting(act: str, path: str) -> list[Field]:
    """The counts of usage, each beside totals that are large enough to hold it."""
    rest = {
        "input_tokens": ',"output_tokens":0',
        "output_tokens": ',"input_tokens":0',
        "cache_read_tokens": ',"input_tokens":1000000000000,"output_tokens":0',
        "cache_write_tokens": ',"input_tokens":1000000000000,"output_tokens":0',
        "cache_write_1h_tokens": ',"input_tokens":1000000000000,"output_tokens":0',
        "reasoning_tokens": ',"output_tokens":1000000000000,"input_tokens":0',
        "requests": ',"input_tokens":0,"output_tokens":0',
    }
    final = ',"final":false' if act == "record" else ""
    fields = [
        Field(f"{act} {name}", path, f'{{"{name}":%s{more}{final}}}', TOKENS)
        for name, more in rest.items()
    ]
    more = ',"input_tokens":1,"output_tokens":1'
    return [*fields, Field(f"{act} cost", path, f'{{"cost":%s{more}{final}}}', HOLD_USD)]


FIELDS = (
    allocating("usd", "", HOLD_USD, "usd"),
    allocating("tokens", ',"usd":"1"', TOKENS, "tokens"),
    allocating("tokens_allocated", ',"usd":"1"', TOKENS, "tokens"),
    allocating("requests", ',"usd":"1"', TOKENS, "requests"),
    allocating("input_tokens", ',"max_output_tokens":0,"model":"m"', TOKENS, "tokens"),
    allocating("max_output_tokens", ',"input_tokens":0,"model":"m"', TOKENS, "tokens"),
    allocating("min_output_tokens", ',"input_tokens":1,"max_output_tokens":1,"model":"m"', TOKENS),
    allocating("ttl_seconds", ',"usd":"1"', TTL),
    allocating("priority", ',"usd":"1"', count(10, 1)),
    *counting("record", "/allocations/{open}/usage"),
    *counting("report", "/usage"),
    Field("extend usd", "/allocations/{open}/extend", '{"usd":%s}', HOLD_USD),
    Field("extend tokens", "/allocations/{open}/extend", '{"tokens":%s}', TOKENS),
    Field("extend requests", "/allocations/{open}/extend", '{"requests":%s}', TOKENS),
    Field("extend output", "/allocations/{open}/extend", '{"max_output_tokens":%s}', TOKENS),
    Field("extend ttl_seconds", "/allocations/{open}/extend", '{"ttl_seconds":%s}', TTL),
    Field("limit in usd", "/policies/{usd}", '{"limit":%s}', LIMIT_USD,
          lambda a: a["limit"], "PATCH"),
    Field("limit in tokens", "/policies/{tokens}", '{"limit":%s}', count(10**18),
          lambda a: a["limit"], "PATCH"),
    Field("warning_threshold", "/policies/{usd}", '{"action_threshold":1,"warning_threshold":%s}',
          decimal(1, 4), lambda a: a["warning_threshold"], "PATCH"),
    Field("action_threshold", "/policies/{usd}", '{"warning_threshold":0,"action_threshold":%s}',
          decimal(1, 4), lambda a: a["action_threshold"], "PATCH"),
    Field("reset_day", "/policies/{monthly}", '{"reset_day":%s}', whole(1, 28, "last"),
          lambda a: a["reset_day"], "PATCH"),
    Field("headroom", "/policies/{usd}", '{"reserved_for_priority":{"8":%s}}',
          lambda text: Fraction(1, 100) if text == '"1%"' else None, None, "PATCH"),
    Field("unpriced input", "/budgets/{budget}", '{"unpriced":{"input":%s,"output":1}}',
          decimal(10**6, 6), lambda a: a["unpriced"]["input"], "PATCH"),
    Field("unpriced output", "/budgets/{budget}", '{"unpriced":{"input":1,"output":%s}}',
          decimal(10**6, 6), lambda a: a["unpriced"]["output"], "PATCH"),
    Field("limit of a new budget", "/budgets",
          '{"name":"n","scope":{"org":"n"},"policies":[{"unit":"usd","period":"daily","limit":%s}]}',
          LIMIT_USD, lambda a: a["policies"][0]["limit"]),
    Field("top-up in usd", "/policies/{usd}/top-ups", '{"reason":"x","amount":%s}',
          lambda text: LIMIT_USD(text) or None, lambda a: a["amount"]),
    Field("top-up in tokens", "/policies/{tokens}/top-ups", '{"reason":"x","amount":%s}',
          count(10**18, 1), lambda a: a["amount"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def names(shared: Running) -> dict[str, str]:
    """Budgets with room for everything, and an allocation that stays open."""
    roomy = shared.budget(
        {"unit": "usd", "period": "total", "limit": "1000000000"},
        {"unit": "tokens", "period": "total", "limit": 10**18, "enforcement": "warn"},
        unpriced={"input": "0", "output": "0"},
    )
    assert roomy
    changed = shared.budget(
        {"unit": "usd", "period": "daily", "limit": "1"},
        {"unit": "tokens", "period": "daily", "limit": 1},
        {"unit": "usd", "period": "monthly", "limit": "1"},
        scope={"org": "changed"},
    )
    usd, tokens, monthly = (policy["policy_id"] for policy in changed["policies"])
    return {
        "open": shared.post("/allocations", {"usd": "1", "tokens": 1})["allocation_id"],
        "budget": changed["budget_id"], "usd": usd, "tokens": tokens, "monthly": monthly,
    }  # fmt: skip


def test_the_table_has_more_than_three_hundred_rows() -> None:
    assert len(set(TEXTS)) == len(TEXTS)
    assert len(FIELDS) * len(TEXTS) > 300


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_number_is_taken_exactly_or_refused(
    shared: Running, names: dict[str, str], field: Field
) -> None:
    taken = 0
    before = shared.written()
    for text in TEXTS:
        wanted = field.rule(text)
        answer = shared.send(field.method, field.path.format(**names), (field.body % text).encode())
        case = (field.name, text, answer.status_code, answer.text)
        if wanted is None:
            assert answer.status_code == 422, case
            assert answer.headers["content-type"] == "application/problem+json"
            assert shared.written() == before, case
            continue
        taken += 1
        assert answer.status_code in (200, 201), case
        if field.method == "PATCH" and "policy_id" in answer.json():
            names = _following(names, answer.json())
        if field.shown is not None:
            shown = field.shown(answer.json())
            assert (shown if isinstance(wanted, str) else Fraction(str(shown))) == wanted, case
        before = shared.written()
    assert taken > 0


def _following(names: dict[str, str], policy: Json) -> dict[str, str]:
    """The names, where a policy was succeeded by another."""
    if policy["succeeds"] is None:
        return names
    return {
        name: policy["policy_id"] if known == policy["succeeds"] else known
        for name, known in names.items()
    }


def test_extensions_and_records_add_up_to_the_nano(shared: Running, names: dict[str, str]) -> None:
    path = f"/allocations/{names['open']}"
    before = shared.get(path)["reserved"]
    added = Fraction(0)
    for text in TEXTS:
        wanted = HOLD_USD(text)
        if wanted is not None:
            shared.send("POST", f"{path}/extend", f'{{"usd":{text}}}')
            added += wanted
    after = shared.get(path)["reserved"]
    assert Fraction(after["usd"]) - Fraction(before["usd"]) == added
    assert shared.get("/verify")["clean"] is True


@pytest.mark.parametrize(
    "name",
    ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
     "cache_write_1h_tokens", "reasoning_tokens", "requests"],
)  # fmt: skip
def test_the_counts_of_a_replacement_are_exact_or_refused(
    shared: Running, names: dict[str, str], name: str
) -> None:
    del names
    usage = {"input_tokens": 3 * 10**11, "output_tokens": 10**11, "cache_read_tokens": 10**11}
    record = shared.post("/usage", usage)["usage_id"]
    rule = {
        "input_tokens": count(9 * 10**11, 10**11),  # of which 10^11 were read from the cache
        "output_tokens": count(7 * 10**11),
        "reasoning_tokens": count(10**11),
        "cache_read_tokens": count(3 * 10**11),
        "cache_write_tokens": count(2 * 10**11),  # beside the 10^11 read
        "cache_write_1h_tokens": count(2 * 10**11),
    }.get(name, TOKENS)
    before = shared.written()
    for text in TEXTS:
        wanted = rule(text)
        body = f'{{"reason":"x","replacement":{{"{name}":{text}}}}}'
        answer = shared.send("POST", f"/usage/{record}/correct", body)
        if wanted is None:
            assert answer.status_code == 422, (text, answer.text)
            assert shared.written() == before
            continue
        assert answer.status_code == 201, (text, answer.text)
        booked = shared.get(f"/usage/{answer.json()['replacement_id']}")
        assert booked[name] == wanted
        record = shared.post("/usage", usage)["usage_id"]
        before = shared.written()
