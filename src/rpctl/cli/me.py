"""rpctl me: balance, summary, redeem, with the customer's own token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rpctl.cli.points import Site
from rpctl.domain.values import parse_id
from rpctl.errors import ReadOnlyProfile
from rpctl.render.views import View, number, record

if TYPE_CHECKING:
    from rpctl.backends.emporix.storefront import Storefront
    from rpctl.cli.services import Session

app = typer.Typer()


@app.command()
def balance(ctx: typer.Context) -> View:
    """Show how many points the signed-in customer can redeem.

    $ rpctl me balance

    A bare number in every format; 0 for a customer who never had points. The customer's token comes from
    `rpctl auth login --customer --token-stdin` or RPCTL_CUSTOMER_TOKEN.
    """
    return number(_storefront(ctx.obj).active_points())


@app.command()
def summary(ctx: typer.Context) -> View:
    """Show the signed-in customer's added and redeemed points.

    $ rpctl me summary
    """
    from rpctl.render.points import customer_summary

    return customer_summary(_storefront(ctx.obj).summary())


@app.command()
def redeem(
    ctx: typer.Context,
    option: Annotated[str, typer.Argument(metavar="OPTION_ID", help="What `rpctl options list` shows.")],
    site: Site = None,
) -> View:
    """Exchange the signed-in customer's points for a coupon.

    $ rpctl me redeem 6650a1

    It is sent once and never again by itself: where the answer is lost, the summary before and after tells whether
    points were taken (exit 8, coupon_code_lost) or not (exit 75).
    """
    from rpctl.delivery.settle import exchange

    session: Session = ctx.obj
    option_id = parse_id(option, "option id")
    site_code = parse_id(session.settings.site if site is None else site, "site code")
    if session.settings.read_only:
        raise ReadOnlyProfile(f"{session.whose} is read-only.")
    session.check_fields(("code",))
    session.repeat_hint = "`rpctl me summary` tells whether points were taken; exchanging again takes them once more."
    code = exchange(_storefront(session), option_id, site_code, session.surroundings)
    return record({"code": code})  # with --quiet too: nothing else has it


def _storefront(session: Session) -> Storefront:
    from rpctl.backends.emporix.storefront import Storefront

    connection = session.connect()
    return Storefront(connection.http, connection.credentials)
