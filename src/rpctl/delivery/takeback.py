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
from rpctl.domain.points import AddedPoints

if TYPE_CHECKING:
    from rpctl.domain.points import RedeemedPoints, Summary
    from rpctl.domain.values import Instant

SPENT: Final = "spent"
EXPIRED: Final = "expired"
REVERSED_BEFORE: Final = "reversed_before"
CUSTOMER_GONE: Final = "customer_not_found"
"""Why a row, or some of its points, is not reversed: the codes of the journal's rows that say so."""


_ABOUT: Final = "reversal"  # no longer than what changes say of themselves: as far as marks are known to reach


def basis(summary: Summary, all_rows: Sequence[Delivery]) -> tuple[str, str]:
    """What a plan rests on, the same as long as nothing but this undoing changes the customer's points."""
    ours = [row.sending for row in all_rows if row.sending.reverses and row.state is State.APPLIED]
    taken = sum(one.points if one.kind == "redeem" else -one.points for one in ours)
    return "planned", f"{len(summary.entries()) - len(ours)} {summary.active_points + taken}"


def customer_gone(run: str, rows: Sequence[Delivery]) -> list[Delivery]:
    """What the journal is to hold of the rows of a customer who is no longer there."""
    return [_note(run, row, "", row.sending.points, CUSTOMER_GONE) for row in rows]


class Takeback:
    """The plan for one customer. ``run``: whose rows they are; ``target``: see `Service`; ``all_rows``: the customer's
    of that run and of its undoing.

    Where some of the undoing is in already, the lots do not tell any more which of them are left of which row, since
    the service took others. What counts then is how much is left of the run's points altogether, less what was taken
    from other lots in their place.
    """

    def __init__(
        self, run: str, target: str, summary: Summary, now: Instant, all_rows: Sequence[Delivery] = ()
    ) -> None:
        self._run = run
        self._target = target
        self._summary = summary
        self._now = now
        self._active = summary.active_points
        self._given = 0
        self._rest = _rest(summary, now, all_rows)
        self._basis = basis(summary, all_rows)
        self._marks = {mark for one in summary.entries() for mark in (one.id, one.token) if mark}

    def plan(self, rows: Sequence[Delivery]) -> list[Delivery]:
        """What the journal is to hold: for each of the rows (the latest first) its reversal, `planned`, and what of it
        is not to be had back, `refused` under one of the codes. Of a row whose entry is not shown, or not with what was
        used of it, nothing is decided."""
        return [planned for row in rows for planned in self._of(row)]

    def _of(self, row: Delivery) -> list[Delivery]:
        entry = reconcile.find(row.sending, self._summary, row.key)
        if entry is None or "usedPoints" in entry.untold:
            return []
        own = marks_of(self._target, reversal_of(entry.id))
        if not self._marks.isdisjoint(own):
            return [self._left(row, entry.id, entry.points, REVERSED_BEFORE)]
        if isinstance(entry, AddedPoints):
            return self._take(row, entry, own)
        return self._give(row, entry, own)

    def _take(self, row: Delivery, lot: AddedPoints, own: tuple[str, str]) -> list[Delivery]:
        expired = 0 if lot.is_valid(self._now) else lot.left
        taken = self._taken(lot, expired)
        self._active -= taken
        planned = []
        if taken:
            sending = Sending(
                "redeem", row.sending.customer_id, taken, *own, description=_ABOUT, short=lot.points - taken,
                reverses=lot.id,
            )  # fmt: skip
            planned.append(self._reversal(row, sending))
        spent = lot.points - taken - expired
        planned += [self._left(row, lot.id, spent, SPENT)] * (spent > 0)
        return planned + [self._left(row, lot.id, expired, EXPIRED)] * (expired > 0)

    def _taken(self, lot: AddedPoints, expired: int) -> int:
        if self._rest is not None:
            taken = max(min(lot.points - expired, self._rest, self._active), 0)
            self._rest -= taken
            return taken
        from_lot = 0 if expired else min(lot.left, self._active)
        from_given = max(min(lot.points - lot.left, self._given, self._active - from_lot), 0)
        self._given -= from_given
        return from_lot + from_given

    def _give(self, row: Delivery, redemption: RedeemedPoints, own: tuple[str, str]) -> list[Delivery]:
        valid_until = ends_of(redemption, self._summary)
        if valid_until <= self._now:
            return [self._left(row, redemption.id, redemption.points, EXPIRED)]
        self._given += redemption.points
        self._active += redemption.points
        if self._rest is not None:
            self._rest += redemption.points
        sending = Sending(
            "add", row.sending.customer_id, redemption.points, *own,
            description=_ABOUT, valid_until=valid_until, reverses=redemption.id,
        )  # fmt: skip
        return [self._reversal(row, sending)]

    def _reversal(self, row: Delivery, sending: Sending) -> Delivery:
        assert sending.reverses is not None
        key = reversal_of(sending.reverses)
        asked = fingerprint(Reverse(sending.customer_id, sending.reverses, key))
        return Delivery(key, asked, State.PLANNED, 0, sending, run=self._run, line=row.line, told=self._basis)

    def _left(self, row: Delivery, entry_id: str, points: int, why: str) -> Delivery:
        return _note(self._run, row, entry_id, points, why)


def _rest(summary: Summary, now: Instant, all_rows: Sequence[Delivery]) -> int | None:
    """How much is still to be taken of what the run added and its undoing gave back; None: nothing was undone yet."""
    before = [row for row in all_rows if row.sending.reverses and row.state is State.APPLIED]
    if not before:
        return None
    marks = {mark for row in before for mark in (row.sending.entry_id, row.sending.token)}
    taking = {one.id for one in summary.redeemed if not marks.isdisjoint((one.id, one.token))}
    takes = sum(row.sending.kind == "redeem" for row in before)
    added = [row for row in all_rows if row.sending.reverses is None and row.sending.kind != "redeem"]
    of_run = {entry.id for row in added if (entry := reconcile.find(row.sending, summary, row.key))}
    of_run |= {lot.id for lot in summary.added if not marks.isdisjoint((lot.id, lot.token))}
    left = sum(lot.left for lot in summary.added if lot.id in of_run and lot.is_valid(now))
    taken = sum(row.sending.points for row in before if row.sending.kind == "redeem")
    others = [lot for lot in summary.added if lot.id not in of_run]
    # Where it is not told what a lot was used with, or the takings are not shown, they may all be from there.
    in_place = sum(
        lot.used_points
        for lot in others
        if not lot.used_with or any(use.redemption_id in taking for use in lot.used_with)
    )
    return max(left - (min(taken, in_place) if len(taking) == takes else taken), 0)


def _note(run: str, row: Delivery, entry_id: str, points: int, why: str) -> Delivery:
    """That so many points of a row stay as they are."""
    sending = Sending(row.sending.kind, row.sending.customer_id, points, "", "", reverses=entry_id)
    key = f"{why} of {row.key} in {run}"
    return Delivery(key, "", State.REFUSED, 0, sending, run=run, line=row.line, told=(why, ""))
