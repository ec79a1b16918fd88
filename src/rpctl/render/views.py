"""What a command answers with, before any format: documents for programs, rows and columns for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary
from rpctl.domain.values import NEVER, Instant, format_instant
from rpctl.errors import InvalidValue

FORMATS: Final = ("table", "tsv", "csv", "json", "jsonl")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the field's name, how its cell is had from a row (by default the row's own field of that name),
    whether it is shown unless asked for, and whether it is a number (set right)."""

    name: str
    cell: Callable[[Any], Any] | None = None
    shown: bool = True
    number: bool = False

    def of(self, row: Any) -> Any:
        """The cell in this row."""
        return row.get(self.name) if self.cell is None else self.cell(row)


@dataclass(frozen=True, slots=True)
class View:
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


def moment(instant: Instant | None) -> str | None:
    """An instant as the API writes it; None for never."""
    return None if instant is None or instant >= NEVER else format_instant(instant)


# -- points -----------------------------------------------------------------------------------------------


def added_document(lot: AddedPoints) -> dict[str, Any]:
    """AddedPoints of the API, field for field; ``validUntil`` is left out where the points never expire."""
    document: dict[str, Any] = {
        "id": lot.id,
        "reference-id": lot.reference_id,
        "description": lot.description,
        "points": lot.points,
        "createdAt": format_instant(lot.created_at),
        "allPointsAfterCreation": lot.all_points_after_creation,
        "usedPoints": lot.used_points,
        "validUntil": moment(lot.valid_until),
        "usedWith": [use.redemption_id for use in lot.used_with],
    }
    if document["validUntil"] is None:
        del document["validUntil"]
    return document


def redeemed_document(redemption: RedeemedPoints) -> dict[str, Any]:
    """RedeemedPoints of the API, field for field."""
    return {
        "id": redemption.id,
        "description": redemption.description,
        "points": redemption.points,
        "createdAt": format_instant(redemption.created_at),
        "allPointsAfterCreation": redemption.all_points_after_creation,
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """The API's document of either kind of entry."""
    return added_document(entry) if isinstance(entry, AddedPoints) else redeemed_document(entry)


def summary_document(summary: Summary) -> dict[str, Any]:
    """Summary of the API (operations 1 and 5), field for field."""
    return {
        "customerId": summary.customer_id,
        "activePoints": summary.active_points,
        "summary": {
            "addedPointsList": [added_document(lot) for lot in summary.added],
            "redeemedPointsList": [redeemed_document(redemption) for redemption in summary.redeemed],
        },
    }


ENTRY_COLUMNS: Final = (
    Column("type", lambda row: "added" if "usedPoints" in row else "redeemed"),
    Column("points", number=True),
    Column("allPointsAfterCreation", number=True),
    Column("createdAt"),
    Column("validUntil"),
    Column("usedPoints", number=True),
    Column("reference-id"),
    Column("description"),
    Column("id"),
    Column("usedWith", lambda row: " ".join(row.get("usedWith", ())), shown=False),
)

SUMMARY_COLUMNS: Final = (
    Column("customerId"),
    Column("activePoints", number=True),
    Column("added", lambda row: _total(row, "addedPointsList"), number=True),
    Column("redeemed", lambda row: _total(row, "redeemedPointsList"), number=True),
    Column("entries", lambda row: sum(map(len, row["summary"].values())), number=True),
)


def written_entry(entry: Entry, **more: Any) -> View:
    """The entry that a write made; ``more`` are facts beside the API's own, such as a coupon's code."""
    document = {**entry_document(entry), **more}
    columns = [column for column in ENTRY_COLUMNS if column.name in document or column.name == "type"]
    columns += [Column(name) for name in more]
    return View((document,), columns, many=False, written=True)


WRITTEN_FIELDS: Final = tuple(column.name for column in ENTRY_COLUMNS)
"""What ``--fields`` may name of a written entry, known before anything is written."""


def customer_summary(summary: Summary) -> View:
    """One customer's added and redeemed points; a table shows an entry a line, in recording order."""
    order = {entry.id: at for at, entry in enumerate(summary.entries())}

    def rows(document: Document) -> list[Any]:
        lists = document["summary"]
        both = [*lists["addedPointsList"], *lists["redeemedPointsList"]]
        return sorted(both, key=lambda entry: order[entry["id"]])

    lead = f"Customer {summary.customer_id}: {summary.active_points} active points"
    return View((summary_document(summary),), ENTRY_COLUMNS, many=False, rows=rows, lead=lambda _: lead)


def summaries(stream: Iterable[Summary]) -> View:
    """Everybody's summary, streamed; a table shows a customer a line."""
    return View(map(summary_document, stream), SUMMARY_COLUMNS)


def customers(stream: Iterable[tuple[str, int]]) -> View:
    """Customer ids and active points, streamed."""
    documents = ({"customerId": customer_id, "activePoints": points} for customer_id, points in stream)
    return View(documents, (Column("customerId"), Column("activePoints", number=True)))


def number(value: int) -> View:
    """A bare number in every format."""
    return View((value,), many=False, bare=True)


def record(document: Document, *, hidden: Sequence[str] = (), written: bool = False, exit_status: int = 0) -> View:
    """One document whose fields are the columns."""
    columns = [
        Column(name, shown=name not in hidden and name != "schema", number=_is_number(value))
        for name, value in document.items()
    ]
    return View((document,), columns, many=False, written=written, exit_status=exit_status)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _total(summary: Document, which: str) -> int:
    return sum(entry["points"] for entry in summary["summary"][which])
