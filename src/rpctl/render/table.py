"""Tables for people, drawn by rich: the only module that names it."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from itertools import islice
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpctl.render.delimited import cell_text
from rpctl.render.views import Column, View, choose
from rpctl.terminal import Terminal, clean

SHOWN_ROWS: Final = 200
_WRAPPED: Final = 24


def write_table(view: View, fields: Sequence[str] | None, terminal: Terminal, *, header: bool) -> None:
    """The first 200 rows; a note says how many more there are and how to see them."""
    columns = choose(view.columns, fields)
    drawn = StringIO()
    console = Console(
        file=drawn,
        width=terminal.width,
        force_terminal=terminal.colors(terminal.stdout),
        no_color=not terminal.colors(terminal.stdout),
        highlight=False,
        markup=False,
        emoji=False,
    )
    documents = list(view.documents) if not view.many else view.documents
    if view.lead and isinstance(documents, list):
        for document in documents:
            console.print(Text(clean(view.lead(document)), style="bold"))
    rows = (row for document in documents for row in view.rows_of(document))
    shown = list(islice(rows, SHOWN_ROWS))
    if not view.many and view.lead is None and len(shown) == 1:
        console.print(_record(columns, shown[0]))
    elif shown:
        console.print(_table(columns, shown, header))
    else:
        terminal.note("nothing to show")
    terminal.write(drawn.getvalue())
    more = sum(1 for _ in rows)
    if more:
        terminal.note(f"{more} more rows; see them all with -o tsv, or fewer with --limit where there is one")


def _table(columns: Sequence[Column], rows: Sequence[Any], header: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=header, pad_edge=False, header_style="bold")
    for column in columns:
        cells = [cell_text(column.of(row)) for row in rows]
        whole = max(map(len, cells), default=0) <= _WRAPPED
        table.add_column(
            Text(column.name), justify="right" if column.number else "left", no_wrap=whole, overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(clean(cell_text(column.of(row)))) for column in columns))
    return table


def _record(columns: Sequence[Column], row: Any) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for column in columns:
        table.add_row(Text(column.name), Text(clean(cell_text(column.of(row)))))
    return table
