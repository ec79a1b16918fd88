"""rpctl program: show, set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rpctl.cli.points import Site
from rpctl.domain.values import parse_decimal, parse_id
from rpctl.errors import InvalidValue, UsageError
from rpctl.render import views

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.domain.program import Program

app = typer.Typer()

MAX_VALIDITY_MONTHS = 1200


@app.command()
def show(ctx: typer.Context, site: Site = None) -> views.View:
    """Show how orders become points, and how long they live.

    $ rpctl program show

    Where nothing was set the defaults are shown, with configured false.
    """
    session: Session = ctx.obj
    return _view(session.backend.program(parse_id(session.settings.site if site is None else site, "site code")))


@app.command(name="set")
def set_(
    ctx: typer.Context,
    factor: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Points per unit of the site's currency, e.g. 1 or 0.5.")
    ] = None,
    validity_months: Annotated[
        str | None, typer.Option(metavar="MONTHS", help="How long added points live; `none`: for ever.")
    ] = None,
    code_prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Coupon codes read TEXT-CODE; empty: no prefix.")
    ] = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Disabled: adding is refused, redeeming is not.")
    ] = None,
    site: Site = None,
) -> views.View:
    """Change what is named; the rest stays.

    $ rpctl program set --factor 0.5 --validity-months 12

    Counts for points added from now on; those that were added stay as they are.
    """
    session: Session = ctx.obj
    settings: dict[str, Any] = {}
    if factor is not None:
        settings["factor"] = parse_decimal(factor, "factor")
    if validity_months is not None:
        settings["validity_months"] = _months(validity_months)
    if code_prefix is not None:
        settings["code_prefix"] = parse_id(code_prefix, "code prefix") if code_prefix else None
    if enable is not None:
        settings["enabled"] = enable
    if not settings:
        raise UsageError(
            "Nothing to set.", "Name what to change: --factor, --validity-months, --code-prefix, --enable."
        )
    site_code = parse_id(session.settings.site if site is None else site, "site code")
    program = session.writing(_FIELDS).set_program(site_code, settings)
    if session.settings.is_online:
        session.terminal.note("the service caches these settings: the change takes effect within 15 minutes")
    return _view(program, written=True)


_FIELDS = (
    "siteCode", "enabled", "orderValueToRewardPointsFactor", "validityInMonths", "codePrefix", "configured",
)  # fmt: skip


def _months(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= MAX_VALIDITY_MONTHS:
        raise InvalidValue(f"{text!r} is not a number of months.", f"Write 1 to {MAX_VALIDITY_MONTHS}, or none.")
    return int(text)


def _view(program: Program, *, written: bool = False) -> views.View:
    factor = program.factor
    values = (
        program.site_code,
        program.enabled,
        int(factor) if factor == factor.to_integral_value() else float(factor),
        program.validity_months,
        program.code_prefix,
        program.configured,
    )
    document = {"schema": "rpctl.program/1", **dict(zip(_FIELDS, values, strict=True))}
    return views.record(document, written=written)
