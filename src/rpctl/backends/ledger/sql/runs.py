"""Import runs: the SQL of what is kept of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from rpctl.backends.port import EarlierRun, FileContent, KeptRun, SoFar
from rpctl.domain.redeem_options import Document
from rpctl.domain.values import Instant, format_instant
from rpctl.errors import RunNotFound

_SHOWN: Final = "run, started_at, finished_at, undo_begun_at, undone_at, report"
_KEPT: Final = (
    "run, started_at, finished_at, undo_begun_at, undone_at, file, content, generation, sample, keys, report, request,"
    " undo"
)
_LATEST_FIRST: Final = " FROM import_runs ORDER BY started_at DESC, rowid DESC"
_BY_BEGINNING: Final = " FROM import_runs WHERE substr(run, 1, length(?1)) = ?1"


class Runs:
    """The import runs of one open ledger."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def start(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """A new run; its entries come after all there are."""
        self.connection.execute(
            "INSERT INTO import_runs (run, started_at, file, content, generation, sample, keys, report, request,"
            " first_entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM entries))",
            (run, now, file, *content, _dump(report), _dump(request)),
        )

    def go_on(self, run: str, request: Document) -> SoFar:
        """The run as it is asked for now. Raises `RunNotFound`."""
        changed = self.connection.execute("UPDATE import_runs SET request = ? WHERE run = ?", (_dump(request), run))
        if not changed.rowcount:
            raise _unknown(run)
        row = self.connection.execute(
            "SELECT (SELECT coalesce(max(seq), 0) FROM entries), count(*) FROM entries"
            " WHERE seq >= (SELECT first_entry FROM import_runs WHERE run = ?1)"
            " AND origin IN (SELECT seq FROM origins WHERE run = ?1)",
            (run,),
        ).fetchone()
        return SoFar(*row)

    def save(self, run: str, report: Document, finished_at: Instant | None) -> None:
        """How far a run has come, or how it ended."""
        self.connection.execute(
            "UPDATE import_runs SET report = ?1, finished_at = ?2,"
            " last_entry = CASE WHEN ?2 IS NOT NULL THEN (SELECT coalesce(max(seq), 0) FROM entries) END"
            " WHERE run = ?3",
            (_dump(report), finished_at, run),
        )

    def earlier(self) -> Iterator[EarlierRun]:
        """The runs so far, the latest first."""
        applied = "coalesce(json_extract(report, '$.applied'), 0)"
        sql = (
            "SELECT run, started_at, finished_at IS NOT NULL, undo_begun_at, file,"
            f" {applied} + coalesce(json_extract(report, '$.alreadyApplied'), 0), {applied},"
            f" content, generation, sample, keys{_LATEST_FIRST}"
        )
        for run, started_at, finished, undone_at, file, applied, own, *content in self.connection.execute(sql):
            yield EarlierRun(run, started_at, bool(finished), undone_at, file, applied, own, FileContent(*content))

    def has_entries(self, run: str) -> bool:
        """Whether entries of the run are there."""
        (found,) = self.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE seq >= (SELECT first_entry FROM import_runs WHERE run = ?1)"
            " AND origin IN (SELECT seq FROM origins WHERE run = ?1))",
            (run,),
        ).fetchone()
        return bool(found)

    def all(self) -> list[dict[str, Any]]:
        """All runs, the latest first."""
        return [_shown(row) for row in self.connection.execute(f"SELECT {_SHOWN}{_LATEST_FIRST}")]

    def one(self, run: str) -> dict[str, Any]:
        """One run by its id or an unambiguous beginning of it. Raises `RunNotFound`."""
        return _shown(self._row(_SHOWN, run))

    def kept(self, run: str) -> KeptRun:
        """The same with all that is kept of it."""
        row = self._row(_KEPT, run)
        documents = (None if text is None else json.loads(text) for text in row[10:])
        return KeptRun._make((*row[:6], FileContent(*row[6:10]), *documents))

    def begin_undo(self, run: str, now: Instant) -> None:
        """Its undoing begins: what is recorded from now on is no entry of the import."""
        self.connection.execute(
            "UPDATE import_runs SET undo_begun_at = coalesce(undo_begun_at, ?),"
            " last_entry = coalesce(last_entry, (SELECT coalesce(max(seq), 0) FROM entries)) WHERE run = ?",
            (now, run),
        )

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """It is undone."""
        self.connection.execute(
            "UPDATE import_runs SET undone_at = ?, undo = ? WHERE run = ?", (now, _dump(report), run)
        )

    def forget_request(self, run: str) -> None:
        """Removes paths and options; the digests, which guard against counting twice, and the counts stay."""
        self.connection.execute(
            "UPDATE import_runs SET request = NULL, undo = NULL, file = ?2,"
            " report = json_set(report, '$.file', ?2, '$.rejectsFile', NULL) WHERE run = ?1",
            (run, self._row("file", run)[0].rpartition("/")[2]),
        )

    def _row(self, columns: str, run: str) -> tuple[Any, ...]:
        found = self.connection.execute(f"SELECT {columns}{_BY_BEGINNING}", (run,)).fetchall()
        if not found:
            raise _unknown(run)
        if len(found) > 1:
            raise RunNotFound(f"{len(found)} import runs begin with {run!r}.")
        row: tuple[Any, ...] = found[0]
        return row


def _unknown(run: str) -> RunNotFound:
    return RunNotFound(f"There is no import run {run}.")


def _dump(document: Document) -> str:
    # A path may have bytes in it that are no UTF-8: only as an escape can they be stored as text.
    return json.dumps(document, separators=(",", ":"))


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    run, *moments, report = row
    names = ("startedAt", "finishedAt", "undoBegunAt", "undoneAt")
    _, finished, undo_begun, undone = (at is not None for at in moments)
    state = "undone" if undone else "undoing" if undo_begun else "finished" if finished else "unfinished"
    return {
        "run": run,
        "state": state,
        **{name: None if at is None else format_instant(at) for name, at in zip(names, moments, strict=True)},
        **json.loads(report),
    }
