"""What the undoing of an import comes to for one customer, from the customer's summary. Pure.

As on a ledger (``import.md``): from the latest row back; what the run redeemed is given back, and what it added taken
as far as it is left, then from what this undo gave back. The service itself chooses the lots that a redemption uses, so
all amounts are decided at once, from one summary, before the customer's first request leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rpctl.backends.port import Sending
from rpctl.delivery import reconcile
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.requests import ends_of, fingerprint, marks_of, reversal_of
from rpctl.domain.changes import Reverse
from rpctl.domain.points import AddedPoints, description_of

if TYPE_CHECKING:
    from rpctl.domain.points import RedeemedPoints, Summary
    from rpctl.domain.values import Instant

SPENT: Final = "spent"
EXPIRED: Final = "expired"
REVERSED_BEFORE: Final = "reversed_before"
NOT_FOUND: Final = "entry_not_found"
"""Why a row, or some of its points, is not reversed: the codes of the journal's rows that say so."""


class Takeback:
    """The plan for one customer. ``run``: whose rows they are; ``target``: see `Service`."""

    def __init__(self, run: str, target: str, summary: Summary, now: Instant) -> None:
        self._run = run
        self._target = target
        self._summary = summary
        self._now = now
        self._active = summary.active_points
        self._given = 0
        self._marks = {mark for one in summary.entries() for mark in (one.id, one.token) if mark}

    def plan(self, rows: Sequence[Delivery]) -> list[Delivery]:
        """What the journal is to hold: for each of the rows (the latest first) its reversal, `planned`, and what of it
        is not to be had back, `refused` under one of the codes."""
        return [planned for row in rows for planned in self._of(row)]

    def _of(self, row: Delivery) -> list[Delivery]:
        entry = reconcile.find(row.sending, self._summary, row.key)
        if entry is None:
            return [self._left(row, "", row.sending.points, NOT_FOUND)]
        own = marks_of(self._target, reversal_of(entry.id))
        if not self._marks.isdisjoint(own):
            return [self._left(row, entry.id, entry.points, REVERSED_BEFORE)]
        if isinstance(entry, AddedPoints):
            return self._take(row, entry, own)
        return self._give(row, entry, own)

    def _take(self, row: Delivery, lot: AddedPoints, own: tuple[str, str]) -> list[Delivery]:
        is_valid = lot.is_valid(self._now)
        from_lot = min(lot.left, self._active) if is_valid else 0
        expired = 0 if is_valid else lot.left
        from_given = max(min(lot.points - lot.left, self._given, self._active - from_lot), 0)
        taken = from_lot + from_given
        self._given -= from_given
        self._active -= taken
        planned = []
        if taken:
            about = description_of(redeemed=True, is_reversal=True)
            sending = Sending(
                "redeem", row.sending.customer_id, taken, *own, description=about, short=lot.points - taken,
                reverses=lot.id,
            )  # fmt: skip
            planned.append(self._reversal(row, sending))
        spent = lot.points - taken - expired
        planned += [self._left(row, lot.id, spent, SPENT)] * (spent > 0)
        return planned + [self._left(row, lot.id, expired, EXPIRED)] * (expired > 0)

    def _give(self, row: Delivery, redemption: RedeemedPoints, own: tuple[str, str]) -> list[Delivery]:
        valid_until = ends_of(redemption, self._summary)
        if valid_until <= self._now:
            return [self._left(row, redemption.id, redemption.points, EXPIRED)]
        self._given += redemption.points
        self._active += redemption.points
        sending = Sending(
            "add", row.sending.customer_id, redemption.points, *own,
            description=description_of(redeemed=False, is_reversal=True), valid_until=valid_until,
            reverses=redemption.id,
        )  # fmt: skip
        return [self._reversal(row, sending)]

    def _reversal(self, row: Delivery, sending: Sending) -> Delivery:
        assert sending.reverses is not None
        key = reversal_of(sending.reverses)
        asked = fingerprint(Reverse(sending.customer_id, sending.reverses, key))
        return Delivery(key, asked, State.PLANNED, 0, sending, run=self._run, line=row.line)

    def _left(self, row: Delivery, entry_id: str, points: int, why: str) -> Delivery:
        """A note that so many points of a row stay as they are."""
        sending = Sending(row.sending.kind, row.sending.customer_id, points, "", "", reverses=entry_id)
        key = f"{why} of {row.key} in {self._run}"
        return Delivery(key, "", State.REFUSED, 0, sending, run=self._run, line=row.line, told=(why, ""))
