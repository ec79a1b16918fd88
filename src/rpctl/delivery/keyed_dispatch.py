"""Many changes to a service that keeps their keys, side by side: `rpctl.delivery.dispatch`, where a change that was not
clearly answered is sent again instead of looked for (see `rpctl.delivery.keyed`).
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, TypeGuard

from rpctl.backends.port import Unsettled
from rpctl.delivery.dispatch import Dispatch
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.keys import UNKNOWN, Answer, Verdict, was_refused
from rpctl.delivery.parcel import Parcel, explain, is_of_the_row, send_keyed, weigh
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.domain.outcomes import Unknown
from rpctl.errors import InsufficientPoints, NotLoggedIn, RpctlError, Temporary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rpctl.backends.port import Receipt
    from rpctl.delivery import crew
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

    def go(self, batches: Iterable[list[Parcel]]) -> Generator[list[Outcome]]:
        """See `Dispatch`."""
        try:
            yield from super().go(batches)
        finally:
            for text, count in self._warnings.items():
                self._world.note(text if count == 1 else f"{text} ({count:,} times)")

    # -- out -------------------------------------------------------------------------------------------

    def _is_lesson(self, parcel: Parcel) -> bool:
        return self._keys.is_lesson(parcel.sending.kind)

    def _work(self, parcel: Parcel) -> crew.Work:
        wanted = self._keys.wants(parcel.sending)
        return send_keyed(parcel, self._gate, wanted if parcel is self._learner or wanted is False else None)

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

    def _answered(self, parcel: Parcel, answer: crew.Answer) -> None:
        error = answer.error
        if error is not None and not _is_of_the_row(error):
            super()._answered(parcel, answer)
            return
        is_lesson = parcel is self._learner
        if is_lesson:
            self._learner = None
        self._reach.answered()
        if error is not None:
            self._judge_refusal(parcel, error)
            return
        receipt, repeated = answer.value
        if is_lesson or repeated is not None:
            self._keys.learn(parcel.sending, receipt, repeated)
            self._learned()
        self._succeeded(parcel, receipt)

    def _succeeded(self, parcel: Parcel, receipt: Receipt) -> None:
        if receipt.warning and (receipt.warning in self._warnings or len(self._warnings) < _KINDS_OF_WARNING):
            self._warnings[receipt.warning] += 1
        known = self._keys.known
        is_other = self._tour.run is not None and parcel.row.run != self._tour.run
        if is_other and known is not None and known.answer is Answer.REFUSED:  # this sending is the one that counts
            parcel.delivery = parcel.row._replace(run=self._tour.run, line=parcel.line)
            self._writing.add(parcel.row)
        self._applied(parcel)

    def _await(self, parcel: Parcel, lost: Unsettled) -> None:
        """It is sent again soon: nothing else tells what became of it."""
        self._note_arrival(parcel, lost)
        if parcel.sendings >= MAX_SENDINGS or not self._keys.may_send_again:
            self._give_up(parcel)
        else:
            self._defer(parcel, min(AFTER_FAILURE_S, self._world.settle_s))

    def _note_arrival(self, parcel: Parcel, lost: Unsettled) -> None:
        until_s = time.monotonic() + max(self._world.left_s(lost), 0.0)
        parcel.may_arrive_until_s = max(parcel.may_arrive_until_s, until_s)

    def _look_again(self) -> None:
        now_s = time.monotonic()
        while self._limbo and (self._is_stopping or self._limbo[0][0] <= now_s):
            parcel = heapq.heappop(self._limbo)[2]
            if parcel.is_unclear:
                self._cleared.appendleft(parcel)  # which is not sent any more where the run stops
            else:
                self._lanes.put_back(parcel)
        is_stuck = self._is_full and self._window[0].outcome is None
        is_all = (self._is_exhausted or is_stuck) and not (self._limbo or self._cleared or self._crew.under_way)
        if self._unsure and is_all and not self._lanes.ready and not self._is_stopping:
            self._judge_again(gives_up=True)

    # -- learned ---------------------------------------------------------------------------------------

    def _learned(self) -> None:
        """What waited for it is judged again; what nobody may send again any more stays as it is."""
        self._judge_again()
        if self._keys.may_send_again:
            return
        waiting = [*self._cleared, *(parcel for _, _, parcel in self._limbo)]
        for parcel in waiting:
            if parcel.is_unclear:
                self._give_up(parcel)
        self._cleared = deque(parcel for parcel in self._cleared if parcel.outcome is None)
        self._limbo = [one for one in self._limbo if one[2].outcome is None]
        heapq.heapify(self._limbo)

    def _judge_again(self, *, gives_up: bool = False) -> None:
        """What a refusal says, now that more is known; ``gives_up``: nothing else can be learned from."""
        waiting, self._unsure = self._unsure, []
        for parcel in waiting:
            assert parcel.refusal is not None
            self._judge_refusal(parcel, parcel.refusal, gives_up=gives_up)

    # -- refused ---------------------------------------------------------------------------------------

    def _judge_refusal(self, parcel: Parcel, error: RpctlError, *, gives_up: bool = False) -> None:
        if not parcel.is_unclear:
            self._refused_at_once(parcel, error)
            return
        verdict = self._keys.judge(error, parcel.row)
        parcel.refusal = error
        if verdict is Verdict.USED:
            self._applied(parcel)
        elif verdict is Verdict.ELSEWHERE:
            self._refused(parcel, self._keys.told(parcel.row))
        elif verdict is Verdict.UNSURE and self._keys.is_to_be_learned and not gives_up:
            self._unsure.append(parcel)
        elif verdict is not Verdict.OTHER:
            self._give_up(parcel)
        elif parcel.left_s < parcel.may_arrive_until_s:
            self._defer(parcel, parcel.may_arrive_until_s - time.monotonic())
        else:
            known = self._keys.known
            self._ask(parcel, weigh(parcel, error, is_told=known is not None and bool(known.is_first)))

    def _refused_at_once(self, parcel: Parcel, error: RpctlError) -> None:
        if parcel.refusal is not None:  # it was sent once more
            self._keys.learn_freeing(error)
            self._refused(parcel, parcel.refusal)
        elif self._keys.is_used(error):
            self._refused(parcel, self._keys.told(parcel.row))
        else:
            parcel.refusal = error
            self._ask(parcel, explain(parcel, error))

    def _looked(self, parcel: Parcel, answer: crew.Answer) -> None:
        """Why a change was refused."""
        parcel.is_looked_for = False
        told, refusal = answer.value, parcel.refusal
        assert refusal is not None
        if answer.error is None:
            self._reach.is_there()
        if not isinstance(told, RpctlError) and parcel.is_unclear:  # it may be what it took itself that is missing now
            self._give_up(parcel)
            return
        error = told if isinstance(told, RpctlError) else refusal
        is_open = isinstance(error, InsufficientPoints) and self._keys.is_freeing_open and not parcel.is_unclear
        if is_open and was_refused(parcel.row):
            self._keys.learn_freeing(refusal)
        elif is_open and not self._is_stopping:  # once more, to learn whether its key is still free
            parcel.refusal = error
            parcel.delivery = parcel.row._replace(told=(error.code, error.message))
            self._cleared.appendleft(parcel)
            return
        self._refused(parcel, error)

    # -- what becomes of one ---------------------------------------------------------------------------

    def _give_up(self, parcel: Parcel) -> None:
        outcome = self._unknown(parcel)
        self._tour.blocked.add(parcel.customer_id)
        told = parcel.row.told if was_refused(parcel.row) else (UNKNOWN, outcome.message)
        self._end(parcel, outcome, State.UNKNOWN, told)

    def _unknown(self, parcel: Parcel) -> Unknown:
        return Unknown(
            f"Whether the change with key {parcel.key} is in cannot be told.", self._keys.can_tell_of(parcel.row)
        )

    def _not_sent(self, parcel: Parcel) -> None:
        """What was sent before stays unclear, and what was refused is; only what never left can be anew."""
        if parcel.is_unclear:
            return
        if parcel.refusal is not None:
            self._refused(parcel, parcel.refusal)
        else:
            super()._not_sent(parcel)


def _is_of_the_row(error: BaseException) -> TypeGuard[RpctlError]:
    if not isinstance(error, RpctlError) or isinstance(error, (Temporary, NotLoggedIn)):
        return False
    return getattr(error, "outcome", None) is not None or is_of_the_row(error)
