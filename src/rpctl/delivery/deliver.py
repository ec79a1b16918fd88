"""Changes of points to a service, each once by its key (``import.md``, Exactly once).

The journal's row is written before the request leaves. An answer that tells nothing is found out by reading the
customer's summary, not before an earlier sending can no longer arrive; what is proven not to be in is sent again, and
what cannot be told is `Unknown`, never sent again by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.port import Sending, Unsettled
from rpctl.delivery import reconcile
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.reconcile import Verdict
from rpctl.delivery.requests import sending_of
from rpctl.domain.changes import AddPoints, Customers, RedeemPoints, Reverse
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.errors import (
    CustomerDeleted,
    CustomerNotFound,
    InsufficientPoints,
    KeyReused,
    NotLoggedIn,
    ProgramDisabled,
    RequestRefused,
    RpctlError,
    ServiceUnavailable,
    Temporary,
)
from rpctl.errors import Refused as RefusedError

if TYPE_CHECKING:
    from rpctl.backends.port import Service
    from rpctl.delivery.journal import Journal
    from rpctl.domain.changes import Change
    from rpctl.domain.points import Entry, Summary
    from rpctl.domain.values import Instant

_MAX_SENDINGS: Final = 6
_AFTER_FAILURE_S: Final = 1.0


class Surroundings(NamedTuple):
    """The world of a delivery. ``clock``: now, in milliseconds since 1970; ``settle_s``: how long after its sending a
    change may still arrive; ``note`` is told what takes long; ``reads_back``: whether the entry is wanted."""

    clock: Callable[[], Instant]
    sleep: Callable[[float], None]
    settle_s: float
    note: Callable[[str], None]
    reads_back: bool = True


class Deliverer:
    """Sends changes of points to one service."""

    def __init__(self, service: Service, journal: Journal, surroundings: Surroundings) -> None:
        self._service = service
        self._journal = journal
        self._world = surroundings

    def apply(self, change: Change, *, key_given: bool) -> Outcome:
        """Applies the change once; the outcome carries the entry as the service has it, or as it was sent where it
        cannot be found there.

        ``key_given``: another machine may have sent it too, so that the service is asked first. What the service
        refuses is a `Refused` outcome. Raises what keeps it from being sent at all: `DeliveryUnderWay`,
        `JournalUnusable`, `NotLoggedIn`, `Temporary` and the like; nothing counts then.
        """
        key, asked = change.key, _fingerprint(change)
        with self._journal.claim(key):
            known = self._journal.find(key)
            if known is not None and known.state not in (State.REFUSED, State.PLANNED):
                if known.fingerprint != asked:
                    return Refused(_key_reused(key))
                if known.is_forgotten:
                    return Refused(CustomerDeleted("The key belongs to a change of a customer who was deleted since."))
                if known.state is State.APPLIED:
                    return AlreadyApplied(self._entry_of(known))
                return self._go_on(known)
            try:
                return self._first(change, asked, key_given=key_given)
            except (RefusedError, CustomerNotFound) as error:
                return Refused(error)

    # -- first, and again ------------------------------------------------------------------------------

    def _first(self, change: Change, asked: str, *, key_given: bool) -> Outcome:
        self._settle_others(change.customer_id)
        read: list[Summary | None] = []

        def summary() -> Summary:
            if not read:
                read.append(self._summary(change.customer_id))
            if read[0] is None:
                raise CustomerNotFound(f"There is no customer {change.customer_id}.", customerId=change.customer_id)
            return read[0]

        if key_given and (seen := self._first_sight(change, asked, summary)) is not None:
            return seen
        if isinstance(change, AddPoints) and change.customers is Customers.EXISTING:
            summary()
        sending = sending_of(change, self._service, self._world.clock(), summary)
        is_new = bool(read) and read[0] is None
        return self._send(Delivery(change.key, asked, State.PLANNED, 0, sending), is_new=is_new)

    def _first_sight(self, change: Change, asked: str, summary: Callable[[], Summary]) -> Outcome | None:
        """What another machine did with this key, by what the service has of it; None: nothing."""
        try:
            found = summary()
        except CustomerNotFound:
            return None
        probe = _probe(change, self._service)
        if probe is None:
            return None
        entry = reconcile.find(probe, found, change.key)
        if entry is None:
            return None
        if probe.points and not reconcile.is_same(probe, entry):
            return Refused(_key_reused(change.key))
        row = Delivery(change.key, asked, State.APPLIED, self._world.clock(), probe._replace(points=entry.points))
        self._journal.write(row)
        return AlreadyApplied(entry)

    def _go_on(self, delivery: Delivery) -> Outcome:
        """What was sent and not settled is settled now, and sent again where that is safe."""
        found = self._settled(delivery, answered=False)
        if found.verdict is Verdict.APPLIED:
            return AlreadyApplied(found.entry)
        if found.verdict is Verdict.UNKNOWN:
            return self._unknown(delivery)
        try:
            return self._send(delivery)
        except RefusedError as error:
            return Refused(error)

    def _settle_others(self, customer_id: str) -> None:
        """Unfinished changes of the same customer first: whoever left them is gone, or is at work on them now."""
        for other in self._journal.unsettled(customer_id):
            try:
                with self._journal.claim(other.key):
                    row = self._journal.find(other.key)
                    if row is not None and row.is_open:
                        self._settle_other(row)
            except Temporary:
                continue  # another process is at it, or it cannot be read now: it stays as it is

    def _settle_other(self, row: Delivery) -> None:
        verdict = self._settled(row, answered=False).verdict
        told = f"the change with key {row.key} of customer {row.sending.customer_id}, sent earlier,"
        if verdict is Verdict.APPLIED:
            self._world.note(f"{told} is in")
        elif verdict is Verdict.ABSENT:
            self._journal.write(row._replace(state=State.PLANNED))
            self._world.note(f"{told} is not in; the same command with that key sends it again")
        else:
            self._world.note(f"whether {told} is in cannot be told yet; it is not sent again by itself")

    # -- sending ---------------------------------------------------------------------------------------

    def _send(self, delivery: Delivery, *, is_new: bool = False) -> Outcome:
        known = self._journal.markers(delivery.sending.kind)
        tagged = not known.get(reconcile.ID, False)  # the id alone, once it is known to be kept
        delivery = delivery._replace(sending=delivery.sending._replace(tagged=tagged))
        for _ in range(_MAX_SENDINGS):
            delivery = delivery._replace(state=State.SENDING, sent_at=self._world.clock())
            self._journal.write(delivery)
            try:
                self._service.send(delivery.sending)
            except Unsettled as lost:
                found = self._settled(delivery, answered=lost.answered, why=lost)
                if found.verdict is Verdict.APPLIED:
                    return self._applied(delivery, found.entry, is_new=is_new)
                if found.verdict is Verdict.UNKNOWN:
                    return self._unknown(delivery, lost)
            except (Temporary, NotLoggedIn):  # it never got there
                self._journal.write(delivery._replace(state=State.PLANNED))
                raise
            except RpctlError as error:
                self._journal.write(delivery._replace(state=State.REFUSED))
                return Refused(self._reason(error, delivery.sending))
            else:
                self._journal.write(delivery._replace(state=State.APPLIED))
                return self._after_success(delivery, known, is_new=is_new)
        self._journal.write(delivery._replace(state=State.PLANNED))
        raise ServiceUnavailable(f"The service failed {_MAX_SENDINGS} times; the change is not in.")

    def _after_success(self, delivery: Delivery, known: dict[str, bool], *, is_new: bool) -> Outcome:
        """Reads back what the service made of it, where that is wanted or tells which markers survive."""
        sending = delivery.sending
        if not self._world.reads_back and known:
            return self._applied(delivery, None, is_new=is_new)
        try:
            summary = self._summary(sending.customer_id)
        except RpctlError as error:  # it is in; only what it looks like is not known
            self._world.note(f"it is in, but could not be read back: {error.message}")
            return self._applied(delivery, None, is_new=is_new)
        found = reconcile.survivors(sending, summary, delivery.key)
        if found != {marker: known.get(marker) for marker in found}:
            self._journal.learn(sending.kind, found)
        entry = reconcile.find(sending, summary, delivery.key)
        if entry is None and self._world.reads_back:
            self._world.note("it is in, but the service does not show it under its key; this is what was sent")
        if summary is not None and len(summary.added) == 1 and sending.kind == "add" and not summary.redeemed:
            is_new = True
        return self._applied(delivery, entry, is_new=is_new)

    def _applied(self, delivery: Delivery, entry: Entry | None, *, is_new: bool) -> Applied:
        sending = delivery.sending
        is_past = sending.valid_until is not None and sending.valid_until <= self._world.clock()
        return Applied(sending.points, entry or as_sent(delivery), is_new, is_past, sending.short)

    def _unknown(self, delivery: Delivery, lost: Unsettled | None = None) -> Unknown:
        self._journal.write(delivery._replace(state=State.UNKNOWN))
        why = f": {lost.message}" if lost else ""
        return Unknown(f"Whether the change with key {delivery.key} is in cannot be told{why}.")

    # -- finding out -----------------------------------------------------------------------------------

    def _settled(self, delivery: Delivery, *, answered: bool, why: Unsettled | None = None) -> reconcile.Found:
        """What became of a sending, once it can no longer arrive. What cannot be read is not known."""
        wait_s = min(_AFTER_FAILURE_S, self._world.settle_s) if answered else self._world.settle_s
        # A clock that was set back does not make it wait for more than that.
        left_s = min(wait_s - (self._world.clock() - delivery.sent_at) / 1000, wait_s)
        if left_s > 0:
            if left_s > _AFTER_FAILURE_S:
                self._world.note(f"{why.message if why else 'it was sent before'}; looking again in {left_s:.0f} s")
            self._world.sleep(left_s)
        try:
            summary = self._summary(delivery.sending.customer_id)
        except RpctlError as error:
            self._world.note(f"the summary cannot be read: {error.message}")
            return reconcile.Found(Verdict.UNKNOWN)
        known = self._journal.markers(delivery.sending.kind)
        found = reconcile.judge(delivery.sending, summary, delivery.key, known)
        if found.verdict is Verdict.APPLIED:
            self._journal.write(delivery._replace(state=State.APPLIED))
        return found

    def _summary(self, customer_id: str) -> Summary | None:
        try:
            return self._service.summary(customer_id)
        except CustomerNotFound:
            return None

    def _entry_of(self, delivery: Delivery) -> Entry:
        """The entry of a change that is in, as far as it can be read."""
        try:
            summary = self._summary(delivery.sending.customer_id)
        except RpctlError as error:
            self._world.note(f"what it looks like cannot be read: {error.message}")
            return as_sent(delivery)
        return reconcile.find(delivery.sending, summary, delivery.key) or as_sent(delivery)

    def _reason(self, error: RpctlError, sending: Sending) -> RpctlError:
        """The refusal in the ledger's words, where the service's own say only that it refuses."""
        if not isinstance(error, RequestRefused) or error.http_status != 400:
            return error
        told: RpctlError | None = None
        try:
            if sending.kind == "redeem":
                told = self._why_not_redeemed(sending)
            elif sending.site_code and not self._service.program(sending.site_code).enabled:
                told = ProgramDisabled(f"The reward program of site {sending.site_code} is disabled.")
        except RpctlError:
            return error
        if told is None:
            return error
        return told.of_request(error.request or "", error.http_status)

    def _why_not_redeemed(self, sending: Sending) -> RpctlError | None:
        try:
            available = self._service.summary(sending.customer_id).active_points
        except CustomerNotFound as error:
            return error
        if available >= sending.points:
            return None
        return InsufficientPoints(
            f"Customer {sending.customer_id} has {available} points, fewer than the {sending.points} to redeem.",
            customerId=sending.customer_id,
            requested=sending.points,
            available=available,
        )


def as_sent(delivery: Delivery) -> Entry:
    """The entry as it was sent, where the service does not show it."""
    from rpctl.domain.points import AddedPoints, RedeemedPoints
    from rpctl.domain.values import NEVER

    sending = delivery.sending
    created_at = sending.created_at if sending.created_at is not None else delivery.sent_at
    about = sending.description or ""
    if sending.kind == "redeem":
        return RedeemedPoints(sending.entry_id, sending.customer_id, sending.points, created_at, 0, about)
    until = NEVER if sending.valid_until is None else sending.valid_until
    return AddedPoints(
        sending.entry_id, sending.customer_id, sending.points, created_at, until, 0,
        reference_id=sending.reference_id, description=about,
    )  # fmt: skip


def _probe(change: Change, service: Service) -> Sending | None:
    """What to look for of a change before anything is decided about it; 0 points: whatever an order value earned."""
    from rpctl.domain.markers import marker_id, marker_token

    if isinstance(change, Reverse):
        return None  # known by what it reverses: `sending_of` looks for that
    kind = "redeem" if isinstance(change, RedeemPoints) else "add"
    markers = marker_id(service.target, change.key), marker_token(service.target, change.key)
    return Sending(kind, change.customer_id, change.points or 0, *markers, reference_id=change.reference_id)


def _key_reused(key: str) -> KeyReused:
    return KeyReused(f"The key {key!r} belongs to another change.", key=key)


def _fingerprint(change: Change) -> str:
    return hashlib.sha256(change.canonical().encode()).hexdigest()
