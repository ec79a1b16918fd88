"""BonifiQ's documents to domain values and back. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.values import EARLIEST, LATEST, NEVER, Instant, instant_of

if TYPE_CHECKING:
    from rpctl.backends.bonifiq import wire
    from rpctl.backends.port import Sending

_ADDS: Final = 0
_REMOVES: Final = 1
_NO_YEAR: Final = 1  # what is not set reads 0001-01-01
_LAST_YEAR: Final = 9999
_UNTOLD: Final = ("allPointsAfterCreation",)
_UNTOLD_OF_ADDED: Final = ("reference-id", "allPointsAfterCreation", "usedPoints", "usedWith")


def body_of(sending: Sending) -> dict[str, Any]:
    """The body of a change: removed points are negative."""
    adds = sending.kind == "add"
    return {
        "Points": sending.points if adds else -sending.points,
        "OperationType": _ADDS if adds else _REMOVES,
        "Reason": sending.reason,
        "ChangeKey": sending.key,
        "CustomerReason": sending.description,
    }


def summary_of(result: wire.Result, customer_id: str, zone: Callable[[], tzinfo]) -> Summary:
    """A customer's points; ``zone``: of moments without an offset. What was cancelled counts for nothing."""
    history = [one for one in result.history or () if not one.is_canceled and one.amount]
    history.sort(key=lambda one: _created(one, zone))
    return Summary(
        customer_id,
        result.points_balance,
        tuple(_added(customer_id, one, zone) for one in history if (one.amount or 0) > 0),
        tuple(_redeemed(customer_id, one, zone) for one in history if (one.amount or 0) < 0),
    )


def _added(customer_id: str, entry: wire.PointHistory, zone: Callable[[], tzinfo]) -> AddedPoints:
    return AddedPoints(
        id=entry.id or "",
        customer_id=customer_id,
        points=entry.amount or 0,
        created_at=_created(entry, zone),
        valid_until=_end(entry.expires, zone),
        all_points_after_creation=0,
        description=_description(entry),
        untold=_untold(entry, _UNTOLD_OF_ADDED),
    )


def _redeemed(customer_id: str, entry: wire.PointHistory, zone: Callable[[], tzinfo]) -> RedeemedPoints:
    return RedeemedPoints(
        id=entry.id or "",
        customer_id=customer_id,
        points=-(entry.amount or 0),
        created_at=_created(entry, zone),
        all_points_after_creation=0,
        description=_description(entry),
        untold=_untold(entry, _UNTOLD),
    )


def _untold(entry: wire.PointHistory, always: tuple[str, ...]) -> tuple[str, ...]:
    return (*always, *(["id"] * (not entry.id)), *(["createdAt"] * (not _is_set(entry.received))))


def _description(entry: wire.PointHistory) -> str:
    texts = ((text or "").strip() for text in (entry.origin, entry.point_type))
    return next(filter(None, texts), "")


def _is_set(moment: datetime | None) -> bool:
    return moment is not None and moment.year > _NO_YEAR


def _created(entry: wire.PointHistory, zone: Callable[[], tzinfo]) -> Instant:
    return _instant(entry.received, zone) if entry.received is not None and _is_set(entry.received) else 0


def _end(moment: datetime | None, zone: Callable[[], tzinfo]) -> Instant:
    if moment is None or not _is_set(moment) or moment.year >= _LAST_YEAR:
        return NEVER
    return _instant(moment, zone)


def _instant(moment: datetime, zone: Callable[[], tzinfo]) -> Instant:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone())
    return min(max(instant_of(aware), EARLIEST), LATEST)
