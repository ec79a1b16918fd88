"""What `rpctl points import` asks of the importing room, and how its report is shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rpctl.config.paths import state_dir
from rpctl.domain.values import parse_count, parse_decimal
from rpctl.errors import (
    InvalidConfig,
    InvalidFile,
    InvalidValue,
    ReadOnlyProfile,
    UnsupportedOperation,
    UsageError,
)
from rpctl.importing.options import ImportOptions, Listener
from rpctl.importing.report import Report, name_as_text
from rpctl.importing.run import import_file, resume_run
from rpctl.render.views import Document, View, record

if TYPE_CHECKING:
    from decimal import Decimal

    from rpctl.cli.services import Session

STDIN: Final = "-"
DEFAULT_CONCURRENCY: Final = 8
_MOST_AT_ONCE: Final = 128
_MOST_A_SECOND: Final = 1_000_000
REPORT_FIELDS: Final = (
    "run", "file", "dryRun", "rows", "applied", "alreadyApplied", "skipped", "expiredOnArrival", "refused",
    "unknown", "waiting", "pointsAdded", "pointsRedeemed", "durationS", "rowsPerS", "rejectsFile",
)  # fmt: skip
_DELIMITERS: Final = {"tab": "\t", "\\t": "\t"}
_PROGRESS_EVERY_S: Final = 0.2
_LATELY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of the command as typed."""

    map: Sequence[str]
    set: Sequence[str]
    ignore_extra: bool
    dry_run: bool
    strict: bool
    max_errors: int | None
    rejects: str | None
    delimiter: str | None
    encoding: str | None
    columns: str | None
    decimal_comma: bool
    date_format: str | None
    again: bool
    key_from: str | None
    wait: bool
    site_code: str
    concurrency: int | None
    rate: float | None
    factor: Decimal | None


def run_import(session: Session, file: str, wanted: Wanted) -> View:
    """Imports the file and answers with the report; exit status 3 where rows were refused."""
    options = ImportOptions(
        map=_pairs(wanted.map, "--map"),
        set=_pairs(wanted.set, "--set"),
        ignore_extra=wanted.ignore_extra,
        delimiter=_DELIMITERS.get(wanted.delimiter or "", wanted.delimiter),
        encoding=wanted.encoding,
        columns=None if wanted.columns is None else tuple(wanted.columns.split(",")),
        zone=session.zone,
        site_code=wanted.site_code,
        dry_run=wanted.dry_run,
        strict=wanted.strict,
        max_errors=wanted.max_errors,
        rejects=None if wanted.rejects is None else Path(wanted.rejects),
        decimal_comma=wanted.decimal_comma,
        date_format=wanted.date_format,
        again=wanted.again,
        key_from=_names(wanted.key_from),
        wait=wanted.wait,
        spool=spool_folder(session),
        concurrency=wanted.concurrency or DEFAULT_CONCURRENCY,
        rate=wanted.rate,
        factor=wanted.factor,
    )
    if session.settings.read_only and not wanted.dry_run:
        raise ReadOnlyProfile(f"{session.whose} is read-only.", "With --dry-run nothing is changed.")
    stdin = session.terminal.stdin
    if file == STDIN and stdin is None:
        raise InvalidFile("Standard input is closed.", "Name a CSV file, or pipe one in.")
    session.check_fields(REPORT_FIELDS)
    if wanted.concurrency is not None or wanted.rate is not None:
        check_has_speed(session)
    report = import_file(
        stdin.buffer if file == STDIN and stdin is not None else Path(file),
        "standard input" if file == STDIN else name_as_text(file),
        options,
        session.applying(options),
        session.importing_runs,
        session.clock,
        lambda: session.random_bytes(6).hex(),
        listener_of(session, again=wanted.again),
    )
    return shown(session, report, dry_run=wanted.dry_run)


def resume_import(session: Session, run: str, changed: Mapping[str, Any]) -> View:
    """Goes on with a run; ``changed``: options that are to be others now. Answers as the import does."""
    session.check_writable(REPORT_FIELDS)
    if {"concurrency", "rate"} & changed.keys():
        check_has_speed(session)
    runs, listener = session.importing_runs, listener_of(session, again=True)
    report = resume_run(run, changed, session.applying, runs, session.clock, listener)
    if report is None:
        session.terminal.note("this run has finished; nothing is left")
        return record(session.runs.kept_run(run).report)
    return shown(session, report)


def check_has_speed(session: Session) -> None:
    """That there is something to be slow or fast for. Raises `UnsupportedOperation`."""
    if not session.settings.is_online:
        raise UnsupportedOperation(
            f"--concurrency and --rate are about requests to a service, and {session.whose} works on a local ledger.",
            "Leave them out.",
        )


def parse_concurrency(text: str | None) -> int | None:
    """Requests at a time, 1 to 128. Raises `InvalidValue`."""
    if text is None:
        return None
    concurrency = parse_count(text, "requests at a time")
    if concurrency > _MOST_AT_ONCE:
        raise InvalidValue(f"{concurrency} requests at a time are too many.", f"At most {_MOST_AT_ONCE}.")
    return concurrency


def parse_rate(text: str | None) -> float | None:
    """Requests a second, as ``50`` or ``50/s``. Raises `InvalidValue`."""
    if text is None:
        return None
    rate = parse_decimal(text.strip().removesuffix("/s"), "rate")
    if not 0 < rate <= _MOST_A_SECOND:
        raise InvalidValue(f"{text!r} is no rate.", "Write it as requests a second: 50/s or 0.5/s.")
    return float(rate)


