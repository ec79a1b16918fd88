"""rpctl points: add, redeem, balance, summary, history, explain, reverse, import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rpctl.domain.values import parse_count, parse_id
from rpctl.errors import UsageError
from rpctl.render.views import View, number

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

WHOLE_ID = 36
"""The length of a generated id; what is shorter may be the beginning of one."""

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id, taken as text.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What the customer sees.")]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why, for internal use (BonifiQ needs it, Emporix does not take it).")
]
CreatedAt = Annotated[
    str | None, typer.Option(metavar="WHEN", help="The business date, e.g. 2026-01-31; by default now.")
]
Site = Annotated[str | None, typer.Option(metavar="CODE", help="The site whose program applies.")]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="The change's own key: the same key again changes nothing. By default a fresh one."
    ),
]
Factor = Annotated[
    str | None,
    typer.Option(metavar="NUMBER", help="Points for one unit of an order value, over a service without a program."),
]
Limit = Annotated[str | None, typer.Option(metavar="N", help="At most so many.")]


@app.command()
def add(
    ctx: typer.Context,
    customer: Customer,
    points: Annotated[str | None, typer.Argument(metavar="[POINTS]", help="1 to 2147483647.")] = None,
    order_value: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="In place of POINTS: the program's factor decides.")
    ] = None,
    factor: Factor = None,
    reference: Annotated[str | None, typer.Option(metavar="ORDER", help="The order the points come from.")] = None,
    description: Description = None,
    reason: Reason = None,
    valid_until: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="2027-01-31, an instant, +90d, +12m or never; by default what the program says."
        ),
    ] = None,
    created_at: CreatedAt = None,
    site: Site = None,
    key: Key = None,
    existing: Annotated[bool, typer.Option("--existing", help="Refuse a customer that does not exist yet.")] = False,
) -> View:
    """Add points to a customer.

    $ rpctl points add C1 50 --reference order-9
    $ rpctl points add C1 --order-value 29.90 --reference order-10 --key order-10

    A customer that does not exist yet is created, and a note says so. With --key the command can be repeated
    safely: the same key counts once. Over a service whose answer was lost the exit status may be 8: what became of
    it is not known, and the hint is the command that finds out.

    BonifiQ needs a --reason and keeps neither references nor dates; it has no program, so that --order-value takes a
    --factor there.
    """
    from rpctl.cli.worlds import check_options
    from rpctl.domain.changes import AddPoints, Customers
    from rpctl.domain.values import (
        parse_decimal,
        parse_factor,
        parse_instant,
        parse_points,
        parse_text,
        parse_when,
    )

    session: Session = ctx.obj
    if (points is None) == (order_value is None):
        raise UsageError("Give either POINTS or --order-value.", "`rpctl points add C1 50`")
    check_options(session, {"--site": site, "--factor": factor})
    if factor is not None and order_value is None:
        raise UsageError("--factor says what an order value earns.", "Give --order-value in place of POINTS.")
    change = AddPoints(
        customer_id=parse_id(customer),
        key=session.key(key),
        points=None if points is None else parse_points(points),
        order_value=None if order_value is None else parse_decimal(order_value, "order value"),
        reference_id=None if reference is None else parse_id(reference, "reference"),
        description=parse_text(description, "description"),
        reason=parse_text(reason, "reason"),
        valid_until=None if valid_until is None else parse_when(valid_until, session.zone, end_of_day=True),
        created_at=None if created_at is None else parse_instant(created_at, session.zone),
        site_code=parse_id(session.settings.site if site is None else site, "site code"),
        customers=Customers.EXISTING if existing else Customers.ANY,
        factor=None if factor is None else parse_factor(factor),
    )
    return session.apply(change, key_given=key is not None)


@app.command()
def redeem(
    ctx: typer.Context,
    customer: Customer,
    points: Annotated[str | None, typer.Argument(metavar="[POINTS]", help="1 to 2147483647.")] = None,
    option: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="In place of POINTS: exchange for this redeem option's coupon (a ledger only)."
        ),
    ] = None,
    description: Description = None,
    reason: Reason = None,
    created_at: CreatedAt = None,
    site: Site = None,
    key: Key = None,
) -> View:
    """Redeem a customer's points, or exchange them for a coupon.

    $ rpctl points redeem C1 30 --description "Paid at the till"
    $ rpctl points redeem C1 --option 6650a1 --key C1-coupon-1

    The points that expire first are used first. Where they do not suffice nothing is taken (exit 6,
    insufficient_points). Over a service coupons are the customer's own business: `rpctl me redeem`.
    """
    from rpctl.cli.worlds import check_options
    from rpctl.domain.changes import RedeemPoints
    from rpctl.domain.values import parse_instant, parse_points, parse_text

    session: Session = ctx.obj
    if (points is None) == (option is None):
        raise UsageError("Give either POINTS or --option.", "`rpctl points redeem C1 30`")
    check_options(session, {"--option": option, "--site": site})
    change = RedeemPoints(
        customer_id=parse_id(customer),
        key=session.key(key),
        points=None if points is None else parse_points(points),
        option_id=None if option is None else parse_id(option, "option id"),
        description=parse_text(description, "description"),
        reason=parse_text(reason, "reason"),
        created_at=None if created_at is None else parse_instant(created_at, session.zone),
        site_code=parse_id(session.settings.site if site is None else site, "site code"),
    )
    return session.apply(change, key_given=key is not None)


@app.command()
def balance(
    ctx: typer.Context,
    customer: Customer,
    as_of: Annotated[str | None, typer.Option(metavar="WHEN", help="As it was at that moment.")] = None,
) -> View:
    """Show how many points a customer can redeem.

    $ rpctl points balance C1
    $ rpctl points balance C1 --as-of 2026-06-30

    A bare number in every format.
    """
    session: Session = ctx.obj
    if as_of is None:
        return number(session.backend.active_points(parse_id(customer)))
    from rpctl.cli.worlds import check_options
    from rpctl.domain.values import parse_instant
    from rpctl.reports.balance import as_of as points_as_of

    check_options(session, {"--as-of": as_of})
    at = parse_instant(as_of, session.zone, end_of_day=True)
    return number(points_as_of(session.backend.summary(parse_id(customer)), at))


@app.command()
def summary(
    ctx: typer.Context,
    customer: Annotated[str | None, typer.Argument(metavar="[CUSTOMER]", help="By default everybody.")] = None,
    limit: Limit = None,
) -> View:
    """Show one customer's added and redeemed points, or everybody's.

    $ rpctl points summary C1
    $ rpctl points summary -o jsonl | jq .activePoints

    JSON is the API's own document: customerId, activePoints and summary.
    """
    from rpctl.cli.worlds import WITHOUT_CUSTOMER, check_options
    from rpctl.render.points import customer_summary, summaries

    session: Session = ctx.obj
    if customer is not None:
        return customer_summary(session.backend.summary(parse_id(customer)))
    check_options(session, {WITHOUT_CUSTOMER: True})
    return summaries(session.backend.summaries(None if limit is None else parse_count(limit, "customers")))


@app.command()
def history(
    ctx: typer.Context,
    customer: Customer,
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="From that day or moment on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Up to that day or moment.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only added, redeemed, expired, backdated or unexplained."),
    ] = None,
) -> View:
    """Show a customer's changes in recording order with the running balance, expiries included.

    $ rpctl points history C1
    $ rpctl points history C1 --since 2026-01-01 --type redeemed

    Each balance is the one before it plus the points of its line; the last is what is active now. A change dated
    before the one above it shows the balance of its own date: a `backdated` line first brings back what had not
    expired by then, and another one later takes off what has expired since. `unexplained` is what a stored balance
    has more or less than the lines come to; BonifiQ does not tell what expired, so that it is in that line there.
    """
    from rpctl.domain.values import parse_instant
    from rpctl.render import reports
    from rpctl.reports.history import history as lines_of

    session: Session = ctx.obj
    start = None if since is None else parse_instant(since, session.zone)
    end = None if until is None else parse_instant(until, session.zone, end_of_day=True)
    found = session.backend.summary(parse_id(customer))
    return reports.history(found, lines_of(found, session.clock(), since=start, until=end, kind=kind))


@app.command()
def explain(ctx: typer.Context, customer: Customer) -> View:
    """Show lot by lot what was granted, used, has expired and is left.

    $ rpctl points explain C1

    Names the first entry where the numbers stop adding up.
    """
    from rpctl.render import reports
    from rpctl.reports.explain import explain as explanation_of

    session: Session = ctx.obj
    found = explanation_of(session.backend.summary(parse_id(customer)), session.clock())
    if warning := reports.mismatch_warning(found):
        session.terminal.warn(warning)
    return reports.explanation(found)


@app.command()
def reverse(
    ctx: typer.Context,
    customer: Customer,
    entry: Annotated[
        str, typer.Argument(metavar="ENTRY_ID", help="The id that `points history` shows, or its beginning.")
    ],
    description: Description = None,
    reason: Reason = None,
    key: Key = None,
) -> View:
    """Book the opposite of an entry, linked to it.

    $ rpctl points reverse C1 5345b895-6b68-734e-6d1c-1acdeea574cb --reason "wrong customer"

    Of added points what is left is taken back; redeemed points are given back as a new lot that lives as long
    as the longest-lived lot that was used. A reversal is not reversed, and an entry only once.
    """
    from rpctl.domain.changes import Reverse
    from rpctl.domain.values import parse_text

    session: Session = ctx.obj
    customer_id, entry_id = parse_id(customer), parse_id(entry, "entry id")
    if set(entry_id) <= set("0123456789abcdefABCDEF-"):
        entry_id = entry_id.lower()  # or the same reversal, pasted in capitals, would be another request
    if len(entry_id) < WHOLE_ID:
        entry_id = session.backend.summary(customer_id).find(entry_id).id
    change = Reverse(
        customer_id=customer_id,
        entry_id=entry_id,
        key=session.key(key),
        description=parse_text(description, "description"),
        reason=parse_text(reason, "reason"),
    )
    return session.apply(change, key_given=key is not None)


@app.command(name="import")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A CSV file, or - for standard input.")],
    map_: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Which column holds a field; repeatable.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="The same value in every row; repeatable.")
    ] = None,
    ignore_extra: Annotated[bool, typer.Option("--ignore-extra", help="Leave out columns that are not known.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Apply nothing unless every row passes a rehearsal.")
    ] = False,
    max_errors: Annotated[str | None, typer.Option(metavar="N", help="Stop when so many rows are refused.")] = None,
    rejects: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where refused rows go; by default FILE-STEM.rejected.csv.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(metavar="CHAR", help="By default found from the header.")] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="By default UTF-8, or UTF-16 with a BOM.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="The columns' names, with --no-header-row.")
    ] = None,
    no_header_row: Annotated[bool, typer.Option("--no-header-row", help="The first line is a row already.")] = False,
    decimal_comma: Annotated[bool, typer.Option("--decimal-comma", help="Numbers are written 29,33.")] = False,
    date_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="How dates are written, e.g. %d.%m.%Y.")
    ] = None,
    key_from: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD[,FIELD]", help="What tells the rows apart, e.g. reference_id: for a file that grows."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Count every row anew, although it is in from an earlier import.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait where another process is importing the same file.")
    ] = False,
    concurrency: Annotated[
        str | None, typer.Option(metavar="N", help="Requests at a time to a service, 1 to 128; by default 8.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="N/S", help="Requests a second at most; by default what the service takes.")
    ] = None,
    factor: Factor = None,
    site: Site = None,
) -> View:
    """Import point changes from a CSV file, every row once.

    $ rpctl points import changes.csv --dry-run
    $ rpctl points import orders.csv --map order_value=amount --map created_at=order_date --ignore-extra
    $ rpctl points import spend.csv --set reason="till 4" --strict

    Columns: customer_id and points (or order_value), and reference_id, description, reason, valid_until,
    created_at, site_code, key, operation. Negative points redeem. The same file again changes nothing; a
    stopped import goes on with the same command or with `rpctl imports resume RUN`, and `rpctl imports undo RUN`
    takes back what one applied. A file of which more than half the rows are in from another file under other keys
    is refused (exit 6, already_imported).

    A file that grows daily is imported with --key-from reference_id, or whatever its rows are told apart by, from
    its first time on: rows of earlier days keep their keys and count once. A row where that is empty is refused,
    and so is a second row with the same one and other values.

    Refused rows go to FILE-STEM.rejected.csv, which can be corrected and imported as it is (exit status 3).
    With --strict a file of up to 10,000 rows is applied to a ledger whole or not at all; a longer one stops where a
    row is refused because others changed the ledger since the rehearsal, and says how many rows are in. So does any
    file over a service (`rpctl help csv`).

    To BonifiQ every row needs a reason (a column, or --set reason=TEXT) and none can have a reference_id, created_at,
    valid_until or site_code; a column of references may still tell the rows apart by --key-from. Order values need a
    --factor there.
    """
    from rpctl.cli.importing import Wanted, parse_concurrency, parse_rate, run_import
    from rpctl.cli.worlds import check_options
    from rpctl.domain.values import parse_factor

    if no_header_row != (columns is not None):
        raise UsageError("--no-header-row and --columns go together.", "--no-header-row --columns customer_id,points")
    session: Session = ctx.obj
    check_options(session, {"--site": site, "--factor": factor})
    wanted = Wanted(
        map=map_ or [],
        set=set_ or [],
        ignore_extra=ignore_extra,
        dry_run=dry_run,
        strict=strict,
        max_errors=None if max_errors is None else parse_count(max_errors, "errors"),
        rejects=rejects,
        delimiter=delimiter,
        encoding=encoding,
        columns=columns,
        decimal_comma=decimal_comma,
        date_format=date_format,
        again=again,
        key_from=key_from,
        wait=wait,
        site_code=parse_id(session.settings.site if site is None else site, "site code"),
        concurrency=parse_concurrency(concurrency),
        rate=parse_rate(rate),
        factor=None if factor is None else parse_factor(factor),
    )
    return run_import(session, file, wanted)
