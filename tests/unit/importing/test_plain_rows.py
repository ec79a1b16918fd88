"""Rows that are told by one look are what the whole grammar makes of them."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from rpctl.domain.changes import AddPoints
from rpctl.importing.columns import understand
from rpctl.importing.plan import Grammar, Planner

HEADER = ["customer_id", "points", "reference_id", "description", "valid_until", "key"]
IDS = st.sampled_from(["C1", " C1 ", "", "1.2E+11", "é", "a b", "x" * 255, "x" * 256, "007", "a\tb", "1e5", "+"])
POINTS = st.sampled_from(["5", "0", "00", "-5", "5.0", "5,0", " 7 ", "", "1e3", "2147483647", "2147483648", "٣", "²"])
TEXTS = st.sampled_from(["", " ", "words", " words ", "line\nbreak", "\x07", "ü", "x" * 300])
DATES = st.sampled_from(["", "2033-01-31", "never", "+90d", "unlimited", "31.01.2033", " 2033-01-31 ", "2033-13-01"])


@given(st.tuples(IDS, POINTS, IDS, TEXTS, DATES, IDS).map(list) | st.lists(IDS, max_size=7), st.integers(1, 9))
def test_a_look_at_the_whole_row_answers_as_its_cells_one_by_one(row: list[str], ordinal: int) -> None:
    columns = understand(HEADER, {}, {})
    quick, slow = (Planner(columns, Grammar(UTC), b"digest") for _ in range(2))
    slow._plain_columns = None
    assert quick.plan(row, ordinal) == slow.plan(row, ordinal)


def test_a_plain_row_is_told_by_one_look() -> None:
    planner = Planner(understand(HEADER, {}, {}), Grammar(UTC), b"digest")
    assert planner._plain_columns is not None
    row = ["C1", "5", "R1", "words", "2033-01-31", "k1"]
    assert isinstance(planner._plain(row, planner._plain_columns), AddPoints)
