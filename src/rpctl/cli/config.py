"""rpctl config: show, path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from rpctl.render.views import Column, View

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

SHOWN: Final = (
    "config_file", "profile", "backend", "ledger", "offline", "site", "time_zone", "production", "read_only",
    "output", "no_input", "url", "tenant", "client_id", "timeout_s", "settle_s",
)  # fmt: skip


@app.command()
def show(
    ctx: typer.Context,
    sources: Annotated[bool, typer.Option("--sources", help="Tell who decided each one.")] = False,
) -> View:
    """Show the settings in force.

    $ rpctl config show --sources

    A typed flag beats an RPCTL_* variable, which beats the profile, which beats the default.
    """
    session: Session = ctx.obj
    settings = session.settings
    found = []
    for name in SHOWN:
        value = getattr(settings, name)
        plain = value if value is None or isinstance(value, bool | float) else str(value)
        found.append({"setting": name, "value": plain, "source": str(settings.sources[name])})
    document = {"schema": "rpctl.config/1", "settings": found}
    columns = (Column("setting"), Column("value"), Column("source", shown=sources))
    return View((document,), columns, many=False, rows=lambda document: document["settings"])


@app.command()
def path(ctx: typer.Context) -> View:
    """Print where the configuration file is, or would be.

    $ rpctl config path
    """
    from rpctl.config.paths import config_file

    session: Session = ctx.obj
    return View((config_file(session.environ),), many=False, bare=True)
