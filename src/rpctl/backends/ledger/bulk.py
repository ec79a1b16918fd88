"""Very many changes into the ledger: thousands at a time, the next laid out while SQLite stores the ones before.

Most rows of an import are additions about which nothing is to be decided: the points are known, they are valid now,
and the customer has nothing but such additions among the rows stored together. Of these only the running balance
depends on what the ledger holds, so they are laid out before their transaction begins, and stored by a few statements.
Everything else goes through a `Booking`, which reads what was there before the transaction and is stored with it; and
where a guess fails (a key is in, somebody's change came in later than these, a program was changed) all of them do.
Either way comes to the same, which a test holds: this module knows no rule that `Booking` does not have.

Keys are looked up in a mass until a load has none that is in; from then on the table of keys tells, which takes each
once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.backends.ledger.booking import Ahead, Booking, Sources
from rpctl.backends.ledger.digests import SALT_SIZE, Digests
from rpctl.backends.ledger.simple import Told, staged, tell
from rpctl.backends.ledger.sql.books import Books
from rpctl.backends.ledger.sql.catalog import Catalog
from rpctl.backends.ledger.sql.faults import translated
from rpctl.backends.ledger.sql.file import begin_writing, for_bulk, open_again
from rpctl.backends.ledger.sql.runs import Runs
from rpctl.backends.ledger.sql.staging import BookedStage, CannotStore, Stage
from rpctl.domain.changes import AddPoints, Change, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, is_refusal
from rpctl.domain.values import Instant

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import Setting
    from rpctl.backends.port import Record
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document

_LOCK_S: Final = 1.4
"""How long a transaction may hold the write lock before the next ones are made shorter; the limit is about 2 s
(``ledger.md``, Store)."""

_MOST_ROWS: Final = 65_000
_FEWEST_ROWS: Final = 2_000
_FIRST_ROWS: Final = 10_000
_FIRST_OF_LARGE: Final = 25_000
_LARGE: Final = 1_000_000
"""At first few rows, so that SQLite begins soon. Where the trees exceed the memory that is used, from some million
entries on, a transaction writes almost as many pages for few rows as for many; how many it may take is soon known."""

_WHOLE_ROWS: Final = 10_000
"""So many rows are booked by the rules in one transaction where a refusal undoes them all."""

_MOST_BATCHES: Final = 200
"""However little is in them: whoever makes them remembers what is not settled."""

_BY_RULES: Final = 5
"""How many times as long a row takes that goes through a `Booking`."""

_SWITCH_S: Final = 0.0005
"""How soon the other thread gets Python back between two statements: by default it waits ten times as long for it,
and SQLite stands still."""

_COURTESY_S: Final = 0.04
"""The pause between transactions while others write: enough for whoever tries again in the naps of `begin_writing`."""


class _Ground(NamedTuple):
    """What was read before a transaction and has to hold in it: who records, the ledger's secret, the programs."""

    origin: int
    secret: bytes
    programs: dict[str, Program]


@dataclass(slots=True)
class _Load:
    """Changes that are settled together. The other thread looks their keys up (``found``: how many are in, and how
    many of those for the very change), or stores them (``stored``), or first the one and then the other. Where
    neither comes to an end, every change is booked by the rules.

    ``keys``, ``asked``: digests of keys and fingerprints, empty once they are laid out to be stored; ``told``: None
    until then, and without the simple ones after it; ``ahead``: of the others;
    ``outcomes``: None for what is not decided yet; ``now``: when they are recorded; ``stage``: where they are laid
    out; ``ground``: what that rests on.
    """

    changes: list[Change]
    keys: list[bytes]
    asked: list[bytes]
    now: Instant
    stage: Stage
    ground: _Ground
    told: Told | None = None
    ahead: Ahead | None = None
    outcomes: list[Outcome | None] = field(default_factory=list)
    found: Future[tuple[int, int]] | None = None
    stored: Future[None] | None = None


@dataclass(slots=True)
class _Handed:
    """What the two threads tell each other in a transaction: the next free place of a customer, once those of simple
    changes are in; that what was booked is laid out."""

    next_customer: Future[int] = field(default_factory=Future)
    booked: Future[None] = field(default_factory=Future)


