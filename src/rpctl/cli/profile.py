"""rpctl profile: create, list, show, use, delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rpctl.config import allowed, profiles
from rpctl.config.paths import config_file, expand_home, ledger_file
from rpctl.config.settings import URLS
from rpctl.errors import UsageError
from rpctl.render.views import Column, View, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.config.profiles import Profile

app = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, - and _.")]

_FIELDS: Final = (
    "name", "current", "backend", "ledger", "site", "timeZone", "production", "readOnly", "url", "tenant", "clientId",
)  # fmt: skip


@app.command()
def create(
    ctx: typer.Context,
    name: Name,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="ledger: a local SQLite file. emporix, bonifiq: the service.")
    ] = "ledger",
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the service is; by default https://api.emporix.io or https://api.bonifiq.com.br.",
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="The tenant at the service.")] = None,
    client_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The client id of the API key (of BonifiQ its API token); `rpctl auth login` takes its secret.",
        ),
    ] = None,
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
    $ rpctl profile create live --backend emporix --tenant acme --client-id kLm3vXq9 --production
    $ rpctl profile create loja --backend bonifiq --client-id 8f14e45f

    --ledger FILE gives it that file. With --backend emporix or bonifiq commands work on the service, and on the ledger
    only with --offline. `rpctl profile use NAME` makes a profile the one that holds by default. Of BonifiQ the client
    id is the API token, and its secret the API key; there are no tenants.
    """
    from rpctl.config import editing

    session: Session = ctx.obj
    _check_backend(backend, {"--url": url, "--tenant": tenant, "--client-id": client_id})
    profile = profiles.Profile(
        name,
        backend=backend,
        time_zone=time_zone,
        site=site,
        production=production or None,
        read_only=read_only or None,
        ledger=session.flags.pop("ledger", None),
        url=url,
        tenant=tenant,
        client_id=client_id,
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
    waiting = _unsent(session, Path(document["ledger"]))
    waits = f" {waiting:,} changes in its ledger file are not sent yet." if waiting else ""
    command = session.command("profile", "delete", name, "--yes")
    session.consent(f"Delete profile {name}?{waits}", yes=yes, command=command)
    editing.delete(found.file, name)
    session.terminal.note(f"the ledger file {document['ledger']} stays")
    if waiting:
        session.terminal.warn(f"{waiting:,} changes in it are not sent yet: only a profile with that ledger sends them")
    return record({**document, "current": False}, written=True)


def _unsent(session: Session, ledger: Path) -> int:
    if not ledger.exists():
        return 0
    from rpctl.backends.ledger.backend import LedgerBackend, Setting
    from rpctl.cli.remembering import unsent

    backend = LedgerBackend(ledger, Setting(session.clock, "", ""))
    try:
        return unsent(backend)
    finally:
        backend.close()


def _check_backend(backend: str, of_services: dict[str, str | None]) -> None:
    if backend in allowed.WITH_TENANTS and of_services["--tenant"] is None:
        raise UsageError(f"--backend {backend} needs --tenant.", "It is the tenant's name at the service.")
    if backend in allowed.ONLINE - allowed.WITH_TENANTS and of_services["--client-id"] is None:
        raise UsageError(f"--backend {backend} needs --client-id.", "It is the API token; its key is the secret.")
    given = [option for option, value in of_services.items() if value is not None]
    if given and backend in allowed.BACKENDS and backend not in allowed.ONLINE:
        raise UsageError(
            f"{allowed.one_of(tuple(given))} says nothing about a profile with --backend {backend}.",
            f"Leave it out, or say --backend {allowed.one_of(tuple(sorted(allowed.ONLINE, reverse=True)))}.",
        )


def _document(session: Session, profile: Profile, *, current: bool) -> dict[str, Any]:
    file = config_file(session.environ)
    if profile.ledger is None:
        ledger = ledger_file(session.environ, profile.name)
    else:
        ledger = file.parent / expand_home(profile.ledger, session.environ)
    backend = profile.backend or "ledger"
    values = (
        profile.name,
        current,
        backend,
        str(ledger),
        profile.site or "main",
        profile.time_zone or "UTC",
        bool(profile.production),
        bool(profile.read_only),
        profile.url or URLS.get(backend),
        profile.tenant,
        profile.client_id,
    )
    return dict(zip(_FIELDS, values, strict=True))
