"""Import runs that are recorded offline, in the profile's own ledger file: their rows are in the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from heapq import merge
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.port import EarlierRun, FileContent, ImportRuns, KeptRun, SoFar
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant


class OfflineRuns:
    """The import runs for the service ``target``, as the port's `ImportRuns`. The ledger's own runs are others."""

    def __init__(self, ledger: LedgerBackend, target: str) -> None:
        self._ledger = ledger
        self._target = target

    def claim(self, content: bytes, *, wait: bool) -> AbstractContextManager[None]:
        """See `ImportRuns`."""
        return self._ledger.claim(content, wait=wait)

    def start_run(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target, write=True, make=True) as tables:
            tables.runs.begin(run, now, file, content, report, request)

    def go_on(self, run: str, request: Document) -> SoFar:
        """See `ImportRuns`; what was dropped meanwhile is recorded anew."""
        with self._ledger.offline(self._target, write=True) as tables:
            return tables.runs.go_on(run, request)

    def earlier_runs(self) -> Iterator[EarlierRun]:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target) as tables:
            yield from tables.runs.earlier()

    def has_entries(self, run: str) -> bool:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target) as tables:
            return tables.runs.has_entries(run)

    def save_run(self, run: str, report: Document, finished_at: Instant | None, *, at_once: bool = False) -> None:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target, write=True, at_once=at_once) as tables:
            tables.runs.save(run, report, finished_at)

    def kept_run(self, run: str) -> KeptRun:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target) as tables:
            return tables.runs.kept(run)

    def runs(self) -> list[dict[str, Any]]:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target) as tables:
            return tables.runs.all()

    def run(self, run: str) -> dict[str, Any]:
        """See `ImportRuns`."""
        with self._ledger.offline(self._target) as tables:
            return tables.runs.one(run)

    def forget_request(self, run: str) -> None:
        """See `ImportRuns`; also the text of what is not to be sent any more."""
        with self._ledger.offline(self._target, write=True) as tables:
            tables.runs.forget_request(run)


class RunsBeside:
    """Import runs into books that others record runs into too, offline or online: the port's `ImportRuns`, in which an
    import is recorded as one of its own and sees both.

    Of the others' runs none is gone on with here; what they applied is known by its keys, or by its rows.
    """

    def __init__(self, own: ImportRuns, others: ImportRuns) -> None:
        self._others = others
        self._own = own
        self.claim = own.claim
        self.start_run = own.start_run
        self.go_on = own.go_on
        self.save_run = own.save_run
        self.kept_run = own.kept_run
        self.runs = own.runs
        self.run = own.run
        self.forget_request = own.forget_request

    def earlier_runs(self) -> Iterator[EarlierRun]:
        """See `ImportRuns`."""
        others = (self._ended(run) for run in self._others.earlier_runs())
        yield from merge(self._own.earlier_runs(), others, key=lambda run: run.started_at, reverse=True)

    def has_entries(self, run: str) -> bool:
        """See `ImportRuns`."""
        return self._own.has_entries(run) or self._others.has_entries(run)

    def _ended(self, run: EarlierRun) -> EarlierRun:
        applied = run.applied or int(not run.finished and self._others.has_entries(run.run))
        return run._replace(finished=True, applied=applied)
