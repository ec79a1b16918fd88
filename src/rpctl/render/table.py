"""Tables for people, drawn by rich: the only module that names it.

A number is never cut and a column never squeezed until it cannot be read: what finds no room is left out, and
a note names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from itertools import islice
from typing import Any, Final, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rpctl.render.delimited import cell_text
from rpctl.render.views import Column, View, choose
from rpctl.terminal import Terminal, clean

SHOWN_ROWS: Final = 200
_GAP: Final = 2
_LEAST: Final = 12
_LONGEST_WORD: Final = 36  # an entry's id stays in one piece


def write_table(view: View, fields: Sequence[str] | None, terminal: Terminal, *, header: bool) -> None:
    """The first 200 rows; notes say how many more there are, what had no room, and how to see it."""
    columns = choose(view.columns, fields)
    drawn = StringIO()
    colors = terminal.colors(terminal.stdout)
    console = Console(
        file=drawn,
        width=terminal.width,
        height=SHOWN_ROWS,  # or rich would ask COLUMNS once more
        force_terminal=colors,
        color_system="standard" if colors else None,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    documents = list(view.documents) if not view.many else view.documents
    rows = (row for document in documents for row in view.rows_of(document))
    shown = list(islice(rows, SHOWN_ROWS))
    if view.lead and isinstance(documents, list):
        for document in documents:
            console.print(Text(clean(view.lead(document)), style="bold"))
        if shown:
            console.print()
    no_room: list[str] = []
    if not view.many and view.lead is None and len(shown) == 1:
        console.print(_record(columns, shown[0]))
    elif shown:
        asked = fields is not None
        wanted = [_drawn(column, shown, header=header, asked=asked) for column in columns]
        if not asked:
            wanted = [column for column in wanted if any(column.cells)] or wanted
        kept = wanted if asked else _kept(wanted, console.width)
        no_room = [column.name for column in wanted if column not in kept]
        widths = _widths(kept, console.width)
        console.width = max(console.width, _total(widths))
        console.print(_table(kept, widths, header))
    else:
        terminal.note("nothing to show")
    lines = (line.rstrip() for line in drawn.getvalue().splitlines())
    terminal.write("".join(f"{line}\n" for line in lines))
    if no_room:
        terminal.note(f"no room for {', '.join(no_room)}; --fields, -o tsv or a wider terminal shows them")
    more = sum(1 for _ in rows)
    if more:
        terminal.note(f"{more} more rows; see them all with -o tsv, or fewer with --limit where there is one")


class _Drawn(NamedTuple):
    """A column as text: ``natural`` is the width at which nothing wraps, ``least`` the one it is readable at."""

    name: str
    title: str
    number: bool
    vital: bool
    cells: list[str]
    natural: int
    least: int


def _drawn(column: Column, rows: Sequence[Any], *, header: bool, asked: bool) -> _Drawn:
    """A field that was asked for is shown whole and under its name, any other one short and under its title."""
    cells = [cell_text(column.of(row)) for row in rows]
    short = None if asked else column.brief
    cells = [clean(short(cell) if short else cell) for cell in cells]
    title = column.name if asked else column.title or column.name
    natural = max(len(title) if header else 0, *map(cell_len, cells))
    words = max(cell_len(word) for cell in cells for word in cell.split(" "))
    wraps = not column.number and short is None
    least = min(natural, max(len(title), min(words, _LONGEST_WORD), _LEAST)) if wraps else natural
    return _Drawn(column.name, title, column.number, column.number or column.vital, cells, natural, least)


def _kept(columns: Sequence[_Drawn], room: int) -> list[_Drawn]:
    """The columns there is room for. The first one stays, vital ones stay as long as they can; of the others goes the
    narrowest that makes room enough, else the widest, and of equals the one that stands last."""
    kept = list(columns)
    while len(kept) > 1 and (excess := _total([column.least for column in kept]) - room) > 0:
        others = [column for column in reversed(kept[1:]) if not column.vital] or kept[:0:-1]
        enough = [column for column in others if column.least + _GAP >= excess]
        kept.remove(min(enough, key=_least) if enough else max(others, key=_least))
    return kept


def _least(column: _Drawn) -> int:
    return column.least


def _widths(columns: Sequence[_Drawn], room: int) -> list[int]:
    """Natural widths, or less where that is too much: always the widest one that can still give something."""
    widths = [column.natural for column in columns]
    while (excess := _total(widths) - room) > 0:
        can_give = [at for at, column in enumerate(columns) if widths[at] > column.least]
        if not can_give:
            break
        at = max(can_give, key=lambda at: widths[at])
        others = max((widths[other] for other in can_give if other != at), default=0)
        step = min(excess, widths[at] - columns[at].least, max(widths[at] - others, 1))
        widths[at] -= step
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _table(columns: Sequence[_Drawn], widths: Sequence[int], header: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_header=header, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
        header_style="bold",
    )  # fmt: skip
    for column, width in zip(columns, widths, strict=True):
        justify: Any = "right" if column.number else "left"
        table.add_column(Text(column.title), justify=justify, width=width, overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _record(columns: Sequence[Column], row: Any) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for column in columns:
        table.add_row(Text(column.title or column.name), Text(clean(cell_text(column.of(row)))))
    return table
