"""Which lots a redemption uses, and what is active at a moment (``ledger.md`` rules 1 and 2).

An `Account` is one customer's open lots (those with points left), kept in the order in which redemptions use
them. It is the one place that knows that order; a store sorts by `OpenLot`'s own fields and nothing else.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Protocol

from rpctl.domain.values import NEVER, Instant


@dataclass(slots=True, order=True)
class OpenLot:
    """A lot with points left. The order of the fields is the order of use: the earliest expiry first, never
    last; equal ones oldest first, and of one moment the one recorded first."""

    valid_until: Instant
    created_at: Instant
    position: int
    left: int = field(compare=False)


_ORDER: Final = attrgetter("valid_until", "created_at", "position")


class LotStore(Protocol):
    """Where lots lie that an account has not read; ``place`` is the customer's place there."""

    def open_lots(self, place: int) -> Iterable[OpenLot]:
        """The customer's open lots in their order of use."""
        ...

    def active_points_of(self, place: int, at: Instant) -> int:
        """What is active at a moment, without handing over a lot."""
        ...


class Account:
    """What one customer has left, followed through a row of changes.

    ``open_points`` is the sum over all open lots, expired ones included; ``no_expiry_before`` a moment up to
    which none of them expires (a lower bound is enough), so that most questions need no lot at all; ``store``
    has the open lots when one does (None: there are none but those that are added).
    """

    __slots__ = ("_lots", "_place", "_store", "_touched", "latest_created_at", "no_expiry_before", "open_points")

    def __init__(
        self,
        open_points: int = 0,
        no_expiry_before: Instant = NEVER,
        latest_created_at: Instant | None = None,
        place: int = 0,
        store: LotStore | None = None,
    ) -> None:
        self.open_points = open_points
        self.no_expiry_before = no_expiry_before
        self.latest_created_at = latest_created_at
        self._place = place
        self._store = store
        self._lots: list[OpenLot] | None = None
        self._touched: list[OpenLot] | None = None

    def has_lots(self, lots: list[OpenLot]) -> None:
        """Hands over all open lots, in their order of use, before any other call: the store is not asked for them."""
        self._lots = lots

    def active_points(self, at: Instant) -> int:
        """The sum of what is left of the lots with a ``valid_until`` later than ``at``."""
        if at < self.no_expiry_before:
            return self.open_points
        if self._store is not None and self._lots is None and not self._touched:
            return self._store.active_points_of(self._place, at)
        expired = 0
        for lot in self._open_lots():
            if lot.valid_until > at:
                break
            expired += lot.left
        return self.open_points - expired

    def add(self, lot: OpenLot) -> None:
        """A new lot."""
        self.open_points += lot.left
        self.no_expiry_before = min(self.no_expiry_before, lot.valid_until)
        if self._lots is not None:
            insort(self._lots, lot, key=_ORDER)
        elif self._touched is None:
            self._touched = [lot]
        else:
            self._touched.append(lot)

    def redeem(self, points: int, at: Instant) -> list[tuple[OpenLot, int]] | None:
        """Takes ``points`` from the lots valid at ``at``: each lot drawn on and how much, with ``left`` already
        lowered; None, and nothing taken, where they do not suffice."""
        if self.active_points(at) < points:
            return None
        if self._store is not None and self._lots is None and not self._touched:
            return self._redeem_unread(points, at, self._store)
        lots = self._open_lots()
        first = bisect_right(lots, at, key=attrgetter("valid_until"))
        draws: list[tuple[OpenLot, int]] = []
        emptied = 0
        wanted = points
        while wanted:
            lot = lots[first + len(draws)]
            take = min(lot.left, wanted)
            lot.left -= take
            wanted -= take
            emptied += lot.left == 0
            draws.append((lot, take))
        del lots[first : first + emptied]
        self.open_points -= points
        return draws

    def _redeem_unread(self, points: int, at: Instant, store: LotStore) -> list[tuple[OpenLot, int]]:
        """The same, reading no more lots than are drawn on: a customer may have very many."""
        draws: list[tuple[OpenLot, int]] = []
        wanted = points
        for lot in store.open_lots(self._place):
            if lot.valid_until <= at:
                continue
            take = min(lot.left, wanted)
            lot.left -= take
            wanted -= take
            draws.append((lot, take))
            if not wanted:
                break
        self._touched = [lot for lot, _ in draws]
        self.open_points -= points
        return draws

    def take_back(self, position: int, at: Instant) -> tuple[OpenLot, int] | None:
        """Takes all that is left of one lot if it is still valid at ``at``: the lot and how much; else None."""
        lots = self._open_lots()
        lot = next((lot for lot in lots if lot.position == position), None)
        if lot is None or lot.valid_until <= at:
            return None
        taken, lot.left = lot.left, 0
        lots.remove(lot)
        self.open_points -= taken
        return lot, taken

    def _open_lots(self) -> list[OpenLot]:
        if self._lots is None:
            touched = self._touched or []
            own = {lot.position for lot in touched}  # the store has them as they were, or saved already
            stored = self._store.open_lots(self._place) if self._store is not None else ()
            read = (lot for lot in stored if lot.position not in own)
            self._lots = sorted([*read, *(lot for lot in touched if lot.left)], key=_ORDER)
        return self._lots
