"""Files as other products write them, imported as they are: real headers, invented people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

VENDORS = Path(__file__).parents[2] / "data" / "vendors"
ANNA, LI, JOSE = "anna.berg@example.com", "li.wei@example.com", "jose@example.com"


def imported(rpctl: CommandLine, name: str, *options: str, status: int = 0) -> tuple[dict[str, Any], str]:
    ended = rpctl("points", "import", str(VENDORS / name), "--rejects", "rejected.csv", "-o", "json", *options)
    assert ended.status == status, ended
    return json.loads(ended.out) if ended.out else {}, ended.err


def balances(rpctl: CommandLine) -> dict[str, int]:
    listed = json.loads(rpctl.ok("customer", "list", "-o", "json"))
    return {row["customerId"]: row["activePoints"] for row in listed}


@pytest.mark.parametrize(
    ("name", "expected", "skipped", "note"),
    [
        ("talon_one_import.csv", {"00417": 290, "K-88": 0, "URNGV8294NV": 100}, 0, "Column amount is read as points."),
        (
            "talon_one_balances.csv",
            {"00417": 15, "URNGV8294NV": 120},
            2,
            "Column currentBalance is read as points; rows with 0 are skipped.",
        ),
        ("yotpo_points.csv", {ANNA: 300, LI: 45}, 0, "Column Emails is read as customer_id."),
        (
            "yotpo_customers.csv",
            {ANNA: 310, JOSE: 12},
            1,
            "Column Birthday (MM/DD/YYYY) has no counterpart and is not read.",
        ),
        ("yotpo_export.csv", {ANNA: 310}, 1, "Column Email Address is read as customer_id."),
        ("influence_io.csv", {ANNA: 1500, LI: 500, JOSE: 25}, 0, "Column Action is read as description."),
        ("loyaltylion_import.csv", {ANNA: 70, JOSE: 15}, 0, "Column email is read as customer_id."),
        (
            "loyaltylion_customers.csv",
            {"0006543": 7, "6543210987": 80},
            1,
            "Column points_pending has no counterpart and is not read.",
        ),
        (
            "voucherify_cards.csv",
            {"LOYALTY-7f3A": 100, "LOYALTY-9x21": 250},
            1,
            "Column Code is read as customer_id.",
        ),
        ("voucherify_customers.csv", {"0003": 5, "crm-0001": 2000}, 1, "Column source_id is read as customer_id."),
    ],
)
def test_a_file_of_another_product_is_imported_as_it_is(
    rpctl: CommandLine, name: str, expected: dict[str, int], skipped: int, note: str
) -> None:
    report, err = imported(rpctl, name)
    assert (report["skipped"], report["refused"]) == (skipped, 0)
    assert balances(rpctl) == expected
    assert f"note: {note}\n" in err
    again, _ = imported(rpctl, name)
    assert (again["applied"], again["skipped"], balances(rpctl)) == (0, skipped, expected)


def test_an_adjustment_by_smile_takes_points_and_of_a_stranger_it_is_refused(rpctl: CommandLine) -> None:
    report, _ = imported(rpctl, "smile_import.csv", status=3)
    assert (report["applied"], report["refused"]) == (3, 1)
    assert balances(rpctl) == {ANNA: 100, "o'neil+shop@example.com": 52620}
    assert "customer_not_found" in Path("rejected.csv").read_text(encoding="utf-8")


def test_what_talon_one_calls_immediate_and_unlimited_and_its_offsets_are_read(rpctl: CommandLine) -> None:
    imported(rpctl, "talon_one_import.csv")
    (lot,) = json.loads(rpctl.ok("points", "summary", "URNGV8294NV", "-o", "json"))["summary"]["addedPointsList"]
    assert (lot["createdAt"], lot.get("validUntil")) == ("2026-03-01T12:00:00.000Z", None)
    (lapsed,) = json.loads(rpctl.ok("points", "summary", "K-88", "-o", "json"))["summary"]["addedPointsList"]
    assert (lapsed["createdAt"], lapsed["validUntil"]) == ("2026-01-31T23:00:00.123Z", "2026-02-14T23:00:00.000Z")


def test_a_transaction_log_never_turns_what_was_spent_into_points(rpctl: CommandLine) -> None:
    _, err = imported(rpctl, "talon_one_log.csv", status=7)
    assert "customersessionid" in err
    imported(rpctl, "talon_one_log.csv", "--ignore-extra", "--key-from", "id")
    assert balances(rpctl) == {"00417": 40}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,type,source_id,status,reason,source,balance,amount,created_at", "columns that rpctl does not know: id"),
        ("merchant_id,email,points_approved", "Two columns are for customer_id: merchant_id and email"),
        ("source_id,email,loyalty_points", "Two columns are for customer_id: source_id and email"),
        ("code,points", "columns that rpctl does not know: code"),
    ],
)
def test_a_column_that_may_be_something_else_is_not_guessed_at(rpctl: CommandLine, header: str, says: str) -> None:
    Path("f.csv").write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, says in err) == (7, True), err


def test_a_transaction_of_voucherify_is_not_its_customer(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("id,type,source_id,balance,amount\nvtx_1,POINTS_ACCRUAL,order-1,5,5\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv", "--map", "points=amount", "--ignore-extra")
    assert (status, "no column for customer_id" in err) == (7, True)


def test_a_zero_is_a_mistake_where_no_balance_is_meant(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points\nC1,0\n", encoding="utf-8")
    assert rpctl("points", "import", "f.csv").status == 3


@pytest.mark.parametrize("options", [(), ("--strict",), ("--dry-run",)])
@pytest.mark.parametrize("zero", ["0", "0.00", "-0"])
def test_balances_of_zero_refuse_nothing(rpctl: CommandLine, options: tuple[str, ...], zero: str) -> None:
    Path("f.csv").write_text(f"email,Points Balance\na@example.com,{zero}\nb@example.com,3\n", encoding="utf-8")
    report = json.loads(rpctl.ok("points", "import", "f.csv", "-o", "json", *options))
    assert (report["rows"], report["applied"], report["skipped"]) == (2, 1, 1)


# -- dates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "options", "expected"),
    [
        ("2026-02-01 12:30:00 UTC", (), "2026-02-01T12:30:00.000Z"),
        ("2026-02-01 12:30:00 +0100", (), "2026-02-01T11:30:00.000Z"),
        ("2026-02-01T12:30:00.5-05:00", (), "2026-02-01T17:30:00.500Z"),
        ("02/01/2026 1:30 PM", ("--date-format", "%m/%d/%Y %I:%M %p"), "2026-02-01T12:30:00.000Z"),
        ("01 Feb 2026 12:30 UTC", ("--date-format", "%d %b %Y %H:%M %Z"), "2026-02-01T12:30:00.000Z"),
        ("01.02.2026 12:30 +0100", ("--date-format", "%d.%m.%Y %H:%M %z"), "2026-02-01T11:30:00.000Z"),
    ],
)  # fmt: skip
def test_dates_with_times_and_zones_are_read(
    rpctl: CommandLine, cell: str, options: tuple[str, ...], expected: str
) -> None:
    Path("f.csv").write_text(f"customer_id,points,created_at\nC1,5,{cell}\n", encoding="utf-8")
    rpctl.ok("points", "import", "f.csv", *options, RPCTL_TIME_ZONE="Europe/Berlin")
    (lot,) = json.loads(rpctl.ok("points", "summary", "C1", "-o", "json"))["summary"]["addedPointsList"]
    assert lot["createdAt"] == expected


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("02/01/2026", "--date-format '%m/%d/%Y' or --date-format '%d/%m/%Y'"),
        ("2/1/2026 9:05", "--date-format '%m/%d/%Y %H:%M' or"),
        ("02/01/2026 1:30:00 PM", "--date-format '%m/%d/%Y %I:%M:%S %p'"),
        ("2/1/2026 1:30pm", "--date-format '%m/%d/%Y %I:%M%p' or"),
        ("13/01/2026", ". --date-format '%d/%m/%Y' reads"),
        ("99/99/2026", "Write 2027-01-31"),
        ("01.02.2026", "--date-format '%d.%m.%Y'"),
        ("2026/02/01 10:00:00", "--date-format '%Y/%m/%d %H:%M:%S'"),
        ("20260201", "--date-format '%Y%m%d'"),
        ('"Feb 1, 2026"', "--date-format '%b %d, %Y'"),
        ("yesterday", "Write 2027-01-31"),
    ],
)
@pytest.mark.parametrize("column", ["created_at", "valid_until"])
def test_a_date_of_another_form_is_refused_and_the_option_named_that_reads_it(
    rpctl: CommandLine, cell: str, says: str, column: str
) -> None:
    Path("f.csv").write_text(f"customer_id,points,{column}\nC1,5,{cell}\n", encoding="utf-8")
    assert rpctl("points", "import", "f.csv").status == 3
    assert says in Path("f.rejected.csv").read_text(encoding="utf-8")


def test_the_name_of_a_zone_is_not_taken_for_the_machines_own(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,created_at\nC1,5,01.02.2026 12:30 CET\n", encoding="utf-8")
    assert rpctl("points", "import", "f.csv", "--date-format", "%d.%m.%Y %H:%M %Z").status == 3
    assert rpctl("customer", "show", "C1").status == 5


# -- a spreadsheet in German ------------------------------------------------------------------------------

GERMAN = (
    "Kundennr;Punkte;Umsatz;Gültig bis;Bemerkung\r\n"
    '0815;5,0;;31.12.2026;"Grüße\r\nan alle; auch Ü"\r\n'
    "0816;;29,90;;\r\n"
)
GERMAN_MAP = (
    "--map", "customer_id=Kundennr", "--map", "points=Punkte", "--map", "order_value=Umsatz",
    "--map", "valid_until=Gültig bis", "--map", "description=Bemerkung", "--date-format", "%d.%m.%Y",
)  # fmt: skip


@pytest.mark.parametrize(("encoding", "options"), [("utf-8-sig", ()), ("cp1252", ("--encoding", "cp1252"))])
def test_a_german_spreadsheet_is_read_with_its_columns_named(
    rpctl: CommandLine, encoding: str, options: tuple[str, ...]
) -> None:
    Path("f.csv").write_bytes(GERMAN.encode(encoding))
    rpctl.ok("points", "import", "f.csv", *GERMAN_MAP, "--decimal-comma", *options)
    assert balances(rpctl) == {"0815": 5, "0816": 29}
    (line,) = json.loads(rpctl.ok("points", "history", "0815", "-o", "json"))["history"]
    assert line["description"] == "Grüße\r\nan alle; auch Ü"


def test_without_the_options_it_is_refused_and_they_are_named(rpctl: CommandLine) -> None:
    Path("f.csv").write_bytes(GERMAN.encode("cp1252"))
    status, _, err = rpctl("points", "import", "f.csv", *GERMAN_MAP)
    assert (status, "--encoding cp1252" in err) == (7, True)
    Path("f.csv").write_bytes(GERMAN.encode("utf-8-sig"))
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "--map" in err) == (7, True)
    assert rpctl("points", "import", "f.csv", *GERMAN_MAP).status == 3
    assert Path("f.rejected.csv").read_text(encoding="utf-8-sig").count("--decimal-comma reads numbers like") == 2
