"""rpctl doctor: one look at everything a command needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from rpctl.cli.checkup import FAIL, checkup
from rpctl.render.views import Column, View

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

_FIELDS: Final = ("check", "status", "message", "hint")


@app.command()
def doctor(ctx: typer.Context) -> View:
    """Check the profile, credentials, the service, the journal, the ledger and shell completion.

    $ rpctl doctor
    $ rpctl doctor -o json | jq '.checks[] | select(.status != "ok")'

    Each line is ok, warn or fail and says what to do. Nothing is changed: the service is asked for a token and read.
    Exit status 3 where something fails.
    """
    session: Session = ctx.obj
    found = list(checkup(session))
    document = {"schema": "rpctl.doctor/1", "checks": [dict(zip(_FIELDS, one, strict=True)) for one in found]}
    failed = any(one.status == FAIL for one in found)
    columns = [Column(name) for name in _FIELDS]
    rows = lambda document: document["checks"]  # noqa: E731 -- what a view asks for
    return View((document,), columns, many=False, rows=rows, exit_status=3 if failed else 0)
