"""What `rpctl imports undo` and `imports prune` ask of the importing room, and how their reports are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.backends.ledger.upkeep import empty_log
from rpctl.cli.importing import listener_of
from rpctl.domain.values import Instant, add_months, format_instant
from rpctl.errors import InvalidValue, ReadOnlyProfile
from rpctl.importing import prune
from rpctl.importing.journal import claimed
from rpctl.importing.request import request_of
from rpctl.importing.undo import UndoReport, report_of, undo_run
from rpctl.render.views import Column, Document, View

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.port import KeptRun, UndoableRuns
    from rpctl.cli.services import Session
    from rpctl.delivery.runs import JournalRuns
    from rpctl.sync.runs import OfflineRuns

_BUCKETS: Final = ("reversed", "kept", "failed")
_UNDO_COLUMNS: Final = (Column("bucket"), Column("customerId"), Column("points", number=True), Column("reason"))
_PRUNE_COLUMNS: Final = (
    Column("run"),
    Column("startedAt"),
    Column("finishedAt"),
    Column("file", vital=True),
    Column("copyBytes", number=True),
)
_AGE: Final = r"([0-9]{1,5})([dm])"
_DAY_MS: Final = 86_400_000


class Speed(NamedTuple):
    """How fast a service may be talked to, as typed: requests at a time and a second."""

    concurrency: int | None = None
    rate: float | None = None


def undo_import(session: Session, run: str, speed: Speed, *, dry_run: bool, wait: bool, yes: bool) -> View:
    """Undoes a run and answers with the report; exit status 3 where something could not be had back."""
    backend = session.undoable_runs(*speed, writing=not dry_run)
    if session.settings.read_only and not dry_run:
        raise ReadOnlyProfile(f"{session.whose} is read-only.", "With --dry-run nothing is changed.")
    kept = backend.kept_run(run)
    fields = (*report_of(kept, backend, session.clock).document(), *(column.name for column in _UNDO_COLUMNS))
    session.check_fields(fields)
    if session.settings.is_online and kept.undone_at is None:
        session.terminal.note("the service chooses the lots that points are taken from")
    if dry_run and kept.undone_at is None:
        with backend.rehearsal() as copy:
            report = undo_run(kept, copy, session.clock, listener_of(session), dry_run=True)
        return _undone(session, report)
    if kept.undone_at is None:
        _ask(session, backend, kept, yes=yes)
    listener = listener_of(session)
    with claimed(backend, kept.content.digest, kept.file, wait=wait, on_note=listener.on_note):
        kept = backend.kept_run(kept.run)
        if kept.undone_at is not None:
            return _undone_before(session, backend, kept)
        if kept.undo_begun_at is None and not any(backend.run_entries(kept.run)):
            session.terminal.note(f"nothing that run {kept.run} applied is there; there is nothing to undo")
            return _view(report_of(kept, backend, session.clock), 0)
        report = undo_run(kept, backend, session.clock, listener)
        _drop_copy(kept)
    if kept.finished_at is None:
        session.terminal.note("this run was stopped before it had finished; it is not gone on with any more")
    return _undone(session, report)


def _ask(session: Session, runs: UndoableRuns, kept: KeptRun, *, yes: bool) -> None:
    there = runs.run_entries(kept.run)
    left = there.entries + there.unclear - there.reversed - there.reversed_before
    if not left:
        return
    unfinished = "" if kept.finished_at is not None else " It was stopped before it had finished."
    session.consent(
        f"Undo import run {kept.run} of {kept.file}, {left:,} entries?{unfinished}",
        yes=yes,
        command=session.command("imports", "undo", "--yes", kept.run),
    )


def _undone(session: Session, report: UndoReport) -> View:
    counts = report.counts()
    session.terminal.note(
        f"{'would reverse' if report.dry_run else 'reversed'}: entries {report.there.reversed:,}, points taken back "
        f"{counts['pointsTakenBack']:,}, given back {counts['pointsGivenBack']:,}"
    )
    if report.kept:
        session.terminal.warn(
            f"kept: spent points {counts['pointsSpent']:,}, expired points {counts['pointsExpired']:,}"
        )
    if report.failed:
        session.terminal.warn(f"failed: customers {len(report.failed)}")
    if report.there.reversed_before:
        session.terminal.note(f"reversed before by other commands: entries {report.there.reversed_before:,}")
    if report.unknown:
        session.terminal.warn(
            f"unknown: points {report.unknown:,}; the same command looks again and goes on with what is left. "
            "`rpctl points history CUSTOMER` shows what is to be taken back by hand if it is never found"
        )
    if report.deleted:
        session.terminal.note(f"gone with deleted customers: entries {report.deleted:,}")
    if report.dry_run:
        session.terminal.note("dry run: nothing was changed")
    elif not report.unknown:
        session.terminal.note("the file's rows count again only with `rpctl points import --again`")
    return _view(report, report.exit_status)


def _undone_before(session: Session, runs: UndoableRuns, kept: KeptRun) -> View:
    assert kept.undone_at is not None
    session.terminal.note(f"run {kept.run} was undone on {format_instant(kept.undone_at)[:10]}; nothing was changed")
    report = report_of(kept, runs, session.clock)
    report.sort(runs.undone(kept.run))
    return _view(report, 0)


def _view(report: UndoReport, exit_status: int) -> View:
    return View((report.document(),), _UNDO_COLUMNS, many=False, rows=_rows, exit_status=exit_status)


def _rows(document: Document) -> Iterator[dict[str, Any]]:
    for bucket in _BUCKETS:
        for row in document[bucket]:
            yield {"bucket": bucket, **row}


def _drop_copy(kept: KeptRun) -> None:
    """What was piped into an unfinished run is of no use once it is undone."""
    request = None if kept.request is None else request_of(kept.request)
    if request is not None and request.spooled and request.path is not None:
        request.path.unlink(missing_ok=True)


def prune_imports(session: Session, older_than: str, *, unfinished: bool, dry_run: bool, yes: bool) -> View:
    """Removes what runs keep that ended before that age, and answers with what was removed."""
    before = _ago(older_than, session.clock())
    if not dry_run:
        session.check_writable((*_pruned([], before, dry_run=False), *_names()))
    runs = session.runs
    found = prune.prunable(runs, before, unfinished=unfinished)
    if found and not dry_run:
        session.consent(
            f"Remove what {len(found)} import runs keep: copies, paths, options?",
            yes=yes,
            command=session.command(
                "imports", "prune", "--yes", f"--older-than={older_than}", *(["--all"] if unfinished else [])
            ),
        )
        found = _removed(session, runs, found)
    session.terminal.note("dry run: nothing was removed" if dry_run else f"pruned: runs {len(found)}")
    document = _pruned(found, before, dry_run=dry_run)
    return View((document,), _PRUNE_COLUMNS, many=False, rows=lambda shown: shown["runs"])


def _removed(
    session: Session, runs: LedgerBackend | JournalRuns | OfflineRuns, found: list[prune.Pruned]
) -> list[prune.Pruned]:
    from rpctl.delivery.runs import JournalRuns

    busy = [one for one in found if not prune.remove(runs, one)]
    for one in busy:
        session.terminal.note(f"run {one.run.run} is under way in another process and was left as it is")
    found = [one for one in found if one not in busy]
    if not isinstance(runs, JournalRuns):
        empty_log(session.ledger)
        return found
    runs.empty_log()
    for one in found:
        if kept := runs.unsettled(one.run.run):
            session.terminal.note(
                f"run {one.run.run} keeps the text of changes whose outcome is not known ({kept:,}); prune again later"
            )
    return found


def _names() -> list[str]:
    return [column.name for column in _PRUNE_COLUMNS]


def _pruned(found: list[prune.Pruned], before: Instant, *, dry_run: bool) -> dict[str, Any]:
    return {
        "schema": "rpctl.prune-report/1",
        "dryRun": dry_run,
        "endedBy": format_instant(before),
        "copies": sum(one.copy is not None for one in found),
        "bytes": sum(one.copy_bytes for one in found),
        "runs": [one.document() for one in found],
    }


def _ago(text: str, now: Instant) -> Instant:
    match = re.fullmatch(_AGE, text)
    if not match:
        raise InvalidValue(f"{text!r} is not an age.", "Write it in days or months: 90d, 12m.")
    number = int(match[1])
    return now - number * _DAY_MS if match[2] == "d" else add_months(now, -number)
