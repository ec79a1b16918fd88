"""Import runs that are recorded offline, in the profile's own ledger file: their rows are in the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.port import EarlierRun, FileContent, KeptRun, SoFar
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
