"""What someone hostile or unlucky did once, so that it stays harmless."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def csv(folder: Path, text: str) -> str:
    path = folder / "a.csv"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_an_import_makes_the_ledger_that_it_names(rpctl: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    ledger = tmp_path / "new.db"
    status, _, err = rpctl(
        "--ledger", str(ledger), "points", "import", csv(tmp_path, "customer_id,points\nA,1\n"), *words
    )
    assert (status, err if not words else "") == (0, "")
    assert ledger.exists() == (not words)


@pytest.mark.parametrize("log", ["-wal", "-journal"])
@pytest.mark.parametrize("command", ["add", "backup"])
def test_the_log_of_a_ledger_that_is_gone_is_not_read_into_a_new_file(
    rpctl: Any, tmp_path: Path, log: str, command: str
) -> None:
    rpctl.ok("points", "add", "A", "5")
    target = tmp_path / "target.db"
    orphan = tmp_path / f"target.db{log}"
    orphan.write_bytes(b"frames of another ledger")
    words = (
        ("--ledger", str(target), "points", "add", "B", "7") if command == "add" else ("ledger", "backup", str(target))
    )
    status, out, err = rpctl(*words)
    assert (status, out) == (7, "")
    assert f"{orphan} is the log of a ledger that is gone" in err
    assert (target.exists(), orphan.read_bytes()) == (False, b"frames of another ledger")


def test_what_to_do_after_a_lost_answer_of_a_repeated_import_counts_nothing_twice(rpctl: Any, tmp_path: Path) -> None:
    file = csv(tmp_path, "customer_id,points\nA,1\nB,1\n")
    for words in ((), ("--again",), ()):  # the last is what the hint says
        rpctl.ok("points", "import", file, *words)
    assert rpctl.ok("points", "balance", "A").strip() == "2"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"name": "x", "points": 5, "z": NaN}',
        '{"name": "x", "points": 5, "z": -Infinity}',
        '{"name": "x", "points": 5, "z": ' + "9" * 5_000 + "}",
        '{"name": "x\\ud800", "points": 5}',
    ],
)
def test_a_hostile_option_document_is_refused_and_no_bug(rpctl: Any, text: str) -> None:
    status, out, err = rpctl("options", "create", "--from", "-", stdin=text)
    assert (status in (2, 7), out) == (True, "")
    assert "bug" not in err
    assert json.loads(rpctl.ok("options", "list", "-o", "json")) == []


@pytest.mark.parametrize(
    "words",
    [
        ("customer", "list", "--search", os.fsdecode(b"\xff")),
        ("customer", "list", "--search", "x" * 60_000),
        ("program", "set", "--validity-months", "9" * 5_000),
        ("options", "create", "--points", "5", "--percent", "1", "--name", os.fsdecode(b"\xff")),
    ],
)
def test_odd_arguments_are_the_users_and_no_bug(rpctl: Any, words: tuple[str, ...]) -> None:
    status, out, err = rpctl(*words)
    assert (status, out) == (2, "")
    assert "bug" not in err


def test_the_document_of_another_option_does_not_overwrite_this_one(rpctl: Any) -> None:
    ids = [
        json.loads(rpctl.ok("options", "create", "--name", name, "--points", "5", "--percent", "1", "-o", "json"))["id"]
        for name in "AB"
    ]
    other = rpctl.ok("options", "show", ids[0], "-o", "json")
    status, _, err = rpctl("options", "update", ids[1], "--from", "-", stdin=other)
    assert (status, f"The document is redeem option {ids[0]}" in err) == (2, True)


def test_a_pipe_in_the_ledgers_place_is_refused_unread(rpctl: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert rpctl("--ledger", str(tmp_path / "pipe"), "customer", "list").status == 7
    assert rpctl("ledger", "restore", str(tmp_path / "pipe"), "--yes").status == 7


def test_a_header_of_very_many_unknown_columns_is_told_in_one_line(rpctl: Any, tmp_path: Path) -> None:
    header = ",".join(f"column{n}" for n in range(10_000))
    status, _, err = rpctl("points", "import", csv(tmp_path, f"customer_id,points,{header}\n"))
    assert (status, len(err) < 2_000, "9988 more" in err) == (7, True, True)


def test_a_deletion_names_the_copies_that_may_still_hold_the_customer(rpctl: Any, tmp_path: Path) -> None:
    rpctl.ok("points", "add", "A", "5")
    rpctl.ok("ledger", "backup", str(tmp_path / "b.db"))
    rpctl.ok("ledger", "restore", str(tmp_path / "b.db"), "--yes")
    status, _, err = rpctl("customer", "delete", "A", "--confirm", "A")
    assert (status, "before-restore" in err) == (0, True)
