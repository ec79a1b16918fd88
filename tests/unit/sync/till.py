"""A till: a ledger file, a journal, and commands that are processes of their own and may be killed anywhere."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from till_server import Line, Server

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.offline import OfflineTables
from rpctl.backends.port import Batch, FileContent, Sending
from rpctl.delivery.bulk import Bulk, Speed
from rpctl.delivery.deliver import Deliverer
from rpctl.delivery.journal import Delivery, Journal
from rpctl.delivery.surroundings import Surroundings
from rpctl.domain.changes import Change
from rpctl.domain.outcomes import Outcome
from rpctl.errors import CustomerNotFound, DeliveryUnderWay
from rpctl.sync.book import OfflineBook
from rpctl.sync.mirror import Mirror
from rpctl.sync.outbox import Outbox, Waiting
from rpctl.sync.pull import pull_everybody
from rpctl.sync.push import Push, Pushed
from rpctl.sync.runs import OfflineRuns
from rpctl.sync.turns import alone

SETTLE_S: Final = 0.008
KILLS: Final = ("journal", "ledger", "before", "after", "read")
"""Where a process may end: at a commit of its journal or its ledger, before a request leaves, after it has arrived, or
when something is read."""


class Killed(BaseException):
    """The process is no more."""


class Life:
    """Of one process: it ends at the ``at``-th of its steps of one kind, None: at none; after that nothing happens."""

    def __init__(self, kind: str = "", at: int | None = None) -> None:
        self._kind = kind
        self._at = at
        self._steps: Counter[str] = Counter()
        self.is_over = False

    def step(self, kind: str) -> None:
        self._steps[kind] += 1
        if kind == self._kind and self._steps[kind] == self._at:
            self.is_over = True
        if self.is_over:
            raise Killed


class MortalJournal(Journal):
    """``busy``: keys that another process is at work on."""

    life = Life()
    busy: frozenset[str] = frozenset()

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        if key in self.busy:
            raise DeliveryUnderWay("somebody else is at it")
        with super().claim(key):
            yield

    def write(self, delivery: Delivery) -> None:
        self.life.step("journal")
        super().write(delivery)
        self.life.step("journal")

    @contextmanager
    def transaction(self, *, at_once: bool = False) -> Iterator[sqlite3.Connection]:
        with super().transaction(at_once=at_once) as connection:
            yield connection
            self.life.step("journal")
        self.life.step("journal")


class MortalLedger(LedgerBackend):
    life = Life()

    @contextmanager
    def offline(
        self, target: str, *, write: bool = False, make: bool = False, at_once: bool = False
    ) -> Iterator[OfflineTables]:
        with super().offline(target, write=write, make=make, at_once=at_once) as tables:
            yield tables
            if write:
                self.life.step("ledger")
        if write:
            self.life.step("ledger")


class Rules:
    capabilities = Line.capabilities

    def check(self, sending: Sending) -> None: ...


@dataclass
class Process:
    """What one command has open."""

    ledger: MortalLedger
    journal: MortalJournal
    bulk: Bulk
    book: OfflineBook
    outbox: Outbox
    mirror: Mirror
    world: Surroundings
    line: Any

    def push(self) -> Push:
        return Push(self.outbox, self.mirror, self.bulk, self.line, self.journal, self.world)


class Till:
    """``offset``: how much its clock is ahead, in milliseconds; ``busy``: keys that another process is at work on."""

    def __init__(self, folder: Path, server: Server) -> None:
        folder.mkdir()
        self.folder = folder
        self.server = server
        self.offset = 0
        self.busy: frozenset[str] = frozenset()
        self._runs = 0

    @contextmanager
    def process(self, life: Life | None = None) -> Iterator[Process]:
        """A process with this till's files. Raises `Killed`."""
        life = life or Life()
        line: Any = Line(self.server, life.step)
        ledger = MortalLedger(self.folder / "till.db", Setting(self.clock, "till", "0"))
        journal = MortalJournal(self.folder / "journal.db", Line.target)
        ledger.life = journal.life = life
        journal.busy = self.busy
        world = Surroundings(self.clock, time.sleep, SETTLE_S, lambda _: None, lambda _: None)
        bulk = Bulk(line, journal, world, line.twin, Speed(2, None, 5.0))
        book = OfflineBook(ledger, Line.target, Rules(), journal)
        try:
            yield Process(
                ledger, journal, bulk, book, Outbox(ledger, Line.target), Mirror(ledger, Line.target), world, line
            )
        finally:
            bulk.close()
            line.hang_up()
            journal.close()
            ledger.close()

    def clock(self) -> int:
        return self.server.now + self.offset

    # -- commands --------------------------------------------------------------------------------------

    def record(self, changes: Sequence[Change], life: Life, *, as_import: bool) -> list[Outcome]:
        with self.process(life) as process:
            if not as_import:
                return [outcome for change in changes for outcome in process.book.apply([change])]
            self._runs += 1
            run = f"run-{self._runs}"
            content = FileContent(run.encode(), 0, b"")
            OfflineRuns(process.ledger, Line.target).start_run(run, self.clock(), "f.csv", content, {}, {})
            half, lines = (len(changes) + 1) // 2, range(2, len(changes) + 2)
            batches = [Batch(changes[:half], lines[:half]), Batch(changes[half:], lines[half:])]
            return [one for some in process.book.apply_batches(batches, run=run) for one in some]

    def push(self, life: Life) -> Pushed:
        with self.process(life) as process, alone(process.ledger, Line.target, wait=False):
            return process.push().run()

    def rehearse(self) -> Pushed:
        with self.process() as process, alone(process.ledger, Line.target, wait=False):
            return process.push().rehearse()

    def pull(self, life: Life) -> None:
        with self.process(life) as process, alone(process.ledger, Line.target, wait=False):
            pull_everybody(process.line, process.mirror, "main", self.clock, lambda _: None)

    def online(self, change: Change) -> Outcome:
        with self.process() as process:
            return Deliverer(process.line, process.journal, process.world).apply(change, key_given=True)

    def retry(self, keys: list[str] | None) -> None:
        with self.process() as process:
            process.outbox.retry(keys)

    def drop(self, keys: list[str] | None, unclear: Sequence[str] = ()) -> None:
        with self.process() as process:
            process.outbox.settle((), keys, unclear)

    def back_up(self) -> None:
        file, copy = (closing(sqlite3.connect(self.folder / name)) for name in ("till.db", "backup.db"))
        with file as this, copy as that:
            this.backup(that)

    def restore(self) -> None:
        for end in ("-wal", "-shm"):
            (self.folder / f"till.db{end}").unlink(missing_ok=True)
        shutil.copyfile(self.folder / "backup.db", self.folder / "till.db")

    # -- what it has -----------------------------------------------------------------------------------

    def rows(self) -> dict[str, Waiting]:
        """All that was recorded and not given up, by key."""
        with closing(sqlite3.connect(self.folder / "till.db")) as file:
            keys = [key for (key,) in file.execute("SELECT key FROM outbox WHERE state <> 'dropped' ORDER BY position")]
        with self.process() as process:
            found = {key: process.outbox.find(key) for key in keys}
        return {key: row for key, row in found.items() if row is not None}

    def waiting(self) -> tuple[list[str], int]:
        """What may be sent, and how much waits behind a conflict."""
        with self.process() as process:
            return [row.key for row in process.outbox.waiting()], process.outbox.held_back()

    def balance(self, customer: str) -> int | None:
        """Offline; None: the customer is not known."""
        with self.process() as process:
            try:
                return process.book.active_points(customer)
            except CustomerNotFound:
                return None

    def journaled(self) -> dict[str, str]:
        """The states of the journal, by key."""
        return dict(self._read("journal.db", "SELECT key, state FROM deliveries"))

    def mirrored(self) -> set[str]:
        return {customer for (customer,) in self._read("till.db", "SELECT customer_id FROM mirror")}

    def files(self) -> list[str]:
        """All that is written, as text."""
        found = []
        for name in ("till.db", "journal.db"):
            if (self.folder / name).exists():
                with closing(sqlite3.connect(self.folder / name)) as file:
                    found += [*file.iterdump()]
        return found

    def _read(self, name: str, sql: str) -> list[tuple[Any, ...]]:
        if not (self.folder / name).exists():
            return []
        with closing(sqlite3.connect(self.folder / name)) as file:
            is_there = file.execute("SELECT 1 FROM sqlite_schema WHERE name IN ('mirror', 'deliveries')").fetchone()
            return file.execute(sql).fetchall() if is_there else []
