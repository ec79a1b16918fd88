"""points import from the command line: standard input, rejects that can be corrected, options that exclude."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

HEADER = "customer_id,points,description\n"


@pytest.mark.parametrize("line_break", ["\r", "\n", "\r\n"])
def test_a_rejected_row_keeps_the_line_breaks_in_its_cells(rpctl: CommandLine, line_break: str) -> None:
    Path("f.csv").write_bytes(f'{HEADER}A,x,"one{line_break}two"\n'.encode())

    assert rpctl("points", "import", "f.csv").status == 3
    rejected = Path("f.rejected.csv").read_bytes()
    Path("f.rejected.csv").write_bytes(rejected.replace(b"A,x", b"A,7"))

    rpctl.ok("points", "import", "f.rejected.csv")
    (line,) = json.loads(rpctl.ok("points", "history", "A", "-o", "json"))["history"]
    assert (line["points"], line["description"]) == (7, f"one{line_break}two")


def test_a_dash_is_standard_input(rpctl: CommandLine) -> None:
    report = json.loads(rpctl.ok("points", "import", "-", "-o", "json", stdin="customer_id,points\nA,7\n"))

    assert (report["file"], report["applied"]) == ("standard input", 1)


@pytest.mark.parametrize(
    "options",
    [
        ("--map", "points"),
        ("--map", "=A"),
        ("--map", "points=A", "--map", "points=B"),
        ("--no-header-row",),
        ("--columns", "customer_id,points"),
        ("--max-errors", "0"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_wrong_usage(rpctl: CommandLine, options: tuple[str, ...]) -> None:
    Path("f.csv").write_text("customer_id,points\nA,7\n", encoding="utf-8")

    status, out, err = rpctl("points", "import", "f.csv", *options)

    assert (status, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("content", [None, "", "customer_id\nA\n", "customer_id,points,surprise\nA,7,1\n"])
def test_a_file_that_cannot_be_used_ends_with_7_and_changes_nothing(rpctl: CommandLine, content: str | None) -> None:
    if content is not None:
        Path("f.csv").write_text(content, encoding="utf-8")

    assert rpctl("points", "import", "f.csv").status == 7
    assert rpctl.ok("imports", "list", "-o", "json") == "[]\n"


def test_a_closed_standard_input_is_no_bug(shell) -> None:  # type: ignore[no-untyped-def]
    ended = shell("rpctl points import - <&-")

    assert ended.status == 7, ended
