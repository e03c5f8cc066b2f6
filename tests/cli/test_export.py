"""`budget export` writes usage records whole, exactly, and harmless to spreadsheets."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from budget.engine.exporting import CSV_COLUMNS, FOCUS_COLUMNS
from tests.cli.conftest import Say
from tests.cli.spent import opened, spend

FOCUS_MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
    "ServiceName",
}  # fmt: skip


@pytest.fixture
def used(local: Say) -> Say:
    """Three calls of 0.25, 0.000000001 and 1.5 USD; the last is corrected to 1 USD."""
    spend(1, "m-small", "0.25", component="code")
    spend(0, "=cmd()", "0.000000001", team="search")
    wrong = spend(0, "m-large", "1.5", component="chat")
    with opened() as books:
        books.correct(wrong, reason="wrong", replacement={"cost": "1", "input_tokens": 1})
    return local


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def total_cost() -> Decimal:
    """What usage_summary says that everything cost."""
    with opened() as books:
        told = books.usage_summary(since="2020-01-01T00:00:00Z", until="2999-01-01T00:00:00Z")
    return Decimal(told.total.cost_nanos).scaleb(-9)


def test_a_csv_has_every_record_and_correction_and_adds_up_to_the_summary(used: Say) -> None:
    said = used("export", "csv")
    assert said.code == 0, said.err
    rows = rows_of(said.out)
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 5
    assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == total_cost()
    assert {"0.250000000", "-1.500000000", "0.000000001"} <= {row["cost_usd"] for row in rows}
    assert "rows/s" in said.err


def test_a_text_that_begins_like_a_formula_is_made_harmless(used: Say) -> None:
    assert "'=cmd()" in {row["model"] for row in rows_of(used("export", "csv").out)}
    assert "'=cmd()" in {row["x_Model"] for row in rows_of(used("export", "focus").out)}


def test_focus_rows_have_the_columns_of_the_specification_and_add_up(used: Say) -> None:
    rows = rows_of(used("export", "focus").out)
    assert tuple(rows[0]) == FOCUS_COLUMNS
    assert set(FOCUS_COLUMNS) >= FOCUS_MANDATORY
    nullable = {
        "BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit",
    }  # fmt: skip
    assert all(row[name] for row in rows for name in FOCUS_MANDATORY - nullable)
    assert sum(Decimal(row["BilledCost"]) for row in rows) == total_cost()
    corrections = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert min(Decimal(row["BilledCost"]) for row in corrections) == Decimal("-1.5")


def test_parquet_holds_money_as_exact_decimals(used: Say, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "usage.parquet"
    said = used("--json", "export", "parquet", "--output", str(file))
    assert said.code == 0, said.err
    assert said.json["records"] == 5
    table = parquet.read_table(file)
    assert table.column_names == list(CSV_COLUMNS)
    assert sum(filter(None, table["cost_usd"].to_pylist())) == total_cost()


def test_only_what_is_asked_for_is_exported(used: Say) -> None:
    rows = rows_of(used("export", "csv", "--attribute", "component=code").out)
    assert [row["model"] for row in rows] == ["m-small"]
    assert rows_of(used("export", "csv", "--to", "2020-01-01").out) == []


def test_a_file_is_whole_and_of_its_owner_alone(used: Say, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    said = used("export", "csv", "--output", str(file))
    assert "Exported 5 usage records" in said.out
    assert len(rows_of(file.read_text())) == 5
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.glob(".*part*")] == []


@pytest.mark.parametrize("kind", ["csv", "focus", "parquet"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--from", "yesterday"), "--from"),
        (("--from", "0000-00-00"), "--from"),
        (("--to", "x" * 300), "--to"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "--from"),
        (("--attribute", "nothing"), "--attribute"),
        (("--attribute", "bad key=1"), "--attribute"),
        (("--output", "/nowhere/at/all"), "--output"),
        (("--output", "/"), "--output"),
        (("--output", "a\0b"), "--output"),
    ],
)
def test_a_value_that_will_not_do_is_told_of_its_option(
    local: Say, kind: str, words: tuple[str, ...], named: str
) -> None:
    said = local("export", kind, *words)
    assert said.code == 2, said.err
    assert named in said.err
    assert len(said.err.splitlines()) == 1
