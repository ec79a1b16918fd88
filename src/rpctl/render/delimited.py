"""Rows as lines: tsv for pipes (nothing cut, one line a row) and csv for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, Final

from rpctl.render.views import View, choose
from rpctl.terminal import Terminal, clean

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_tsv(view: View, fields: Sequence[str] | None, terminal: Terminal, *, header: bool) -> None:
    """Tab-separated; tabs and line breaks inside a cell are shown as ``\\t`` and ``\\n``."""
    columns = choose(view.columns, fields)
    if header:
        terminal.write("\t".join(column.name for column in columns) + "\n")
    for document in view.documents:
        for row in view.rows_of(document):
            terminal.write("\t".join([clean(cell_text(column.of(row))) for column in columns]) + "\n")


def write_csv(view: View, fields: Sequence[str] | None, terminal: Terminal, *, header: bool, raw: bool) -> None:
    """RFC 4180 but for its line ends; unless ``raw``, a text cell that a spreadsheet would run gets an apostrophe.

    What goes to a terminal is cleaned; a file or another program gets the very text."""
    columns = choose(view.columns, fields)
    writer = csv.writer(_Out(terminal))
    if header:
        writer.writerow([column.name for column in columns])
    for document in view.documents:
        for row in view.rows_of(document):
            cells = [_csv_cell(column.of(row), raw) for column in columns]
            writer.writerow(map(clean, cells) if terminal.out_is_terminal else cells)


def cell_text(value: Any) -> str:
    """A cell as text: nothing for None, true and false in small letters, lists joined with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(cell_text(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={cell_text(one)}" for name, one in value.items())
    return str(value)


def _csv_cell(value: Any, raw: bool) -> str:
    text = cell_text(value)
    if not raw and isinstance(value, str) and text.startswith(_FORMULA):
        return "'" + text
    return text


class _Out:
    """Lines end with LF. The writer is told CRLF all the same: it quotes only those line breaks that it knows of."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def write(self, text: str) -> None:
        self._terminal.write(text.removesuffix("\r\n") + "\n")
