"""A balance as it was at a moment, from a summary alone."""

from __future__ import annotations

from rpctl.domain.points import Summary
from rpctl.domain.values import Instant


def as_of(summary: Summary, at: Instant) -> int:
    """What was active at ``at``: added until then, less redeemed until then, less what was left unused of lots
    that had expired by then (``ledger.md`` rule 10). A change dated later never moves it."""
    added = sum(lot.points for lot in summary.added if lot.created_at <= at)
    redeemed = sum(redemption.points for redemption in summary.redeemed if redemption.created_at <= at)
    expired = sum(lot.left for lot in summary.added if lot.valid_until <= at)
    return added - redeemed - expired
