"""Points as the API writes them, field for field."""

from __future__ import annotations

from typing import Any

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.values import NEVER, format_instant
from rpctl.sandbox.dataset import DataSet


def summary(found: Summary, data: DataSet) -> dict[str, Any]:
    """Summary (operations 1, 5 and 9)."""
    return {
        "customerId": found.customer_id,
        "activePoints": found.active_points,
        "summary": {
            "addedPointsList": [added(lot, data) for lot in found.added],
            "redeemedPointsList": [redeemed(redemption, data) for redemption in found.redeemed],
        },
    }


def added(lot: AddedPoints, data: DataSet) -> dict[str, Any]:
    """AddedPoints; points that never expire have no ``validUntil``."""
    document: dict[str, Any] = {
        "id": data.id_of(lot.id),
        "reference-id": lot.reference_id,
        "description": "" if data.is_undescribed(lot.id) else lot.description,
        "points": lot.points,
        "createdAt": format_instant(lot.created_at),
        "allPointsAfterCreation": lot.all_points_after_creation,
        "usedPoints": lot.used_points,
    }
    if lot.valid_until < NEVER:
        document["validUntil"] = format_instant(lot.valid_until)
    document["usedWith"] = [data.id_of(use.redemption_id) for use in lot.used_with]
    return document


def redeemed(redemption: RedeemedPoints, data: DataSet) -> dict[str, Any]:
    """RedeemedPoints."""
    return {
        "id": data.id_of(redemption.id),
        "description": "" if data.is_undescribed(redemption.id) else redemption.description,
        "points": redemption.points,
        "createdAt": format_instant(redemption.created_at),
        "allPointsAfterCreation": redemption.all_points_after_creation,
    }
