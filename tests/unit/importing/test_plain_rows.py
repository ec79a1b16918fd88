"""Rows that are told by one look are what the whole grammar makes of them."""

from __future__ import annotations

from datetime import UTC

import pytest

from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.importing.columns import understand
from rpctl.importing.plan import Grammar, Planner

HEADER = ["customer_id", "points", "reference_id", "description", "valid_until", "key"]
PLAIN = ["C1", "5", "R1", "words", "2033-01-31", "k1"]
ODD = [
    *[
        "",
        " ",
        "a b",
        " C1 ",
        "007",
        "1.2E+11",
        "+",
        "é",
        "x" * 250,
        "x" * 256,
        "x" * 300,
        "a\tb",
        "line\nbreak",
        "\x07",
    ],
    *["0", "00", "-5", "5.0", "5,0", " 7 ", "1e3", "2147483647", "2147483648", "999999999", "٣", "²"],
    *["never", "+90d", "unlimited", "31.01.2033", " 2033-01-31 ", "2033-13-01"],
]
EVERY_ODD_CELL = [[*PLAIN[:at], odd, *PLAIN[at + 1 :]] for at in range(len(PLAIN)) for odd in ODD]


@pytest.mark.parametrize("row", [PLAIN, PLAIN[:5], [*PLAIN, ""], *EVERY_ODD_CELL], ids=repr)
def test_a_look_at_many_rows_answers_as_their_cells_one_by_one(row: list[str]) -> None:
    planner = Planner(understand(HEADER, {}, {}), Grammar(UTC), b"digest")
    rows = [[*PLAIN[:5], f"k{number}"] for number in range(40)]
    rows[20:20] = [row]
    singly = [planner.plan(row, ordinal)[1] for ordinal, row in enumerate(rows, 3)]
    assert planner.plan_all(rows, 3) == singly
    assert planner._plan_plain([row], 3, planner._plain_columns or ()) == [planner.plan(row, 3)[1]] or not _is_tidy(row)


def _is_tidy(row: list[str]) -> bool:
    text = "".join(row)
    return text.isprintable() and "+" not in text and len(text) < 256 and row == [cell.strip() for cell in row]


@pytest.mark.parametrize("points", ["5", "-5"])
def test_a_plain_row_is_told_at_sight(points: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(understand(HEADER, {}, {}), Grammar(UTC), b"digest")
    row = ["C1", points, "R1", "words", "", "k1"]
    expected = planner.plan(row, 1)[1]
    monkeypatch.delattr(Planner, "plan")
    assert planner.plan_all([row] * 20, 1) == [expected] * 20
    assert isinstance(expected, RedeemPoints if points == "-5" else AddPoints)
