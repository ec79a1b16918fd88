"""Views of points, entries and customers: the API's own documents, field for field. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary
from rpctl.domain.values import NEVER, Instant, format_instant
from rpctl.render.views import Column, Document, View, brief_id, brief_moment


def moment(instant: Instant | None) -> str | None:
    """An instant as the API writes it; None for never."""
    return None if instant is None or instant >= NEVER else format_instant(instant)


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
    return _told(lot, document)


def redeemed_document(redemption: RedeemedPoints) -> dict[str, Any]:
    """RedeemedPoints of the API, field for field."""
    document = {
        "id": redemption.id,
        "description": redemption.description,
        "points": redemption.points,
        "createdAt": format_instant(redemption.created_at),
        "allPointsAfterCreation": redemption.all_points_after_creation,
    }
    return _told(redemption, document)


def entry_document(entry: Entry) -> dict[str, Any]:
    """The API's document of either kind of entry."""
    return added_document(entry) if isinstance(entry, AddedPoints) else redeemed_document(entry)


def _told(entry: Entry, document: dict[str, Any]) -> dict[str, Any]:
    """Without what the service did not tell: nothing is made up in its place."""
    return {name: value for name, value in document.items() if name not in entry.untold} if entry.untold else document


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
    Column("createdAt", title="created (UTC)", brief=brief_moment),
    Column("type", vital=True),
    Column("points", number=True),
    Column("allPointsAfterCreation", number=True, title="balance"),
    Column("usedPoints", number=True, title="used"),
    Column("validUntil", title="valid until", brief=brief_moment),
    Column("reference-id", title="reference"),
    Column("description"),
    Column("id", brief=brief_id, vital=True),
    Column("usedWith", lambda row: " ".join(row.get("usedWith", ())), shown=False),
)

SUMMARY_COLUMNS: Final = (
    Column("customerId"),
    Column("activePoints", number=True),
    Column("added", lambda row: _total(row, "addedPointsList"), number=True),
    Column("redeemed", lambda row: _total(row, "redeemedPointsList"), number=True),
    Column("entries", lambda row: sum(map(len, row["summary"].values())), number=True),
)


_WRITTEN_COLUMNS: Final = (*ENTRY_COLUMNS, Column("code"))

WRITTEN_FIELDS: Final = tuple(column.name for column in _WRITTEN_COLUMNS)
"""What ``--fields`` may name of a written entry, whatever kind it turns out to be: known before anything is written."""


def written_entry(entry: Entry, **more: Any) -> View:
    """The entry that a write made; ``more`` are facts beside the API's own: the ``code`` of a coupon."""
    document = {**entry_document(entry), **more}
    kind = Column("type", lambda _: _kind(entry), vital=True)
    columns = [
        kind if column.name == "type" else column._replace(shown=column.shown and column.name in document)
        for column in _WRITTEN_COLUMNS
    ]
    return View((document,), columns, many=False, written=True)


def customer_summary(summary: Summary) -> View:
    """One customer's added and redeemed points; a table shows an entry a line, in recording order."""

    def rows(_: Document) -> list[Document]:
        return [{"type": _kind(entry), **entry_document(entry)} for entry in summary.entries()]

    lead = f"Customer {summary.customer_id}: {summary.active_points} active points"
    return View((summary_document(summary),), ENTRY_COLUMNS, many=False, rows=rows, lead=lambda _: lead)


def _kind(entry: Entry) -> str:
    return "added" if isinstance(entry, AddedPoints) else "redeemed"


def summaries(stream: Iterable[Summary]) -> View:
    """Everybody's summary, streamed; a table shows a customer a line."""
    return View(map(summary_document, stream), SUMMARY_COLUMNS)


def customers(stream: Iterable[tuple[str, int]]) -> View:
    """Customer ids and active points, streamed."""
    documents = ({"customerId": customer_id, "activePoints": points} for customer_id, points in stream)
    return View(documents, (Column("customerId"), Column("activePoints", number=True)))


def _total(summary: Document, which: str) -> int:
    return sum(entry["points"] for entry in summary["summary"][which])
