"""What a customer has while the service is out of reach: the last known truth, and what waits on top of it. Pure.

The truth is what the service told at some moment; lots that ended since do not count. On top of it comes what was
recorded and what was sent since, in recording order, by the rules of the ledger: a redemption draws at its business
date on the earliest end first. What the truth shows already does not count twice. Where the truth has meanwhile less
than what waits takes, nothing is left, and what is added first makes up for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rpctl.domain.lots import Account, OpenLot
from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary, Use, description_of
from rpctl.domain.values import NEVER

if TYPE_CHECKING:
    from rpctl.backends.port import Sending
    from rpctl.domain.values import Instant

_UNTOLD: Final = -1
"""The place of a lot that no entry stands for."""


def may_reverse(sending: Sending, entry: Entry) -> bool:
    """Whether what takes an entry back was recorded for this one: somebody else's may have come under the same key."""
    is_opposite = isinstance(entry, AddedPoints) == (sending.kind == "redeem")
    return is_opposite and entry.points == sending.points + sending.short


class Marks:
    """The entries of a truth by what a sending is known by (`rpctl.domain.markers`)."""

    def __init__(self, truth: Summary) -> None:
        entries = truth.entries()
        self._by_mark: dict[str | None, Entry] = {one.token: one for one in reversed(entries)}
        self._by_mark |= {one.id: one for one in reversed(entries)}
        self._by_mark.pop(None, None)
        self._by_reference = {(lot.reference_id, lot.points): lot for lot in reversed(truth.added) if lot.reference_id}

    def find(self, sending: Sending) -> Entry | None:
        """The entry that carries the sending's id or token, or of added points its key as their reference."""
        found = self._by_mark.get(sending.entry_id) or self._by_mark.get(sending.token)
        if found is None and sending.kind != "redeem" and sending.reference_id == sending.key:
            found = self._by_reference.get((sending.key, sending.points))
        return found

    def reversed_by(self, sending: Sending) -> Entry | None:
        """The entry with the id that the sending takes back."""
        found = None if sending.reverses is None else self._by_mark.get(sending.reverses)
        return found if found is not None and found.id == sending.reverses and may_reverse(sending, found) else None


def open_lots(truth: Summary, read_at: Instant) -> list[OpenLot]:
    """What is left of a truth's lots, ended ones included, so that those that were valid when it was read add up to
    what the service said is active. Where it did not tell what of each lot is used, all is one lot without an end."""
    if any("usedPoints" in lot.untold for lot in truth.added):
        return [OpenLot(NEVER, read_at, _UNTOLD, truth.active_points)] if truth.active_points > 0 else []
    lots = [
        OpenLot(lot.valid_until, lot.created_at, place, lot.left)
        for place, lot in enumerate(truth.added)
        if lot.left > 0
    ]
    valid = sorted(lot for lot in lots if lot.valid_until > read_at)
    gap = truth.active_points - sum(lot.left for lot in valid)
    if gap > 0:
        lots.append(OpenLot(NEVER, read_at, _UNTOLD, gap))
    for lot in reversed(valid):  # what is said to be less is less of what would last longest: rather too little is left
        if gap >= 0:
            break
        taken = min(lot.left, -gap)
        lot.left -= taken
        gap += taken
    return [lot for lot in lots if lot.left > 0]


def no_expiry_before(truth: Summary, read_at: Instant) -> Instant:
    """Until when the active points of a truth stay what they are, if nothing happens."""
    return min((lot.valid_until for lot in open_lots(truth, read_at) if lot.valid_until > read_at), default=NEVER)


