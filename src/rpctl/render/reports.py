"""Views of the reports: history and explain. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rpctl.domain.points import AddedPoints, Summary
from rpctl.domain.values import format_instant
from rpctl.render.points import moment
from rpctl.render.views import Column, View, brief_id, brief_moment
from rpctl.reports.explain import Explanation, LotStory, Mismatch
from rpctl.reports.history import Line

_HISTORY_COLUMNS: Final = (
    Column("date", title="date (UTC)", brief=brief_moment),
    Column("type", vital=True),
    Column("points", number=True),
    Column("balance", number=True),
    Column("validUntil", title="valid until", brief=brief_moment),
    Column("reference-id", title="reference"),
    Column("description"),
    Column("couponCode", title="coupon"),
    Column("id", brief=brief_id, vital=True),
    Column("reverses", brief=brief_id),
)

_LOT_COLUMNS: Final = (
    Column("createdAt", title="created (UTC)", brief=brief_moment),
    Column("granted", number=True),
    Column("used", number=True),
    Column("expired", number=True),
    Column("left", number=True),
    Column("validUntil", title="valid until", brief=brief_moment),
    Column("reference-id", title="reference"),
    Column("id", brief=brief_id, vital=True),
    Column(
        "usedWith",
        lambda row: " ".join(f"{use['id']}:{use['points']}" for use in row["usedWith"]),
        title="used with",
        brief=lambda text: " ".join(f"{use[:8]}:{use.split(':')[-1]}" for use in text.split()),
    ),
)

_ABOUT_THE_CHAIN: Final = {
    ("backdated", True): "not expired by that date",
    ("backdated", False): "expired since that date",
    ("unexplained", True): "more is stored than the lines come to",
    ("unexplained", False): "less is stored than the lines come to",
}
"""What a line that is no change and no expiry says of itself, by its type and whether points come or go."""


def history(summary: Summary, lines: Iterable[Line]) -> View:
    """``rpctl.history/1``: a line per change, expiries included."""
    document = {
        "schema": "rpctl.history/1",
        "customerId": summary.customer_id,
        "activePoints": summary.active_points,
        "history": [_line(line) for line in lines],
    }
    lead = f"Customer {summary.customer_id}: {summary.active_points} active points"
    return View((document,), _HISTORY_COLUMNS, many=False, rows=lambda doc: doc["history"], lead=lambda _: lead)


def _line(line: Line) -> dict[str, Any]:
    entry = line.entry
    about = _ABOUT_THE_CHAIN.get((line.kind, line.points > 0))
    lot = entry if isinstance(entry, AddedPoints) and about is None else None
    return {
        "date": format_instant(line.at),
        "type": line.kind,
        "points": line.points,
        "balance": line.balance,
        "validUntil": moment(lot.valid_until) if lot else None,
        "reference-id": lot.reference_id if lot else None,
        "description": about or entry.description,
        "couponCode": None if about else getattr(entry, "coupon_code", None),
        "id": entry.id,
        "reverses": None if about else entry.reverses,
    }


def explanation(found: Explanation) -> View:
    """``rpctl.explain/1``: a lot a line, and where the numbers stop adding up."""
    mismatch = found.mismatch
    document = {
        "schema": "rpctl.explain/1",
        "customerId": found.customer_id,
        "activePoints": found.active_points,
        "lots": [_lot(story) for story in found.lots],
        "firstMismatch": None
        if mismatch is None
        else {"id": mismatch.entry.id, "stored": mismatch.stored, "expected": mismatch.expected},
    }
    verdict = "every number adds up" if mismatch is None else f"the numbers {_where(mismatch)}"
    lead = f"Customer {found.customer_id}: {found.active_points} active points; {verdict}"
    return View((document,), _LOT_COLUMNS, many=False, rows=lambda doc: doc["lots"], lead=lambda _: lead)


def mismatch_warning(found: Explanation) -> str | None:
    """What to warn of in every format: the entry at which the numbers stop adding up; None where they never do.

    Rows alone (tsv, csv) have no place for it, and a table and JSON may be read past it.
    """
    if found.mismatch is None:
        return None
    return f"The numbers of customer {found.customer_id} {_where(found.mismatch)}."


def _where(mismatch: Mismatch) -> str:
    return f"stop adding up at entry {mismatch.entry.id}: {mismatch.stored} is stored, {mismatch.expected} expected"


def _lot(story: LotStory) -> dict[str, Any]:
    lot = story.lot
    return {
        "id": lot.id,
        "createdAt": format_instant(lot.created_at),
        "validUntil": moment(lot.valid_until),
        "reference-id": lot.reference_id,
        "granted": lot.points,
        "used": story.used,
        "usedWith": [{"id": use.redemption_id, "points": use.points} for use in lot.used_with],
        "expired": story.expired,
        "left": story.left,
    }