def spool_folder(session: Session) -> Path | None:
    """Where copies lie of what is piped in; None where there is no home."""
    try:
        return state_dir(session.environ) / "imports"
    except InvalidConfig:
        return None


def copies_of_unfinished_runs(session: Session) -> list[Path]:
    """The copies that are kept, whichever ledger they are for."""
    folder = spool_folder(session)
    return sorted(folder.glob("*.csv")) if folder else []


def listener_of(session: Session, *, again: bool = False) -> Listener:
    """Who shows how far it is, and knows what to do when the run is stopped; ``again``: not by the same command."""

    def begun(run: str, piped: bool) -> None:
        if piped or again:  # the very same command cannot be repeated, or might count the rows once more
            resume = session.command("imports", "resume", run)
            session.repeat_hint = f"`{resume}` goes on where it stopped; what is in counts once."

    return Listener(_Progress(session).show, session.terminal.note, begun)


def shown(session: Session, report: Report, *, dry_run: bool = False) -> View:
    """The report, with the warnings and notes that belong to it."""
    document = report.document()
    if report.refused:
        kept = f"; they are in {document['rejectsFile']}" if document["rejectsFile"] else ""
        session.terminal.warn(f"refused: {report.refused} of {report.rows} rows{kept}")
    if report.unknown:
        waiting = f", and {report.waiting:,} rows of the same customers wait for them" if report.waiting else ""
        session.terminal.warn(f"unknown: {report.unknown} of {report.rows} rows{waiting}")
        session.terminal.note(
            session.repeat_hint or "The same command looks again for them and goes on; what is in counts once."
        )
    if report.overtaken_at_line is not None:
        session.terminal.warn(_overtaken_online(session, report) if session.settings.is_online else _overtaken(report))
    if not report.rows:
        session.terminal.note("the file has a header and no rows")
    if report.already_applied and not (report.applied or report.refused or report.unknown):
        nothing = " or earns nothing" if report.skipped else ""
        session.terminal.note(f"every row is in already{nothing}; nothing was changed")
    if not report.is_whole and not report.unknown and session.repeat_hint:
        session.terminal.note(session.repeat_hint)
    if dry_run:
        session.terminal.note("dry run: nothing was changed")
    elif report.applied and session.settings.records_offline:
        session.terminal.note("recorded offline; `rpctl sync push` sends them")
    return _report(document, report.exit_status)


def _overtaken(report: Report) -> str:
    """What became of ``--strict`` when others changed the ledger between the rehearsal and the application."""
    if not report.applied:
        return (
            "nothing was applied: others changed the ledger after every row had passed the rehearsal. "
            "The same command tries again"
        )
    return (
        "--strict was not kept: others changed the ledger after every row had passed the rehearsal. "
        f"{report.applied:,} rows before line {report.overtaken_at_line} were applied (run {report.run}), none from "
        "there on. Leave the file as it is, or they count again: the same command goes on when every row passes, and "
        "without --strict it applies those that do"
    )


def _overtaken_online(session: Session, report: Report) -> str:
    """The same of a service, where what is in stays in."""
    undo = session.command("imports", "undo", report.run or "")
    back = f"; `{undo}` takes them back" if "reversals" in session.capabilities else ""
    return (
        f"--strict was not kept: the service refused line {report.overtaken_at_line} after every row had passed. "
        f"{report.applied:,} rows are in (run {report.run}){back}. The same command goes on when every row passes, and "
        "without --strict it applies those that do"
    )


def _report(document: Document, exit_status: int) -> View:
    return record(document, exit_status=exit_status)


def _names(text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise UsageError(f"--key-from {text!r} has an empty name in it.", "--key-from customer_id,reference_id")
    return names


def _pairs(words: Sequence[str], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals or not field:
            raise UsageError(f"{option} {word!r} is not of the form FIELD=VALUE.", f"{option} customer_id=Email")
        if field in pairs:
            raise UsageError(f"{option} names {field} twice.")
        pairs[field] = value
    return pairs


class _Progress:
    """A line on a terminal with how far it is, how fast at present, and how long it will take at that.

    A run that goes on passes quickly over what is in already: that speed says nothing of the rest.
    """

    def __init__(self, session: Session) -> None:
        self._terminal = session.terminal
        self._phase = ""
        self._shown_s = self._heard_s = time.monotonic()
        self._lately: deque[tuple[float, int]] = deque()

    def show(self, phase: str, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        if phase != self._phase:  # it began when the one before was last heard of
            self._phase = phase
            self._lately = deque([(self._heard_s, 0)])
        self._heard_s = now_s
        self._lately.append((now_s, done))
        while len(self._lately) > 2 and now_s - self._lately[0][0] > _LATELY_S:
            self._lately.popleft()
        if now_s - self._shown_s < _PROGRESS_EVERY_S:
            return
        self._shown_s = now_s
        then_s, before = self._lately[0]
        rate = (done - before) / max(now_s - then_s, 0.001)
        text = f"{phase} {done:,} of {total:,} rows ({done * 100 // total} %)" if total else f"{phase} {done:,} rows"
        if rate:  # nothing done yet tells nothing of the rest
            text += f", {rate:,.0f}/s"
            text += f", {(total - done) / rate:.0f} s left" if total else ""
        self._terminal.progress(text)
