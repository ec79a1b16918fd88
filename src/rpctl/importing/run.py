"""One import from end to end: reads the file twice, applies its rows in batches through the port, counts.

The first reading finds what makes the whole file unusable and the digest from which keys are derived; only the
second one applies. Whoever runs the same file again goes on where the last run ended, because keys are known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from rpctl.backends.port import Backend, EarlierRun, FileContent, ImportRuns
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.values import Instant
from rpctl.errors import (
    AlreadyImported,
    EarnsNothing,
    InvalidFile,
    InvalidValue,
    KeyReused,
    LedgerBusy,
    OutputExists,
    OutputLost,
    RpctlError,
)
from rpctl.importing.columns import Columns, check_fields, understand
from rpctl.importing.overlap import share_of
from rpctl.importing.plan import Grammar, Planner, Reject
from rpctl.importing.reader import DELIMITERS, Content, Source, open_source
from rpctl.importing.rejects import RejectsFile, rejects_path
from rpctl.importing.report import Report

BATCH_ROWS: Final = 5_000
"""Rows of one write transaction: well below the time for which a ledger may be locked."""

MOST_ROWS: Final = 0.5
"""If a larger share of a file's rows is in from an earlier run under other keys, the import is refused."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What was asked for besides the file.

    ``map``: field -> column name; ``set``: field -> cell of every row; ``ignore_extra``: leave unknown columns
    out; ``delimiter``, ``encoding``: None = found; ``columns``: names for a file without a header line;
    ``zone``: of dates without an offset; ``site_code``: where a row names none; ``dry_run``: change nothing;
    ``strict``: apply nothing where a row is refused; ``max_errors``: stop when that many rows are refused, from 1;
    ``rejects``: where refused rows go, None = beside the file; ``decimal_comma``, ``date_format``: see
    `rpctl.importing.plan.Grammar`; ``again``: rows that are in already, from this file or another, are meant anew;
    ``key_from``: the fields or columns from whose cells the rows' keys come.
    """

    map: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)
    ignore_extra: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] | None = None
    zone: tzinfo = UTC
    site_code: str = "main"
    dry_run: bool = False
    strict: bool = False
    max_errors: int | None = None
    rejects: Path | None = None
    decimal_comma: bool = False
    date_format: str | None = None
    again: bool = False
    key_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what happens meanwhile.

    ``on_progress(phase, done, total)``: phase ``reading`` (total None), ``rehearsing`` or ``applying``, in rows;
    ``on_note(sentence)``: what the user should know although nothing is wrong.
    """

    on_progress: Callable[[str, int, int | None], None] = lambda phase, done, total: None  # noqa: ARG005
    on_note: Callable[[str], None] = lambda sentence: None  # noqa: ARG005


