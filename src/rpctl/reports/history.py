"""A customer's changes one by one, with the expiries between them.

The changes stand in recording order. A balance is one of a date, so the lines walk from the date of one change to
that of the next:

- forward, past the ends of lots: what is left of a lot by then (as of the changes above, not as of today) goes by
  a line ``expired``, once for each lot;
- back, where a change is dated before the one above it: what a line above let expire and what had not expired by
  that date stands in the balance again, by one line ``backdated``. On the way forward another ``backdated`` line
  takes away what of it is still left. Both carry the id of the backdated change;
- at the end to now.

So every balance is the one before it plus the points of its line, that of a change is its stored
``allPointsAfterCreation``, and the last one is what is active now. (The one exception: the balance of a lot that is
valid for no moment at all is the stored one only after its expiry, which is the next line.) Where the numbers that
a backend gives do not add up, a line ``unexplained`` before the change says by how much. Of a lot of which it does not
tell how much was used no expiry is made up: what went that way is in the last ``unexplained`` line.

There are at most four lines for a change, however the dates lie, and the time taken is in step with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from rpctl.domain.expiries import SumsByExpiry
from rpctl.domain.points import AddedPoints, Entry, Summary
from rpctl.domain.values import NEVER, Instant
from rpctl.errors import InvalidValue
from rpctl.reports.draws import draws

TYPES: Final = ("added", "redeemed", "expired", "backdated", "unexplained")


@dataclass(frozen=True, slots=True)
class Line:
    """One change of the balance: ``points`` is signed. ``entry`` is the lot that expired where ``kind`` is
    ``expired``, and the change that is the cause where it is ``backdated`` or ``unexplained``."""

    kind: str
    at: Instant
    points: int
    balance: int
    entry: Entry


def history(
    summary: Summary,
    now: Instant,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    kind: str | None = None,
) -> Iterator[Line]:
    """The lines as this module's docstring has them; ``now`` is the moment at which the summary was read.

    ``since`` and ``until`` are inclusive and mean the date of the line; a line that is left out still counts in the
    balances of the others. Raises `InvalidValue` for a type that is none of ``TYPES``.
    """
    if kind is not None and kind not in TYPES:
        raise InvalidValue(f"There is no type {kind!r}.", f"Types: {', '.join(TYPES)}.")
    return (
        line
        for line in _Walk(summary).lines(now)
        if (kind is None or line.kind == kind)
        and (since is None or line.at >= since)
        and (until is None or line.at <= until)
    )


class _Walk:
    """From one change to the next: at which date, what is left of each lot by then, and the balance."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._draws = draws(summary)
        self._left = {lot.id: lot.left for lot in summary.added}  # less what is not yet taken: see the next lines
        for drawn in self._draws.values():
            for lot, points in drawn:
                self._left[lot.id] += points
        self._waiting: list[tuple[Instant, int, AddedPoints]] = []  # a heap of the recorded lots not yet expired
        self._expired = SumsByExpiry(lot.valid_until for lot in summary.added)  # what is left of those that have
        self._has_expired: set[str] = set()
        self._at = self._latest = -NEVER
        self._balance = 0

    def lines(self, now: Instant) -> Iterator[Line]:
        entry: Entry | None = None
        backdated: Entry | None = None
        for place, entry in enumerate(self._summary.entries()):
            if entry.created_at < self._at:
                backdated = entry
            yield from self._go(entry.created_at, backdated or entry)
            yield from self._change(entry, place)
        if entry is not None:
            yield from self._go(now, backdated or entry)
            yield from self._unexplained(self._summary.active_points, self._balance, entry)

    def _go(self, to: Instant, backdated: Entry) -> Iterator[Line]:
        """To another date; ``backdated``: the latest change that went back."""
        before, turn = self._at, min(to, self._latest)
        again = self._expired.later_than(turn) - self._expired.later_than(before)
        if to >= before:
            yield from self._expiries(turn)
        self._at = to
        if again:
            yield self._line("backdated", turn, again, backdated)
        if to > self._latest:
            yield from self._expiries(to)
            self._latest = to

    def _expiries(self, until: Instant) -> Iterator[Line]:
        while self._waiting and self._waiting[0][0] <= until:
            valid_until, _, lot = heappop(self._waiting)
            left = self._left[lot.id]
            self._expired.add(valid_until, left)
            self._has_expired.add(lot.id)
            if left:
                yield self._line("expired", valid_until, -left, lot)

    def _change(self, entry: Entry, place: int) -> Iterator[Line]:
        stored = entry.all_points_after_creation if "allPointsAfterCreation" not in entry.untold else None
        if isinstance(entry, AddedPoints):
            is_known = "usedPoints" not in entry.untold
            at_once = self._left[entry.id] if is_known and entry.valid_until <= self._at else 0
            yield from self._unexplained(stored, self._balance + entry.points - at_once, entry)
            yield self._line("added", self._at, entry.points, entry)
            if is_known:
                heappush(self._waiting, (entry.valid_until, place, entry))
            if at_once:
                yield from self._expiries(self._at)
            return
        for lot, points in self._draws.get(entry.id, ()):
            self._left[lot.id] -= points
            if lot.id in self._has_expired:
                self._expired.add(lot.valid_until, -points)
        yield from self._unexplained(stored, self._balance - entry.points, entry)
        yield self._line("redeemed", self._at, -entry.points, entry)

    def _unexplained(self, stored: int | None, expected: int, entry: Entry) -> Iterator[Line]:
        if stored is not None and stored != expected:
            yield self._line("unexplained", self._at, stored - expected, entry)

    def _line(self, kind: str, at: Instant, points: int, entry: Entry) -> Line:
        self._balance += points
        return Line(kind, at, points, self._balance, entry)
