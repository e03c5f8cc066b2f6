"""Own price files: three formats of one book, numbers by hand, and mistakes that are named."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.pricing import MAX_RATE_PICO, Rates
from budget.engine.budget import Budget
from budget.prices import own_files
from budget.prices.book import PriceBook
from budget.prices.discounts import Discount, discounted_rates
from budget.prices.own import book_with, read_own
from budget.prices.schedules import Context, Piece, Schedule
from tests.support.command import ROOT
from tests.support.markdown import blocks

YEAR_2026_US = 1_767_225_600_000_000
DAY_US = 86_400_000_000
EU: Context = (("region", "eu"),)
SOLD = Rates(
    2_500_000, ((0, 10_000_000), (1_001, 7_000_001)), cache_read=1_250_000, reasoning=3,
    request=100, provider="maker", model="m", basis="source/1", units=(("searches", 10**10),),
)  # fmt: skip
NEWER = Rates(1_000_000, 2_000_000, provider="maker", model="m", basis="source/1")


class Source:
    """A source that sells `m` by `maker`: for another price from 2027 on."""

    basis = "source/1"

    def provider_id(self, provider: str) -> str | None:
        return "maker" if provider in ("maker", "maker-ai") else None

    def models(self) -> Iterator[tuple[str, str]]:
        yield "maker", "m"

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Schedule | None:
        del context
        if model not in ("m", "m-alias") or provider not in (None, "maker"):
            return None
        return Schedule((Piece(SOLD), Piece(NEWER, start_us=YEAR_2026_US + 365 * DAY_US)))


def book_of(folder: Path, text: str, name: str = "own.yaml") -> PriceBook:
    """A book over the source above and a file."""
    file = folder / name
    file.write_text(text)
    return PriceBook(Source(), own=read_own(file, Source()))


def found(
    book: PriceBook, provider: str | None, model: str, at_us: int = 0, context: Context = ()
) -> Rates:
    rates = book.lookup(provider, model, at_us, context)
    assert rates is not None
    return rates


# --- Prices --------------------------------------------------------------------------------------

YAML = """
prices:
  - provider: Maker-AI
    model: M
    input: 2.5
    output: 10
    cache_read: 0.000001
    cache_write: "3.125"
    cache_write_1h: 5
    reasoning: 12.0
    request: 0.000000000001
    units: {searches: 0.01, gpu_second: 0.0005}
  - model: tiered
    from: 2026-01-01
    context: {region: eu}
    input: [[0, 1.25], [200001, "2.5"]]
    output: 0
discounts:
  - provider: maker
    percent: 12.5%
  - model: m-alias
    fixed: 0.5
    context: {region: eu}
    from: 2026-01-01T00:00:00Z
    until: 2026-07-01
"""
JSON = """
{"prices": [
  {"provider": "Maker-AI", "model": "M", "input": 2.5, "output": 10, "cache_read": 0.000001,
   "cache_write": "3.125", "cache_write_1h": 5, "reasoning": 12.0, "request": "0.000000000001",
   "units": {"searches": 0.01, "second": 0.0005}},
  {"model": "tiered", "from": "2026-01-01", "context": {"region": "eu"},
   "input": [[0, 1.25], [200001, "2.5"]], "output": 0}],
 "discounts": [
  {"provider": "maker", "percent": "12.5%"},
  {"model": "m-alias", "fixed": 0.5, "context": {"region": "eu"},
   "from": "2026-01-01T00:00:00Z", "until": "2026-07-01"}]}
