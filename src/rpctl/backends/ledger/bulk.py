"""Batch after batch into the ledger: the next one is booked while SQLite stores the one before.

A booking that is made ahead sees the ledger as its predecessor leaves it, part of it only in memory. It counts as
long as nobody else has changed the ledger since that predecessor's transaction began: SQLite's ``data_version``
tells so once the write lock is held. Otherwise it is thrown away and made again under the lock.

Where a batch met no key that is in, the keys of the next are taken to be new without a look: should one be in all
the same, the unique index refuses the whole batch, and it is booked again with every key looked up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.ledger.booking import Booking, Sources
from rpctl.backends.ledger.sql.books import Books
from rpctl.backends.ledger.sql.catalog import Catalog
from rpctl.backends.ledger.sql.faults import translated
from rpctl.backends.ledger.sql.file import begin_writing, data_version, for_bulk, open_again
from rpctl.backends.ledger.sql.runs import Runs
from rpctl.backends.ledger.sql.staging import KeyIsIn, Stage
from rpctl.domain.outcomes import Outcome, is_refusal

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import Setting
    from rpctl.backends.port import Record
    from rpctl.domain.changes import Change
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant

_LOCK_S: Final = 0.7
"""How long a transaction may hold the write lock before the next ones are made shorter; the limit is about 2 s
(``ledger.md``, Store)."""

_MOST_ROWS: Final = 50_000
_FEWEST_ROWS: Final = 2_000
_MOST_BATCHES: Final = 100
"""However little is in them: whoever makes them remembers what is not settled."""

_COURTESY_S: Final = 0.04
"""The pause between transactions while others write: enough for whoever tries again in the naps of `begin_writing`."""


class _Made(NamedTuple):
    """What is laid out on a stage to be stored in one transaction: the changes and what they come to."""

    booking: Booking
    batches: list[Sequence[Change]]
    outcomes: list[Outcome]
    stage: Stage
    now: Instant


class _Flight(NamedTuple):
    """What is being stored; ``done`` ends with the commit."""

    made: _Made
    done: Future[None]


class Bulk:
    """One run's way into one ledger. To be used once."""

    def __init__(self, writer: Books, setting: Setting, run: str | None, record: Record | None) -> None:
        self._writer = writer
        self._setting = setting
        self._run = run
        self._record = record
        self._all_or_nothing = False
        self._sources = Sources(setting.random_bytes, setting.coupon_code)
        self._rows = _MOST_ROWS
        self._stages: list[Stage] = []
        self._keys_are_new = False
        self._version = self._origin = -1
        self._courtesy_s = 0.0
        self._last: Booking | None = None
        self._flight: _Flight | None = None

    def apply(self, batches: Iterator[Sequence[Change]], *, all_or_nothing: bool) -> Iterator[list[Outcome]]:
        """See `Backend.apply_batches`; as many batches as are good for one transaction are settled together."""
        self._all_or_nothing = all_or_nothing
        with ExitStack() as stack:
            self._open(stack)
            while made := self._make(batches):  # they are planned in there, while the ones before are being stored
                as_booked = True
                if self._flight is not None:
                    outcomes, as_booked = self._land(made.booking)
                    yield outcomes
                    if self._is_refused(outcomes):  # booked anew, it came to something else
                        return
                refused = self._take_off(made, as_booked=as_booked)
                if refused is not None:
                    yield refused
                    return
            if self._flight is not None:
                yield self._land(None)[0]

    def _open(self, stack: ExitStack) -> None:
        connection = self._writer.connection
        with translated(self._writer.path):
            reader = open_again(self._writer.path)
            stack.callback(reader.close)
            self._reader, self._catalog = Books(reader, self._writer.path), Catalog(reader)
            stack.enter_context(for_bulk(connection))
            unique = self._setting.random_bytes(8).hex()
            for name in "ab":
                stage = Stage(connection, f"stage_{name}", unique)
                stack.callback(stage.close)
                self._stages.append(stage)
            stack.callback(self._roll_back)
            self._pool = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(self._wait)
            with self._writer.transaction(write=True):
                self._look_around()

    def _wait(self) -> None:
        """Whatever ends the run, what is being stored is stored whole."""
        if self._flight is not None:
            wait([self._flight.done])

    def _roll_back(self) -> None:
        """What was begun when something else ended the run, and not handed over to be stored."""
        if self._writer.connection.in_transaction:
            self._writer.connection.execute("ROLLBACK")

    def _make(self, batches: Iterator[Sequence[Change]], *, whole: bool = False) -> _Made | None:
        """Books what comes next, on top of what is being stored, or the ``whole`` of it; None at the end."""
        stage = self._stages[0]
        self._stages.reverse()
        with translated(self._writer.path):
            stage.clear()
            now = self._setting.clock()
            booking = Booking(self._reader, self._catalog, now, self._origin, self._sources, self._last)
        made = _Made(booking, [], [], stage, now)
        while whole or (len(made.outcomes) < self._rows and len(made.batches) < _MOST_BATCHES):
            changes = next(batches, None)
            if changes is None:
                break
            with translated(self._writer.path):
                decided = booking.book(changes, keys_are_new=self._keys_are_new)
                booking.fill(stage)
            made.batches.append(changes)
            made.outcomes.extend([outcome for outcome, _ in decided])
        with translated(self._writer.path):
            booking.fill_up(stage)
        return made if made.batches else None

    def _take_off(self, made: _Made, *, as_booked: bool) -> list[Outcome] | None:
        """Begins to store what was made, booked anew if that is what it takes; or tells the outcomes where one of
        them is a refusal and none is wanted."""
        connection = self._writer.connection
        time.sleep(self._courtesy_s)
        with translated(self._writer.path):
            asked_s = time.monotonic()
            begin_writing(connection, leave_attached=True)
            began_s = time.monotonic()
            others = data_version(connection) != self._version
            busy = others or began_s - asked_s > _COURTESY_S
            self._courtesy_s = _COURTESY_S if busy else self._courtesy_s / 2
            if others:
                self._look_around()
            if others or not as_booked:
                self._last = None
                made = self._make(iter(made.batches), whole=True) or made
            if self._is_refused(made.outcomes):
                connection.execute("ROLLBACK")
                return made.outcomes
            report = self._record() if self._record else None
        self._last = made.booking
        self._flight = _Flight(made, self._pool.submit(self._store, made, report, began_s))
        return None

    def _is_refused(self, outcomes: Sequence[Outcome]) -> bool:
        return self._all_or_nothing and any(map(is_refusal, outcomes))

    def _look_around(self) -> None:
        """What may be another's doing since we last held the write lock; only to be called while we hold it."""
        self._version = data_version(self._writer.connection)
        self._origin = self._writer.origin(self._setting.who, self._setting.version, self._run)

    def _store(self, made: _Made, report: Document | None, began_s: float) -> None:
        """In the other thread: the whole of a transaction but its begin. Python is needed for none of it."""
        connection = self._writer.connection
        try:
            made.stage.store(self._origin, made.now)
            if report is not None and self._run is not None:
                Runs(connection).save(self._run, report, None)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        held_s = time.monotonic() - began_s
        if held_s > _LOCK_S:
            self._rows = max(_FEWEST_ROWS, round(self._rows * max(_LOCK_S / held_s, 0.25)))
        elif held_s < _LOCK_S / 2:
            self._rows = min(_MOST_ROWS, self._rows * 5 // 4)

    def _land(self, then: Booking | None) -> tuple[list[Outcome], bool]:
        """Waits until something is stored: its outcomes, and whether they are those that it was booked with, so
        that what was booked on top of it stands. If not, and all or nothing is wanted, it may not be stored."""
        assert self._flight is not None
        made, done = self._flight
        with translated(self._writer.path):
            try:
                done.result()
            except KeyIsIn:
                pass
            else:
                self._flight = None
                made.booking.is_stored(then)
                self._keys_are_new = not made.booking.repeats
                return made.outcomes, True
        self._flight = None
        self._keys_are_new = False  # one of them was not: look them up
        self._version = -1  # and what we saw when we looked around may have been rolled back
        refused = self._take_off(made, as_booked=False)
        return refused or self._land(None)[0], False
