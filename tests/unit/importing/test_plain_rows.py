"""Rows that are told by one look are what the whole grammar makes of them."""

from __future__ import annotations

from datetime import UTC

import pytest

from rpctl.domain.changes import AddPoints
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
def test_a_look_at_the_whole_row_answers_as_its_cells_one_by_one(row: list[str]) -> None:
    columns = understand(HEADER, {}, {})
    quick, slow = (Planner(columns, Grammar(UTC), b"digest") for _ in range(2))
    slow._plain_columns = None
    assert quick.plan(row, 3) == slow.plan(row, 3)


def test_a_plain_row_is_told_by_one_look() -> None:
    planner = Planner(understand(HEADER, {}, {}), Grammar(UTC), b"digest")
    assert planner._plain_columns is not None
    assert isinstance(planner._plain(PLAIN, planner._plain_columns), AddPoints)
