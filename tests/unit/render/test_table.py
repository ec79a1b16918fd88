"""Tables for people: whole numbers, short ids and moments, what had no room is named, 200 rows and how many more."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from rpctl.render.table import write_table
from rpctl.render.views import Column, View, brief_id, brief_moment
from rpctl.terminal import Terminal

ID = "5345b895-6b68-734e-6d1c-1acdeea574cb"
MOMENT = "2026-03-01T12:34:56.789Z"
COLUMNS = (
    Column("date", title="date (UTC)", brief=brief_moment),
    Column("points", number=True),
    Column("description"),
    Column("id", brief=brief_id),
)


def drawn(
    rows: Iterable[dict[str, Any]],
    columns: Sequence[Column] = COLUMNS,
    fields: Sequence[str] | None = None,
    width: int = 80,
    **environ: str,
) -> tuple[list[str], str]:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(None, out, err, {"COLUMNS": str(width), **environ})
    write_table(View(rows, columns), fields, terminal, header=True)
    return out.getvalue().split("\n"), err.getvalue()


def row(**cells: Any) -> dict[str, Any]:
    return {"date": MOMENT, "points": 5, "description": "Order 9", "id": ID, **cells}


def test_moments_are_shown_to_the_minute_and_ids_short() -> None:
    lines, notes = drawn([row(), row(points=-1_000_000)])

    assert lines[0] == "date (UTC)          points  description  id"
    assert set(lines[1]) == {"─"}
    assert lines[2:] == [
        "2026-03-01 12:34         5  Order 9      5345b895",
        "2026-03-01 12:34  -1000000  Order 9      5345b895",
        "",
    ]
    assert notes == ""


def test_a_field_that_was_asked_for_is_whole_and_under_its_own_name() -> None:
    lines, _ = drawn([row(), row()], fields=["id", "date"], width=20)

    assert lines[0].split() == ["id", "date"]
    assert lines[2].split() == [ID, MOMENT]


def test_a_column_without_a_single_cell_is_left_out_unless_it_was_asked_for() -> None:
    rows = [row(description=None), row(description="")]

    assert drawn(rows)[0][0].split() == ["date", "(UTC)", "points", "id"]
    assert drawn(rows, fields=["points", "description"])[0][0].split() == ["points", "description"]


@pytest.mark.parametrize("width", [10, 20, 30, 40, 50])
def test_numbers_are_never_cut(width: int) -> None:
    lines, notes = drawn([row(points=2_147_483_647)] * 2, width=width)

    shown = any("2147483647" in line for line in lines)
    assert shown or "no room for" in notes
    assert shown == ("points" not in notes)


def test_what_has_no_room_is_named_with_the_way_to_see_it() -> None:
    lines, notes = drawn([row()] * 2, width=30)

    assert lines[0] == "date (UTC)        points"
    assert notes == "note: no room for description, id; --fields, -o tsv or a wider terminal shows them\n"


def test_long_text_wraps_inside_its_column() -> None:
    lines, notes = drawn([row(description="one two three four five six seven eight nine ten")] * 2, width=60)

    assert notes == ""
    assert max(map(len, lines)) <= 60
    assert [line[26:].removesuffix("5345b895").strip() for line in lines[2:4]] == [
        "one two three four five",
        "six seven eight nine ten",
    ]


def test_foreign_text_is_neither_markup_nor_an_escape_sequence() -> None:
    lines, _ = drawn([row(description="[red]x[/red] :smile: \x1b[31m")] * 2)

    assert "[red]x[/red] :smile: \\x1b[31m" in lines[2]


def test_wide_characters_keep_the_columns_in_line() -> None:
    lines, _ = drawn([row(description="日本語"), row(description="abcdef")])

    assert lines[2].replace("日本語", "abcdef") == lines[3]


@pytest.mark.parametrize("count", [1, 200])
def test_up_to_200_rows_are_shown_without_a_word(count: int) -> None:
    lines, notes = drawn([row()] * count)

    assert len(lines) - 3 == count
    assert notes == ""


def test_of_more_than_200_rows_the_rest_is_counted() -> None:
    lines, notes = drawn(iter([row()] * 1234))

    assert len(lines) - 3 == 200
    assert notes == "note: 1034 more rows; see them all with -o tsv, or fewer with --limit where there is one\n"


def test_an_empty_list_says_so() -> None:
    assert drawn([]) == ([""], "note: nothing to show\n")


def test_a_colour_is_only_used_where_colours_are_wanted() -> None:
    plain, _ = drawn([row()] * 2)
    colored, _ = drawn([row()] * 2, FORCE_COLOR="1")

    assert "\x1b[" not in "".join(plain)
    assert "\x1b[1m" in colored[0]
