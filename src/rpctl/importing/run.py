"""One import from end to end: reads the file twice, applies its rows in batches through the port, counts.

The first reading finds what makes the whole file unusable and the digest from which keys are derived; only the
second one applies. Whoever runs the same file again goes on where the last run ended, because keys are known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from rpctl.backends.port import Applies, Batch, FileContent, ImportRuns
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.values import Instant
from rpctl.errors import (
    AlreadyImported,
    InvalidFile,
    InvalidValue,
    LedgerBusy,
    OutputExists,
    OutputLost,
    RpctlError,
)
from rpctl.importing.carried import options_column, with_carried
from rpctl.importing.columns import Columns, check_fields, understand
from rpctl.importing.content import Content
from rpctl.importing.fitting import lost_fields
from rpctl.importing.journal import OwnRows, choose_run, claimed
from rpctl.importing.opening import open_source
from rpctl.importing.options import ImportOptions, Listener
from rpctl.importing.passing import Pass, Rows
from rpctl.importing.plan import Grammar, Planner
from rpctl.importing.reader import DELIMITERS, Source, unreadable
from rpctl.importing.rejects import RejectsFile, rejects_path
from rpctl.importing.report import Report
from rpctl.importing.request import Request, rows_of


def import_file(
    file: Path | BinaryIO,
    name: str,
    options: ImportOptions,
    backend: Applies,
    runs: ImportRuns,
    clock: Callable[[], Instant],
    new_run_id: Callable[[], str],
    listener: Listener | None = None,
) -> Report:
    """Applies every row of a CSV file once; what is wrong with a row ends in the rejects file, not in an error.

    ``file``: a path, or the standard input as bytes; ``name``: what it is called in messages and the report;
    ``clock``: milliseconds since 1970; ``new_run_id``: a fresh id for the run that is recorded in ``runs``.

    A row is refused for what is wrong with its cells or by a rule of the backend. A refused row keeps its key
    free and carries it in the rejects file, so that it goes through once it is corrected; the original row,
    met again afterwards, is refused as ``key_reused`` and never counted twice.

    A strict run whose rehearsal meets a refusal applies nothing. Where others change the ledger between rehearsal
    and application, so that a row is refused after all, nothing of its transaction is applied and the run stops
    there, unfinished (`Report.overtaken_at_line`): of a file of one transaction nothing at all is. On a service what
    was sent before that is in.

    Raises `InvalidFile` for a file that is unusable as a whole, `InvalidValue` for options that are, and
    `OutputExists` where other rejects are in the way, all before anything is applied. At any time: `InvalidFile`
    where the file is changed meanwhile, `OutputLost` where the rejects cannot be written, the backend's errors,
    and KeyboardInterrupt, with the run recorded as unfinished; errors tell how many rows are in.
    """
    listener = listener or Listener()
    with _read(file, name, options, clock, listener) as read, ExitStack() as stack:
        job = read.carried_by(backend)
        if not options.dry_run:
            stack.enter_context(claimed(runs, job.content.digest, name, wait=options.wait, on_note=listener.on_note))
        chosen = choose_run(job.content, job.keys, again=options.again, runs=runs, name=name)
        planned = job.planned(chosen.generation, chosen.run.run if chosen.run else None)
        report = Report(name, clock(), dry_run=options.dry_run)
        if options.dry_run:
            return planned.rehearse_only(backend, report)
        return planned.apply(backend, runs, report, new_run_id)


def resume_run(
    run: str,
    changed: Mapping[str, Any],
    open_backend: Callable[[ImportOptions], Applies],
    runs: ImportRuns,
    clock: Callable[[], Instant],
    listener: Listener | None = None,
) -> Report | None:
    """Goes on with an unfinished run, from what it kept of its command. None: it has finished, nothing is left.

    ``run``: its id or an unambiguous beginning; ``open_backend``: where the rows go, with the options it has now;
    ``changed``: options of `ImportOptions` in place of the kept ones.
    Raises `RunNotFound`; `AlreadyImported` for a run that was undone or that a later one of the same file took the
    place of; `InvalidFile` where its file is gone, has changed, or where it came from was pruned; and what
    `import_file` raises.
    """
    listener = listener or Listener()
    kept = runs.kept_run(run)
    if kept.finished_at is not None and kept.undo_begun_at is None:
        return None
    path, request = rows_of(kept)
    options = replace(request.options, **changed)
    backend = open_backend(options)
    with ExitStack() as stack:
        job = stack.enter_context(_read(path, kept.file, options, clock, listener))
        if job.content.digest != kept.content.digest:
            raise InvalidFile(
                f"{kept.file} is not what it was when import run {kept.run} began.",
                "Bring it back as it was"
                + (
                    f"; `rpctl imports undo {kept.run}` takes back what the run applied."
                    if "reversals" in backend.capabilities
                    else "."
                ),
            )
        job = job.carried_by(backend)
        stack.enter_context(claimed(runs, job.content.digest, kept.file, wait=options.wait, on_note=listener.on_note))
        if runs.kept_run(kept.run).finished_at is not None:  # by whom we waited for
            return None
        chosen = choose_run(job.content, kept.content.keys, again=False, runs=runs, name=kept.file)
        if chosen.run is None or chosen.run.run != kept.run:
            raise AlreadyImported(
                f"Import run {kept.run} of {kept.file} is no longer the latest: the same file was imported anew.",
                "`rpctl imports list` shows the later run.",
                run=kept.run,
            )
        planned = replace(job.planned(chosen.generation, kept.run), copy=path if request.spooled else None)
        return planned.apply(backend, runs, Report(kept.file, clock()), lambda: kept.run)


@contextmanager
def _read(
    file: Path | BinaryIO, name: str, options: ImportOptions, clock: Callable[[], Instant], listener: Listener
) -> Iterator[_Job]:
    """The file read once and understood; nothing is decided yet."""
    if options.max_errors is not None and options.max_errors < 1:
        raise InvalidValue(f"--max-errors {options.max_errors} is not allowed.", "It is a number from 1 up.")
    mapping = check_fields(options.map, "--map")
    with open_source(
        file,
        name,
        encoding=options.encoding,
        delimiter=options.delimiter,
        mapping=mapping,
        columns=options.columns,
        spool=None if options.dry_run else options.spool,
    ) as source:
        options, carrier = with_carried(options, source.header)
        if carrier:
            listener.on_note(f"Read with the {carrier}, as the rejects file says.")
        mapping = check_fields(options.map, "--map")
        columns = understand(
            source.header, mapping, options.set, ignore_extra=options.ignore_extra, key_from=options.key_from
        )
        path = file if isinstance(file, Path) and file.is_file() else None
        target = rejects_path(path, options.rejects)
        if options.delimiter is None and source.delimiter != ",":
            listener.on_note(f"The delimiter is a {DELIMITERS[source.delimiter]}.")
        for note in columns.notes:
            listener.on_note(note)
        if path is None and source.spooled is None and options.spool is not None and not options.dry_run:
            listener.on_note(
                f"No copy of {name} can be kept in {options.spool}: a stopped run goes on only with the same input."
            )
        grammar = Grammar(options.zone, options.site_code, options.decimal_comma, options.date_format, options.factor)
        check = Planner(columns, grammar, b"")  # what is wrong with the options is said before a long file is read
        content = source.content(lambda done: listener.on_progress("reading", done, None), columns.positions.get("key"))
        yield _Job(source, path, columns, grammar, content, check, target, options, clock, listener)


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that was read and understood, and what is to be done with it.

    ``path``: None for what can be read only once; ``generation`` and ``earlier``, the id of the run that is gone on
    with, are decided on by `planned`, and the planner is then the one that makes the rows' keys; ``copy``: our own
    copy of what was piped into the run, to be removed when it has finished.
    """

    source: Source
    path: Path | None
    columns: Columns
    grammar: Grammar
    content: Content
    planner: Planner
    target: Path
    options: ImportOptions
    clock: Callable[[], Instant]
    listener: Listener
    generation: int = 0
    earlier: str | None = None
    copy: Path | None = None

    def carried_by(self, backend: Applies) -> _Job:
        """The same for what the backend keeps of a change: nothing of a row would be lost. Raises as `lost_fields`."""
        unread = lost_fields(self.columns, self.options, backend.capabilities, self.listener.on_note)
        return replace(self, grammar=replace(self.grammar, unread=unread)) if unread else self

    @property
    def keys(self) -> str:
        """Where the rows' keys come from, as the run remembers it."""
        return self.columns.keys(self.content.rows, self.content.keyless)

    def planned(self, generation: int, earlier: str | None) -> _Job:
        """The same as a run of that generation."""
        planner = Planner(self.columns, self.grammar, self.content.of_generation(generation), generation)
        return replace(self, planner=planner, generation=generation, earlier=earlier)

    def rehearse_only(self, backend: Applies, report: Report) -> Report:
        """The whole run on a rehearsal; its rejects file is put in place."""
        self._survey(backend, applies=False)
        rejects = self._rejects()
        try:
            self._rehearse(backend, report, rejects)
            return self._end(report, rejects)
        finally:
            rejects.close()

    def apply(self, backend: Applies, runs: ImportRuns, report: Report, new_run_id: Callable[[], str]) -> Report:
        """The run itself, after a rehearsal where it may turn out that nothing must be applied."""
        rehearses = self.options.strict or os.path.lexists(self.target)
        self._survey(backend, applies=True)
        if rehearses:
            rejects = self._rejects()
            rehearsed = Report(report.file, report.started_at)
            try:
                self._rehearse(backend, rehearsed, rejects)
                if self.options.strict and rehearsed.refused:
                    rehearsed.nothing_applied()
                    return self._end(rehearsed, rejects)
                if rejects.clashes():
                    raise rejects.exists()
            finally:
                rejects.close()
        return self._apply_recorded(backend, runs, report, self.earlier or new_run_id())

    def _apply_recorded(self, backend: Applies, runs: ImportRuns, report: Report, run: str) -> Report:
        report.run = run
        own, recorded_rows, copy = self._record(runs, report, run)
        rejects = self._rejects()
        rows = self._rows(rejects)
        if self.options.strict:  # the first refusal ends it: a limit would only cut what belongs together
            rows = rows._replace(max_errors=None)

        def record() -> dict[str, Any] | None:  # so that whatever ends the run leaves its counts
            report.ended_at = self.clock()
            # A run that goes on begins to count anew, and is no less far for that.
            return report.document() if report.rows >= recorded_rows else None

        try:
            Pass(rows, report, self._told("applying"), own=own, strict=self.options.strict, record=record).go(backend)
            try:
                self._end(report, rejects)
            except OutputExists as error:  # it came while rows were applied
                raise OutputLost(
                    error.message,
                    "Run the same command with --rejects PATH: what is in counts once, and the refused rows go there.",
                ) from error
            runs.save_run(run, report.document(), report.ended_at if report.is_whole else None)
            if report.is_whole and copy is not None:
                copy.unlink(missing_ok=True)
        except BaseException as error:
            # What was settled last is not recorded yet. The first error is the one to tell, and it is told soon.
            with suppress(Exception):
                if (so_far := record()) is not None:
                    runs.save_run(run, so_far, None, at_once=True)
            if isinstance(error, RpctlError):
                _tell_progress(error, report, is_exact=backend.is_atomic)
            elif report.applied_at_least:
                self.listener.on_note(f"At least {report.applied_at_least:,} rows are in (run {run}).")
            raise
        finally:
            rejects.close()
        return report

    def _record(self, runs: ImportRuns, report: Report, run: str) -> tuple[OwnRows | None, int, Path | None]:
        """Records that the run begins or goes on: its own rows so far, how many rows were counted by then, and our
        copy of what it reads, if there is one."""
        spooled = self.source.spooled
        copy = self.copy if spooled is None else spooled.place_of(run)
        # Beside a copy of ours nobody would look for rejects, and nothing would ever remove them.
        options = self.options if copy is None else replace(self.options, rejects=self.target)
        request = Request(copy or self.path, copy is not None, options).document()
        own, rows = None, 0
        if self.earlier is None:
            kept = FileContent(self.content.digest, self.generation, self.content.sample, self.keys)
            runs.start_run(run, report.started_at, report.file, kept, report.document(), request)
        else:
            so_far = runs.go_on(run, request)
            counted = runs.kept_run(run).report
            own, rows = OwnRows(run, so_far.last_position), counted["rows"]
            report.applied_before, report.worked_before_ms = so_far.entries, round(counted["durationS"] * 1000)
            self.listener.on_note(f"Going on with run {run}: {so_far.entries:,} rows are in already.")
        if spooled is not None:  # only now: a copy that belongs to no run would lie there for ever
            try:
                spooled.keep(run)
            except OSError as error:
                raise unreadable(report.file, error) from error
        self.listener.on_begin(run, self.path is None or copy is not None)
        return own, rows, copy

    def _rehearse(self, backend: Applies, report: Report, rejects: RejectsFile) -> None:
        with backend.rehearsal() as copy:
            Pass(self._rows(rejects), report, self._told("rehearsing")).go(copy)

    def _survey(self, backend: Applies, *, applies: bool) -> None:
        backend.survey(self._changes(), self.content.rows, applies=applies)

    def _changes(self) -> Iterator[Batch]:
        """All changes of the file, before any of them is applied."""
        done = 0
        for lines, cells in self.source.blocks():
            planned = self.planner.plan_all(cells, done + 1)
            done += len(cells)
            pairs = zip(planned, lines, strict=True)
            changes = [(change, line) for change, line in pairs if isinstance(change, AddPoints | RedeemPoints)]
            yield Batch(*zip(*changes, strict=True)) if changes else Batch()
            self.listener.on_progress("looking", done, self.content.rows)

    def _rows(self, rejects: RejectsFile) -> Rows:
        return Rows(self.source, self.planner, self.content.rows, rejects, self.options.max_errors)

    def _told(self, phase: str) -> Callable[[int], None]:
        return lambda done: self.listener.on_progress(phase, done, self.content.rows)

    def _rejects(self) -> RejectsFile:
        return RejectsFile(
            self.target, self.source, self.columns, self.options.site_code, options_column(self.options, self.columns)
        )

    def _end(self, report: Report, rejects: RejectsFile) -> Report:
        report.ended_at = self.clock()
        report.rejects_file = rejects.place()
        if report.stopped_at_line is not None:
            self.listener.on_note(
                f"Stopped after line {report.stopped_at_line}: {report.refused} rows were refused "
                f"(--max-errors {self.options.max_errors}). The rows after it were not looked at; a higher limit "
                "goes on."
            )
        return report


def _tell_progress(error: RpctlError, report: Report, *, is_exact: bool) -> None:
    """Adds what is in to an error that ended a run in its middle: it knows of its own batch only."""
    applied = report.applied_at_least
    error.details |= {"run": report.run, "applied": applied}
    if applied:
        at_least = "" if is_exact else "at least "
        error.message += f" Before that {at_least}{applied:,} rows were applied (run {report.run})."
        if isinstance(error, LedgerBusy):
            error.hint = "Run the same command again: it goes on where it stopped."
    if isinstance(error, InvalidFile) and report.rows:  # another file's rows have other keys and would count again
        error.hint = "Bring the file back as it was and run the same command: what is in counts once."
