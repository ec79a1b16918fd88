"""Changes of points to a service, each once by its key (``import.md``, Exactly once).

The journal's row is written before the request leaves. An answer that tells nothing is found out by reading the
customer's summary, not before an earlier sending can no longer arrive; what is proven not to be in is sent again, and
what cannot be told is `Unknown`, never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rpctl.backends.port import Unsettled
from rpctl.delivery import reconcile
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.reconcile import Verdict
from rpctl.delivery.refusals import reason_of
from rpctl.delivery.requests import (
    already_reversed,
    as_sent,
    fingerprint,
    key_reused,
    probe_of,
    reversal_of,
    sending_of,
)
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.domain.changes import AddPoints, Customers
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.errors import (
    CustomerNotFound,
    JournalUnusable,
    NotLoggedIn,
    OutcomeUnknown,
    RpctlError,
    ServiceUnavailable,
    Temporary,
)
from rpctl.errors import Refused as RefusedError

if TYPE_CHECKING:
    from rpctl.backends.port import Service
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.changes import Change
    from rpctl.domain.points import Entry, Summary


_CHOOSES: Final = "the service chooses the lots that the points are taken from"
_COUPON: Final = (
    "the service does not tell whether these points paid for a coupon; if they did, withdraw it in the shop"
)


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
        key, asked = change.key, fingerprint(change)
        with self._journal.claim(key):
            known = self._journal.find(key)
            if known is not None and not known.is_free:
                settled = settled_before(known, asked)
                if isinstance(settled, Refused):
                    return settled
                return self._already(known) if settled else self._go_on(known)
            try:
                return self._first(change, asked, key_given=key_given)
            except (RefusedError, CustomerNotFound) as error:
                return Refused(error)

    def settle(self, customer_id: str, *, all_of_them: bool = False) -> None:
        """Finds out about unfinished changes of a customer: whoever left them is gone, or is at work on them now.
        With ``all_of_them`` raises `Temporary` where another process is at work on one, or it cannot be read."""
        for other in self._journal.unsettled(customer_id):
            if other.state is State.UNKNOWN and self._is_blind(other.sending.kind):
                continue  # it was looked for before, and will never be found
            try:
                with self._journal.claim(other.key):
                    row = self._journal.find(other.key)
                    if row is not None and row.is_open:
                        self._settle_other(row)
            except Temporary:
                if all_of_them:
                    raise
                continue  # another process is at it, or it cannot be read now: it stays as it is

    def forget(self, customer_id: str) -> None:
        """A customer was deleted: no key of theirs counts again."""
        self._journal.forget(customer_id)

    # -- first, and again ------------------------------------------------------------------------------

    def _first(self, change: Change, asked: str, *, key_given: bool) -> Outcome:
        self.settle(change.customer_id)
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
        delivery = Delivery(change.key, asked, State.PLANNED, 0, sending)
        if sending.reverses is None:
            return self._send(delivery, is_new=bool(read) and read[0] is None)
        with self._journal.claim(reversal_of(sending.reverses)):
            earlier = self._journal.reversal_of(sending.reverses)
            if earlier is not None and earlier.is_open:
                raise OutcomeUnknown(
                    f"Whether entry {sending.reverses} was reversed with key {earlier.key} cannot be told.",
                    f"The same command with --key {earlier.key} finds out; nothing was sent now.",
                )
            if earlier is not None:
                raise already_reversed(sending.reverses, earlier.sending.entry_id)
            self._world.note(_CHOOSES if sending.kind == "redeem" else _COUPON)
            return self._send(delivery)

    def _first_sight(self, change: Change, asked: str, summary: Callable[[], Summary]) -> Outcome | None:
        """What another machine did with this key, by what the service has of it; None: nothing."""
        probe = probe_of(change, self._service)
        if probe is None:
            return None
        try:
            found = summary()
        except CustomerNotFound:
            return None
        entry = reconcile.find(probe, found, change.key)
        if entry is None:
            if reconcile.marked(probe, found.entries()):
                return Refused(key_reused(change.key))  # by a change of the other kind
            if self._is_blind(probe.kind):
                self._world.note("this service keeps no marks: what another machine sent with this key is not seen")
            return None
        if probe.points and not reconcile.is_same(probe, entry):
            return Refused(key_reused(change.key))
        row = Delivery(change.key, asked, State.APPLIED, self._world.clock(), probe._replace(points=entry.points))
        self._journal.write(row)
        self._check_copies(row, found)
        return AlreadyApplied(entry)

    def _go_on(self, delivery: Delivery) -> Outcome:
        """What was sent and not settled is settled now, and sent again where that is safe."""
        found = self._resettled(delivery)
        if found.verdict is Verdict.APPLIED:
            return AlreadyApplied(found.entry)
        if found.verdict is Verdict.UNKNOWN:
            return self._unknown(delivery)
        return self._send(delivery, is_unclear=True)

    def _settle_other(self, row: Delivery) -> None:
        verdict = self._resettled(row).verdict
        told = f"the change with key {row.key} of customer {row.sending.customer_id}, sent earlier,"
        if verdict is Verdict.APPLIED:
            self._world.note(f"{told} is in")
        elif verdict is Verdict.ABSENT:
            self._journal.write(row._replace(state=State.PLANNED))
            self._world.note(f"{told} is not in; the same command with that key sends it again")
        else:
            self._world.note(f"whether {told} is in cannot be told yet; it is not sent again by itself")

    # -- sending ---------------------------------------------------------------------------------------

    def _send(self, delivery: Delivery, *, is_new: bool = False, is_unclear: bool = False) -> Outcome:
        """Sends until it is clear what became of it. ``is_unclear``: an earlier sending was not clearly answered, so
        that a refusal may be the answer to a change that is in."""
        known = self._journal.markers(delivery.sending.kind)
        tagged = not known.get(reconcile.ID)  # the id alone, once it is known to be kept
        delivery = delivery._replace(sending=delivery.sending._replace(tagged=tagged))

        is_written = is_unclear

        def leaving() -> None:
            nonlocal delivery, is_written
            sent_at, ticks = self._world.stamp()
            delivery = delivery._replace(state=State.SENDING, sent_at=sent_at, ticks=ticks)
            self._journal.write(delivery)
            is_written = True

        for _ in range(MAX_SENDINGS):
            try:
                self._service.send(delivery.sending, leaving)
            except Unsettled as lost:
                is_unclear = True
                self._world.wait(lost)
                found = self._look(delivery)
                if found.verdict is Verdict.APPLIED:
                    return self._applied(delivery, found.entry, is_new=is_new)
                if found.verdict is Verdict.UNKNOWN:
                    return self._unknown(delivery, lost)
            except (Temporary, NotLoggedIn, JournalUnusable):  # it never got there
                if is_written:
                    self._record(delivery, State.PLANNED)
                raise
            except RpctlError as error:
                return self._refused(delivery, error, is_unclear=is_unclear)
            else:
                self._record(delivery, State.APPLIED)
                return self._after_success(delivery, known, is_new=is_new)
        self._record(delivery, State.PLANNED)
        raise ServiceUnavailable(f"The service failed {MAX_SENDINGS} times; the change is not in.")

    def _record(self, delivery: Delivery, state: State) -> None:
        """Notes what became of a sending. Where that cannot be written the row stays open, and is found out about by
        whoever comes with its key."""
        try:
            self._journal.write(delivery._replace(state=state))
        except (JournalUnusable, Temporary) as error:
            self._world.warn(f"{error.message} To repeat this, use --key {delivery.key}, or it may count twice.")

    def _refused(self, delivery: Delivery, error: RpctlError, *, is_unclear: bool) -> Outcome:
        if is_unclear:
            found = self._look(delivery)
            if found.verdict is Verdict.APPLIED:
                return self._applied(delivery, found.entry, is_new=False)
            if found.verdict is Verdict.UNKNOWN:
                return self._unknown(delivery)
        self._record(delivery, State.REFUSED)
        return Refused(reason_of(self._service, error, delivery.sending))

    def _after_success(self, delivery: Delivery, known: Mapping[str, int], *, is_new: bool) -> Outcome:
        """Reads back what the service made of it, where that is wanted or tells which markers survive."""
        sending = delivery.sending
        if not self._world.reads_back and known:
            return self._applied(delivery, None, is_new=is_new)
        try:
            summary = self._summary(sending.customer_id)
        except RpctlError as error:  # it is in; only what it looks like is not known
            self._world.note(f"it is in, but could not be read back: {error.message}")
            return self._applied(delivery, None, is_new=is_new)
        if not known and reconcile.find(sending, summary, delivery.key) is None:  # it may not be shown yet
            self._world.sleep(min(AFTER_FAILURE_S, self._world.settle_s))
            with suppress(RpctlError):
                summary = self._summary(sending.customer_id)
        if summary is not None:  # or it is read from where this is not known yet
            self._learn(sending.kind, reconcile.learned(sending, summary, delivery.key, known), known)
        self._check_copies(delivery, summary)
        entry = reconcile.find(sending, summary, delivery.key)
        if entry is None and self._world.reads_back:
            self._world.note("it is in, but the service does not show it under its key; this is what was sent")
        if summary is not None and len(summary.added) == 1 and sending.kind == "add" and not summary.redeemed:
            is_new = True
        return self._applied(delivery, entry, is_new=is_new)

    def _check_copies(self, delivery: Delivery, summary: Summary | None) -> None:
        count = len(reconcile.marked(delivery.sending, summary.entries())) if summary is not None else 0
        if count > 1:
            self._world.warn(
                f"the service has {count} entries of key {delivery.key}: another machine sent it at the same moment; "
                "`rpctl points history CUSTOMER` shows them"
            )

    def _applied(self, delivery: Delivery, entry: Entry | None, *, is_new: bool) -> Applied:
        sending = delivery.sending
        is_past = sending.valid_until is not None and sending.valid_until <= self._world.clock()
        return Applied(sending.points, entry or as_sent(delivery.sending), is_new, is_past, sending.short)

    def _already(self, delivery: Delivery) -> AlreadyApplied:
        """A change that is in, with its entry as far as it can be read."""
        try:
            summary = self._summary(delivery.sending.customer_id)
        except RpctlError as error:
            self._world.note(f"what it looks like cannot be read: {error.message}")
            summary = None
        return AlreadyApplied(reconcile.find(delivery.sending, summary, delivery.key) or as_sent(delivery.sending))

    def _unknown(self, delivery: Delivery, lost: Unsettled | None = None) -> Unknown:
        self._record(delivery, State.UNKNOWN)
        why = f": {lost.message}" if lost else ""
        return Unknown(
            f"Whether the change with key {delivery.key} is in cannot be told{why}.",
            not self._is_blind(delivery.sending.kind),
            lost.answer if lost else None,
        )

    def _is_blind(self, kind: str) -> bool:
        """Whether this service is known to keep no marks."""
        try:
            known = self._journal.markers(kind)
        except (JournalUnusable, Temporary):
            return False
        return bool(known) and not any(known.values())

    # -- finding out -----------------------------------------------------------------------------------

    def _resettled(self, delivery: Delivery) -> reconcile.Found:
        """What became of a sending of an earlier process, once it can no longer arrive."""
        ago_s = self._world.ago_s(delivery.sent_at, delivery.ticks)
        self._world.wait(Unsettled("it was sent before", answered=False, since_s=ago_s))
        return self._look(delivery)

    def _look(self, delivery: Delivery) -> reconcile.Found:
        """What the service has of a sending that can no longer arrive. What cannot be read is not known."""
        try:
            summary = self._service.summary(delivery.sending.customer_id)
        except CustomerNotFound:
            summary = None
        except RpctlError as error:
            self._world.note(f"the summary cannot be read: {error.message}")
            return reconcile.Found(Verdict.UNKNOWN)
        try:
            known = self._journal.markers(delivery.sending.kind)
        except (JournalUnusable, Temporary):
            known = {}
        found = reconcile.judge(delivery.sending, summary, delivery.key, known)
        if found.verdict is Verdict.APPLIED:
            self._record(delivery, State.APPLIED)
            self._check_copies(delivery, summary)
            seen = reconcile.learned(delivery.sending, summary, delivery.key, known)
            self._learn(delivery.sending.kind, {marker: reach for marker, reach in seen.items() if reach}, known)
        return found

    def _learn(self, kind: str, found: Mapping[str, int], known: Mapping[str, int]) -> None:
        """Remembers what is new; where it cannot be written it is learned again another time."""
        with suppress(JournalUnusable, Temporary):
            if found != {marker: known.get(marker) for marker in found}:
                self._journal.learn(kind, found)

    def _summary(self, customer_id: str) -> Summary | None:
        try:
            return self._service.summary(customer_id)
        except CustomerNotFound:
            return None
