"""Points by the moment they expire, and quick sums of them; it knows no rule of the ledger."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from rpctl.domain.values import Instant


class SumsByExpiry:
    """Points by the moment they expire, with the sum of all that expire after some moment.

    A Fenwick tree: both take logarithmic time, so that a customer with a hundred thousand entries is gone through
    in a second and not in an hour. ``moments``: every ``validUntil`` that will be added to.
    """

    __slots__ = ("_moments", "_total", "_tree")

    def __init__(self, moments: Iterable[Instant]) -> None:
        self._moments = sorted(set(moments))
        self._tree = [0] * (len(self._moments) + 1)
        self._total = 0

    def add(self, moment: Instant, points: int) -> None:
        """So many points more (or, negative, fewer) that expire at one of the moments."""
        self._total += points
        at = bisect_left(self._moments, moment) + 1
        while at < len(self._tree):
            self._tree[at] += points
            at += at & -at

    def later_than(self, moment: Instant) -> int:
        """The sum of what expires after any moment at all."""
        expired = 0
        at = bisect_right(self._moments, moment)
        while at:
            expired += self._tree[at]
            at &= at - 1
        return self._total - expired
