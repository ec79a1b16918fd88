"""Many changes to a service that keeps their keys, side by side: `rpctl.delivery.dispatch`, where a change that was not
clearly answered is sent again instead of looked for (see `rpctl.delivery.keyed`).
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeGuard

from rpctl.backends.port import Unsettled
from rpctl.delivery.dispatch import Dispatch
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.keyed import UNKNOWN, was_refused
from rpctl.delivery.keys import Verdict
from rpctl.delivery.parcel import Parcel, explain, is_of_the_row, send_keyed
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.requests import key_reused
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.domain.outcomes import Unknown
from rpctl.errors import NotLoggedIn, RpctlError, Temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rpctl.delivery.crew import Answer, Work
    from rpctl.delivery.dispatch import Prepare, Tour
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.outcomes import Outcome

_KINDS_OF_WARNING: Final = 20


class KeyedDispatch(Dispatch):
    """One pass over many parcels."""

    def __init__(self, journal: Journal, world: Surroundings, tour: Tour, prepare: Prepare) -> None:
        super().__init__(journal, world, tour, prepare)
        assert tour.keys is not None
        self._keys = tour.keys
        self._warnings: Counter[str] = Counter()
        self._unsure: list[Parcel] = []  # they wait for the answer to a used key to be learned

    def go(self, batches: Iterable[list[Parcel]]) -> Iterator[list[Outcome]]:
        """See `Dispatch`."""
        try:
            yield from super().go(batches)
        finally:
            for text, count in self._warnings.items():
                self._world.note(text if count == 1 else f"{text} ({count:,} times)")

    # -- out -------------------------------------------------------------------------------------------

    def _is_lesson(self, parcel: Parcel) -> bool:  # noqa: ARG002
        return self._keys.is_to_be_learned

    def _work(self, parcel: Parcel) -> Work:
        return send_keyed(parcel, self._gate)

    def _stamp(self, parcels: list[Parcel]) -> None:
        super()._stamp(parcels)
        for parcel in parcels:
            parcel.learns = parcel is self._learner

    def _decide(self, parcel: Parcel, known: Delivery | None) -> None:
        super()._decide(parcel, known)
        if known is not None and known.is_free and parcel.delivery is not None and parcel.outcome is None:
            parcel.delivery = parcel.row._replace(told=known.told)

    def _decide_known(self, parcel: Parcel, known: Delivery, *, is_blocked: bool) -> None:
        settled = settled_before(known, parcel.asked)
        if settled is not None:
            self._end(parcel, settled)
            return
        parcel.delivery, parcel.is_unclear = known, True
        if is_blocked or not self._keys.may_send_again:
            self._give_up(parcel)
            return
        ago_s = self._world.ago_s(known.sent_at, known.ticks)
        self._note_arrival(parcel, Unsettled("it was sent before", answered=False, since_s=ago_s))
        self._cleared.append(parcel)

    # -- in --------------------------------------------------------------------------------------------

    def _answered(self, parcel: Parcel, answer: Answer) -> None:
        error = answer.error
        if error is None:
            self._reach.answered()
            receipt, repeated = answer.value
            if parcel is self._learner:
                self._learner = None
                self._keys.learn(parcel.sending, receipt, repeated)
                self._judge_again()
            if receipt.warning and (receipt.warning in self._warnings or len(self._warnings) < _KINDS_OF_WARNING):
                self._warnings[receipt.warning] += 1
            self._applied(parcel)
        elif _is_of_the_row(error):
            if parcel is self._learner:
                self._learner = None
            self._reach.answered()
            self._judge_refusal(parcel, error)
        else:
            super()._answered(parcel, answer)

    def _await(self, parcel: Parcel, lost: Unsettled) -> None:
        """It is sent again soon: nothing else tells what became of it."""
        self._note_arrival(parcel, lost)
        parcel.refusal = None
        if parcel.sendings >= MAX_SENDINGS or not self._keys.may_send_again:
            self._give_up(parcel)
        else:
            self._defer(parcel, min(AFTER_FAILURE_S, self._world.settle_s))

    def _note_arrival(self, parcel: Parcel, lost: Unsettled) -> None:
        settle_s = self._world.settle_s
        wait_s = (min(AFTER_FAILURE_S, settle_s) if lost.answered else settle_s) - lost.since_s
        parcel.may_arrive_until_s = time.monotonic() + max(wait_s, 0.0)

    def _look_again(self) -> None:
        now_s = time.monotonic()
        while self._limbo and (self._is_stopping or self._limbo[0][0] <= now_s):
            parcel = heapq.heappop(self._limbo)[2]
            if not parcel.is_unclear:
                self._lanes.put_back(parcel)
            elif not self._is_stopping:  # else it stays as it is, and the same command finds out
                self._cleared.appendleft(parcel)
        is_all = self._is_exhausted and not (self._limbo or self._cleared or self._crew.under_way or self._lanes.ready)
        if self._unsure and is_all and not self._is_stopping:
            self._judge_again(gives_up=True)

    def _judge_again(self, *, gives_up: bool = False) -> None:
        """What a refusal says, now that more is known; ``gives_up``: nothing else can be learned from."""
        waiting, self._unsure = self._unsure, []
        for parcel in waiting:
            error, parcel.refusal = parcel.refusal, None
            assert error is not None
            if gives_up or not self._keys.is_to_be_learned:
                self._judge_refusal(parcel, error, gives_up=gives_up)
            else:
                self._wait_for_lesson(parcel, error)

    def _wait_for_lesson(self, parcel: Parcel, error: RpctlError) -> None:
        parcel.refusal = error
        self._unsure.append(parcel)

    def _judge_refusal(self, parcel: Parcel, error: RpctlError, *, gives_up: bool = False) -> None:
        verdict = self._keys.judge(error)
        if not parcel.is_unclear:
            if verdict is Verdict.USED:
                self._refused(parcel, key_reused(parcel.key))
            else:
                parcel.refusal = error
                self._ask(parcel, explain(parcel, error))
        elif verdict is Verdict.USED and not was_refused(parcel.row):
            self._applied(parcel)
        elif verdict is Verdict.UNSURE and self._keys.is_to_be_learned and not gives_up:
            self._wait_for_lesson(parcel, error)
        elif verdict is not Verdict.OTHER:
            self._give_up(parcel)
        elif parcel.refusal is None and time.monotonic() < parcel.may_arrive_until_s:
            parcel.refusal = error
            self._defer(parcel, parcel.may_arrive_until_s - time.monotonic())
        else:
            parcel.refusal, parcel.is_unclear = error, False
            self._ask(parcel, explain(parcel, error))

    # -- what becomes of one ---------------------------------------------------------------------------

    def _give_up(self, parcel: Parcel) -> None:
        outcome = self._unknown(parcel)
        self._tour.blocked.add(parcel.customer_id)
        told = parcel.row.told if was_refused(parcel.row) else (UNKNOWN, outcome.message)
        self._end(parcel, outcome, State.UNKNOWN, told)

    def _unknown(self, parcel: Parcel) -> Unknown:
        return Unknown(f"Whether the change with key {parcel.key} is in cannot be told.", self._keys.can_tell)

    def _not_sent(self, parcel: Parcel) -> None:
        """What was sent before stays unclear; only what never left can be anew."""
        if not parcel.is_unclear:
            super()._not_sent(parcel)


def _is_of_the_row(error: BaseException) -> TypeGuard[RpctlError]:
    if not isinstance(error, RpctlError) or isinstance(error, (Temporary, NotLoggedIn)):
        return False
    return getattr(error, "outcome", None) is not None or is_of_the_row(error)
