"""rpctl profile: create, list, show, use, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rpctl.config import profiles
from rpctl.config.paths import config_file, expand_home, ledger_file
from rpctl.errors import UsageError
from rpctl.render.views import Column, View, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.config.profiles import Profile

app = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, - and _.")]

_FIELDS: Final = ("name", "current", "backend", "ledger", "site", "timeZone", "production", "readOnly")


@app.command()
def create(
    ctx: typer.Context,
    name: Name,
    backend: Annotated[str, typer.Option(metavar="NAME", help="ledger: a local SQLite file.")] = "ledger",
    site: Annotated[str | None, typer.Option(metavar="CODE", help="The site whose program applies.")] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of dates without one, such as Europe/Berlin; by default UTC.")
    ] = None,
    production: Annotated[
        bool, typer.Option("--production", help="Questions say that this is the real thing.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse every change.")] = False,
) -> View:
    """Create a profile: named settings with a ledger file of their own.

    $ rpctl profile create shop --site main --time-zone Europe/Berlin
    $ rpctl profile create till --ledger /srv/points/till.db

    --ledger FILE gives it that file. `rpctl profile use NAME` makes it the one that holds by default.
    """
    from rpctl.config import editing

    session: Session = ctx.obj
    profile = profiles.Profile(
        name,
        backend=backend,
        time_zone=time_zone,
        site=site,
        production=production or None,
        read_only=read_only or None,
        ledger=session.flags.pop("ledger", None),
    )
    made = editing.create(config_file(session.environ), profile)
    return record(_document(session, made, current=False), written=True)


@app.command(name="list")
def list_(ctx: typer.Context) -> View:
    """List the profiles.

    $ rpctl profile list
    """
    session: Session = ctx.obj
    found = profiles.load(config_file(session.environ))
    documents = [_document(session, one, current=one.name == found.current) for one in found.by_name.values()]
    return View(documents, [Column(name) for name in _FIELDS])


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="By default the one in force.")] = None,
) -> View:
    """Show a profile.

    $ rpctl profile show shop
    """
    session: Session = ctx.obj
    found = profiles.load(config_file(session.environ))
    chosen = name or session.settings.profile
    if chosen is None:
        raise UsageError("No profile is in force.", found.which_are_there())
    return record(_document(session, found.get(chosen), current=chosen == found.current))


@app.command()
def use(ctx: typer.Context, name: Name) -> View:
    """Make a profile the one that holds by default.

    $ rpctl profile use shop
    """
    from rpctl.config import editing

    session: Session = ctx.obj
    chosen = editing.use(config_file(session.environ), name)
    return record(_document(session, chosen, current=True), written=True)


@app.command()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> View:
    """Delete a profile; its ledger file stays where it is.

    $ rpctl profile delete shop --yes
    """
    from rpctl.config import editing

    session: Session = ctx.obj
    found = profiles.load(config_file(session.environ))
    document = _document(session, found.get(name), current=name == found.current)
    session.consent(f"Delete profile {name}?", yes=yes, command=session.command("profile", "delete", name, "--yes"))
    editing.delete(found.file, name)
    session.terminal.note(f"the ledger file {document['ledger']} stays")
    return record({**document, "current": False}, written=True)


def _document(session: Session, profile: Profile, *, current: bool) -> dict[str, Any]:
    file = config_file(session.environ)
    if profile.ledger is None:
        ledger = ledger_file(session.environ, profile.name)
    else:
        ledger = file.parent / expand_home(profile.ledger, session.environ)
    values = (
        profile.name,
        current,
        profile.backend or "ledger",
        str(ledger),
        profile.site or "main",
        profile.time_zone or "UTC",
        bool(profile.production),
        bool(profile.read_only),
    )
    return dict(zip(_FIELDS, values, strict=True))
