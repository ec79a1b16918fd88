"""Shows a view in the format that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rpctl.render.views import View
from rpctl.terminal import Terminal


class Format(NamedTuple):
    """How to show: one of ``FORMATS``, the fields asked for (None: the usual ones), header line or not, and
    whether CSV cells are left as they are."""

    name: str
    fields: Sequence[str] | None = None
    header: bool = True
    raw_csv: bool = False


def show_bare(view: View, terminal: Terminal) -> None:
    """Writes the value alone, which is the same in every format."""
    for value in view.documents:
        terminal.write(f"{value}\n")
    terminal.flush()


def show(view: View, how: Format, terminal: Terminal) -> None:
    """Writes the view to stdout. Raises `InvalidValue` for a field that is not there."""
    if how.name in ("json", "jsonl"):
        from rpctl.render.json import write_json, write_jsonl

        (write_json if how.name == "json" else write_jsonl)(view, how.fields, terminal)
    elif how.name == "table":
        from rpctl.render.table import write_table

        write_table(view, how.fields, terminal, header=how.header)
    else:
        from rpctl.render.delimited import write_csv, write_tsv

        if how.name == "csv":
            write_csv(view, how.fields, terminal, header=how.header, raw=how.raw_csv)
        else:
            write_tsv(view, how.fields, terminal, header=how.header)
    terminal.flush()
