"""rpctl customer: create, show, list, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rpctl.cli.points import Customer, Key, Limit, Reason, Site
from rpctl.domain.changes import AddPoints, Customers
from rpctl.domain.values import parse_count, parse_id, parse_points, parse_text, parse_when
from rpctl.errors import UsageError
from rpctl.render import views
from rpctl.render.points import customer_summary, customers

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

_DELETED = ("customerId", "entries", "pointsAdded", "pointsRedeemed", "pointsLeft")


@app.command()
def create(
    ctx: typer.Context,
    customer: Customer,
    points: Annotated[str | None, typer.Option(metavar="N", help="Start with so many points.")] = None,
    reference: Annotated[str | None, typer.Option(metavar="ORDER", help="The order they come from.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What the customer sees.")] = None,
    reason: Reason = None,
    valid_until: Annotated[str | None, typer.Option(metavar="WHEN", help="Until when they can be redeemed.")] = None,
    site: Site = None,
    key: Key = None,
) -> views.View:
    """Create a customer, with starting points or without.

    $ rpctl customer create C1 --points 100 --description Welcome

    A customer that exists is refused (exit 6, customer_exists).
    """
    session: Session = ctx.obj
    customer_id = parse_id(customer)
    if points is None:
        extra = {"--reference": reference, "--description": description, "--valid-until": valid_until, "--key": key}
        given = [name for name, value in extra.items() if value is not None]
        if given:
            raise UsageError(f"{given[0]} belongs to starting points.", "Add --points N, or leave it out.")
        session.writing(("customerId", "activePoints")).create_customer(customer_id)
        return views.record({"customerId": customer_id, "activePoints": 0}, written=True)
    change = AddPoints(
        customer_id=customer_id,
        key=session.key(key),
        points=parse_points(points),
        reference_id=None if reference is None else parse_id(reference, "reference"),
        description=parse_text(description, "description"),
        reason=parse_text(reason, "reason"),
        valid_until=None if valid_until is None else parse_when(valid_until, session.zone, end_of_day=True),
        site_code=parse_id(session.settings.site if site is None else site, "site code"),
        customers=Customers.NEW,
    )
    return session.apply(change, key_given=key is not None)


@app.command()
def show(ctx: typer.Context, customer: Customer) -> views.View:
    """Show a customer's points, entry by entry.

    $ rpctl customer show C1
    """
    return customer_summary(ctx.obj.backend.summary(parse_id(customer)))


@app.command(name="list")
def list_(
    ctx: typer.Context,
    limit: Limit = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Only ids that contain this.")] = None,
) -> views.View:
    """List customers and their active points.

    $ rpctl customer list --search smith
    $ rpctl customer list -o csv > customers.csv
    """
    search = parse_text(search, "text to search for")
    return customers(ctx.obj.backend.customers(search, None if limit is None else parse_count(limit, "customers")))


@app.command()
def delete(
    ctx: typer.Context,
    customer: Customer,
    confirm: Annotated[
        str | None, typer.Option(metavar="ID", help="The id once more, in place of being asked.")
    ] = None,
) -> views.View:
    """Delete a customer's points and personal text, for good.

    $ rpctl customer delete C1 --confirm C1

    Counts and sums stay as a tombstone. The keys of the customer's changes stay as digests, so that an old
    import cannot bring the person back. Backups keep what they hold.
    """
    session: Session = ctx.obj
    customer_id = parse_id(customer)
    if confirm is not None and confirm != customer_id:
        raise UsageError(f"--confirm {confirm} is not customer {customer_id}.", "Repeat the very id to delete.")
    books = session.writing(_DELETED)
    points = session.backend.active_points(customer_id)
    session.consent(
        f"Delete customer {customer_id} and their {points} points for good?",
        yes=confirm is not None,
        command=session.command("customer", "delete", f"--confirm={customer_id}", arguments=[customer_id]),
        answer=customer_id,
    )
    tombstone = books.delete_customer(customer_id)
    if not session.settings.is_online:
        _warn_of_copies(session, erased_fully=tombstone.erased_fully)
    return views.record(
        {
            "customerId": customer_id,
            "entries": tombstone.entries,
            "pointsAdded": tombstone.points_added,
            "pointsRedeemed": tombstone.points_redeemed,
            "pointsLeft": tombstone.points_left,
        },
        written=True,
    )


def _warn_of_copies(session: Session, *, erased_fully: bool) -> None:
    """Where text of someone who was deleted from the ledger may still be."""
    from rpctl.backends.ledger import upkeep
    from rpctl.cli.importing import copies_of_unfinished_runs

    if not erased_fully:
        session.terminal.warn(
            "the text is still in the ledger's log, because someone is reading the ledger; "
            "`rpctl ledger verify` finishes the deletion when they are done"
        )
    if copies := upkeep.copies_beside(session.ledger.path):
        session.terminal.warn(
            f"copies of the ledger may still hold the customer: {', '.join(str(copy) for copy in copies)}"
        )
    if piped := copies_of_unfinished_runs(session):
        session.terminal.warn(
            "copies of what was piped into unfinished imports may still hold the customer: "
            f"{', '.join(map(str, piped))}; `rpctl imports prune --all --older-than 0d` removes them"
        )
