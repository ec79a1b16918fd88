"""Which lots a redemption drew on and how much each gave, from a summary alone."""

from __future__ import annotations

from dataclasses import replace

from rpctl.domain.lots import OpenLot
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use

Draws = dict[str, list[tuple[AddedPoints, int]]]
"""By the id of the redemption: the lots that it drew on, and how many points it took from each."""


def uses(summary: Summary) -> dict[str, list[tuple[AddedPoints, Use]]]:
    """By the id of the redemption: the lots that name it, as they say it."""
    found: dict[str, list[tuple[AddedPoints, Use]]] = {}
    for lot in summary.added:
        for use in lot.used_with:
            found.setdefault(use.redemption_id, []).append((lot, use))
    return found


def draws(summary: Summary) -> Draws:
    """What every redemption took from every lot.

    Where a backend names a redemption but not how much it took, the amounts follow from the order of use
    (``ledger.md`` rule 2): each lot that it names gave all it had left, and the last one the rest. Of a lot whose
    amounts do not come to its ``usedPoints`` in the end nothing is claimed: it is left out.
    """
    named = uses(summary)
    left = {lot.id: lot.points for lot in summary.added}
    found: Draws = {}
    for entry in summary.entries():
        if isinstance(entry, RedeemedPoints) and entry.id in named:
            found[entry.id] = _amounts(entry, named[entry.id], left)
            for lot, points in found[entry.id]:
                left[lot.id] -= points
    return {
        redemption: [(lot, points) for lot, points in drawn if left[lot.id] == lot.left]
        for redemption, drawn in found.items()
    }


def with_amounts(summary: Summary) -> Summary:
    """The summary in which every use says how many points it took, as far as `draws` can tell."""
    if all(use.points is not None for lot in summary.added for use in lot.used_with):
        return summary
    taken = {(lot.id, redemption): points for redemption, drawn in draws(summary).items() for lot, points in drawn}

    def told(lot: AddedPoints) -> AddedPoints:
        uses = (
            use if use.points is not None else replace(use, points=taken.get((lot.id, use.redemption_id)))
            for use in lot.used_with
        )
        return replace(lot, used_with=tuple(uses))

    return replace(summary, added=tuple(map(told, summary.added)))


def _amounts(
    redemption: RedeemedPoints, named: list[tuple[AddedPoints, Use]], left: dict[str, int]
) -> list[tuple[AddedPoints, int]]:
    known = [(lot, use.points) for lot, use in named if use.points is not None]
    unknown = [lot for lot, use in named if use.points is None]
    wanted = redemption.points - sum(points for _, points in known)
    for lot in sorted(unknown, key=lambda lot: OpenLot(lot.valid_until, lot.created_at, lot.position or 0, 0)):
        points = min(left[lot.id], max(wanted, 0))
        wanted -= points
        known.append((lot, points))
    return known