"""
CSV = (
    "provider,model,input,output,cache_read,cache_write,cache_write_1h,reasoning,request,"
    "units.searches,units.milliseconds,from,until,context.region,percent,fixed\n"
    "Maker-AI,M,2.5,10,0.000001,3.125,5,12.0,0.000000000001,0.01,0.0000005,,,,,\n"
    ',tiered,"[[0, 1.25], [200001, ""2.5""]]",0,,,,,,,,2026-01-01,,eu,,\n'
    "\n"
    "maker,,,,,,,,,,,,,,12.5%,\n"
    ",m-alias,,,,,,,,,,2026-01-01T00:00:00Z,2026-07-01,eu,,0.5\n"
)


@pytest.mark.parametrize(
    ("name", "text"), [("o.yaml", YAML), ("o.yml", YAML), ("o.JSON", JSON), ("o.csv", CSV)]
)
def test_yaml_json_and_csv_of_the_same_prices_give_the_same_book(
    tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8-sig")  # spreadsheets begin files so
    own = read_own(file, Source())
    assert set(own.entries) == {("maker", "m"), (None, "tiered")}
    book = PriceBook(None, own=own)
    # USD per million tokens are millions of pico-USD a token; 0.0005 USD a second are
    # 0.0000005 USD a millisecond, 500,000 pico-USD
    assert found(book, "maker", "m") == Rates(
        2_500_000, 10_000_000, cache_read=1, cache_write=3_125_000, cache_write_1h=5_000_000,
        reasoning=12_000_000, request=1, provider="maker", model="m", basis=own.basis,
        units=(("milliseconds", 500_000), ("searches", 10**10)),
    )  # fmt: skip
    assert found(book, None, "tiered", YEAR_2026_US, EU) == Rates(
        ((0, 1_250_000), (200_001, 2_500_000)), 0, model="tiered", basis=own.basis,
        context="region=eu",
    )  # fmt: skip
    assert book.lookup(None, "tiered", YEAR_2026_US - 1, EU) is None
    assert book.lookup(None, "tiered", YEAR_2026_US) is None
    assert own.discounts == (
        Discount("maker", None, Fraction(7, 8)),
        Discount(None, "m-alias", Fraction(1), 500_000, EU, YEAR_2026_US,
                 YEAR_2026_US + 181 * DAY_US),
    )  # fmt: skip


def test_own_prices_hold_from_their_first_date_and_the_source_before(tmp_path: Path) -> None:
    book = book_of(
        tmp_path,
        """prices:
        - {provider: maker, model: m, from: 2026-01-03, input: 4, output: 4}
        - {provider: maker, model: m, from: 2026-01-01, input: 3, output: 3}
        - {provider: maker, model: m, from: 2026-01-02, context: {region: eu}, input: 5, output: 5}
        """,
    )

    def inputs(context: Context) -> list[object]:
        days = (-1, 0, 1, 2, 1, -1)  # back and forth: what is kept must not outlive its time
        return [found(book, "maker", "m", YEAR_2026_US + d * DAY_US, context).input for d in days]

    assert inputs(()) == [2_500_000, 3_000_000, 3_000_000, 4_000_000, 3_000_000, 2_500_000]
    assert inputs(EU) == [2_500_000, 3_000_000, 5_000_000, 5_000_000, 5_000_000, 2_500_000]
    assert found(book, "maker", "m", YEAR_2026_US - 1).input == 2_500_000
    assert found(book, "maker", "m", YEAR_2026_US).input == 3_000_000


def test_the_most_exact_context_holds_and_a_price_without_one_in_every_context(
    tmp_path: Path,
) -> None:
    book = book_of(
        tmp_path,
        """prices:
        - {model: x, input: 1, output: 0}
        - {model: x, context: {region: eu}, input: 2, output: 0}
        - {model: x, context: {region: eu, processing: batch}, input: 3, output: 0}
        - {model: x, provider: maker, input: 4, output: 0}
        """,
    )
    both: Context = (("processing", "batch"), ("region", "eu"))
    contexts: tuple[Context, ...] = ((), EU, both, (("speed", "fast"),))
    assert [found(book, None, "x", 0, context).input for context in contexts] == [
        1_000_000, 2_000_000, 3_000_000, 1_000_000,
    ]  # fmt: skip
    assert found(book, "maker", "X", 0, EU).input == 4_000_000
    assert found(book, None, "maker-ai/x").input == 4_000_000


def test_hired_hardware_needs_no_price_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("prices: [{model: llama, units: {gpu_second: 0.36}}]")
    with Budget.open(
        f"sqlite:///{tmp_path / 'b.db'}", prices=book_with(tmp_path / "own.yaml"), sweep=False
    ) as budget:
        # 2.5 s x 0.36 USD
        told = budget.calculate(model="llama", input_tokens=9, units={"milliseconds": 2_500})
        assert told.cost.cost_nanos == 900_000_000
        assert told.basis.startswith("own/")


# --- Discounts -----------------------------------------------------------------------------------


def test_a_percentage_is_off_every_price_and_says_whose_prices_they_were(tmp_path: Path) -> None:
    book = book_of(tmp_path, "discounts: [{provider: maker-ai, percent: 20%}]")
    sha = book.basis.removeprefix("source/1+own/")
    assert len(sha) == 12
    assert found(book, "maker", "m") == Rates(
        2_000_000, ((0, 8_000_000), (1_001, 5_600_001)),  # 5,600,000.8 rounded up
        cache_read=1_000_000, reasoning=3,  # 2.4 rounded up
        request=80, provider="maker", model="m", basis=book.basis, units=(("searches", 8 * 10**9),),
    )  # fmt: skip


def test_a_fixed_amount_is_off_input_and_output_and_never_below_free(tmp_path: Path) -> None:
    book = book_of(tmp_path, "discounts: [{model: M, fixed: 7.000001}]")
    assert found(book, "maker", "m") == SOLD._replace(
        input=0, output=((0, 2_999_999), (1_001, 0)), basis=book.basis
    )


def test_discounts_apply_in_turn_in_their_context_and_time(tmp_path: Path) -> None:
    book = book_of(
        tmp_path,
        """discounts:
        - {provider: maker, percent: 50%, from: 2026-01-02, until: 2026-01-03}
        - {model: m, context: {region: eu}, percent: "-10%"}
        - {model: m, context: {region: eu}, fixed: 0.1}
        - {model: other, percent: 100%}
        """,
    )

    def inputs(context: Context) -> list[object]:
        days = (0, 1, 2, 1, 365)
        return [found(book, "maker", "m", YEAR_2026_US + d * DAY_US, context).input for d in days]

    assert inputs(()) == [2_500_000, 1_250_000, 2_500_000, 1_250_000, 1_000_000]
    # 2.5 x 1.1 - 0.1; 2.5 x 0.5 x 1.1 - 0.1; 1 x 1.1 - 0.1
    assert inputs(EU) == [2_650_000, 1_275_000, 2_650_000, 1_275_000, 1_000_000]
    assert found(book, "maker", "m").basis == "source/1"
    assert found(book, "maker", "m", 0, EU).context == "region=eu"


def test_a_model_is_discounted_by_the_name_it_is_called_by_or_listed_under(tmp_path: Path) -> None:
    alias = book_of(tmp_path, "discounts: [{model: m-alias, percent: 100%}]")
    assert found(alias, "maker", "M-Alias").input == 0
    assert found(alias, None, "maker/m-alias").input == 0
    assert found(alias, "maker", "m").input == 2_500_000
    listed = book_of(tmp_path, "discounts: [{model: m, percent: 100%}]")
    assert found(listed, "maker", "m-alias").input == 0


def test_own_prices_are_not_discounted(tmp_path: Path) -> None:
    book = book_of(
        tmp_path,
        "prices: [{model: m, input: 3, output: 3}]\ndiscounts: [{model: m, percent: 50%}]",
    )
    assert found(book, "maker", "m").input == 3_000_000


def test_a_price_that_an_uplift_takes_beyond_any_rate_is_not_known() -> None:
    most = Rates(MAX_RATE_PICO, 0)
    assert discounted_rates(most, [Discount(None, "m", Fraction(11, 10))], "own/1") is None
    assert discounted_rates(most, [Discount(None, "m", Fraction(1))], "own/1") is not None


_PICO = st.integers(0, 10**12)
_RATE = st.one_of(_PICO, st.lists(_PICO, min_size=1, max_size=3).map(lambda p: tuple(enumerate(p))))
_DISCOUNT = st.one_of(
    st.integers(0, 1_100_000_000).map(lambda n: Discount("p", None, Fraction(n, 10**8))),
    _PICO.map(lambda pico: Discount("p", None, off_pico=pico)),
)


@given(_RATE, st.none() | _RATE, _PICO, st.lists(_DISCOUNT, max_size=2))
def test_no_discount_makes_a_price_negative_or_rounds_by_a_pico(
    rate: int | tuple[tuple[int, int], ...],
    read: int | tuple[tuple[int, int], ...] | None,
    request: int,
    discounts: list[Discount],
) -> None:
    less = discounted_rates(Rates(rate, 0, cache_read=read, request=request), discounts, "own/1")
    assert less is not None
    assert (less.cache_read is None) == (read is None)

    def picos(of: int | tuple[tuple[int, int], ...] | None) -> list[int]:
        return [] if of is None else [of] if isinstance(of, int) else [pico for _, pico in of]

    for before, after, tokens in (
        (picos(rate), picos(less.input), True),
        (picos(read), picos(less.cache_read), False),
        ([request], [less.request], False),
    ):
        for was, pico in zip(before, after, strict=True):
            exact = Fraction(was)
            for discount in discounts:
                exact = exact * discount.kept - (discount.off_pico if tokens else 0)
                exact = max(exact, Fraction(0))
            assert 0 <= exact <= pico < exact + 1


# --- Mistakes ------------------------------------------------------------------------------------

PRICE = "model: x, input: 1, output: 1"
MISTAKES = [
    # (the price, or a whole document; what the error says first; a word of what to do)
    ("{input: 1, output: 1}", "price 2, model", "is required"),
    ("{model: x, input: 1}", "price 2, output", "where it is free"),
    ("{model: x, output: 1}", "price 2, input", "where it is free"),
    ("{model: x}", "price 2, input", "where it is free"),
    ("{model: x, units: {input_audio_tokens: 1}}", "price 2, input", "where it is free"),
    ("{model: '', input: 1, output: 1}", "price 2, model", "1 to 256"),
    ("{model: ' ', input: 1, output: 1}", "price 2, model", "1 to 256"),
    ("{model: [x], input: 1, output: 1}", "price 2, model", "must be a string"),
    (f"{{provider: {'p' * 257}, {PRICE}}}", "price 2, provider", "1 to 256"),
    ("{model: x, input: -1, output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: .nan, output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: 1e3, output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: '1,5', output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: \u0661, output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: {usd: 1}, output: 1}", "price 2, input", 'such as "2.50"'),
    ("{model: x, input: 0.0000001, output: 1}", "price 2, input", "6 decimals"),
    ("{model: x, input: 1, output: 1000000001}", "price 2, output", "at most 1000000000 USD"),
    ("{model: x, input: 1, output: []}", "price 2, output", "1 to 20 tiers"),
    ("{model: x, input: 1, output: [1, 2]}", "price 2, output", "tiers such as"),
    ("{model: x, input: 1, output: [[0, 1], [0, 2]]}", "price 2, output", "ascend"),
    ("{model: x, input: 1, output: [[1, 1]]}", "price 2, output", "the first from 0"),
    ("{model: x, input: 1, output: [[0.5, 1]]}", "price 2, output", "whole number"),
    ("{model: x, input: 1, output: [[0, -1]]}", "price 2, output", 'such as "2.50"'),
    (f"{{{PRICE}, request: [[0, 1]]}}", "price 2, request", 'such as "2.50"'),
    (f"{{{PRICE}, request: 0.0000000000001}}", "price 2, request", "12 decimals"),
    (f"{{{PRICE}, units: 3}}", "price 2, units", "names and their values"),
    (f"{{{PRICE}, units: {{smells: 3}}}}", "price 2, units.smells", "Allowed: cache_read_audio"),
    (f"{{{PRICE}, units: {{second: 1, gpu_second: 1}}}}", "price 2, units.gpu_second", "leave one"),
    (f"{{{PRICE}, units: {{second: 0.0000000001}}}}", "price 2, units.second", "9 decimals"),
    (f"{{{PRICE}, units: {{pages: 1, pages: 2}}}}", "price 2, units.pages", "given twice"),
    (f"{{{PRICE}, colour: red}}", "price 2, colour", "is not a field. Allowed: provider"),
    (f"{{{PRICE}, input: 2}}", "price 2, input", "given twice"),
    (f"{{{PRICE}, from: yesterday}}", "price 2, from", "RFC 3339"),
    (f"{{{PRICE}, from: 2026-02-30}}", "price 2, from", "calendar"),
    (f"{{{PRICE}, from: 2026-01-01T00:00:00}}", "price 2, from", "with its offset"),
    (f"{{{PRICE}, context: eu}}", "price 2, context", "names and their values"),
    (f"{{{PRICE}, context: {{mood: good}}}}", "price 2, context.mood", "Allowed: processing"),
    (f"{{{PRICE}, context: {{region: [eu]}}}}", "price 2, context.region", "must be a string"),
    ("{model: fine, input: 1, output: 1}", "price 2, from", "that of own.yaml: price 1"),
    ("llama", "price 2", "fields and their values"),
    ("discounts: [{percent: 5%}]", "discount 1, provider", "or a model is required"),
    ("discounts: [{provider: stranger, percent: 5%}]", "discount 1, provider", "mend the name"),
    ("discounts: [{model: m}]", "discount 1, percent", "or fixed is required"),
    ("discounts: [{model: m, percent: 5%, fixed: 1}]", "discount 1, percent", "not both"),
    ("discounts: [{model: m, percent: 5}]", "discount 1, percent", 'such as "12.5%"'),
    ("discounts: [{model: m, percent: 101%}]", "discount 1, percent", "between -1000% and 100%"),
    ("discounts: [{model: m, percent: '-1001%'}]", "discount 1, percent", "between -1000%"),
    ("discounts: [{model: m, percent: 0.0000001%}]", "discount 1, percent", "six decimals"),
    ("discounts: [{model: m, fixed: -1}]", "discount 1, fixed", "0 or more"),
    ("discounts: [{model: m, fixed: 1, input: 2}]", "discount 1, input", "is not a field"),
    (
        "discounts: [{model: m, fixed: 1, from: 2026-01-02, until: 2026-01-02}]",
        "discount 1, until", "after from",
    ),
    (
        "discounts: [{model: m, fixed: 1}, {model: M, fixed: 1.0}]",
        "discount 2", "the same as own.yaml: discount 1",
    ),
    ("rebates: []", "rebates", "is not a section. Allowed: prices, discounts"),
    ("prices: {model: x}", "prices", "must be a list"),
    ("prices: []\nprices: []", "prices", "given twice"),
    ("prices:\n  - [", "line 3", "is not YAML"),
    ("prices: !!python/object:os.system [x]", "line 1", "has a tag"),
    ("prices: [{model: !secret x}]", "line 1", "has a tag"),
    ("prices: [{[a]: x}]", "line 1", "whose name is not a word"),
    ("prices: &a\n - *a", "line 1", "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "advice"), MISTAKES)
def test_a_mistake_is_named_by_file_entry_and_field(
    tmp_path: Path, text: str, place: str, advice: str
) -> None:
    if place.startswith("price 2"):
        text = f"prices:\n- {{model: fine, input: 1, output: 1}}\n- {text}\n"
    with pytest.raises(InvalidInput) as caught:
        book_of(tmp_path, text)
    assert caught.value.field == f"own.yaml: {place}"
    assert advice in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    ("name", "text", "field", "advice"),
    [
        ("o.json", '{"prices": [{"model": "x", "model": "y"}]}', "o.json: price 1, model", "twice"),
        ("o.json", '{"prices": [{"model": true}]}', "o.json: price 1, model", "a string"),
        ("o.json", '{"prices":\n [,]}', "o.json: line 2", "is not JSON"),
        ("o.json", "[" * 100_000, "o.json", "nested too deeply"),
        ("o.json", "[]", "o.json", "some of prices, discounts"),
        ("o.yaml", "", "o.yaml", "some of prices, discounts"),
        ("o.yaml", "a: \x00", "o.yaml", "characters that are not allowed"),
        ("o.csv", "", "o.csv", "a row that names the columns"),
        ("o.csv", "model,model\n", "o.csv: row 1, model", "once"),
        ("o.csv", "model,\n", "o.csv: row 1, ", "a column's name"),
        ("o.csv", "model,units\n", "o.csv: row 1, units", "such as units.searches"),
        ("o.csv", "model," * 101, "o.csv: row 1", "100 columns"),
        ("o.csv", "model,input\nx\n", "o.csv: row 2", "has 1 cells, but the first row 2"),
        ("o.csv", 'model,input\nx,1\ny,"2', "o.csv: row 3", "is not CSV"),
        ("o.csv", "model,input,output\n\nx,[[0],1\n", "o.csv: row 3, input", "tiers such as"),
        ("o.csv", "model,colour\nx,red\n", "o.csv: row 2, colour", "is not a field"),
        ("o.csv", "model,units.x\nx,1\n", "o.csv: row 2, units.x", "is not a unit"),
        ("o.csv", "model,percent,input\nm,5%,1\n", "o.csv: row 2, input", "is not a field"),
    ],
)
def test_each_format_names_the_place_of_a_mistake(
    tmp_path: Path, name: str, text: str, field: str, advice: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        book_of(tmp_path, text, name)
    assert caught.value.field == field
    assert advice in caught.value.detail


def test_a_file_that_cannot_be_read_is_named_with_its_path(tmp_path: Path) -> None:
    for name, advice in (("gone.yaml", "No such file"), ("own.toml", "Allowed: .yaml")):
        with pytest.raises(InvalidInput, match=advice) as caught:
            read_own(tmp_path / name, None)
        assert caught.value.field == str(tmp_path / name)
    (tmp_path / "own.csv").write_bytes(b"model\n\xff\n")
    with pytest.raises(InvalidInput, match=r"own\.csv: is not UTF-8 at byte 6"):
        read_own(tmp_path / "own.csv", None)


def test_a_file_has_at_most_so_many_entries_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.csv"
    rows = [f"m{number},1,1\n" for number in range(10_000)]
    file.write_text("model,input,output\n" + "".join(rows))
    assert len(read_own(file, None).entries) == 10_000
    file.write_text("model,input,output\n" + "".join(rows) + "one more,1,1\n")
    with pytest.raises(InvalidInput, match="at most 10000 entries"):
        read_own(file, None)
    monkeypatch.setattr(own_files, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput, match="at most 100 bytes"):
        read_own(file, None)


def test_aliases_of_aliases_are_read_once_each(tmp_path: Path) -> None:
    lines = ["prices:", " - &a0 {model: x}"]
    names = ", ".join(["*a0"] * 5_000)
    lines.append(f" - {{model: &a1 [{names}], input: [{', '.join(['*a1'] * 5_000)}]}}")
    with pytest.raises(InvalidInput, match="price 1, input"):
        book_of(tmp_path, "\n".join(lines))


def test_importing_own_prices_leaves_yaml_and_the_price_list_for_later() -> None:
    probe = "import sys, budget.prices.own; "
    probe += "sys.exit('genai_prices' in sys.modules or 'yaml' in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=60)


def test_the_example_of_the_guide_says_what_the_guide_says(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "docs" / "guide" / "prices.md", "yaml")
    (tmp_path / "prices.yaml").write_text(example.text)
    book = book_with(tmp_path / "prices.yaml")
    july_us = YEAR_2026_US + 181 * DAY_US
    own = "own/" + book.basis.rpartition("/")[2]
    assert found(book, "openai", "gpt-4o", july_us).input == 2_000_000
    before = found(book, "openai", "gpt-4o", july_us - 1)
    assert (before.input, before.basis) == (2_500_000, book.basis.removesuffix(f"+{own}"))
    assert found(book, None, "house-large", 0, EU).output == 12_000_000
    assert found(book, None, "ollama/llama3").units == (("milliseconds", 500_000),)
    mini = found(book, "openai", "gpt-4o-mini", july_us)  # 0.15 and 0.60 less 0.05
    assert (mini.input, mini.output, mini.basis) == (100_000, 550_000, book.basis)
    haiku = ("anthropic", "claude-haiku-4-5", july_us)
    assert found(book, *haiku).input == 800_000  # 1 less 20%
    assert found(book, *haiku, EU).input == 880_000  # and 10% more


def test_without_a_file_the_book_is_the_bundled_one() -> None:
    assert book_with(None).basis.startswith("genai-prices/")
    assert "+" not in book_with(None).basis
