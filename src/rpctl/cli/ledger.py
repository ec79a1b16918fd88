"""rpctl ledger: info, verify, backup, restore, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpctl.render import views

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

_EXPORTED = (
    ("position", True), ("customerId", False), ("type", False), ("id", False), ("points", True),
    ("createdAt", False), ("validUntil", False), ("usedPoints", True), ("allPointsAfterCreation", True),
    ("reference-id", False), ("description", False), ("reason", False), ("siteCode", False),
    ("reversesPosition", True), ("recordedAt", False), ("recordedBy", False), ("rpctlVersion", False),
    ("importRun", False), ("keyDigest", False), ("entryDigest", False),
)  # fmt: skip


@app.command()
def info(ctx: typer.Context) -> views.View:
    """Show where the ledger is, how large, and what is in it.

    $ rpctl ledger info
    """
    from rpctl.backends.ledger import upkeep

    session: Session = ctx.obj
    facts = upkeep.info(session.ledger)
    if facts["networkFileSystem"]:
        session.terminal.warn(
            f"the ledger lies on a network file system ({facts['networkFileSystem']}), where locks may not hold"
        )
    return views.record(facts)


@app.command()
def verify(ctx: typer.Context) -> views.View:
    """Check every rule on every entry of the ledger.

    $ rpctl ledger verify
    $ rpctl ledger verify -o json | jq '.problems[]'

    Recomputes every balance, every lot and every digest. Exit status 3 where something is wrong.
    """
    from rpctl.backends.ledger import upkeep

    session: Session = ctx.obj
    found = session.ledger.verify()
    problems = [
        {"customerId": one.customer_id, "entryId": one.entry_id, "rule": one.rule, "message": one.message}
        for one in found.problems()
    ]
    document = {
        "schema": "rpctl.ledger-verify/1",
        "path": str(session.ledger.path),
        "customers": found.customers,
        "entries": found.entries,
        "problems": problems,
    }
    if problems:
        session.terminal.warn(f"problems: {len(problems)}; keep the file and restore the last good backup elsewhere")
    else:
        session.terminal.note(f"everything holds: entries {found.entries}, customers {found.customers}")
    if not problems and not upkeep.empty_log(session.ledger):
        session.terminal.warn(
            "the ledger's log may still hold text of deleted customers, because someone reads the ledger; "
            "run `rpctl ledger verify` again when they are done"
        )
    columns = [views.Column(name) for name in ("customerId", "entryId", "rule", "message")]
    return views.View(
        (document,),
        columns,
        many=False,
        rows=lambda doc: doc["problems"],
        exit_status=3 if problems else 0,
    )


@app.command()
def backup(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist yet.")]
) -> views.View:
    """Write a consistent copy of the ledger, while others go on working.

    $ rpctl ledger backup /backups/points-$(date +%F).db
    """
    from rpctl.backends.ledger import upkeep

    size = upkeep.backup(ctx.obj.ledger, file)
    return views.record({"file": str(file), "sizeBytes": size}, written=True)


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ledger backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> views.View:
    """Make the ledger what a backup is; what it was before is kept beside it.

    $ rpctl ledger restore /backups/points-2026-11-20.db
    """
    from rpctl.backends.ledger import upkeep
    from rpctl.cli.remembering import unsent

    session: Session = ctx.obj
    backend = session.writing_ledger(("ledger", "restoredFrom", "keptBefore"))
    if not yes:  # nobody is asked about what cannot be done
        upkeep.check_restore(backend, file)
    waiting = unsent(backend) if backend.path.exists() else 0
    loses = f" {waiting:,} changes in it are not sent to a service yet, and go with it." if waiting else ""
    if loses:
        session.terminal.warn(f"{waiting:,} changes in the ledger are not sent yet; what it was before keeps them")
    session.consent(
        f"Replace the ledger {backend.path} by {file}?{loses}",
        yes=yes,
        command=session.command("ledger", "restore", "--yes", arguments=[str(file)]),
    )
    kept = upkeep.restore(backend, file)
    return views.record(
        {"ledger": str(backend.path), "restoredFrom": str(file), "keptBefore": str(kept) if kept else None},
        written=True,
    )


@app.command()
def export(ctx: typer.Context) -> views.View:
    """Write every entry in recording order, with all that is recorded of it.

    $ rpctl ledger export -o csv > entries.csv
    $ rpctl ledger export -o jsonl | jq 'select(.type == "redeemed")'

    Streams, and shows one moment's state however long it takes. Redeem options, coupons and the program have
    commands of their own; a backup holds everything.
    """
    from rpctl.backends.ledger import upkeep

    columns = [views.Column(name, number=number) for name, number in _EXPORTED]
    return views.View(upkeep.export(ctx.obj.ledger), columns)
