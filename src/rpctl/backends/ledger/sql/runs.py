"""Import runs: where the entries of each lie among all of the ledger."""

from __future__ import annotations

from rpctl.backends.import_runs import RunRecords
from rpctl.backends.port import FileContent, SoFar
from rpctl.domain.redeem_options import Document
from rpctl.domain.values import Instant


class Runs(RunRecords):
    """The import runs of one open ledger, but for those that belong to a service."""

    def begin(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """A new run; its entries come after all there are."""
        self.start(run, now, file, content, report, request, first_entry=self._last() + 1)

    def go_on(self, run: str, request: Document) -> SoFar:
        """The run as it is asked for now. Raises `RunNotFound`."""
        self.renew(run, request)
        row = self.connection.execute(
            "SELECT (SELECT coalesce(max(seq), 0) FROM entries), count(*) FROM entries"
            " WHERE seq >= (SELECT first_entry FROM import_runs WHERE run = ?1)"
            " AND origin IN (SELECT seq FROM origins WHERE run = ?1)",
            (run,),
        ).fetchone()
        return SoFar(*row)

    def save(self, run: str, report: Document, finished_at: Instant | None) -> None:
        """How far a run has come, or how it ended: then it has no entries beyond those of now."""
        super().save(run, report, finished_at)
        self._update("last_entry = :last", run, last=None if finished_at is None else self._last())

    def has_entries(self, run: str) -> bool:
        """Whether entries of the run are there."""
        (found,) = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE seq >= (SELECT first_entry FROM import_runs WHERE run = ?1)"
            " AND origin IN (SELECT seq FROM origins WHERE run = ?1))",
            (run,),
        ).fetchone()
        return bool(found)

    def begin_undo(self, run: str, now: Instant) -> None:
        """Its undoing begins: what is recorded from now on is no entry of the import."""
        super().begin_undo(run, now)
        self._update("last_entry = coalesce(last_entry, :last)", run, last=self._last())

    def _last(self) -> int:
        (last,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
        return int(last)

    def _where(self, *conditions: str) -> str:
        return super()._where("target IS NULL", *conditions)
