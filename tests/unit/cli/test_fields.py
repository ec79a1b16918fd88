"""--fields: picks fields in their order, and a wrong name is told before anything is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

OPTION = ("options", "create", "--name", "Ten", "--points", "5", "--percent", "10")


@pytest.mark.parametrize("output", ["tsv", "csv", "table", "json", "jsonl"])
@pytest.mark.parametrize(
    "write",
    [
        ("points", "add", "C1", "5"),
        ("points", "redeem", "C1", "5"),
        ("customer", "create", "C2"),
        ("customer", "create", "C2", "--points", "5"),
        ("customer", "delete", "C1", "--confirm", "C1"),
        ("program", "set", "--factor", "2"),
        OPTION,
    ],
    ids=" ".join,
)
def test_a_wrong_name_stops_a_write_before_it_happens(rpctl: CommandLine, write: tuple[str, ...], output: str) -> None:
    rpctl.ok("points", "add", "C1", "100", "--key", "k")
    before = rpctl.ok("ledger", "export", "-o", "json"), rpctl.ok("customer", "list"), rpctl.ok("program", "show")

    status, out, err = rpctl(*write, "--fields", "nonsense", "-o", output)

    assert (status, out) == (2, "")
    assert "There is no field 'nonsense'." in err
    assert "Fields: " in err
    assert before == (
        rpctl.ok("ledger", "export", "-o", "json"),
        rpctl.ok("customer", "list"),
        rpctl.ok("program", "show"),
    )
    assert rpctl.ok("options", "list", "-o", "json") == "[]\n"


def test_a_wrong_name_stops_an_import_before_it_happens(rpctl: CommandLine) -> None:
    status, out, err = rpctl("points", "import", "-", "--fields", "nonsense", stdin="customer_id,points\nC1,5\n")

    assert (status, out) == (2, "")
    assert "rejectsFile" in err
    assert rpctl.ok("customer", "list", "-o", "json") == "[]\n"


@pytest.mark.parametrize("output", ["tsv", "csv", "table", "json", "jsonl"])
def test_every_field_of_an_entry_may_be_asked_of_either_kind(rpctl: CommandLine, output: str) -> None:
    fields = (
        "createdAt,type,points,allPointsAfterCreation,usedPoints,validUntil,reference-id,description,id,usedWith,code"
    )

    assert rpctl("points", "add", "C1", "9", "--fields", fields, "-o", output).status == 0
    assert rpctl("points", "redeem", "C1", "9", "--fields", fields, "-o", output).status == 0


def test_what_an_entry_does_not_have_is_null(rpctl: CommandLine) -> None:
    rpctl.ok("points", "add", "C1", "9")

    out = rpctl.ok("points", "redeem", "C1", "9", "--fields", "points,type,validUntil", "-o", "json")

    assert list(json.loads(out).items()) == [("points", 9), ("type", "redeemed"), ("validUntil", None)]


def test_the_code_of_a_coupon_may_be_asked_for_alone(rpctl: CommandLine) -> None:
    option = json.loads(rpctl.ok(*OPTION, "-o", "json"))["id"]
    rpctl.ok("points", "add", "C1", "9")
    exchange = ("points", "redeem", "C1", "--option", option, "--key", "k", "--fields", "code", "--no-header")

    code = rpctl.ok(*exchange).strip()

    assert len(code) == 10
    assert rpctl.ok(*exchange).strip() == code


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("tsv", "activePoints\tcustomerId\n9\tC1\n"),
        ("csv", "activePoints,customerId\n9,C1\n"),
        ("json", '[\n{"activePoints":9,"customerId":"C1"}\n]\n'),
        ("jsonl", '{"activePoints":9,"customerId":"C1"}\n'),
        ("table", "activePoints  customerId\n────────────────────────\n           9  C1\n"),
    ],
)
def test_fields_come_in_the_order_in_which_they_were_asked_for(rpctl: CommandLine, output: str, expected: str) -> None:
    rpctl.ok("points", "add", "C1", "9")

    assert rpctl.ok("customer", "list", "--fields", "activePoints, customerId", "-o", output) == expected


@pytest.mark.parametrize("fields", ["", ",", " , "])
def test_no_field_at_all_is_refused(rpctl: CommandLine, fields: str) -> None:
    assert rpctl("customer", "list", "--fields", fields).status == 2


@pytest.mark.parametrize("output", ["tsv", "csv", "table"])
def test_a_wrong_name_lists_the_right_ones_even_where_there_is_nothing_to_show(rpctl: CommandLine, output: str) -> None:
    expected = 2, "", "error: There is no field 'id'.\nhint: Fields: customerId, activePoints.\n"

    assert expected == rpctl("customer", "list", "--fields", "id", "-o", output)


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_a_wrong_name_leaves_no_half_document(rpctl: CommandLine, output: str) -> None:
    rpctl.ok("points", "add", "C1", "9")

    status, out, err = rpctl("customer", "list", "--fields", "id", "-o", output)

    assert (status, out) == (2, "")
    assert json.loads(err)["error"]["hint"] == "Fields: customerId, activePoints."