class Bulk:
    """One run's way into one ledger. To be used once."""

    def __init__(
        self, writer: Books, catalog: Catalog, setting: Setting, run: str | None, record: Record | None
    ) -> None:
        self._writer = writer
        self._catalog = catalog
        self._setting = setting
        self._run = run
        self._record = record
        self._sources = Sources(setting.random_bytes, setting.coupon_code)
        self._rows = min(_FIRST_ROWS, _MOST_ROWS)
        self._keys_may_be_in = True
        self._courtesy_s = 0.0
        self._under_way: _Load | None = None
        self._stopped = False

    def apply(self, batches: Iterator[Sequence[Change]], *, all_or_nothing: bool) -> Iterator[list[Outcome]]:
        """See `Backend.apply_batches`; as many batches as are good for one transaction are settled together."""
        self._all_or_nothing = all_or_nothing
        self._fewest_by_rules = _WHOLE_ROWS if all_or_nothing else 1
        with ExitStack() as stack:
            self._open(stack)
            # They are planned in `_gather`, while the ones before are being stored.
            while (changes := self._gather(batches)) is not None:
                load = self._lay_out(changes) if changes else None
                yield from self._finish()
                if self._stopped:
                    return
                if load is None:
                    yield []  # whoever made them need not remember them any more
                else:
                    self._start(load)
            yield from self._finish()

    def _open(self, stack: ExitStack) -> None:
        connection, path = self._writer.connection, self._writer.path
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_S)
        with translated(path):
            ahead = open_again(path)
            stack.callback(ahead.close)
            self._ahead = Catalog(ahead)
            self._reader = Books(ahead, path)
            stack.enter_context(for_bulk(connection))
            unique = self._setting.random_bytes(8).hex()
            self._stages = []
            for name in ("stage_a", "stage_b"):
                self._stages.append(Stage(connection, name, unique))
                stack.callback(self._stages[-1].close)
            self._booked = BookedStage(connection, "stage_booked", unique)
            stack.callback(self._booked.close)
            stack.callback(self._roll_back)
            self._pool = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(self._wait)
            with self._writer.transaction(write=True):
                if self._writer.next_seq("entries") > _LARGE:
                    self._rows = min(_FIRST_OF_LARGE, _MOST_ROWS)
                self._goes_on = self._run is not None and self._writer.has_origin(self._run)
                self._stand_on(self._ground_now({}))

    def _wait(self) -> None:
        """Whatever ends the run, what is being stored is stored whole."""
        if self._under_way is not None:
            tasks: list[Future[Any] | None] = [self._under_way.found, self._under_way.stored]
            wait([task for task in tasks if task is not None])

    def _roll_back(self) -> None:
        """What was begun when something else ended the run, and not handed over to be stored."""
        if self._writer.connection.in_transaction:
            self._writer.connection.execute("ROLLBACK")

    def _gather(self, batches: Iterator[Sequence[Change]]) -> list[Change] | None:
        """The changes of one transaction, as a rule; None at the end."""
        changes: list[Change] = []
        taken = 0
        while len(changes) < self._rows and taken < _MOST_BATCHES and (batch := next(batches, None)) is not None:
            changes += batch
            taken += 1
        return changes if taken else None

    # -- ahead of the transaction ----------------------------------------------------------------------

    def _lay_out(self, changes: list[Change]) -> _Load:
        """Puts on the stage that is free what the other thread needs next. Nothing here waits for that thread."""
        stage = self._stages[0]
        self._stages.reverse()
        keys = self._digests.keys([change.key for change in changes])
        asked = self._digests.asked([change.canonical() for change in changes])
        load = _Load(changes, keys, asked, self._setting.clock(), stage, self._ground)
        if self._keys_may_be_in:
            with translated(self._writer.path):
                stage.fill((), asked=zip(count(), keys, asked))
        else:
            self._lay_out_additions(load)
        return load

    def _lay_out_additions(self, load: _Load) -> None:
        told = tell(load.changes, load.keys, load.now, self._program)
        others = told.others
        load.told = told._replace(simple=[])
        load.ahead = Ahead(others, [load.keys[index] for index in others], [load.asked[index] for index in others])
        load.outcomes = [None] * len(load.changes)
        same: dict[int, Applied] = {}  # few numbers of points come again and again
        for index, _, points, *_ in told.simple:
            load.outcomes[index] = same.get(points) or same.setdefault(points, Applied(points))
        salts = self._setting.random_bytes(SALT_SIZE * len(told.simple))
        rows = staged(told, load.keys, load.asked, salts, load.ground.origin, load.now)
        with translated(self._writer.path):
            load.stage.fill(rows, told.site_code)
        load.keys, load.asked = [], []  # tens of megabytes

    def _program(self, site_code: str) -> Program:
        programs = self._ground.programs
        if site_code not in programs:
            with translated(self._writer.path):
                programs[site_code] = self._ahead.program(site_code)
        return programs[site_code]

    # -- the transaction -------------------------------------------------------------------------------

    def _start(self, load: _Load) -> None:
        """Sets the other thread to work on a load."""
        self._under_way = load
        if load.told is None:
            load.found = self._pool.submit(load.stage.known)
        else:
            self._begin(load, load.told)

    def _finish(self) -> Iterator[list[Outcome]]:
        """Waits for the load that is under way: its outcomes, in one list or several. `_stopped` tells of a refusal
        where none is wanted."""
        load = self._under_way
        if load is None:
            return
        outcomes = self._looked_up(load) if load.found is not None else None
        if outcomes is None and load.stored is not None:
            try:
                with translated(self._writer.path):
                    load.stored.result()
                outcomes = [outcome for outcome in load.outcomes if outcome is not None]
            except CannotStore:
                self._keys_may_be_in = True
        self._under_way = None
        if outcomes is None:
            yield from self._by_rules(load)
        else:
            yield outcomes

    def _looked_up(self, load: _Load) -> list[Outcome] | None:
        """The outcomes where every change is in already. Otherwise the load is begun, if none is, and None."""
        assert load.found is not None
        with translated(self._writer.path):
            known, same = load.found.result()
            if known == same == len(load.changes):
                if not self._goes_on:
                    return [AlreadyApplied()] * same
                places = self._writer.known_keys(load.keys)  # only a run that goes on asks where they are
                if places.keys() >= set(load.keys):
                    return [AlreadyApplied(recorded=places[key].recorded) for key in load.keys]
        self._keys_may_be_in = known > 0
        if known == 0:
            self._lay_out_additions(load)
            assert load.told is not None
            self._begin(load, load.told)
        return None

    def _begin(self, load: _Load, told: Told) -> None:
        """Begins the transaction of a load, leaves what is simple to the other thread, and decides on the rest
        meanwhile. Where the ground has shifted since it was laid out, nothing is begun."""
        if told.entangled or len(told.others) * _BY_RULES > 2 * self._rows:
            return  # the others would hold the lock too long
        if not all(_is_plain(load.changes[index]) for index in told.others):
            return
        began_s = self._lock()
        connection = self._writer.connection
        try:
            with translated(self._writer.path):
                place = self._writer.next_seq("entries")
                if self._stand_on(self._ground_now(load.ground.programs)) != load.ground:
                    connection.execute("ROLLBACK")
                    return
                report = self._record() if self._record else None
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        handed = _Handed()
        try:  # whatever happens here, the other thread must not wait for ever, the ledger locked
            load.stored = self._pool.submit(self._store, load, place, report, began_s, handed)
            if told.others:
                with translated(self._writer.path):
                    self._book(load, place, handed)
            handed.booked.set_result(None)
        except BaseException as error:
            if not handed.booked.done():
                handed.booked.set_exception(error)
            if not isinstance(error, CannotStore):
                raise

    def _book(self, load: _Load, place: int, handed: _Handed) -> None:
        """Decides on what is not simple, by what was there before the transaction: customers of simple changes are not
        among theirs. Raises `CannotStore` where a refusal is not wanted, or the key of what was refused is in, so that
        its change may be too."""
        assert load.ahead is not None
        others = load.ahead.places
        ahead = load.ahead._replace(places=[place + index for index in others])
        with self._reader.transaction(write=False):
            booking = Booking(self._reader, self._ahead, load.now, load.ground.origin, self._sources)
            decided = booking.book([load.changes[index] for index in others], ahead)
            refused = []
            for index, key, (outcome, _) in zip(others, ahead.keys, decided, strict=True):
                load.outcomes[index] = outcome
                if isinstance(outcome, Refused):
                    refused.append(key)
                    if self._all_or_nothing and is_refusal(outcome):
                        raise CannotStore
            if self._reader.known_keys(refused):
                raise CannotStore
        sealed = booking.seal(handed.next_customer.result())
        self._booked.fill(sealed.new, sealed.customers, sealed.entries, sealed.draws)

    def _lock(self) -> float:
        """Takes the write lock, after others who wait for it; answers when."""
        time.sleep(self._courtesy_s)
        asked_s = time.monotonic()
        with translated(self._writer.path):
            begin_writing(self._writer.connection, leave_attached=True)
        began_s = time.monotonic()
        self._courtesy_s = _COURTESY_S if began_s - asked_s > _COURTESY_S / 4 else self._courtesy_s / 2
        return began_s

    def _ground_now(self, programs: Iterable[str]) -> _Ground:
        """What everything rests on, inside a transaction. Raises `RunNotFound`."""
        origin = self._writer.origin(self._setting.who, self._setting.version, self._run)
        return _Ground(origin, self._writer.secret(), {site: self._catalog.program(site) for site in programs})

    def _stand_on(self, ground: _Ground) -> _Ground:
        """What is laid out from now on rests on this."""
        if ground != getattr(self, "_ground", None):
            self._ground = ground
            self._digests = Digests(ground.secret)
        return ground

    def _store(self, load: _Load, place: int, report: Document | None, began_s: float, handed: _Handed) -> None:
        """In the other thread: the rest of a transaction. While SQLite is at work, Python is not needed."""
        connection = self._writer.connection
        try:
            load.stage.store(
                place,
                load.ground.origin,
                load.now,
                lambda: handed.next_customer.set_result(self._writer.next_seq("customers")),
            )
            handed.booked.result()
            if load.told is not None and load.told.others:
                self._booked.store(load.ground.origin, load.now)
            self._commit(report)
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not handed.next_customer.done():
                handed.next_customer.set_exception(error)
            raise
        self._adapt(time.monotonic() - began_s, len(load.changes))

    def _by_rules(self, load: _Load) -> Iterator[list[Outcome]]:
        """Every change of a load through a `Booking`, in transactions of their own."""
        connection = self._writer.connection
        start = 0
        while start < len(load.changes):
            changes = load.changes[start : start + max(self._rows // _BY_RULES, self._fewest_by_rules)]
            start += len(changes)
            began_s = self._lock()
            try:
                with translated(self._writer.path):
                    ground = self._stand_on(self._ground_now(load.ground.programs))
                    now = self._setting.clock()
                    booking = Booking(self._writer, self._catalog, now, ground.origin, self._sources)
                    outcomes = [outcome for outcome, _ in booking.book(changes)]
                    self._stopped = self._all_or_nothing and any(map(is_refusal, outcomes))
                    if self._stopped:
                        connection.execute("ROLLBACK")
                    else:
                        booking.flush()
                        self._commit(self._record() if self._record else None)
                        self._adapt(time.monotonic() - began_s, len(changes) * _BY_RULES)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            yield outcomes
            if self._stopped:
                return

    def _commit(self, report: Document | None) -> None:
        if report is not None and self._run is not None:
            Runs(self._writer.connection).save(self._run, report, None)
        self._writer.connection.execute("COMMIT")

    def _adapt(self, held_s: float, rows: int) -> None:
        """Learns from a transaction of so many rows how many the next may have."""
        fitting = 0.85 * _LOCK_S * rows / max(held_s, 0.001)  # some clocks stand still for long
        if held_s > _LOCK_S or fitting > self._rows:
            fitting = min(max(fitting, self._rows / 4), self._rows * 2)
            self._rows = min(max(round(fitting), _FEWEST_ROWS), _MOST_ROWS)


def _is_plain(change: Change) -> bool:
    """Whether no more than customers, entries and lots come of it, and nothing else that the same load may make."""
    return isinstance(change, AddPoints) or (isinstance(change, RedeemPoints) and change.option_id is None)
