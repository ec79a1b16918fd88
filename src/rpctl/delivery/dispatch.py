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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.port import Unsettled
from rpctl.delivery import reconcile
from rpctl.delivery.claims import Claims
from rpctl.delivery.journal import Delivery, State, recorded
from rpctl.delivery.lanes import Lanes
from rpctl.delivery.marks import Marks
from rpctl.delivery.parcel import LEAVES_WITHIN_S, Gate, Parcel, Stopped, explain, is_of_the_row, look_at, send_off
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.reconcile import Verdict
from rpctl.delivery.surroundings import AFTER_FAILURE_S, MAX_SENDINGS
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown, Withheld, is_refusal
from rpctl.errors import (
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
    from rpctl.delivery.pace import Pace
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.points import Summary

    Prepare = Callable[[Parcel], Delivery | Outcome]
    """Decides what is sent of a parcel that nothing is known of, or what becomes of it without that."""

_WINDOW: Final = 32_768  # rows between the first that is not settled and the last that was taken in
_AT_ONCE: Final = 256
_RECORD_EVERY_S: Final = 1.0
_TELL_EVERY_S: Final = 0.1
_AWAITED_S: Final = 0.5
_CLAIM_AGAIN_S: Final = 0.2
_LONGEST_CLAIM_S: Final = 120.0
_GRACE_S: Final = 5.0
_FIRST_OUTAGE_S: Final = 1.0
_LONGEST_OUTAGE_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 300.0


class Sent(NamedTuple):
    """What one pass over many changes is told. ``run``: the import that they belong to; ``stops``: the first refusal
    ends it; ``record``: the report so far as JSON, to be kept with the run, None: not now; ``patience_s``: how long the
    service may be out of reach."""

    run: str | None = None
    stops: bool = False
    record: Callable[[], str | None] = lambda: None
    patience_s: float = 60.0


class Dispatch:
    """One pass over many parcels."""

    def __init__(
        self,
        journal: Journal,
        world: Surroundings,
        crew: Crew,
        pace: Pace,
        prepare: Prepare,
        how: Sent,
    ) -> None:
        self._journal = journal
        self._world = world
        self._crew = crew
        self._pace = pace
        self._prepare = prepare
        self._how = how
        self._gate = Gate(crew)
        self._ahead = max(crew.size, 2)
        self._lanes: Lanes[Parcel] = Lanes()
        self._window: deque[Parcel] = deque()
        self._cleared: deque[Parcel] = deque()  # claimed and decided on; they wait for room
        self._limbo: list[tuple[float, int, Parcel]] = []
        self._claims = Claims(journal)
        self._marks = Marks(journal)
        self._released: list[str] = []
        self._whole: list[Delivery] = []
        self._settled: dict[str, Delivery] = {}
        self._learner: Parcel | None = None
        self._blocked: set[str] = set()
        self._open = 0
        self._counted = 0
        self._is_exhausted = self._is_stopping = False
        self._failure: BaseException | None = None
        self._failed_s = 0.0
        self._out_since_s: float | None = None
        self._paused_s = float("-inf")
        self._outages = 0
        self._recorded_s = self._told_s = time.monotonic()

    # -- the loop --------------------------------------------------------------------------------------

    def go(self, batches: Iterable[list[Parcel]]) -> Iterator[list[Outcome]]:
        """Delivers them; answers with the outcomes in order, some at a time. After a refusal that stops it, or what
        keeps everything from being sent, what is under way is heard first. Raises what keeps it from going on."""
        batches = iter(batches)
        try:
            while not self._is_done():
                self._hand_out(batches)
                yield from self._told()
                if not self._is_done():
                    self._hear()
            self._commit()
        except BaseException:
            self._wind_up()
            raise
        self._gate.is_shut = True
        self._claims.close()
        if rest := self._rest():
            yield rest
        if self._failure is not None:
            raise self._failure

    def _is_done(self) -> bool:
        if self._failure is not None:
            return not self._crew.under_way or time.monotonic() > self._failed_s + self._how.patience_s
        if self._is_stopping:
            return not self._crew.under_way and not self._limbo
        return self._is_exhausted and not self._open

    def _take_in(self, batches: Iterator[list[Parcel]]) -> None:
        if self._is_exhausted or len(self._window) >= _WINDOW:
            return
        batch = next(batches, None)
        if batch is None:
            self._is_exhausted = True
            return
        for parcel in batch:
            self._window.append(parcel)
            self._lanes.add(parcel)
        self._open += len(batch)

    def _told(self) -> Iterator[list[Outcome]]:
        """The outcomes of the first rows, as far as they are settled."""
        now_s = time.monotonic()
        if now_s - self._told_s < _TELL_EVERY_S and len(self._window) < _WINDOW and self._open:
            return
        self._told_s = now_s
        outcomes: list[Outcome] = []
        while self._window and (outcome := self._window[0].outcome) is not None:
            outcomes.append(outcome)
            self._window.popleft()
        if outcomes:
            yield outcomes

    def _rest(self) -> list[Outcome]:
        """What is left at the end: of what was not sent nothing is told but in front of what was."""
        outcomes = [self._unsettled(one) if one.outcome is None else one.outcome for one in self._window]
        while outcomes and isinstance(outcomes[-1], Withheld):
            outcomes.pop()
        self._window.clear()
        return outcomes

    @staticmethod
    def _unsettled(parcel: Parcel) -> Outcome:
        return Unknown(f"Whether the change with key {parcel.key} is in is not known yet.") if parcel.is_unclear else (
            Withheld()
        )  # fmt: skip

    # -- out -------------------------------------------------------------------------------------------

    def _hand_out(self, batches: Iterator[list[Parcel]]) -> None:
        """As many as there is room for. A row that is to teach what the service keeps is sent alone."""
        self._clear(batches)
        if self._is_stopping:
            return
        room = self._crew.size + self._ahead - self._crew.under_way
        is_busy = self._crew.under_way > self._crew.size
        if self._learner is not None or not self._cleared or (is_busy and room < self._ahead // 2):
            return
        now_s = time.monotonic()
        leaving: list[Parcel] = []
        most = min(room, self._pace.allows(now_s))
        while self._cleared and len(leaving) < most:
            if self._marks.is_to_be_learned(self._cleared[0].sending.kind):
                if leaving or self._crew.under_way:
                    break
                self._learner = self._cleared[0]
            leaving.append(self._cleared.popleft())
            if self._learner is not None:
                break
        if leaving:
            self._send(leaving, now_s)

    def _send(self, parcels: list[Parcel], now_s: float) -> None:
        self._stamp(parcels)
        self._pace.left(now_s, len(parcels))
        for parcel in parcels:
            parcel.left_s = now_s
            parcel.sendings += 1
            self._crew.hand(parcel, send_off(parcel, self._gate))

    def _stamp(self, parcels: list[Parcel]) -> None:
        """Writes that they are about to be sent."""
        sent_at, ticks = self._world.stamp(ahead_ms=int(LEAVES_WITHIN_S * 1000))
        for parcel in parcels:
            sending = parcel.sending._replace(tagged=self._marks.is_tagged(parcel.sending.kind))
            parcel.learns = parcel is self._learner or not self._marks.reaches(sending)
            parcel.delivery = parcel.row._replace(
                state=State.SENDING, sent_at=sent_at, ticks=ticks, sending=sending, told=None
            )
        written_s = time.monotonic()
        self._commit([parcel.row for parcel in parcels])
        for parcel in parcels:
            parcel.leaves_by_s = written_s + LEAVES_WITHIN_S

    def _clear(self, batches: Iterator[list[Parcel]]) -> None:
        """Claims and decides on those that may go, until there are enough to send."""
        while len(self._cleared) < self._ahead and not self._is_stopping:
            if self._lanes.ready < self._ahead:
                self._take_in(batches)
            if not self._lanes.ready:
                return
            group = [self._lanes.take() for _ in range(min(self._lanes.ready, _AT_ONCE))]
            claimed = [parcel for parcel in group if self._is_claimed(parcel)]
            rows = self._journal.find_all([parcel.key for parcel in claimed])
            for parcel in claimed:
                self._decide(parcel, self._settled.get(parcel.key) or rows.get(parcel.key))
            if len(self._whole) + len(self._settled) >= _AT_ONCE:
                self._commit()

    def _is_claimed(self, parcel: Parcel) -> bool:
        """Only this process works on its key now; else it is tried again soon."""
        try:
            self._claims.take(parcel.key)
        except DeliveryUnderWay as error:
            now_s = time.monotonic()
            parcel.awaited_since_s = parcel.awaited_since_s or now_s
            if now_s - parcel.awaited_since_s > _LONGEST_CLAIM_S:
                self._fail(error)
            self._defer(parcel, _CLAIM_AGAIN_S)
            return False
        return True

    def _decide(self, parcel: Parcel, known: Delivery | None) -> None:
        if parcel.customer_id in self._blocked:
            self._end(parcel, Withheld())
        elif known is None or known.is_free:
            decided = self._prepare(parcel)
            if not isinstance(decided, Delivery):
                self._end(parcel, decided)
            elif decided.state is not State.PLANNED:  # by somebody else
                self._whole.append(decided)
                self._end(parcel, AlreadyApplied())
            else:
                parcel.delivery = decided
                self._cleared.append(parcel)
        elif (settled := settled_before(known, parcel.asked)) is not None:
            self._end(parcel, settled)
        else:
            parcel.delivery, parcel.is_unclear = known, True
            if known.state is State.UNKNOWN and self._marks.is_blind(known.sending.kind):
                self._give_up(parcel, None)
            else:
                ago_s = self._world.ago_s(known.sent_at, known.ticks)
                self._await(parcel, Unsettled("it was sent before", answered=False, since_s=ago_s))

    # -- in --------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """What came back, and what is due to be looked for."""
        now_s = time.monotonic()
        wait_s = _AWAITED_S
        if self._limbo:
            wait_s = min(wait_s, self._limbo[0][0] - now_s)
        if self._cleared and self._crew.under_way < self._crew.size:
            wait_s = min(wait_s, self._pace.wait_s(now_s))
        if not (self._limbo or self._cleared or self._crew.under_way):
            wait_s = 0.0
        stale: list[tuple[Parcel, Event]] = []
        for answer in self._crew.hear(wait_s):
            if answer.work is None:
                stale.append((answer.subject, answer.value))
            elif answer.subject.is_looked_for:
                self._looked(answer.subject, answer)
            else:
                self._answered(answer.subject, answer)
        if stale:
            self._stamp([parcel for parcel, _ in stale])
            for _, written in stale:
                written.set()
        self._look_again()
        if not self._crew.under_way and not self._cleared:
            self._commit()

    def _look_again(self) -> None:
        now_s = time.monotonic()
        while self._limbo and self._limbo[0][0] <= now_s:
            parcel = heapq.heappop(self._limbo)[2]
            if not parcel.is_unclear:
                self._lanes.put_back(parcel)
            else:
                self._ask(parcel, look_at(parcel.customer_id))

    def _ask(self, parcel: Parcel, work: Work) -> None:
        parcel.is_looked_for, parcel.left_s = True, time.monotonic()
        self._pace.left(parcel.left_s, 1)
        self._crew.hand(parcel, work)

    def _answered(self, parcel: Parcel, answer: Answer) -> None:
        """What came of a sending."""
        error = answer.error
        is_lesson, self._learner = parcel is self._learner, None if parcel is self._learner else self._learner
        if error is None:
            self._out_since_s, self._outages = None, 0
            if parcel.learns:
                self._marks.learn(parcel.row, answer.value, is_lesson=is_lesson)
            self._applied(parcel)
        elif isinstance(error, Unsettled):
            parcel.is_unclear = True
            self._await(parcel, error)
        elif isinstance(error, Stopped):
            self._not_sent(parcel)
        elif isinstance(error, RateLimited):
            self._slow_down(parcel, error)
        elif isinstance(error, Temporary) and self._is_out(parcel, error):
            self._again(parcel)
        elif isinstance(error, RpctlError) and not isinstance(error, NotLoggedIn) and is_of_the_row(error):
            if parcel.is_unclear:
                parcel.refusal = error
                self._ask(parcel, look_at(parcel.customer_id))
            else:
                self._refused(parcel, error)
        else:
            self._not_sent(parcel)
            self._fail(error)

    def _looked(self, parcel: Parcel, answer: Answer) -> None:
        """What the service has of a customer whose change was not clearly answered; or why it refused one."""
        parcel.is_looked_for = False
        if isinstance(answer.error, Temporary):
            if self._is_out(parcel, answer.error):
                self._defer(parcel, _AWAITED_S)
            return
        if answer.error is not None:
            self._fail(answer.error)
            return
        if isinstance(answer.value, RpctlError):
            self._refused(parcel, answer.value)
            return
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
            self._give_up(parcel, None)
        elif parcel.refusal is not None:
            refusal, parcel.refusal, parcel.is_unclear = parcel.refusal, None, False
            self._ask(parcel, explain(parcel, refusal))
        elif self._is_stopping or self._failure is not None:
            self._not_sent(parcel)
        elif parcel.sendings >= MAX_SENDINGS:
            self._not_sent(parcel)
            self._fail(ServiceUnavailable(f"The service failed {MAX_SENDINGS} times; a change is not in."))
        else:
            parcel.delivery = parcel.row._replace(run=self._how.run or parcel.row.run, line=parcel.line)
            self._cleared.appendleft(parcel)

    # -- what becomes of one ---------------------------------------------------------------------------

    def _end(
        self, parcel: Parcel, outcome: Outcome, state: State | None = None, error: RpctlError | None = None
    ) -> None:
        """It is settled, as far as it will be now; ``state``: what the journal is to say of it."""
        if state is not None and parcel.delivery is not None:
            told = None if error is None else (error.code, error.message)
            self._settled[parcel.key] = parcel.row._replace(state=state, told=told)
        parcel.outcome = outcome
        self._open -= 1
        self._released.append(parcel.key)
        self._lanes.done(parcel)
        if self._how.stops and is_refusal(outcome):
            self._stop()

    def _applied(self, parcel: Parcel) -> None:
        sending = parcel.sending
        own = parcel.row.run == self._how.run
        if own:
            is_past = sending.valid_until is not None and sending.valid_until <= self._world.clock()
            outcome: Outcome = Applied(sending.points, None, expired_on_arrival=is_past, short=sending.short)
        else:
            outcome = AlreadyApplied(recorded=recorded(parcel.row))
        self._end(parcel, outcome, State.APPLIED)

    def _refused(self, parcel: Parcel, error: RpctlError) -> None:
        self._end(parcel, Refused(error), State.REFUSED, error)

    def _give_up(self, parcel: Parcel, error: RpctlError | None) -> None:
        """Whether it is in cannot be told: nobody sends it again by itself, and later changes of the customer wait."""
        why = f": {error.message}" if error else ""
        message = f"Whether the change with key {parcel.key} is in cannot be told{why}."
        self._settled[parcel.key] = parcel.row._replace(state=State.UNKNOWN, told=("outcome_unknown", message))
        self._blocked.add(parcel.customer_id)
        self._end(parcel, Unknown(message, not self._marks.is_blind(parcel.sending.kind)))

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
        self._settled[parcel.key] = parcel.row._replace(state=State.PLANNED)

    # -- when the service cannot -----------------------------------------------------------------------

    def _slow_down(self, parcel: Parcel, error: RateLimited) -> None:
        now_s = time.monotonic()
        asked_s = error.retry_after_s
        if asked_s is not None and asked_s > _LONGEST_PAUSE_S:
            self._not_sent(parcel)
            self._fail(error)
            return
        self._pace.slow_down(now_s, parcel.left_s, asked_s)
        self._again(parcel)

    def _is_out(self, parcel: Parcel, error: Temporary) -> bool:
        """The service is not there: everything waits for it, for a while. False: it was waited for."""
        now_s = time.monotonic()
        if self._out_since_s is None:
            self._out_since_s = now_s
        if now_s - self._out_since_s >= self._how.patience_s:
            self._fail(error)
            return False
        if parcel.left_s >= self._paused_s:  # it left after the last pause, in vain
            pause_s = min(_FIRST_OUTAGE_S * 2**self._outages, _LONGEST_OUTAGE_S)
            self._outages, self._paused_s = self._outages + 1, now_s
            self._pace.pause(now_s, pause_s)
            self._world.note(f"{error.message} Trying again in {pause_s:.0f} s.")
        return True

    def _again(self, parcel: Parcel) -> None:
        if self._is_stopping or self._failure is not None:
            self._not_sent(parcel)
        else:
            parcel.sendings -= 1
            self._cleared.appendleft(parcel)

    def _stop(self) -> None:
        """Nothing new leaves."""
        self._is_stopping = True
        for parcel in [*self._crew.withdraw(), *self._cleared]:
            self._withdrawn(parcel)
        self._cleared.clear()

    def _withdrawn(self, parcel: Parcel) -> None:
        if parcel.is_looked_for:
            self._defer(parcel, 0.0)
            parcel.is_looked_for = False
        elif parcel.delivery is not None and parcel.delivery.state is State.SENDING:
            self._not_sent(parcel)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure, self._failed_s = error, time.monotonic()
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
            self._commit()
        self._claims.close()

    # -- the journal -----------------------------------------------------------------------------------

    def _commit(self, rows: list[Delivery] | None = None) -> None:
        """Writes what is to be written in one transaction, and lets go of what is settled."""
        report = None
        now_s = time.monotonic()
        if self._how.run is not None and now_s - self._recorded_s >= _RECORD_EVERY_S:
            self._recorded_s = now_s
            text = self._how.record()
            report = None if text is None else (self._how.run, text)
        if rows or self._whole or self._settled or report:
            self._journal.write_all([*self._whole, *(rows or ())], self._settled.values(), report)
        self._whole.clear()
        self._settled.clear()
        for key in self._released:
            self._claims.release(key)
        self._released.clear()
