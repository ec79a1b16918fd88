"""Changes of points to a service that keeps their keys, each once (``import.md``, Exactly once, the last paragraph).

Sending a change again is harmless there, and the only way to find out about one: the service tells nothing of the keys
that it has seen. So nothing is looked for in summaries; a change is sent until it is clear what became of it, only by
whoever asks for it, and a used key means that it is in if it was sent from here and not clearly answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpctl.backends.port import Receipt, Unsettled
from rpctl.delivery.deliver import Deliverer
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.keys import (
    UNKNOWN,
    UsedKeys,
    Verdict,
    covers,
    is_covered,
    learn_from_before,
    repeat,
    was_refused,
)
from rpctl.delivery.refusals import reason_of
from rpctl.delivery.requests import as_told
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.errors import InsufficientPoints, JournalUnusable, NotLoggedIn, RpctlError, Temporary

if TYPE_CHECKING:
    from collections.abc import Callable

    from rpctl.backends.port import Service
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.changes import Change
    from rpctl.domain.points import Summary


def deliverer_of(service: Service, journal: Journal, surroundings: Surroundings) -> Deliverer:
    """Who sends changes to this service."""
    kind = KeyedDeliverer if service.keeps_keys else Deliverer
    return kind(service, journal, surroundings)


class KeyedDeliverer(Deliverer):
    """Sends changes of points to one service that keeps their keys."""

    def __init__(self, service: Service, journal: Journal, surroundings: Surroundings) -> None:
        super().__init__(service, journal, surroundings)
        self._keys = UsedKeys(journal, surroundings.warn)
        self._is_fresh = False

    def settle(self, customer_id: str, *, all_of_them: bool = False) -> None:
        """Nothing is found out about other changes: sent again, one that is not in would be, unasked for."""

    def apply(self, change: Change, *, key_given: bool) -> Outcome:
        """See `Deliverer`."""
        self._is_fresh = not key_given
        return super().apply(change, key_given=key_given)

    def _first_sight(self, change: Change, asked: str, summary: Callable[[], Summary]) -> Outcome | None:  # noqa: ARG002
        return None  # the service refuses a key that another machine sent

    def _go_on(self, delivery: Delivery) -> Outcome:
        return self._send(delivery, is_unclear=True)

    def _already(self, delivery: Delivery) -> AlreadyApplied:
        return AlreadyApplied(as_told(delivery.sending, Receipt()))

    def _send(self, delivery: Delivery, *, is_new: bool = False, is_unclear: bool = False) -> Outcome:  # noqa: ARG002
        before = self._journal.find(delivery.key)
        if before is not None and before.told is not None:
            delivery = delivery._replace(told=before.told)
        sending = _Sending(self._service, self._journal, self._world, self._keys, delivery)
        return sending.go(is_unclear=is_unclear, is_fresh=self._is_fresh)


class _Sending:
    """One change, sent until it is clear what became of it."""

    def __init__(
        self, service: Service, journal: Journal, world: Surroundings, keys: UsedKeys, delivery: Delivery
    ) -> None:
        self._service = service
        self._journal = journal
        self._world = world
        self._keys = keys
        self._row = delivery
        self._is_unclear = self._is_fresh = self._is_written = False
        self._lost: Unsettled | None = None
        self._may_arrive: Unsettled | None = None
        self._refusal: RpctlError | None = None  # a clear one, which is heard once more

    def go(self, *, is_unclear: bool, is_fresh: bool) -> Outcome:
        """Sends it, and sends it again where its answer was lost. ``is_unclear``: an earlier sending was not clearly
        answered; ``is_fresh``: nobody else can have sent its key."""
        self._is_unclear, self._is_fresh = is_unclear, is_fresh
        can_be_sent = self._keys.may_send_again
        if is_unclear:
            ago_s = self._world.ago_s(self._row.sent_at, self._row.ticks)
            self._may_arrive = Unsettled("it was sent before", answered=False, since_s=ago_s)
            if not can_be_sent:
                return self._unknown("")
        for _ in range(MAX_SENDINGS):
            outcome = self._sent()
            if outcome is not None:
                return outcome
        if self._refusal is not None and not self._is_unclear:
            return self._refused(self._refusal)
        return self._unknown(self._lost.message if self._lost else "")

    def _sent(self) -> Outcome | None:
        """What came of sending it once; None: it is to be sent once more."""
        try:
            receipt = self._service.send(self._row.sending, self._leaving)
        except Unsettled as lost:
            return self._not_answered(lost)
        except (Temporary, NotLoggedIn, JournalUnusable) as error:
            if self._is_unclear:
                return self._unknown(error.message)
            if self._refusal is not None:
                return self._refused(self._refusal)
            if self._is_written:
                self._record(State.PLANNED)
            raise
        except RpctlError as error:
            return self._refused_late(error) if self._is_unclear else self._refused_at_once(error)
        return self._success(receipt)

    def _leaving(self) -> None:
        sent_at, ticks = self._world.stamp()
        self._row = self._row._replace(state=State.SENDING, sent_at=sent_at, ticks=ticks)
        self._journal.write(self._row)
        self._is_written = True

    def _success(self, receipt: Receipt) -> Outcome:
        sending = self._row.sending
        self._record(State.APPLIED)
        if receipt.warning:
            self._world.note(receipt.warning)
        wanted = self._keys.wants(sending)
        if wanted is not None:
            is_lesson = covers(receipt.active_points, sending) is wanted
            self._keys.learn(sending, receipt, repeat(self._service, sending) if is_lesson else None)
        return Applied(sending.points, as_told(sending, receipt), receipt.is_only and sending.kind == "add")

    def _not_answered(self, lost: Unsettled) -> Outcome | None:
        self._lost, self._is_unclear = lost, True
        before = self._may_arrive
        if before is None or self._world.left_s(lost) >= self._world.left_s(before):
            self._may_arrive = lost
        if not self._keys.may_send_again:
            return self._unknown(lost.message)
        self._world.sleep(min(AFTER_FAILURE_S, self._world.settle_s))
        return None

    # -- refused ---------------------------------------------------------------------------------------

    def _refused_at_once(self, error: RpctlError) -> Outcome | None:
        """No sending before was left unclear: nothing of it is in. One that had too few points is sent once more where
        that tells whether its key is still free."""
        was_refused_before = was_refused(self._row)
        if self._refusal is not None:
            self._keys.learn_freeing(error)
            return self._refused(self._refusal)
        told = reason_of(self._service, error, self._row.sending)
        if self._keys.is_used(error):
            if self._is_fresh:  # nobody has used this key: the outcome stands for something else too
                self._keys.is_shared()
                return self._refused(told)
            return self._refused(self._keys.told(self._row))
        if isinstance(told, InsufficientPoints) and self._keys.is_freeing_open:
            if not was_refused_before:
                self._refusal, self._row = told, self._row._replace(told=(told.code, told.message))
                return None
            self._keys.learn_freeing(error)
        return self._refused(told)

    def _refused_late(self, error: RpctlError) -> Outcome | None:
        """A refusal of what may be in from before; it is sent once more when nothing of that can arrive any more."""
        verdict = self._judged(error)
        if verdict is Verdict.USED:
            return self._was_in()
        if verdict is Verdict.ELSEWHERE:
            return self._refused(self._keys.told(self._row))
        if verdict is not Verdict.OTHER:
            return self._unknown(error.message)
        if self._may_arrive is not None:
            self._world.wait(self._may_arrive)
            self._may_arrive = None
            return None
        known = self._keys.known
        if not (known is not None and known.is_first) and not is_covered(self._service, self._row.sending):
            return self._unknown(error.message)  # it may be what it took itself that is missing now
        return self._refused(reason_of(self._service, error, self._row.sending))

    def _judged(self, error: RpctlError) -> Verdict:
        verdict = self._keys.judge(error, self._row)
        if verdict is Verdict.UNSURE and self._keys.is_to_be_learned:
            learn_from_before(self._keys, self._journal, self._service)
            verdict = self._keys.judge(error, self._row)
        return verdict

    # -- what became of it -----------------------------------------------------------------------------

    def _was_in(self) -> Outcome:
        sending = self._row.sending
        entry = as_told(sending, Receipt())
        self._record(State.APPLIED)
        return AlreadyApplied(entry) if self._lost is None else Applied(sending.points, entry)

    def _refused(self, told: RpctlError) -> Outcome:
        self._row = self._row._replace(told=(told.code, told.message))
        self._record(State.REFUSED)
        return Refused(told)

    def _unknown(self, why: str) -> Outcome:
        if not was_refused(self._row):
            self._row = self._row._replace(told=(UNKNOWN, ""))
        self._record(State.UNKNOWN)
        answer = self._lost.answer if self._lost else None
        told = f"Whether the change with key {self._row.key} is in cannot be told"
        return Unknown(f"{told}: {why.rstrip('.')}." if why else f"{told}.", self._keys.can_tell_of(self._row), answer)

    def _record(self, state: State) -> None:
        """Notes what became of it. Where that cannot be written the row stays open: the same command finds out."""
        told = None if state is State.APPLIED else self._row.told
        try:
            self._journal.write(self._row._replace(state=state, told=told))
        except (JournalUnusable, Temporary) as error:
            self._world.warn(f"{error.message} To repeat this, use --key {self._row.key}, or it may count twice.")
