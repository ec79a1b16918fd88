"""Why a customer has the points that they have: lot by lot, and whether the numbers add up."""

from __future__ import annotations

from dataclasses import dataclass

from rpctl.domain.expiries import SumsByExpiry
from rpctl.domain.points import AddedPoints, Entry, Summary, Use
from rpctl.domain.values import Instant


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
    for lot in summary.added:
        valid = lot.is_valid(now)
        stories.append(LotStory(lot, lot.used_points, 0 if valid else lot.left, lot.left if valid else 0))
    return Explanation(summary.customer_id, summary.active_points, tuple(stories), _first_mismatch(summary))


def _first_mismatch(summary: Summary) -> Mismatch | None:
    until = {lot.id: lot.valid_until for lot in summary.added}
    sums = SumsByExpiry(until.values())
    recorded: set[str] = set()
    draws = _draws(summary)
    for entry in summary.entries():
        if isinstance(entry, AddedPoints):
            recorded.add(entry.id)
            sums.add(entry.valid_until, entry.points)
        for lot_id, use in draws.get(entry.id, ()):
            if use.points is None:
                return None  # the backend does not say how much each lot gave: nothing to recompute from
            if lot_id in recorded:
                sums.add(until[lot_id], -use.points)
        expected = sums.later_than(entry.created_at)
        if expected != entry.all_points_after_creation:
            return Mismatch(entry, entry.all_points_after_creation, expected)
    return None


def _draws(summary: Summary) -> dict[str, list[tuple[str, Use]]]:
    draws: dict[str, list[tuple[str, Use]]] = {}
    for lot in summary.added:
        for use in lot.used_with:
            draws.setdefault(use.redemption_id, []).append((lot.id, use))
    return draws
