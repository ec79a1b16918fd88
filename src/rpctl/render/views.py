"""What a command answers with, before any format: documents for programs, rows and columns for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rpctl.errors import InvalidValue

FORMATS: Final = ("table", "tsv", "csv", "json", "jsonl")

Document = Mapping[str, Any]


class Column(NamedTuple):
    """A column: the field's name, how its cell is had from a row (by default the row's own field of that name),
    whether it is shown unless asked for, and whether it is a number (set right).

    Only tables for people use ``title`` in place of the name, shorten a cell's text by ``brief``, and leave a
    ``vital`` column out last when there is no room.
    """

    name: str
    cell: Callable[[Any], Any] | None = None
    shown: bool = True
    number: bool = False
    title: str | None = None
    brief: Callable[[str], str] | None = None
    vital: bool = False

    def of(self, row: Any) -> Any:
        """The cell in this row."""
        return row.get(self.name) if self.cell is None else self.cell(row)


class View(NamedTuple):
    """The answer of a command.

    ``documents``: what JSON shows, streamed; with ``many`` an array, otherwise the one document itself.
    ``rows``: a document's rows in a table, None where the document is the row. ``lead``: lines above a table,
    for people only. ``written``: the entry that a write made, which ``--quiet`` drops. ``bare``: every format
    shows the value alone. ``exit_status``: 0, or 3 where some rows were refused.
    """

    documents: Iterable[Any]
    columns: Sequence[Column] = ()
    many: bool = True
    rows: Callable[[Any], Iterable[Any]] | None = None
    lead: Callable[[Any], str] | None = None
    written: bool = False
    bare: bool = False
    exit_status: int = 0

    @property
    def flat(self) -> bool:
        """Whether a document is itself a row."""
        return self.rows is None

    def rows_of(self, document: Any) -> Iterable[Any]:
        """A document's rows."""
        return (document,) if self.rows is None else self.rows(document)


def choose(columns: Sequence[Column], fields: Sequence[str] | None) -> list[Column]:
    """The columns to show: those asked for in their order, else the shown ones. Raises `InvalidValue`."""
    if fields is None:
        return [column for column in columns if column.shown]
    named = {column.name: column for column in columns}
    return [named[check_field(field, list(named))] for field in fields]


def check_field(field: str, known: Sequence[str]) -> str:
    """The field's name, if there is such a field. Raises `InvalidValue`, whose hint lists the right ones."""
    if field not in known:
        raise InvalidValue(f"There is no field {field!r}.", f"Fields: {', '.join(known)}.")
    return field


def brief_moment(text: str) -> str:
    """An instant of the API to the minute, for people."""
    return text[:16].replace("T", " ")


def brief_id(text: str) -> str:
    """As much of a generated id as tells entries apart; commands take it for the whole one."""
    return text[:8] if len(text) == 36 else text


def number(value: int) -> View:
    """A bare number in every format."""
    return View((value,), many=False, bare=True)


def record(document: Document, *, written: bool = False, exit_status: int = 0) -> View:
    """One document whose fields are the columns."""
    columns = [Column(name, shown=name != "schema", number=_is_number(value)) for name, value in document.items()]
    return View((document,), columns, many=False, written=written, exit_status=exit_status)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
