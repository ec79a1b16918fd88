"""What people mistype: every value that is not allowed ends with its status, one line that says what happened and
one that says what to do, and the ledger is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_machine import Machine, refusal

NO_POINTS = [
    "0", "-5", "-0", "+5", "1.5", "5.0", "1e3", "99999999999", "2147483648", "１２", "²", "", " ", " 5", "5\n", "0x10",
    "1_000", "1,000", "five",
]  # fmt: skip

NO_IDS = {
    "empty": "",
    "a space": " ",
    "spaces around": " C1 ",
    "rounded by a spreadsheet": "1.2E+11",
    "rounded, with a comma": "1,2e+11",
    "a line break": "C1\nC2",
    "a tab": "C1\tC2",
    "an escape sequence": "C1\x1b[31m",
    "a delete character": "C\x7f1",
    "a C1 control character": "C\x9b1",
    "a bidi override": "C1\u202e",
    "a zero-width space": "C\u200b1",
    "a byte order mark": "\ufeffC1",
    "256 characters": "x" * 256,
    "no text": b"caf\xe9",
}

NO_OPTION_VALUES: list[tuple[str, str | bytes]] = [
    ("--key", "a\nb"),
    ("--key", ""),
    ("--reference", "1.2E+11"),
    ("--description", "a\x1b[2Jb"),
    ("--description", "x" * 2001),
    ("--reason", b"caf\xe9"),
    ("--valid-until", "31.12.2027"),
    ("--valid-until", "2027-02-30"),
    ("--valid-until", "2020-01-01"),
    ("--created-at", "2999-01-01"),
    ("--created-at", "yesterday"),
    ("--site", ""),
]


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("verb", "points"), [*(("add", one) for one in NO_POINTS), ("redeem", "0"), ("redeem", "-5")])
def test_what_is_no_number_of_points_is_wrong_usage_and_makes_nothing(machine: Machine, verb: str, points: str) -> None:
    message = refusal(machine.here("points", verb, "C1", points), 2)
    assert repr(points) in message
    assert files_below(machine.home) == []


@pytest.mark.parametrize("name", NO_IDS)
def test_what_is_no_customer_id_is_wrong_usage_and_makes_nothing(machine: Machine, name: str) -> None:
    message = refusal(machine.run("points", "add", NO_IDS[name], "5"), 2)
    assert message.startswith("The customer id")
    assert files_below(machine.home) == []


def test_an_option_with_a_value_that_is_not_allowed_changes_nothing(machine: Machine) -> None:
    machine.here("points", "add", "C1", "100").ok()
    before = machine.export()
    for option, value in NO_OPTION_VALUES:
        refusal(machine.here("points", "add", "C1", "5", option, value), 2)
    refusal(machine.run("points", "add", "C1", "5", "--reason", b"caf\xe9"), 2)
    assert before == machine.export()


@pytest.mark.parametrize(
    "words",
    [
        ["points"],
        ["point", "add", "C1", "5"],
        ["points", "ad", "C1", "5"],
        ["points", "add"],
        ["points", "add", "C1"],
        ["points", "add", "C1", "5", "6"],
        ["points", "add", "C1", "5", "--nonsense"],
        ["points", "add", "C1", "5", "--order-value", "5"],
        ["points", "summary", "--limit", "0"],
        ["points", "summary", "-o", "xml"],
        ["points", "summary", "--fields", ","],
        ["points", "add", "C1", "5", "--fields", "balance"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_none_is_wrong_usage_and_makes_nothing(machine: Machine, words: list[str]) -> None:
    done = machine.here(*words)
    if words == ["points"]:
        assert (done.status, done.err) == (0, "")
        assert "Commands:" in done.out
    else:
        refusal(done, 2)
    assert files_below(machine.home) == []


def test_wrong_usage_leaves_an_existing_ledger_as_it_is_to_the_byte(machine: Machine) -> None:
    machine.here("points", "add", "C1", "100").ok()
    before = machine.ledger.read_bytes()
    for words in (["add", "C1", "0"], ["redeem", "C1", "1.5"], ["add", "1.2E+11", "5"], ["redeem", "C1\x1b", "5"]):
        refusal(machine.here("points", *words), 2)
    assert before == machine.ledger.read_bytes()
    assert [machine.ledger.name] == files_below(machine.ledger.parent)


@pytest.mark.parametrize("customer", ["007", "7", "-7", "--help", "--evil", "--", "O'Hara", "a b", "日本", "x" * 255])
def test_an_id_is_text_and_stays_as_it_was_typed(machine: Machine, customer: str) -> None:
    machine.here("points", "add", "7777", "1").ok()
    made = machine.run("points", "add", "-o", "json", "--", customer, "5").ok().document
    assert made["allPointsAfterCreation"] == 5
    assert {"7777": 1, customer: 5} == machine.balances()
    assert machine.balance(customer) == 5


def test_redeeming_from_an_unknown_customer_is_not_found_and_changes_nothing(machine: Machine) -> None:
    machine.here("points", "add", "007", "5").ok()
    before = machine.export()
    assert refusal(machine.here("points", "redeem", "7", "1"), 5) == "There is no customer 7."
    error = machine.run("points", "redeem", "7", "1", "-o", "json").error
    assert (error["code"], error["exitStatus"], error["retryable"]) == ("customer_not_found", 5, False)
    assert before == machine.export()


def test_redeeming_more_than_there_is_takes_nothing_and_tells_both_numbers(machine: Machine) -> None:
    machine.here("points", "add", "C1", "30").ok()
    machine.here("points", "add", "C1", "12", "--valid-until", "+1d").ok()
    before = machine.export()
    message = refusal(machine.here("points", "redeem", "C1", "43", "--key", "k"), 6)
    assert "42" in message
    assert "43" in message
    error = machine.run("points", "redeem", "C1", "43", "--key", "k", "-o", "json").error
    assert (error["code"], error["exitStatus"]) == ("insufficient_points", 6)
    assert {42, 43} <= set(error["details"].values())
    assert before == machine.export()
    machine.run("points", "redeem", "C1", "42", "--key", "k").ok()  # the refused change did not use up its key
    assert machine.balance("C1") == 0


@pytest.mark.parametrize("customer", ["-x", "--evil", "C 1", "'; DROP TABLE entries; --"])
def test_the_command_that_a_refused_question_names_goes_through(machine: Machine, customer: str) -> None:
    ledger = str(machine.work / "a shop's.db")
    machine.run("points", "add", "C1", "5").ok()
    machine.run("ledger", "backup", ledger).ok()
    machine.run("points", "add", "--ledger", ledger, "--", customer, "5").ok()
    asked = machine.run("customer", "delete", "--ledger", ledger, "--", customer)
    refusal(asked, 6)
    machine.shell(asked.err.splitlines()[-1].split(": ", 2)[2]).ok()
    assert machine.balances("--ledger", ledger) == {"C1": 5}