def import_file(
    file: Path | BinaryIO,
    name: str,
    options: ImportOptions,
    backend: Backend,
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
    and application, so that a row is refused after all, nothing of its batch (`BATCH_ROWS`) is applied and the run
    stops there, unfinished (`Report.overtaken_at_line`): of a file of one batch nothing at all is.

    Raises `InvalidFile` for a file that is unusable as a whole, `InvalidValue` for options that are, and
    `OutputExists` where other rejects are in the way, all before anything is applied. At any time: `InvalidFile`
    where the file is changed meanwhile, `OutputLost` where the rejects cannot be written, the backend's errors,
    and KeyboardInterrupt, with the run recorded as unfinished; errors tell how many rows are in.
    """
    listener = listener or Listener()
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
    ) as source:
        columns = understand(
            source.header, mapping, options.set, ignore_extra=options.ignore_extra, key_from=options.key_from
        )
        path = file if isinstance(file, Path) and file.is_file() else None
        target = rejects_path(path, options.rejects)
        if options.delimiter is None and source.delimiter != ",":
            listener.on_note(f"The delimiter is a {DELIMITERS[source.delimiter]}.")
        for note in columns.notes:
            listener.on_note(note)
        content = source.content(lambda done: listener.on_progress("reading", done, None))
        grammar = Grammar(options.zone, options.site_code, options.decimal_comma, options.date_format)
        generation = _generation(content, columns.keys, options, runs, name)
        planner = Planner(columns, grammar, content.of_generation(generation), generation)
        kept = FileContent(content.digest, generation, content.sample, columns.keys)
        job = _Job(source, columns, content, kept, planner, target, options, clock, listener)
        report = Report(name, clock(), dry_run=options.dry_run)
        return job.rehearse_only(backend, report) if options.dry_run else job.apply(backend, runs, report, new_run_id)


def _generation(content: Content, keys: str, options: ImportOptions, runs: ImportRuns, name: str) -> int:
    """Which generation of the file's keys this run goes on with or begins. Raises `AlreadyImported`.

    A stopped run of the same file is gone on with first, even with ``again``: or what it applied would count twice.
    ``keys``: where the keys come from, `Columns.keys`. Rows that are in under keys of another origin count for
    rows of another file, even in the same one; rows under keys that were given or taken from the same columns are
    told by their keys, however many of them are in.
    """
    same: list[EarlierRun] = []
    others: list[EarlierRun] = []
    for earlier in runs.earlier_runs():
        known = earlier.content
        if (known.digest, known.keys) == (content.digest, keys):
            same.append(earlier)
        elif not keys or known.keys != keys:
            others.append(earlier)
    if same:
        latest = max(earlier.content.generation for earlier in same)
        finished = any(earlier.finished for earlier in same if earlier.content.generation == latest)
        return latest + 1 if options.again and finished else latest
    if not options.again:
        for earlier in others:
            share = share_of(content.sample, earlier.content.sample) if earlier.applied else 0.0
            if share > MOST_ROWS:
                raise AlreadyImported(
                    f"{share:.0%} of the rows of {name} are in already, from import run {earlier.run} of "
                    f"{earlier.file}, under other keys; they would count twice.",
                    run=earlier.run,
                    share=round(share, 4),
                )
    return 0


class _Row(NamedTuple):
    line: int
    ordinal: int
    cells: list[str]
    key: str
    planned: AddPoints | RedeemPoints | Reject


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that was read and understood, and what is to be done with it."""

    source: Source
    columns: Columns
    content: Content
    kept: FileContent
    planner: Planner
    target: Path
    options: ImportOptions
    clock: Callable[[], Instant]
    listener: Listener

    def rehearse_only(self, backend: Backend, report: Report) -> Report:
        """The whole run on a rehearsal; its rejects file is put in place."""
        rejects = self._rejects()
        try:
            self._rehearse(backend, report, rejects)
            return self._end(report, rejects)
        finally:
            rejects.close()

    def apply(self, backend: Backend, runs: ImportRuns, report: Report, new_run_id: Callable[[], str]) -> Report:
        """The run itself, after a rehearsal where it may turn out that nothing must be applied."""
        if self.options.strict or os.path.lexists(self.target):
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
        return self._apply_recorded(backend, runs, report, new_run_id())

    def _apply_recorded(self, backend: Backend, runs: ImportRuns, report: Report, run: str) -> Report:
        report.run = run
        runs.start_run(run, report.started_at, report.file, self.kept, report.document())
        rejects = self._rejects()

        def save() -> None:  # after every batch, so that whatever ends the run leaves its counts
            report.ended_at = self.clock()
            runs.save_run(run, report.document(), None)

        try:
            _Pass(self, backend, report, rejects, "applying", save, strict=self.options.strict).go()
            try:
                self._end(report, rejects)
            except OutputExists as error:  # it came while rows were applied
                raise OutputLost(
                    error.message,
                    "Run the same command with --rejects PATH: what is in counts once, and the refused rows go there.",
                ) from error
            whole = report.stopped_at_line is None and report.overtaken_at_line is None
            runs.save_run(run, report.document(), report.ended_at if whole else None)
        except RpctlError as error:
            _tell_progress(error, report)
            raise
        except KeyboardInterrupt:
            if report.applied:
                self.listener.on_note(f"At least {report.applied:,} rows are in (run {run}).")
            raise
        finally:
            rejects.close()
        return report

    def _rehearse(self, backend: Backend, report: Report, rejects: RejectsFile) -> None:
        with backend.rehearsal() as copy:
            _Pass(self, copy, report, rejects, "rehearsing").go()

    def _rejects(self) -> RejectsFile:
        return RejectsFile(self.target, self.source, self.columns, self.options.site_code)

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


class _Pass:
    """One way through the rows, on the backend itself or on a rehearsal.

    ``strict``: a batch with a refused row is not applied at all, and ends the pass.
    """

    def __init__(
        self,
        job: _Job,
        backend: Backend,
        report: Report,
        rejects: RejectsFile,
        phase: str,
        after_batch: Callable[[], None] = lambda: None,
        *,
        strict: bool = False,
    ) -> None:
        self._job = job
        self._backend = backend
        self._report = report
        self._rejects = rejects
        self._phase = phase
        self._after_batch = after_batch
        self._strict = strict

    def go(self) -> None:
        """Every row in the file's order, until there are too many errors, or in a strict pass one."""
        max_errors = self._job.options.max_errors
        plan, total = self._job.planner.plan, self._job.content.rows
        batch: list[_Row] = []
        batch_rejects, size = 0, self._batch_rows()
        for ordinal, (line, cells) in enumerate(self._job.source.rows(), 1):
            if ordinal > total:
                raise InvalidFile(f"{self._job.source.name} grew while it was read.", "Run the command again.")
            row = _Row(line, ordinal, cells, *plan(cells, ordinal))
            batch.append(row)
            batch_rejects += isinstance(row.planned, Reject)
            full = max_errors is not None and self._report.refused + batch_rejects >= max_errors
            if full or len(batch) >= size:
                self._apply(batch)
                if self._report.overtaken_at_line is not None:
                    return
                if max_errors is not None and self._report.refused >= max_errors:
                    self._report.stopped_at_line = line if ordinal < total else None
                    return
                batch, batch_rejects, size = [], 0, self._batch_rows()
        if batch:
            self._apply(batch)

    def _batch_rows(self) -> int:
        # With a limit on errors a batch is at most as long as refusals are left, so that the run stops at the
        # very row; in a longer file it may overshoot by a tenth of what is done, or one row a time would crawl.
        max_errors = self._job.options.max_errors
        if max_errors is None:
            return BATCH_ROWS
        return min(BATCH_ROWS, max(max_errors - self._report.refused, self._report.rows // 10))

    def _apply(self, batch: list[_Row]) -> None:
        changes = [row.planned for row in batch if not isinstance(row.planned, Reject)]
        if self._strict and len(changes) < len(batch):  # the rehearsal found no row like that
            raise InvalidFile(f"{self._job.source.name} was changed while it was read.", "Run the command again.")
        outcomes = (
            self._backend.apply(changes, run=self._report.run, entries=False, all_or_nothing=self._strict)
            if changes
            else []
        )
        if self._strict and any(_is_refusal(outcome) for outcome in outcomes):
            self._report.overtaken_at_line = batch[0].line
        self._report.rows += len(batch)
        decided = iter(outcomes)
        for row in batch:
            if isinstance(row.planned, Reject):
                self._refuse(row, row.planned.code, row.planned.message)
            else:
                self._count(row, row.planned, next(decided))
        self._after_batch()
        self._job.listener.on_progress(self._phase, self._report.rows, self._job.content.rows)

    def _count(self, row: _Row, change: AddPoints | RedeemPoints, outcome: Outcome) -> None:
        report = self._report
        if isinstance(outcome, Applied):
            if report.overtaken_at_line is not None:
                return  # it would have been
            report.applied += 1
            report.expired_on_arrival += outcome.expired_on_arrival
            if isinstance(change, AddPoints):
                report.points_added += outcome.points
            else:
                report.points_redeemed += outcome.points
        elif isinstance(outcome, AlreadyApplied):
            report.already_applied += 1
        elif not isinstance(outcome, Refused):
            report.unknown += 1
        elif _is_refusal(outcome):
            self._refuse(row, outcome.error.code, self._explained(row, outcome.error))
        else:
            report.skipped += 1

    def _explained(self, row: _Row, error: RpctlError) -> str:
        reused = self._job.planner.reused(row.cells, row.key, row.ordinal) if isinstance(error, KeyReused) else None
        return reused or error.message

    def _refuse(self, row: _Row, code: str, message: str) -> None:
        self._report.refused += 1
        self._rejects.write(row.line, row.cells, row.key, code, message)


def _is_refusal(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and not isinstance(outcome.error, EarnsNothing)


def _tell_progress(error: RpctlError, report: Report) -> None:
    """Adds what is in to an error that ended a run in its middle: it knows of its own batch only."""
    error.details |= {"run": report.run, "applied": report.applied}
    if report.applied:
        error.message += f" Before that {report.applied:,} rows were applied (run {report.run})."
        if isinstance(error, LedgerBusy):
            error.hint = "Run the same command again: it goes on where it stopped."
    if isinstance(error, InvalidFile) and report.rows:  # another file's rows have other keys and would count again
        error.hint = "Bring the file back as it was and run the same command: what is in counts once."