class Standing:
    """One customer, followed through what was recorded. ``truth`` None: the service is not known to have the customer;
    ``read_at``: the moment of the truth."""

    def __init__(self, customer_id: str, truth: Summary | None, read_at: Instant) -> None:
        self.customer_id = customer_id
        self.truth = truth or Summary(customer_id, 0)
        self.marks = Marks(self.truth)
        self._read_at = read_at
        self._account = Account()
        self._added: list[AddedPoints] = list(self.truth.added)
        self._redeemed: list[RedeemedPoints] = list(self.truth.redeemed)
        self._order: list[Entry] = self.truth.entries()
        self._own: set[str] = set()  # ids of the entries on top
        self._used: dict[int, int] = {}
        self._uses: dict[int, list[Use]] = {}
        self._missing = 0  # what was redeemed beyond all there was
        for lot in open_lots(self.truth, read_at):
            self._account.add(lot)

    def moment_of(self, sending: Sending, recorded_at: Instant) -> Instant:
        """When a change counts: at its business date; where it carries none the service dates it when it is sent, and
        nothing is sent before the truth was read."""
        return max(recorded_at, self._read_at) if sending.created_at is None else sending.created_at

    def active_points(self, at: Instant) -> int:
        """What can be redeemed at that moment; the truth's lots that had ended when it was read count at moments before
        that end."""
        return self._account.active_points(at)

    def active_at(self, now: Instant) -> int:
        """The same as of now: of a clock that was set back nothing comes back to life."""
        return self.active_points(max(now, self._read_at))

    def count(self, sending: Sending, recorded_at: Instant) -> Entry | None:
        """Counts a change on top of all before, and answers with its entry. None: the truth has it, or it gives back
        what is not known to have been taken."""
        if self.marks.find(sending) is not None:
            return None
        if sending.kind != "redeem" and sending.reverses is not None and not self.has_reversed(sending):
            return None
        at = self.moment_of(sending, recorded_at)
        entry: Entry = self._redeem(sending, at) if sending.kind == "redeem" else self._add(sending, at)
        self._own.add(entry.id)
        self._order.append(entry)
        return entry

    def has_reversed(self, sending: Sending) -> bool:
        """Whether there is what the sending takes back."""
        return sending.reverses in self._own or self.marks.reversed_by(sending) is not None

    def find(self, sending: Sending) -> Entry | None:
        """The entry of a change: the truth's, or one on top of it."""
        found = self.marks.find(sending)
        if found is None and sending.entry_id in self._own:
            found = next(one for one in reversed(self._order) if one.id == sending.entry_id)
        return found

    def summary(self, now: Instant) -> Summary:
        """Everything of the customer as of now, the entries in recording order."""
        places = {id(entry): place for place, entry in enumerate(self._order, start=1)}
        return Summary(
            self.customer_id,
            self.active_at(now),
            tuple(
                replace(
                    lot,
                    used_points=lot.used_points + self._used.get(place, 0),
                    used_with=(*lot.used_with, *self._uses.get(place, ())),
                    position=places[id(lot)],
                )
                for place, lot in enumerate(self._added)
            ),
            tuple(replace(one, position=places[id(one)]) for one in self._redeemed),
        )

    def _add(self, sending: Sending, at: Instant) -> AddedPoints:
        end = sending.ends_at if sending.valid_until is None else sending.valid_until
        place = len(self._added)
        owed = min(self._missing, sending.points)
        self._missing -= owed
        if owed:
            self._used[place] = owed
        if owed < sending.points:
            self._account.add(OpenLot(NEVER if end is None else end, at, place, sending.points - owed))
        lot = AddedPoints(
            sending.entry_id, self.customer_id, sending.points, at, NEVER if end is None else end,
            self._account.active_points(at), reference_id=sending.reference_id, description=_description_of(sending),
            site_code=sending.site_code, reverses=sending.reverses, token=sending.token,
        )  # fmt: skip
        self._added.append(lot)
        return lot

    def _redeem(self, sending: Sending, at: Instant) -> RedeemedPoints:
        points = min(sending.points, self._account.active_points(at))
        for lot, taken in (self._account.redeem(points, at) or ()) if points else ():
            if lot.position != _UNTOLD:
                self._used[lot.position] = self._used.get(lot.position, 0) + taken
                self._uses.setdefault(lot.position, []).append(Use(sending.entry_id, taken))
        self._missing += sending.points - points
        redemption = RedeemedPoints(
            sending.entry_id, self.customer_id, sending.points, at, self._account.active_points(at),
            description=_description_of(sending), reverses=sending.reverses, token=sending.token,
        )  # fmt: skip
        self._redeemed.append(redemption)
        return redemption


def _description_of(sending: Sending) -> str:
    return sending.description or description_of(
        redeemed=sending.kind == "redeem",
        reference_id=sending.reference_id,
        is_reversal=sending.reverses is not None,
    )
