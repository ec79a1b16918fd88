"""rpctl sync: status, push, pull."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rpctl.domain.values import parse_count, parse_id
from rpctl.errors import UsageError
from rpctl.render.views import View

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

Wait = Annotated[bool, typer.Option("--wait", help="Wait where another process is pushing or pulling.")]


@app.command()
def status(
    ctx: typer.Context,
    limit: Annotated[
        str | None, typer.Option(metavar="N", help="List at most so many changes; by default 200.")
    ] = None,
) -> View:
    """Show what was recorded offline and is not sent yet: since when, and for whom.

    $ rpctl sync status
    $ rpctl sync status -o json | jq '.changes[] | select(.state == "conflict")'

    A change is waiting; held, where it waits behind a conflict of its customer; unclear, where it was sent and nothing
    tells whether it is in; or a conflict: the service refused it, and both sides are shown. The service is not asked.
    `rpctl sync push --retry KEY` sends a conflict once more, --drop KEY gives it up.
    """
    from rpctl.cli.syncing import Syncing

    session: Session = ctx.obj
    return Syncing(session).status(200 if limit is None else parse_count(limit, "changes"))


@app.command()
def push(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would happen, change nothing.")] = False,
    retry: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Send this conflict once more; repeatable.")
    ] = None,
    retry_all: Annotated[bool, typer.Option("--retry-all", help="Send every conflict once more.")] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Give up this conflict, or a change that stays unclear; repeatable."),
    ] = None,
    drop_all: Annotated[bool, typer.Option("--drop-all", help="Give every conflict up.")] = False,
    wait: Wait = False,
    concurrency: Annotated[
        str | None, typer.Option(metavar="N", help="Requests at a time, 1 to 128; by default 8.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="N/S", help="Requests a second at most; by default what the service takes.")
    ] = None,
) -> View:
    """Send what was recorded offline to the service, in its order, every change once.

    $ rpctl sync push --dry-run
    $ rpctl sync push
    $ rpctl sync push --retry order-9 --drop order-10

    What the service refuses (points that are spent by now, a customer who was deleted) becomes a conflict, and later
    changes of that customer wait behind it; nobody else's do. The exit status is 3 while there is any. A stopped push
    goes on with the same command. At the end the customers whose changes were sent are read anew, so that offline
    balances are those of the service.
    """
    from rpctl.cli.importing import parse_concurrency, parse_rate
    from rpctl.cli.syncing import Syncing, Wanted

    session: Session = ctx.obj
    if (retry and retry_all) or (drop and drop_all) or (retry_all and drop_all):
        raise UsageError("Name the conflicts, or take all of them.", "--retry KEY, or --retry-all")
    if twice := set(retry or ()) & set(drop or ()):
        raise UsageError(f"The conflict {sorted(twice)[0]} is to be sent once more and to be given up.", "Choose one.")
    wanted = Wanted(
        retry=None if retry_all else [parse_id(key, "key") for key in retry or ()],
        drop=None if drop_all else [parse_id(key, "key") for key in drop or ()],
        dry_run=dry_run,
        wait=wait,
        concurrency=parse_concurrency(concurrency),
        rate=parse_rate(rate),
    )
    return Syncing(session).push(wanted)


@app.command()
def pull(
    ctx: typer.Context,
    customers: Annotated[
        list[str] | None, typer.Argument(metavar="[CUSTOMER]...", help="Only these; by default everybody.")
    ] = None,
    wait: Wait = False,
) -> View:
    """Fetch everybody's points, the redeem options and the site's program, for times without a line.

    $ rpctl sync pull
    $ rpctl sync pull C1 C2

    Offline balances are what was fetched last plus what waits. What an interrupted pull has read is kept, and the same
    command goes on.
    """
    from rpctl.cli.syncing import Syncing

    session: Session = ctx.obj
    return Syncing(session).pull([parse_id(one) for one in customers or ()], wait=wait)
