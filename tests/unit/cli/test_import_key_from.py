"""points import --key-from: rows are told apart by a column, so that a file that grows counts once."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

HEADER = "customer_id,points,reference_id\n"
MONDAY = HEADER + "C1,5,R1\nC2,7,R2\n"
FROM = ("--key-from", "reference_id")


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def report(rpctl: CommandLine, *words: str, status: int = 0) -> dict[str, Any]:
    ended = rpctl("points", "import", *words, "-o", "json")
    assert ended.status == status, ended
    document: dict[str, Any] = json.loads(ended.out)
    return document


def counted(document: dict[str, Any]) -> tuple[int, int, int]:
    return document["applied"], document["alreadyApplied"], document["refused"]


def rejected(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text(encoding="utf-8").splitlines()))


def balances(rpctl: CommandLine) -> dict[str, int]:
    listed = json.loads(rpctl.ok("customer", "list", "-o", "json"))
    return {row["customerId"]: row["activePoints"] for row in listed}


def test_a_file_that_grew_and_was_sorted_anew_counts_its_new_rows_only(rpctl: CommandLine) -> None:
    assert counted(report(rpctl, write("mon.csv", MONDAY), *FROM)) == (2, 0, 0)
    assert counted(report(rpctl, write("tue.csv", HEADER + "C3,9,R3\nC2,7,R2\nC1,5,R1\n"), *FROM)) == (1, 2, 0)
    assert counted(report(rpctl, "mon.csv", *FROM)) == (0, 2, 0)
    assert balances(rpctl) == {"C1": 5, "C2": 7, "C3": 9}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((), FROM),
        (FROM, ()),
        (FROM, ("--key-from", "reference_id,customer_id")),
        (("--map", "key=reference_id"), FROM),
        (FROM, ("--map", "key=reference_id")),
        ((), ("--map", "key=reference_id")),
    ],
)
@pytest.mark.parametrize("grown", ["", "C3,9,R3\n"])
def test_rows_that_are_in_under_other_keys_are_refused(
    rpctl: CommandLine, first: tuple[str, ...], then: tuple[str, ...], grown: str
) -> None:
    report(rpctl, write("mon.csv", MONDAY), *first)
    status, _, err = rpctl("points", "import", write("tue.csv", MONDAY + grown), *then)
    assert (status, "already_imported" in err or "under other keys" in err) == (6, True)
    assert balances(rpctl) == {"C1": 5, "C2": 7}
    report(rpctl, "tue.csv", *then, "--again")
    assert balances(rpctl)["C1"] == 10


def test_the_order_of_the_names_and_their_spelling_mean_nothing(rpctl: CommandLine) -> None:
    report(rpctl, write("mon.csv", MONDAY), "--key-from", "reference_id,customer_id")
    more = write("tue.csv", MONDAY + "C3,9,R3\n")
    assert counted(report(rpctl, more, "--key-from", "Customer-ID, Reference ID")) == (1, 2, 0)


def test_a_column_may_be_named_that_is_not_read_otherwise(rpctl: CommandLine) -> None:
    text = "customer_id,points,Till,Receipt\nC1,5,4,1\nC1,5,4,2\nC1,5,5,1\n"
    assert counted(report(rpctl, write("a.csv", text), "--key-from", "till,receipt")) == (3, 0, 0)
    assert counted(report(rpctl, write("b.csv", text + "C1,5,5,2\n"), "--key-from", "till,receipt")) == (1, 3, 0)
    assert balances(rpctl) == {"C1": 20}


def test_a_fields_name_means_the_column_that_is_read_as_it(rpctl: CommandLine) -> None:
    text = "customer_id,points,reference_id,Bon\nC1,5,X,1\nC1,5,X,2\n"
    mapped = (write("a.csv", text), "--map", "reference_id=Bon", *FROM)
    assert counted(report(rpctl, *mapped)) == (2, 0, 0)


def test_the_cells_of_several_columns_do_not_run_into_each_other(rpctl: CommandLine) -> None:
    text = "customer_id,points,a,b\nC1,5,1,11\nC1,5,11,1\nC1,5,1 1,1\n"
    assert counted(report(rpctl, write("a.csv", text), "--key-from", "a,b")) == (3, 0, 0)


def test_a_second_row_with_the_same_reference_is_the_same_change_or_refused(rpctl: CommandLine) -> None:
    text = HEADER + "C1,5,R1\nC1,5,R1\nC1,6,R1\n"
    assert counted(report(rpctl, write("a.csv", text), *FROM, status=3)) == (1, 1, 1)
    (row,) = rejected("a.rejected.csv")
    assert row["error_code"] == "key_reused"
    assert row["error"].startswith("--key-from reference_id: a row with the same reference_id is in already")
    own = Path("a.rejected.csv").read_text(encoding="utf-8").replace(row["key"], "mine")
    assert counted(report(rpctl, write("own.csv", own))) == (1, 0, 0)
    assert balances(rpctl) == {"C1": 11}


def test_a_refused_row_keeps_the_key_that_it_will_have_tomorrow(rpctl: CommandLine) -> None:
    report(rpctl, write("mon.csv", HEADER + "C1,five,R1\n"), *FROM, status=3)
    (row,) = rejected("mon.rejected.csv")
    assert (row["key"][:5], len(row["key"])) == ("from-", 37)
    corrected = Path("mon.rejected.csv").read_text(encoding="utf-8").replace("five", "5", 1)
    assert counted(report(rpctl, write("corrected.csv", corrected))) == (1, 0, 0)
    assert counted(report(rpctl, write("tue.csv", MONDAY), *FROM)) == (1, 1, 0)
    assert balances(rpctl) == {"C1": 5, "C2": 7}


@pytest.mark.parametrize(
    ("row", "code"),
    [("C1,5, ", "key_missing"), ("C1,5,1.2E+11", "invalid_value"), ("C1,5,R1,R1", "wrong_cell_count")],
)
def test_a_row_whose_key_cannot_be_told_has_none_until_it_is_corrected(rpctl: CommandLine, row: str, code: str) -> None:
    report(rpctl, write("mon.csv", HEADER + f"{row}\n"), *FROM, status=3)
    (refused,) = rejected("mon.rejected.csv")
    assert (refused["error_code"], refused["key"]) == (code, "")
    header, carried = Path("mon.rejected.csv").read_text(encoding="utf-8").splitlines()[0].rsplit(",", 1)
    assert carried == "options: --key-from reference_id"
    report(rpctl, write("bare.csv", f"{header}\nC1,5,R1,,2,,\n"), status=3)  # or tomorrow's row would count again
    assert rejected("bare.rejected.csv")[0]["error_code"] == "key_missing"
    assert counted(report(rpctl, write("corrected.csv", f"{header},{carried}\nC1,5,R1,,2,,,\n"))) == (1, 0, 0)
    assert counted(report(rpctl, "bare.csv", *FROM)) == (0, 1, 0)
    assert counted(report(rpctl, write("tue.csv", MONDAY), *FROM)) == (1, 1, 0)
    assert balances(rpctl) == {"C1": 5, "C2": 7}


@pytest.mark.parametrize(
    ("header", "options", "status", "says"),
    [
        ("customer_id,points,key", ("--key-from", "customer_id"), 7, "The column key holds keys"),
        ("customer_id,points,key", ("--key-from", "key"), 2, "used without being named"),
        ("customer_id,points,a", ("--key-from", "a", "--map", "key=a"), 2, "both give the rows their keys"),
        ("customer_id,points,a", ("--key-from", "a,,"), 2, "empty name"),
        ("customer_id,points,a", ("--key-from", "a,A"), 2, "twice"),
        ("customer_id,points,a", ("--key-from", "b"), 7, "no column 'b'"),
        ("customer_id,points,reason", ("--key-from", "reference_id"), 7, "no column for reference_id"),
        ("customer_id,points,Order ID", ("--key-from", "order-id,reference_id"), 2, "twice"),
        ("customer_id,points,site_code", ("--key-from", "site_code", "--set", "site_code=x"), 2, "the same key"),
    ],
)
def test_two_or_no_sources_of_the_keys_are_refused(
    rpctl: CommandLine, header: str, options: tuple[str, ...], status: int, says: str
) -> None:
    ended = rpctl("points", "import", write("a.csv", f"{header}\nC1,5,x\n"), *options)
    assert (ended.status, says in ended.err) == (status, True), ended
    assert rpctl("customer", "show", "C1").status == 5


def test_a_constant_beside_a_column_is_part_of_the_key(rpctl: CommandLine) -> None:
    options = ("--key-from", "site_code,reference_id")
    report(rpctl, write("a.csv", MONDAY), *options, "--set", "site_code=berlin")
    report(rpctl, write("b.csv", MONDAY + "C3,1,R3\n"), *options, "--set", "site_code=rome")
    assert balances(rpctl) == {"C1": 10, "C2": 14, "C3": 1}


# -- --again with keys that are not the file's own --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options"),
    [("customer_id,points,key\nC1,5,k1\nC2,7,\n", ()), (MONDAY, FROM), (MONDAY, ("--map", "key=reference_id"))],
)
def test_again_counts_given_keys_anew_and_without_it_nothing(
    rpctl: CommandLine, text: str, options: tuple[str, ...]
) -> None:
    name = write("a.csv", text)
    rounds = ((), (), ("--again",), (), ("--again",), ())
    counts = [counted(report(rpctl, name, *options, *more)) for more in rounds]
    assert counts == [(2, 0, 0), (0, 2, 0)] * 3
    assert balances(rpctl) == {"C1": 15, "C2": 21}


def test_a_stopped_run_with_given_keys_is_gone_on_with_first(rpctl: CommandLine) -> None:
    text = "customer_id,points,key\nC1,5,k1\nC9,-1,k2\nC2,7,k3\n"
    report(rpctl, write("a.csv", text), "--max-errors", "1", status=3)
    Path("a.rejected.csv").unlink()
    assert counted(report(rpctl, "a.csv", "--again", status=3)) == (2, 0, 1)
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_the_rejects_of_a_repetition_have_its_keys_and_are_imported_as_they_are(rpctl: CommandLine) -> None:
    name = write("a.csv", "customer_id,points,key\nC1,5,k1\nC2,seven,k2\n")
    report(rpctl, name, status=3)
    Path("a.rejected.csv").rename("first.csv")
    report(rpctl, name, "--again", status=3)
    (row,) = rejected("a.rejected.csv")
    assert (row["key"][:6], len(row["key"])) == ("again-", 38)
    for rejects in ("first.csv", "a.rejected.csv"):
        corrected = Path(rejects).read_text(encoding="utf-8").replace("seven", "7", 1)
        assert counted(report(rpctl, write(rejects, corrected))) == (1, 0, 0)
        assert counted(report(rpctl, rejects)) == (0, 1, 0)
    assert balances(rpctl) == {"C1": 10, "C2": 14}


# -- a column of keys that is empty, or read as something else too ----------------------------------------


def test_a_column_of_keys_that_is_mostly_empty_does_not_let_a_longer_file_count_twice(rpctl: CommandLine) -> None:
    header = "customer_id,points,key\n"
    report(rpctl, write("mon.csv", header + "C1,5,\nC2,7,\n"))
    status, _, err = rpctl("points", "import", write("tue.csv", header + "C1,5,\nC2,7,\nC3,9,k3\n"))
    assert (status, "under other keys" in err) == (6, True)
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_a_few_rows_without_a_key_do_not_hinder_those_that_have_one(rpctl: CommandLine) -> None:
    header = "customer_id,points,key\n"
    report(rpctl, write("mon.csv", header + "C1,5,k1\nC2,7,k2\n"))
    assert counted(report(rpctl, write("tue.csv", header + "C1,5,k1\nC2,7,k2\nC3,9,\n"))) == (1, 2, 0)


@pytest.mark.parametrize("mapped_again", [False, True])
@pytest.mark.parametrize("field", ["reference_id", "customer_id"])
def test_a_new_key_does_not_take_the_place_of_what_its_column_also_means(
    rpctl: CommandLine, mapped_again: bool, field: str
) -> None:
    options = ("--map", f"{field}=id", "--map", "key=id")
    other = "customer_id" if field == "reference_id" else "reference_id"
    name = write("a.csv", f"{other},points,id\nC1,5,K1\nC1,seven,K2\n")
    report(rpctl, name, *options, status=3)
    Path("a.rejected.csv").rename("first.csv")
    report(rpctl, name, *options, "--again", status=3)
    (row,) = rejected("a.rejected.csv")
    assert (row["id"], row["key"][:6]) == ("K2", "again-")
    for rejects in ("a.rejected.csv", "first.csv"):
        corrected = Path(rejects).read_text(encoding="utf-8").replace("seven", "7", 1)
        assert counted(report(rpctl, write(rejects, corrected), *(options if mapped_again else ()))) == (1, 0, 0)
    assert balances(rpctl) == ({"C1": 24} if field == "reference_id" else {"K1": 10, "K2": 14})
