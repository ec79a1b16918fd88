"""Import runs as a ledger and the journal of deliveries both keep them: the SQL of what is the same, and the claim."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from rpctl.backends.port import EarlierRun, FileContent, KeptRun
from rpctl.domain.redeem_options import Document
from rpctl.domain.values import Instant, format_instant
from rpctl.errors import ImportUnderWay, RunNotFound
from rpctl.locks import Held

if TYPE_CHECKING:
    from rpctl.locks import Locks

_SHOWN: Final = "run, started_at, finished_at, undo_begun_at, undone_at, report"
_KEPT: Final = (
    "run, started_at, finished_at, undo_begun_at, undone_at, file, content, generation, sample, keys, report, request,"
    " undo"
)


class RunRecords:
    """The rows of ``import_runs`` in one open file; ``target``: only those of these books, where the file is for many.

    Every method is part of the caller's transaction.
    """

    def __init__(self, connection: sqlite3.Connection, target: str | None = None) -> None:
        self.connection = connection
        self._scope = {} if target is None else {"target": target}

    def start(
        self,
        run: str,
        now: Instant,
        file: str,
        content: FileContent,
        report: Document,
        request: Document,
        **more: object,
    ) -> None:
        """A new run; ``more``: columns that only this file has."""
        values = {
            "run": run,
            "started_at": now,
            "file": file,
            **content._asdict(),
            "report": _dump(report),
            "request": _dump(request),
            **more,
            **self._scope,
        }
        # The parts of a `FileContent` have the columns' names, but for the digest.
        values["content"] = values.pop("digest")
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.connection.execute(f"INSERT INTO import_runs ({names}) VALUES ({places})", values)

    def renew(self, run: str, request: Document) -> None:
        """The run as it is asked for now. Raises `RunNotFound`."""
        if not self._update("request = :request", run, request=_dump(request)):
            raise no_such_run(run)

    def save(self, run: str, report: Document, finished_at: Instant | None) -> None:
        """How far a run has come, or how it ended."""
        self._update("report = :report, finished_at = :finished", run, report=_dump(report), finished=finished_at)

    def earlier(self) -> Iterator[EarlierRun]:
        """The runs so far, the latest first."""
        applied = "coalesce(json_extract(report, '$.applied'), 0)"
        columns = (
            "run, started_at, finished_at IS NOT NULL, undo_begun_at, file,"
            f" {applied} + coalesce(json_extract(report, '$.alreadyApplied'), 0), {applied},"
            " undo_begun_at IS NOT NULL AND undone_at IS NULL, content, generation, sample, keys"
        )
        rows = self._latest_first(columns)
        for run, started_at, finished, undone_at, file, applied, own, undoing, *content in rows:
            yield EarlierRun(
                run, started_at, bool(finished), undone_at, file, applied, own, FileContent(*content), bool(undoing)
            )

    def all(self) -> list[dict[str, Any]]:
        """All runs, the latest first."""
        return [_shown(row) for row in self._latest_first(_SHOWN)]

    def one(self, run: str) -> dict[str, Any]:
        """One run by its id or an unambiguous beginning of it. Raises `RunNotFound`."""
        return _shown(self._row(_SHOWN, run))

    def kept(self, run: str) -> KeptRun:
        """The same with all that is kept of it."""
        row = self._row(_KEPT, run)
        documents = (None if text is None else json.loads(text) for text in row[10:])
        return KeptRun._make((*row[:6], FileContent(*row[6:10]), *documents))

    def begin_undo(self, run: str, now: Instant) -> None:
        """Its undoing begins: it is not gone on with any more."""
        self._update("undo_begun_at = coalesce(undo_begun_at, :now)", run, now=now)

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """It is undone."""
        self._update("undone_at = :now, undo = :undo", run, now=now, undo=_dump(report))

    def forget_request(self, run: str) -> None:
        """Removes paths and options; the digests, which guard against counting twice, and the counts stay."""
        self._update(
            "request = NULL, undo = NULL, file = :name,"
            " report = json_set(report, '$.file', :name, '$.rejectsFile', NULL)",
            run,
            name=self._row("file", run)[0].rpartition("/")[2],
        )

    def _latest_first(self, columns: str) -> sqlite3.Cursor:
        sql = f"SELECT {columns} FROM import_runs{self._where()} ORDER BY started_at DESC, rowid DESC"
        return self.connection.execute(sql, self._scope)

    def _row(self, columns: str, run: str) -> tuple[Any, ...]:
        sql = f"SELECT {columns} FROM import_runs{self._where('substr(run, 1, length(:run)) = :run')}"
        found = self.connection.execute(sql, {"run": run, **self._scope}).fetchall()
        if not found:
            raise no_such_run(run)
        if len(found) > 1:
            raise RunNotFound(f"{len(found)} import runs begin with {run!r}.")
        row: tuple[Any, ...] = found[0]
        return row

    def _update(self, assignments: str, run: str, **values: object) -> int:
        sql = f"UPDATE import_runs SET {assignments}{self._where('run = :run')}"
        return self.connection.execute(sql, {"run": run, **values, **self._scope}).rowcount

    def _where(self, *conditions: str) -> str:
        every = [*(f"{name} = :{name}" for name in self._scope), *conditions]
        return f" WHERE {' AND '.join(every)}" if every else ""


def no_such_run(run: str) -> RunNotFound:
    """The error for an id that no run has."""
    return RunNotFound(f"There is no import run {run}.")


def claim_byte(claim: ExitStack, locks: Locks, digest: bytes, *, wait: bool) -> None:
    """Holds the byte that a digest stands for until ``claim`` ends: nobody else imports that file; ``wait``: until
    another process lets go of it. Raises `ImportUnderWay`, whose details tell the other process, and OSError."""
    try:
        claim.enter_context(locks.hold(int.from_bytes(digest[:8], "big") >> 2, wait=wait))
    except Held as held:
        busy = ImportUnderWay(f"Another process{held.who} is at work on this file.")
        busy.details |= {"pid": held.pid} if held.pid else {}
        raise busy from None


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
