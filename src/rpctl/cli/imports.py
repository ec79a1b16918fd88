"""rpctl imports: list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from rpctl.domain.values import parse_id
from rpctl.render.views import Column, View, brief_moment, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

_NUMBERS: Final = {"rows": None, "applied": None, "alreadyApplied": "already", "refused": None}
_MORE: Final = (
    "skipped",
    "expiredOnArrival",
    "unknown",
    "pointsAdded",
    "pointsRedeemed",
    "durationS",
    "rowsPerS",
    "rejectsFile",
)


@app.command(name="list")
def list_(ctx: typer.Context) -> View:
    """List the import runs, the latest first.

    $ rpctl imports list

    A run without finishedAt was stopped; the same import command goes on with its file.
    """
    session: Session = ctx.obj
    columns = [
        Column("run"),
        Column("startedAt", title="started (UTC)", brief=brief_moment),
        Column("finishedAt", title="finished (UTC)", brief=brief_moment),
        Column("file", vital=True),
    ]
    columns += [Column(name, number=True, title=title) for name, title in _NUMBERS.items()]
    columns += [Column(name, shown=False) for name in _MORE]
    return View(session.backend.runs(), columns)


@app.command()
def show(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or as much of it as is unambiguous.")],
) -> View:
    """Show one import run.

    $ rpctl imports show 3f9c
    """
    session: Session = ctx.obj
    return record(session.backend.run(parse_id(run, "run id")))
