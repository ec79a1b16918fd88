"""Why a customer has the points that they have: lot by lot, and whether the numbers add up."""

from __future__ import annotations

from dataclasses import dataclass

from rpctl.domain.expiries import SumsByExpiry
from rpctl.domain.points import AddedPoints, Entry, Summary
from rpctl.domain.values import Instant
from rpctl.reports.draws import uses, with_amounts


@dataclass(frozen=True, slots=True)
class LotStory:
    """A lot and what became of it: granted = used + expired + left."""

    lot: AddedPoints
    used: int
    expired: int
    left: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first entry where the stored balance is not what the entries up to it come to."""

    entry: Entry
    stored: int
    expected: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All lots of a customer in recording order. ``mismatch`` is None where every number adds up."""

    customer_id: str
    active_points: int
    lots: tuple[LotStory, ...]
    mismatch: Mismatch | None


def explain(summary: Summary, now: Instant) -> Explanation:
    """Lot by lot: granted, used, expired and left at ``now``; and the balances, recomputed from the beginning."""
    stories = []
    for lot in with_amounts(summary).added:
        valid = lot.is_valid(now)
        stories.append(LotStory(lot, lot.used_points, 0 if valid else lot.left, lot.left if valid else 0))
    return Explanation(summary.customer_id, summary.active_points, tuple(stories), _first_mismatch(summary))


def _first_mismatch(summary: Summary) -> Mismatch | None:
    sums = SumsByExpiry(lot.valid_until for lot in summary.added)
    recorded: set[str] = set()
    used = uses(summary)
    for entry in summary.entries():
        if isinstance(entry, AddedPoints):
            recorded.add(entry.id)
            sums.add(entry.valid_until, entry.points)
        for lot, use in used.get(entry.id, ()):
            if use.points is None:
                return None  # the backend does not say how much each lot gave: nothing to recompute from
            if lot.id in recorded:
                sums.add(lot.valid_until, -use.points)
        expected = sums.later_than(entry.created_at)
        if expected != entry.all_points_after_creation and "allPointsAfterCreation" not in entry.untold:
            return Mismatch(entry, entry.all_points_after_creation, expected)
    return None
