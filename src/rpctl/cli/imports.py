"""rpctl imports: list, show, resume, undo, prune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rpctl.domain.values import format_instant, parse_count, parse_id
from rpctl.errors import InvalidValue, UnsupportedOperation, UsageError
from rpctl.importing.report import name_as_text
from rpctl.render.views import Column, View, brief_moment, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.delivery.runs import JournalRuns, RunRow

app = typer.Typer()

Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or as much of it as is unambiguous.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait where another process is at work on the same file.")]
Concurrency = Annotated[
    str | None, typer.Option("--concurrency", metavar="N", help="Requests at a time to a service, 1 to 128.")
]
Rate = Annotated[
    str | None,
    typer.Option("--rate", metavar="N/S", help="Requests a second at most; by default what the service takes."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_NUMBERS: Final = {"rows": None, "applied": None, "alreadyApplied": "already", "refused": None}
_MORE: Final = (
    "skipped",
    "expiredOnArrival",
    "unknown",
    "waiting",
    "pointsAdded",
    "pointsRedeemed",
    "durationS",
    "rowsPerS",
    "rejectsFile",
)
_ROW_COLUMNS: Final = (
    Column("line", number=True),
    Column("customerId", vital=True),
    Column("operation"),
    Column("points", number=True),
    Column("state", vital=True),
    Column("sentAt", title="sent (UTC)", brief=brief_moment),
    Column("key"),
    Column("code"),
    Column("message"),
)
_OF_UNDO: Final = ("entriesReversed", "pointsTakenBack", "pointsGivenBack", "pointsSpent", "pointsExpired")


@app.command(name="list")
def list_(ctx: typer.Context) -> View:
    """List the import runs, the latest first.

    $ rpctl imports list

    An unfinished run was stopped, or is under way; the same import command goes on with its file, and so does `rpctl
    imports resume RUN`. A run whose undoing was stopped is undoing, and the same `rpctl imports undo RUN` goes on.
    """
    session: Session = ctx.obj
    columns = [
        Column("run"),
        Column("startedAt", title="started (UTC)", brief=brief_moment),
        Column("state"),
        Column("finishedAt", title="finished (UTC)", brief=brief_moment),
        Column("undoneAt", title="undone (UTC)", brief=brief_moment),
        Column("file", vital=True),
    ]
    columns += [Column(name, number=True, title=title) for name, title in _NUMBERS.items()]
    columns += [Column(name, shown=False) for name in _MORE]
    return View(session.runs.runs(), columns)


@app.command()
def show(
    ctx: typer.Context,
    run: Run,
    rows: Annotated[
        bool, typer.Option("--rows", help="Show what became of each row that was to be sent to a service.")
    ] = False,
    state: Annotated[
        str | None, typer.Option(metavar="STATES", help="With --rows: only rows in these states, separated by commas.")
    ] = None,
) -> View:
    """Show one import run, or its rows.

    $ rpctl imports show 3f9c
    $ rpctl imports show 3f9c --rows --state unknown,refused

    An import to a service is kept row by row. A row is planned (it is not in), sending, applied, refused, or unknown:
    it was sent, and nothing tells whether it counts. Rows that were refused before they were to be sent are only in
    the rejects file, and so are those that a ledger refused. Rows of customers who were deleted since are left out.
    """
    session: Session = ctx.obj
    wanted = parse_id(run, "run id")
    if rows:
        return _rows(session, wanted, state)
    if state is not None:
        raise UsageError("--state picks rows.", "Add --rows.")
    return record(_shown(session, wanted))


def _shown(session: Session, run: str) -> dict[str, Any]:
    runs = session.runs
    document = runs.run(run)
    kept = runs.kept_run(document["run"])
    path = None if kept.request is None else kept.request["path"]
    document["input"] = None if path is None else name_as_text(path)
    document |= {name: None if kept.undo is None else kept.undo[name] for name in _OF_UNDO}
    if session.settings.is_online:
        document["states"] = _service_runs(session).states(kept.run)
    return document


def _rows(session: Session, run: str, states: str | None) -> View:
    from rpctl.delivery.journal import State

    known = [state.value for state in State]
    wanted = None if states is None else [word.strip() for word in states.split(",")]
    for word in wanted or ():
        if word not in known:
            raise InvalidValue(f"There is no state {word!r}.", f"States: {', '.join(known)}.")
    runs = _service_runs(session)
    kept = runs.kept_run(run)  # now: or a header would be written before what is wrong is told
    rows = runs.rows(kept.run, None if wanted is None else [State(word) for word in wanted])
    return View(map(_row, rows), _ROW_COLUMNS)


def _row(row: RunRow) -> dict[str, Any]:
    code, message = row.told or (None, None)
    return {
        "line": row.line,
        "customerId": row.customer_id,
        "operation": row.operation,
        "points": row.points,
        "state": row.state.value,
        "sentAt": None if row.sent_at is None else format_instant(row.sent_at),
        "key": row.key,
        "code": code,
        "message": message,
    }


def _service_runs(session: Session) -> JournalRuns:
    from rpctl.delivery.runs import JournalRuns

    runs = session.runs
    if not isinstance(runs, JournalRuns):
        raise UnsupportedOperation(
            "What became of each row is kept of imports to a service, and this is a ledger.",
            "`rpctl imports show RUN` names the rejects file, which has the refused rows; `rpctl ledger export` has "
            "every entry with its run.",
        )
    return runs


@app.command()
def resume(
    ctx: typer.Context,
    run: Run,
    max_errors: Annotated[
        str | None, typer.Option(metavar="N", help="Stop when so many rows are refused, in place of the limit it had.")
    ] = None,
    rejects: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where refused rows go, in place of where they were to go.")
    ] = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    wait: Wait = False,
) -> View:
    """Go on with an import that was stopped.

    $ rpctl imports resume 3f9c

    With the options it was begun with, and from a copy where it was piped in. What is in counts once: the report is
    the whole run's. A file that has changed since is refused (exit 7).
    """
    from rpctl.cli.importing import parse_concurrency, parse_rate, resume_import

    changed: dict[str, Any] = {"wait": wait}
    if max_errors is not None:
        changed["max_errors"] = parse_count(max_errors, "errors")
    if rejects is not None:
        changed["rejects"] = Path(rejects)
    if concurrency is not None:
        changed["concurrency"] = parse_concurrency(concurrency)
    if rate is not None:
        changed["rate"] = parse_rate(rate)
    return resume_import(ctx.obj, parse_id(run, "run id"), changed)


@app.command()
def undo(
    ctx: typer.Context,
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would come to, change nothing.")] = False,
    concurrency: Concurrency = None,
    rate: Rate = None,
    wait: Wait = False,
    yes: Yes = False,
) -> View:
    """Reverse everything that an import applied.

    $ rpctl imports undo 3f9c --dry-run
    $ rpctl imports undo 3f9c --yes -o json | jq '.kept[]'

    From the latest entry back: redeemed points are given back, valid as long as the longest-lived ones they used;
    added points are taken back as far as they are left, also from what this undo gave back. The answer has three
    parts, each with customers, points and reasons: reversed; kept, because it is spent or expired; failed, because a
    rule refused it. With anything but reversed the exit status is 3. Entries that were reversed before are left
    alone. Stopped, the same command goes on; done, it does nothing.

    Over a service the amounts are decided from each customer's summary just before they are sent, and the service
    chooses the lots. Where it cannot be told whether something is reversed the exit status is 8, and the same command
    looks again.

    The file's rows do not count again after that, unless it is imported with --again.
    """
    from rpctl.cli.importing import parse_concurrency, parse_rate
    from rpctl.cli.undoing import Speed, undo_import

    speed = Speed(parse_concurrency(concurrency), parse_rate(rate))
    return undo_import(ctx.obj, parse_id(run, "run id"), speed, dry_run=dry_run, wait=wait, yes=yes)


@app.command()
def prune(
    ctx: typer.Context,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="How long ago they ended, in days or months: 90d, 12m.")
    ] = "90d",
    all_: Annotated[
        bool, typer.Option("--all", help="Unfinished runs too; they cannot be resumed after that.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, change nothing.")] = False,
    yes: Yes = False,
) -> View:
    """Remove what old import runs keep of personal text.

    $ rpctl imports prune --dry-run
    $ rpctl imports prune --older-than 12m --yes

    That is copies of what was piped in, paths, options and reports of undoings. Counts stay, and so do the digests
    that keep a file from counting twice; entries of the ledger are not touched. Of an import to a service also what
    the journal keeps of its rows: descriptions, references, why they were refused. A row whose outcome is not known
    keeps them, because it may have to be sent again.
    """
    from rpctl.cli.undoing import prune_imports

    return prune_imports(ctx.obj, older_than, unfinished=all_, dry_run=dry_run, yes=yes)
