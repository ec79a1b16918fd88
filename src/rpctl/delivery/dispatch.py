"""Many changes to one service, side by side, each once by its key and those of one customer in their order.

One thread decides and writes the journal, and a crew sends. Rows are written as `sending` some at a time, in one
transaction together with what became of those before them; only then they are handed over, and they leave within a
second of that or are written once more. What is known of a row afterwards is decided as for a single change
(`rpctl.delivery.deliver`).
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rpctl.backends.port import Unsettled
from rpctl.delivery import reconcile
from rpctl.delivery.journal import Delivery, State, recorded
from rpctl.delivery.lanes import Lanes
from rpctl.delivery.parcel import (
    CONNECTS_WITHIN_S,
    LEAVES_WITHIN_S,
    Gate,
    Parcel,
    Stopped,
    explain,
    is_of_the_row,
    look_at,
    send_off,
)
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.reach import Reach
from rpctl.delivery.reconcile import Verdict
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.delivery.writing import Writing
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown, Withheld, is_refusal
from rpctl.errors import (
    CustomerDeleted,
    DeliveryUnderWay,
    NotLoggedIn,
    RateLimited,
    RpctlError,
    ServiceUnavailable,
    Temporary,
)

if TYPE_CHECKING:
    from threading import Event

    from rpctl.delivery.crew import Answer, Crew, Work
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.keys import UsedKeys
    from rpctl.delivery.marks import Marks
    from rpctl.delivery.pace import Pace
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.points import Summary

    Prepare = Callable[[Parcel], Delivery | Outcome]
    """Decides what is sent of a parcel that nothing is known of, or what becomes of it without that."""

_WINDOW: Final = 32_768  # rows between the first that is not settled and the last that was taken in
_AT_ONCE: Final = 256
_TELL_EVERY_S: Final = 0.1
_AWAITED_S: Final = 0.5
_SOON_S: Final = 0.005
_CLAIM_AGAIN_S: Final = 0.2
_LONGEST_CLAIM_S: Final = 120.0
_GRACE_S: Final = 5.0
_WORTH_SAYING_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Tour:
    """What many passes of one command have in common. ``run``: the import that they belong to; ``stops``: the first
    refusal ends it; ``report``: that of the run so far as JSON, None: not now; ``blocked``: customers of whom an
    earlier change is unknown, or refused where ``refusal_blocks``; ``keys``: where the service keeps them."""

    crew: Crew
    pace: Pace
    marks: Marks
    reach: Reach
    run: str | None = None
    stops: bool = False
    report: Callable[[], str | None] = lambda: None
    blocked: set[str] = field(default_factory=set)
    refusal_blocks: bool = False
    keys: UsedKeys | None = None


class Dispatch:
    """One pass over many parcels."""

    def __init__(self, journal: Journal, world: Surroundings, tour: Tour, prepare: Prepare) -> None:
        self._world = world
        self._tour = tour
        self._crew, self._pace, self._marks, self._reach = tour.crew, tour.pace, tour.marks, tour.reach
        self._prepare = prepare
        self._writing = Writing(journal, tour.run, tour.report)
        self._gate = Gate(self._crew)
        self._ahead = max(self._crew.size, 2)
        self._lanes: Lanes[Parcel] = Lanes()
        self._window: deque[Parcel] = deque()
        self._cleared: deque[Parcel] = deque()  # claimed and decided on; they wait for room
        self._limbo: list[tuple[float, int, Parcel]] = []
        self._counted = 0
        self._learner: Parcel | None = None
        self._open = 0
        self._is_exhausted = self._is_stopping = False
        self._failure: BaseException | None = None
        self._told_s = time.monotonic()
        self._silent_until_s = 0.0

    # -- the loop --------------------------------------------------------------------------------------

    def go(self, batches: Iterable[list[Parcel]]) -> Generator[list[Outcome]]:
        """Delivers them; answers with the outcomes in order, some at a time. After a refusal that stops it, or what
        keeps everything from being sent, what is under way is heard first, and rows behind the last that was settled
        are not told of. Raises what keeps it from going on."""
        batches = iter(batches)
        try:
            while not self._is_done():
                self._hand_out(batches)
                yield from self._told()
                if not self._is_done():
                    self._hear()
            self._writing.commit()
        except BaseException:
            self._wind_up()
            raise
        finally:
            self._gate.is_shut = True
            self._writing.close()
        if rest := self._rest():
            yield rest
        if self._failure is not None:
            raise self._failure

    def _is_done(self) -> bool:
        if self._failure is not None:
            return not self._crew.under_way
        if self._is_stopping:
            return not self._crew.under_way and not self._limbo
        return self._is_exhausted and not self._open

    @property
    def _is_full(self) -> bool:
        """Whether nothing more is taken in before the first row is settled and told of."""
        return len(self._window) >= _WINDOW

    def _told(self) -> Iterator[list[Outcome]]:
        """The outcomes of the first rows, as far as they are settled."""
        now_s = time.monotonic()
        if now_s - self._told_s < _TELL_EVERY_S and not self._is_full and self._open:
            return
        self._told_s = now_s
        outcomes: list[Outcome] = []
        while self._window and (outcome := self._window[0].outcome) is not None:
            outcomes.append(outcome)
            self._window.popleft()
        if outcomes:
            yield outcomes

    def _rest(self) -> list[Outcome]:
        """What is left at the end."""
        outcomes = [self._unsettled(one) if one.outcome is None else one.outcome for one in self._window]
        while self._is_stopping and outcomes and isinstance(outcomes[-1], Withheld):
            outcomes.pop()
        self._window.clear()
        return outcomes

    # -- out -------------------------------------------------------------------------------------------

    def _hand_out(self, batches: Iterator[list[Parcel]]) -> None:
        """As many as there is room for. A row that is to teach what the service keeps is sent alone."""
        self._clear(batches)
        now_s = time.monotonic()
        most = self._room(now_s)
        leaving: list[Parcel] = []
        while self._cleared and len(leaving) < most:
            if self._is_lesson(self._cleared[0]):
                if leaving:
                    break
                self._learner = self._cleared[0]
                most = 1
            leaving.append(self._cleared.popleft())
        if not leaving:
            return
        self._stamp(leaving)
        self._pace.left(now_s, len(leaving))
        for parcel in leaving:
            if parcel.is_gone:
                self._forgotten(parcel)
                continue
            parcel.left_s = now_s
            parcel.sendings += 1
            self._crew.hand(parcel, self._work(parcel))

    def _room(self, now_s: float) -> int:
        """How many may be handed over now; few at a time are not worth a transaction while there is enough to do."""
        under_way = self._crew.under_way
        if self._is_stopping or self._learner is not None or not self._cleared:
            return 0
        if under_way and (self._reach.is_doubtful or self._is_lesson(self._cleared[0])):
            return 0
        room = 1 if self._reach.is_doubtful else self._crew.size + self._ahead - under_way
        if under_way > self._crew.size and room < self._ahead // 2:
            return 0
        return min(room, self._pace.allows(now_s))

    def _is_lesson(self, parcel: Parcel) -> bool:
        return self._marks.is_to_be_learned(parcel.sending.kind)

    def _work(self, parcel: Parcel) -> Work:
        return send_off(parcel, self._gate)

    def _stamp(self, parcels: list[Parcel]) -> None:
        """Writes that they are about to be sent. Where that takes long, they may leave the later."""
        slack_s = LEAVES_WITHIN_S + 2 * self._writing.took_s
        sent_at, ticks = self._world.stamp(ahead_ms=int((slack_s + CONNECTS_WITHIN_S) * 1000))
        stamped_s = time.monotonic()
        for parcel in parcels:
            sending = parcel.sending._replace(tagged=self._marks.is_tagged(parcel.sending.kind))
            parcel.learns = parcel is self._learner or not self._marks.reaches(sending)
            parcel.delivery = parcel.row._replace(state=State.SENDING, sent_at=sent_at, ticks=ticks, sending=sending)
        gone = self._writing.commit([parcel.row for parcel in parcels])
        for parcel in parcels:
            parcel.leaves_by_s = stamped_s + slack_s
            parcel.is_gone = parcel.key in gone

    def _clear(self, batches: Iterator[list[Parcel]]) -> None:
        """Claims and decides on those that may go, until there are enough to send."""
        while len(self._cleared) < self._ahead and not self._is_stopping:
            if self._lanes.ready < self._ahead:
                self._take_in(batches)
            if not self._lanes.ready:
                return
            group = [self._lanes.take() for _ in range(min(self._lanes.ready, _AT_ONCE))]
            claimed = [parcel for parcel in group if self._is_claimed(parcel)]
            rows = self._writing.find([parcel.key for parcel in claimed])
            for parcel in claimed:
                self._decide(parcel, rows.get(parcel.key))
            if len(self._writing) >= _AT_ONCE:
                self._writing.commit()

    def _take_in(self, batches: Iterator[list[Parcel]]) -> None:
        if self._is_exhausted or self._is_full:
            return
        batch = next(batches, None)
        if batch is None:
            self._is_exhausted = True
            return
        for parcel in batch:
            self._window.append(parcel)
            self._lanes.add(parcel)
        self._open += len(batch)

    def _is_claimed(self, parcel: Parcel) -> bool:
        """Only this process works on its key now; else it is tried again soon."""
        try:
            self._writing.claim(parcel.key)
        except DeliveryUnderWay as error:
            now_s = time.monotonic()
            parcel.awaited_since_s = parcel.awaited_since_s or now_s
            if now_s - parcel.awaited_since_s > _LONGEST_CLAIM_S:
                self._fail(error)
            self._defer(parcel, _CLAIM_AGAIN_S)
            return False
        return True

    def _decide(self, parcel: Parcel, known: Delivery | None) -> None:
        is_blocked = parcel.customer_id in self._tour.blocked
        if known is not None and not known.is_free:
            self._decide_known(parcel, known, is_blocked=is_blocked)
        elif is_blocked:
            self._end(parcel, Withheld())
        else:
            decided = self._prepare(parcel)
            if not isinstance(decided, Delivery):
                self._end(parcel, decided)
            elif decided.state is not State.PLANNED:  # by somebody else
                self._writing.add(decided)
                self._end(parcel, AlreadyApplied())
            else:
                parcel.delivery = decided
                self._cleared.append(parcel)

    def _decide_known(self, parcel: Parcel, known: Delivery, *, is_blocked: bool) -> None:
        """What was sent before, by whomever."""
        settled = settled_before(known, parcel.asked)
        if settled is not None:
            self._end(parcel, settled)
            return
        parcel.delivery, parcel.is_unclear = known, True
        if is_blocked or (known.state is State.UNKNOWN and self._marks.is_blind(known.sending.kind)):
            self._give_up(parcel)
        else:
            ago_s = self._world.ago_s(known.sent_at, known.ticks)
            self._await(parcel, Unsettled("it was sent before", answered=False, since_s=ago_s))

    # -- in --------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """What came back, and what is due to be looked for."""
        stale: list[tuple[Parcel, Event]] = []
        for answer in self._crew.hear(self._idle_s(time.monotonic())):
            if answer.work is None:
                stale.append((answer.subject, answer.value))
            elif answer.subject.is_looked_for:
                self._looked(answer.subject, answer)
            else:
                self._answered(answer.subject, answer)
        if stale and self._failure is None:
            self._stamp([parcel for parcel, _ in stale])
        for _, written in stale:
            written.set()
        self._look_again()
        if not self._crew.under_way and not self._cleared:
            self._writing.commit()

    def _idle_s(self, now_s: float) -> float:
        """For how long there is nothing to do but to hear."""
        if not (self._limbo or self._cleared or self._crew.under_way):
            return 0.0
        waits = [_AWAITED_S]
        may_leave_s = self._pace.wait_s(now_s)
        if self._limbo:
            waits.append(max(self._limbo[0][0] - now_s, may_leave_s, _SOON_S))
        if self._cleared and self._crew.under_way < self._crew.size:
            is_alone = self._learner is not None or self._reach.is_doubtful or self._is_lesson(self._cleared[0])
            if not (is_alone and self._crew.under_way):
                waits.append(max(may_leave_s, 0.0))
        return min(waits)

    def _look_again(self) -> None:
        now_s = time.monotonic()
        while self._limbo and self._limbo[0][0] <= now_s:
            if not self._limbo[0][2].is_unclear:
                self._lanes.put_back(heapq.heappop(self._limbo)[2])
            elif self._pace.allows(now_s) and self._crew.under_way < self._crew.size + self._ahead:
                parcel = heapq.heappop(self._limbo)[2]
                self._ask(parcel, look_at(parcel.customer_id))
            else:
                return

    def _ask(self, parcel: Parcel, work: Work) -> None:
        parcel.is_looked_for, parcel.left_s = True, time.monotonic()
        self._pace.left(parcel.left_s, 1)
        self._crew.hand(parcel, work)

    def _answered(self, parcel: Parcel, answer: Answer) -> None:
        """What came of a sending."""
        error = answer.error
        is_lesson = parcel is self._learner
        if is_lesson:
            self._learner = None
        if error is None:
            self._reach.answered()
            if parcel.learns:
                self._marks.learn(parcel.row, answer.value, is_lesson=is_lesson)
            self._applied(parcel)
        elif isinstance(error, Unsettled):
            parcel.is_unclear = True
            self._await(parcel, error)
            self._pause(self._reach.unclear(time.monotonic(), parcel.left_s), _unheard(error))
        elif isinstance(error, Stopped):
            (self._forgotten if parcel.is_gone else self._not_sent)(parcel)
        elif isinstance(error, RateLimited):
            self._slow_down(parcel, error)
        elif isinstance(error, Temporary):
            self._pause(self._reach.gone(time.monotonic(), parcel.left_s), error)
            self._again(parcel)
        elif isinstance(error, RpctlError) and not isinstance(error, NotLoggedIn) and is_of_the_row(error):
            self._reach.answered()
            if parcel.is_unclear:
                parcel.refusal = error
                self._ask(parcel, look_at(parcel.customer_id))
            else:
                self._refused(parcel, error)
        elif isinstance(error, RpctlError):
            self._not_sent(parcel)
            self._fail(error)
        else:  # a mistake of ours, and nobody knows how far it had come
            parcel.is_unclear = True
            self._fail(error)

    def _looked(self, parcel: Parcel, answer: Answer) -> None:
        """What the service has of a customer whose change was not clearly answered; or why it refused one."""
        parcel.is_looked_for = False
        error = answer.error
        if error is None:
            self._reach.is_there()
        if parcel.refusal is not None and not parcel.is_unclear:
            self._refused(parcel, answer.value if isinstance(answer.value, RpctlError) else parcel.refusal)
        elif isinstance(error, Temporary):
            self._pause(self._reach.gone(time.monotonic(), parcel.left_s), error)
            self._defer(parcel, _AWAITED_S)
        elif error is not None:
            self._fail(error)
        else:
            self._judge(parcel, answer.value)

    def _judge(self, parcel: Parcel, summary: Summary | None) -> None:
        sending = parcel.sending
        found = reconcile.judge(sending, summary, parcel.key, self._marks.of(sending.kind))
        if found.verdict is Verdict.APPLIED:
            assert summary is not None
            if len(reconcile.marked(sending, summary.entries())) > 1:
                self._world.warn(f"the service has more than one entry of key {parcel.key}")
            self._marks.confirm(parcel.row, summary)
            self._applied(parcel)
        elif found.verdict is Verdict.UNKNOWN:
            self._give_up(parcel)
        elif parcel.refusal is not None:
            parcel.is_unclear = False
            self._ask(parcel, explain(parcel, parcel.refusal))
        elif self._is_stopping:
            self._not_sent(parcel)
        elif parcel.sendings >= MAX_SENDINGS:
            self._not_sent(parcel)
            self._fail(ServiceUnavailable(f"The service failed {MAX_SENDINGS} times; a change is not in."))
        else:
            parcel.delivery = parcel.row._replace(run=self._tour.run or parcel.row.run, line=parcel.line)
            self._cleared.appendleft(parcel)

    # -- what becomes of one ---------------------------------------------------------------------------

    def _end(
        self, parcel: Parcel, outcome: Outcome, state: State | None = None, told: tuple[str, str] | None = None
    ) -> None:
        """It is settled, as far as it will be now; ``state``: what the journal is to say of it."""
        if state is not None:
            self._writing.settle(parcel.row._replace(state=state, told=told))
        parcel.outcome = outcome
        self._open -= 1
        self._writing.release(parcel.key)
        self._lanes.done(parcel)
        if is_refusal(outcome):
            if self._tour.refusal_blocks:
                self._tour.blocked.add(parcel.customer_id)
            if self._tour.stops:
                self._stop()

    def _applied(self, parcel: Parcel) -> None:
        sending = parcel.sending
        if parcel.row.run == self._tour.run:
            is_past = sending.is_past(self._world.clock())
            outcome: Outcome = Applied(sending.points, None, expired_on_arrival=is_past, short=sending.short)
        else:
            outcome = AlreadyApplied(recorded=recorded(parcel.row))
        self._end(parcel, outcome, State.APPLIED)

    def _refused(self, parcel: Parcel, error: RpctlError) -> None:
        self._end(parcel, Refused(error), State.REFUSED, (error.code, error.message))

    def _forgotten(self, parcel: Parcel) -> None:
        """The customer was deleted before it left."""
        if parcel is self._learner:
            self._learner = None
        self._end(parcel, Refused(CustomerDeleted(f"Customer {parcel.customer_id} was deleted meanwhile.")))

    def _give_up(self, parcel: Parcel) -> None:
        """Whether it is in cannot be told: nobody sends it again by itself, and later changes of the customer wait."""
        outcome = self._unknown(parcel)
        self._tour.blocked.add(parcel.customer_id)
        self._end(parcel, outcome, State.UNKNOWN, ("outcome_unknown", outcome.message))

    def _unknown(self, parcel: Parcel) -> Unknown:
        can_be_told = not self._marks.is_blind(parcel.sending.kind)
        return Unknown(f"Whether the change with key {parcel.key} is in cannot be told.", can_be_told)

    def _unsettled(self, parcel: Parcel) -> Outcome:
        """The outcome of a row that is left in the middle."""
        is_sent = parcel.is_unclear or (parcel.delivery is not None and parcel.row.state is State.SENDING)
        return self._unknown(parcel) if is_sent else Withheld()

    def _await(self, parcel: Parcel, lost: Unsettled) -> None:
        """It is looked for as soon as it can no longer arrive."""
        settle_s = self._world.settle_s
        wait_s = (min(AFTER_FAILURE_S, settle_s) if lost.answered else settle_s) - lost.since_s
        self._defer(parcel, max(wait_s, 0.0))

    def _defer(self, parcel: Parcel, seconds: float) -> None:
        self._counted += 1
        heapq.heappush(self._limbo, (time.monotonic() + seconds, self._counted, parcel))

    def _not_sent(self, parcel: Parcel) -> None:
        """It never left, or is proven not to be in; it can be sent another time."""
        parcel.is_unclear = False
        parcel.delivery = parcel.row._replace(state=State.PLANNED)
        self._writing.settle(parcel.delivery)

    # -- when the service cannot -----------------------------------------------------------------------

    def _slow_down(self, parcel: Parcel, error: RateLimited) -> None:
        """Everything slows down, and the row goes once more."""
        now_s, asked_s = time.monotonic(), error.retry_after_s
        if self._reach.is_limited_for_too_long(now_s, asked_s):
            self._fail(error)
        else:
            self._pace.slow_down(now_s, parcel.left_s, asked_s)
            self._say(error, max(asked_s or 0.0, self._reach.limited_for_s(now_s)))
        self._again(parcel)

    def _pause(self, seconds: float | None, error: RpctlError) -> None:
        """Everything waits for the service, for a while; None: it was waited for long enough."""
        if seconds is None:
            self._fail(error)
        elif seconds:
            self._pace.pause(time.monotonic(), seconds)
            self._say(error, max(seconds, _WORTH_SAYING_S))

    def _say(self, error: RpctlError, seconds: float) -> None:
        now_s = time.monotonic()
        if seconds >= _WORTH_SAYING_S and not self._is_stopping and now_s >= self._silent_until_s:
            wait_s = self._pace.wait_s(now_s)
            self._silent_until_s = now_s + max(wait_s, _WORTH_SAYING_S)
            self._world.note(f"{error.message} Going on in {wait_s:.0f} s.")

    def _again(self, parcel: Parcel) -> None:
        if self._is_stopping:
            self._not_sent(parcel)
        else:
            parcel.sendings -= 1
            self._cleared.appendleft(parcel)

    def _stop(self) -> None:
        """Nothing new leaves."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for parcel in [*self._crew.withdraw(), *self._cleared]:
            if parcel.refusal is not None and not parcel.is_unclear:
                self._refused(parcel, parcel.refusal)
            elif parcel.is_looked_for:
                parcel.is_looked_for = False
                self._defer(parcel, 0.0)
            elif parcel.delivery is not None and parcel.row.state is State.SENDING:
                self._not_sent(parcel)
        self._cleared.clear()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._gate.is_shut = True
            self._stop()

    def _wind_up(self) -> None:
        """After an end in the middle: what is under way may still be heard, for a moment, and what is known is kept."""
        self._gate.is_shut = True
        ends_s = time.monotonic() + _GRACE_S
        with suppress(RpctlError):
            self._stop()
            while self._crew.under_way and time.monotonic() < ends_s:
                for answer in self._crew.hear(ends_s - time.monotonic()):
                    if answer.work is not None and not answer.subject.is_looked_for:
                        self._answered(answer.subject, answer)
            self._writing.commit()


def _unheard(lost: Unsettled) -> ServiceUnavailable:
    return ServiceUnavailable(f"{lost.message[:1].upper()}{lost.message[1:]}, again and again.")
