"""Foreign text on its way out: harmless on a terminal, the same document as JSON, a line as tsv, no formula as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpctl.render.delimited import cell_text, write_csv, write_tsv
from rpctl.render.json import write_json, write_jsonl
from rpctl.render.views import Column, View
from rpctl.terminal import Terminal, clean, clean_json

HARMFUL = [
    ("\x1b[31mred", "\\x1b[31mred"),
    ("bell\x07", "bell\\x07"),
    ("nul\x00", "nul\\x00"),
    ("C1 \x9b31m", "C1 \\x9b31m"),
    ("delete\x7f", "delete\\x7f"),
    ("back\x08", "back\\x08"),
    ("right to left \u202e!", "right to left \\u202e!"),
    ("isolate \u2066!", "isolate \\u2066!"),
    ("mark \u061c!", "mark \\u061c!"),
    ("zero\u200bwidth", "zero\\u200bwidth"),
    ("line\u2028separator", "line\\u2028separator"),
    ("\ufeffbom", "\\ufeffbom"),
    ("lone \ud800", "lone \\ud800"),
    ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
]
HARMLESS = ["", "Müller", "日本語", "😀", "e\u0301", "no\u00a0break", "\\n", "[red]"]

text = st.text(st.characters(codec=None, categories=None))


def terminal() -> tuple[Terminal, io.StringIO]:
    out = io.StringIO()
    return Terminal(None, out, io.StringIO(), {}), out


def printed(write: Any, *rows: dict[str, Any], **how: Any) -> str:
    to, out = terminal()
    columns = [Column(name) for name in rows[0]]
    write(View(rows, columns), None, to, **how)
    return out.getvalue()


@pytest.mark.parametrize(("foreign", "expected"), HARMFUL, ids=[repr(foreign) for foreign, _ in HARMFUL])
def test_what_could_harm_a_terminal_is_shown_as_an_escape(foreign: str, expected: str) -> None:
    assert expected == clean(foreign)


@pytest.mark.parametrize("foreign", HARMLESS)
def test_what_is_harmless_stays(foreign: str) -> None:
    assert foreign == clean(foreign)


@given(text)
def test_cleaned_text_has_no_control_and_no_invisible_direction_in_it(foreign: str) -> None:
    forbidden = {*map(chr, [*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200F])}

    assert forbidden & set(clean(foreign)) == set()


@given(st.recursive(text | st.integers() | st.none(), lambda part: st.lists(part) | st.dictionaries(text, part)))
def test_json_stays_the_same_document(document: Any) -> None:
    as_text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    assert document == json.loads(clean_json(as_text))
    assert "\x9b" not in clean_json(as_text)
    assert "\u202e" not in clean_json(as_text)


@pytest.mark.parametrize(("foreign", "_"), HARMFUL)
def test_json_of_a_harmful_text_is_the_same_text_and_harmless(foreign: str, _: str) -> None:
    for write in (write_json, write_jsonl):
        out = printed(write, {"description": foreign})
        document = json.loads(out)

        assert foreign == (document[0] if write is write_json else document)["description"]
        assert out.replace("\n", "").isprintable()


# -- tsv --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(text, text), min_size=1))
def test_tsv_has_a_line_a_row_and_a_tab_between_cells(rows: list[tuple[str, str]]) -> None:
    out = printed(write_tsv, *({"a": a, "b": b} for a, b in rows), header=False)

    lines = out.split("\n")
    assert len(rows) + 1 == len(lines)
    assert [1] * len(rows) == [line.count("\t") for line in lines[:-1]]


def test_tsv_cuts_nothing() -> None:
    assert printed(write_tsv, {"a": "x" * 5_000}, header=True) == "a\n" + "x" * 5_000 + "\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (True, "true"), (False, "false"), (0, "0"), (["a", 1], "a, 1"), ({"a": None, "b": 2}, "a=, b=2")],
)
def test_a_cell_as_text(value: Any, expected: str) -> None:
    assert expected == cell_text(value)


# -- csv --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    neutral = printed(write_csv, {"id": cell}, header=False, raw=False)
    raw = printed(write_csv, {"id": cell}, header=False, raw=True)

    assert [["'" + cell]] == list(csv.reader(io.StringIO(neutral, newline="")))
    assert [[cell]] == list(csv.reader(io.StringIO(raw, newline="")))


@pytest.mark.parametrize("cell", ["fine\r=1+1", "fine\n=1+1", "fine\r\n=1+1"])
def test_no_line_break_inside_a_cell_begins_a_row(cell: str) -> None:
    out = printed(write_csv, {"a": cell, "b": 1}, header=False, raw=False)

    assert [[cell, "1"]] == list(csv.reader(io.StringIO(out, newline="")))


@pytest.mark.parametrize(("value", "expected"), [(-5, "-5"), ("1=1", "1=1"), ("a-b", "a-b"), ("'=1", "'=1")])
def test_numbers_and_ordinary_text_stay_as_they_are(value: Any, expected: str) -> None:
    assert f"{expected}\n" == printed(write_csv, {"a": value}, header=False, raw=False)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=2, max_size=4))
def test_raw_csv_reads_back_as_it_was(cells: list[str]) -> None:
    out = printed(write_csv, dict(zip("abcd", cells, strict=False)), header=False, raw=True)

    assert [cells] == list(csv.reader(io.StringIO(out, newline="")))
