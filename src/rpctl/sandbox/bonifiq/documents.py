"""A customer's points as the API writes them, field for field."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Any, Final

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.values import NEVER, Instant, format_instant
from rpctl.sandbox.dataset import DataSet

_ADDED: Final = 0
_REMOVED: Final = 1


def result(customer_id: str, found: Summary | None, data: DataSet, now: Instant, error: str | None) -> dict[str, Any]:
    """What both calls tell of a customer; ``found`` None: there is none. ``error`` is what was refused."""
    return {
        "CustomerExists": found is not None,
        "InternalId": "" if found is None else _internal_id(customer_id, data),
        "PointsBalance": 0 if found is None else found.active_points,
        "PointsToExpire": [] if found is None else _to_expire(found, now),
        "CashbackBalance": 0,
        "RedeemKey": None,
        "PointHistory": [] if found is None else [_entry(entry, data) for entry in found.entries()],
        "Name": None,
        "Error": error,
    }


def _internal_id(customer_id: str, data: DataSet) -> str:
    """The same for the same customer of the same data set, and not the id that the shop knows."""
    return blake2b(customer_id.encode(), digest_size=8, key=data.identity.tenant.encode()).hexdigest()


def _to_expire(found: Summary, now: Instant) -> list[dict[str, Any]]:
    sums: Counter[Instant] = Counter()
    for lot in found.added:
        if now < lot.valid_until < NEVER and lot.left:
            sums[lot.valid_until] += lot.left
    return [{"Points": points, "When": format_instant(when)} for when, points in sorted(sums.items())]


def _entry(entry: AddedPoints | RedeemedPoints, data: DataSet) -> dict[str, Any]:
    is_lot = isinstance(entry, AddedPoints)
    until = entry.valid_until if isinstance(entry, AddedPoints) else NEVER
    return {
        "Id": entry.position,
        "IsCanceled": False,  # a correction is an entry of its own
        "DateReceived": format_instant(entry.created_at),
        "ExpirationDate": None if until >= NEVER else format_instant(until),
        "Amount": entry.points if is_lot else -entry.points,
        "CashbackAmount": 0,
        "BranchId": None,
        "BranchName": None,
        "OrderOriginDescription": None,
        "PointType": _ADDED if is_lot else _REMOVED,
        "PointTypeDescription": "" if data.is_undescribed(entry.id) else entry.description,
    }
