"""Import runs in the ledger: recorded, claimed by one process at a time, undone, forgotten."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from rpctl.backends.ledger.sql import faults

if TYPE_CHECKING:
    from pathlib import Path

    from rpctl.backends.ledger.backend import Setting
    from rpctl.backends.ledger.sql.books import Books
    from rpctl.backends.ledger.sql.catalog import Catalog
    from rpctl.backends.ledger.sql.runs import Runs
    from rpctl.backends.port import EarlierRun, FileContent, KeptRun, RunEntries, SoFar, Undone
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant


class LedgerRuns(ABC):
    """What `LedgerBackend` does with import runs; each write is one transaction."""

    path: Path
    setting: Setting

    @abstractmethod
    def tables(self, *, write: bool = False, make: bool = True) -> tuple[Books, Catalog]:
        """All tables of the open file."""

    def claim(self, content: bytes, *, wait: bool) -> AbstractContextManager[None]:
        """See `ImportRuns`."""
        from rpctl.backends.ledger.claims import claim

        if faults.exists(self.path):
            self.tables(write=True, make=False)  # beside what is no ledger, or cannot be written, nothing is made
        return claim(self.path, content, wait=wait)

    def start_run(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """See `ImportRuns`."""
        with self._runs(write=True, make=True) as runs:
            runs.begin(run, now, file, content, report, request)

    def go_on(self, run: str, request: Document) -> SoFar:
        """See `ImportRuns`."""
        with self._runs(write=True) as runs:
            return runs.go_on(run, request)

    def save_run(self, run: str, report: Document, finished_at: Instant | None, *, at_once: bool = False) -> None:
        """See `ImportRuns`."""
        with self._runs(write=True, at_once=at_once) as runs:
            runs.save(run, report, finished_at)

    def earlier_runs(self) -> Iterator[EarlierRun]:
        """See `ImportRuns`; there are none where the import is going to make the ledger."""
        if faults.exists(self.path):
            from rpctl.backends.ledger.sql.runs import Runs

            store, _ = self.tables()
            with faults.translated(self.path):  # no transaction: other questions may come in between
                yield from Runs(store.connection).earlier()

    def has_entries(self, run: str) -> bool:
        """See `ImportRuns`."""
        with self._runs() as runs:
            return runs.has_entries(run)

    def kept_run(self, run: str) -> KeptRun:
        """See `ImportRuns`."""
        with self._runs() as runs:
            return runs.kept(run)

    def runs(self) -> list[dict[str, Any]]:
        """See `ImportRuns`."""
        with self._runs() as runs:
            return runs.all()

    def run(self, run: str) -> dict[str, Any]:
        """See `ImportRuns`."""
        with self._runs() as runs:
            return runs.one(run)

    def forget_request(self, run: str) -> None:
        """See `ImportRuns`."""
        with self._runs(write=True) as runs:
            runs.forget_request(run)

    def run_entries(self, run: str) -> RunEntries:
        """See `UndoableRuns`."""
        from rpctl.backends.ledger.sql import undo

        with self._runs() as runs:
            return undo.run_entries(runs.connection, run)

    def undo(self, run: str, now: Instant) -> Iterator[int]:
        """See `UndoableRuns`; some entries are one transaction."""
        below = self.begin_undo(run, now)
        while (step := self.undo_some(run, below)) is not None:
            looked_at, below = step
            yield looked_at

    def begin_undo(self, run: str, now: Instant) -> int:
        """Marks the run; returns where its entries end: the ``below`` of the first `undo_some`."""
        from rpctl.backends.ledger.sql import undo

        with self._runs(write=True) as runs:
            runs.begin_undo(run, now)
            return undo.span(runs.connection, run)[1] + 1

    def undo_some(self, run: str, below: int) -> tuple[int, int] | None:
        """Reverses some of the run's entries before that place, the latest first, in one transaction: how many were
        looked at, and the next ``below``. None where none is left."""
        from rpctl.backends.ledger.undoing import Undoing

        store, _ = self.tables(write=True, make=False)
        with store.transaction(write=True):
            origin = store.origin(self.setting.who, self.setting.version, run)
            return Undoing(store, run, origin, self.setting.clock(), self.setting.random_bytes).some(below)

    def undone(self, run: str) -> Iterator[Undone]:
        """See `UndoableRuns`; one moment's state."""
        from rpctl.backends.ledger.sql import undo

        store, _ = self.tables()
        with faults.translated(self.path):
            yield from undo.undone(store.connection, run, self.setting.clock())

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """See `UndoableRuns`."""
        with self._runs(write=True) as runs:
            runs.finish_undo(run, now, report)

    @contextmanager
    def _runs(self, *, write: bool = False, make: bool = False, at_once: bool = False) -> Iterator[Runs]:
        from rpctl.backends.ledger.sql.runs import Runs

        store, _ = self.tables(write=write, make=make)
        with store.transaction(write=write, at_once=at_once):
            yield Runs(store.connection)
