"""rpctl auth: login, status, logout, token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rpctl.auth.credentials import VIEW
from rpctl.auth.secrets import Held, Kind, places
from rpctl.cli import logging_in
from rpctl.cli.worlds import check_options
from rpctl.errors import CredentialsMissing, InvalidConfig, InvalidValue, RpctlError, UsageError
from rpctl.render.views import Column, View, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

Customer = Annotated[bool, typer.Option("--customer", help="The customer's token, for storefront requests.")]
Employee = Annotated[
    bool, typer.Option("--employee", help="A ready employee or service token, used in place of the client secret.")
]

_ANY_WORDS: Final = {"allow_extra_args": True}  # refused here, where they are not repeated: one may be a secret
_LOGIN: Final = ("profile", "url", "tenant", "clientId", "credential", "stored", "verified")
_STATUS: Final = ("credential", "source", "shadowed", "validUntil", "scopes")
_LOGOUT: Final = ("credential", "source", "state")


@app.command(context_settings=_ANY_WORDS)
def login(
    ctx: typer.Context,
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", help="Read the secret from standard input.")] = False,
    secret_file: Annotated[str | None, typer.Option(metavar="FILE", help="Read the secret from this file.")] = None,
    customer: Customer = False,
    employee: Employee = False,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not ask the service for a token.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Where there is no keyring, store it in a file without asking.")
    ] = False,
) -> View:
    """Store the client secret of the profile in the system's keyring, once the service has accepted it.

    $ rpctl auth login --profile live
    $ pass show emporix | rpctl auth login --secret-stdin
    $ rpctl auth login --customer --token-stdin < token.txt

    A secret is typed without echo, read from standard input or from a file, and never stands on the command line.
    Where there is no keyring, rpctl asks before it writes a file that only you can read. Of BonifiQ the secret is the
    API key; it gives out no tokens, so that the first request shows whether it is accepted.
    """
    session: Session = ctx.obj
    _refuse_words(ctx)
    kind = logging_in.kind_of(customer=customer, employee=employee)
    account = session.credentials.account
    check_options(session, {"--customer": customer, "--employee": employee})
    how = logging_in.options_of(
        session, kind, secret_stdin=secret_stdin, secret_file=secret_file, token_stdin=token_stdin
    )
    session.check_fields(_LOGIN)
    if kind is Kind.CLIENT_SECRET and account.client_id is None:
        raise InvalidConfig(
            f"There is no client id for tenant {account.tenant}, and a secret belongs to one.",
            "Set client_id in the profile, or RPCTL_CLIENT_ID.",
        )
    named = None if secret_file is None else logging_in.from_file(session, kind, secret_file)
    in_file = logging_in.in_file(session, kind, how, yes=yes)  # nobody types a secret that cannot be stored
    secret = named or logging_in.given(session, kind)
    verified = kind is Kind.CLIENT_SECRET and not no_verify and session.settings.has_tokens
    token = logging_in.ask(session, logging_in.tokens_of(session, secret)) if verified else None
    stored = session.credentials.store.put(kind, secret, in_file=in_file)
    if kind is Kind.CLIENT_SECRET:
        session.credentials.cache.clear()  # what an earlier secret got
        if token is not None:
            session.credentials.cache.write(token)
    if not session.settings.has_tokens:
        session.terminal.note("no token can be asked for: the first request shows whether the service accepts this")
    logging_in.warn_of_stronger(session, kind, stored)
    document = _document(session, "rpctl.auth-login/1")
    return record({**document, "credential": kind.value, "stored": stored, "verified": verified}, written=True)


@app.command(context_settings=_ANY_WORDS)
def status(ctx: typer.Context) -> View:
    """Show who one is at the profile's service, where that comes from, and until when tokens hold.

    $ rpctl auth status
    $ rpctl auth status -o json

    The first source that has something wins; `shadowed` names the others. Ends with 4 where there is nothing.
    """
    session: Session = ctx.obj
    _refuse_words(ctx)
    credentials = session.credentials
    found = {kind: held for kind in logging_in.kinds(session) if (held := logging_in.held(session, kind))}
    now = session.clock()
    tokens = [token for token in credentials.cache.all() if token.is_good(now)]
    if credentials.account.client_id is None and Kind.CLIENT_SECRET in found:
        first, *others = found[Kind.CLIENT_SECRET]
        found[Kind.CLIENT_SECRET] = [first._replace(problem="There is no client id that it belongs to."), *others]
    usable = [kind for kind, held in found.items() if held[0].problem is None]
    if not usable and not tokens:
        _raise_nothing(session, found)
    document = _document(session, "rpctl.auth-status/1")
    document["credentials"] = [_told(kind, held) for kind, held in found.items()]
    document["tokens"] = [{"scopes": list(token.scopes), "validUntil": _instant(token.expires)} for token in tokens]
    return View((document,), [Column(name) for name in _STATUS], many=False, rows=_status_rows, lead=_lead)


@app.command(context_settings=_ANY_WORDS)
def logout(ctx: typer.Context, customer: Customer = False, employee: Employee = False) -> View:
    """Remove what `rpctl auth login` stored for the profile's account, and its cached tokens.

    $ rpctl auth logout
    $ rpctl auth logout --customer

    Variables and files of your own stay as they are; what still is there is named.
    """
    session: Session = ctx.obj
    _refuse_words(ctx)
    session.check_fields(_LOGOUT)
    credentials = session.credentials
    check_options(session, {"--customer": customer, "--employee": employee})
    rows: list[dict[str, str]] = []
    failed: RpctlError | None = None
    named = [logging_in.kind_of(customer=customer, employee=employee)] if customer or employee else None
    for kind in named or logging_in.kinds(session):
        try:
            rows += [_row(kind, source, "removed") for source in credentials.store.remove(kind)]
        except RpctlError as error:
            failed = failed or error
        if kind is Kind.CLIENT_SECRET and (forgotten := credentials.cache.clear()):
            rows.append({"credential": "access token", "source": f"cache ({forgotten})", "state": "removed"})
        rows += [_row(kind, held.source, "remains") for held in logging_in.held(session, kind)]
    if failed is not None:
        raise failed
    if not any(row["state"] == "removed" for row in rows):
        session.terminal.note("nothing was stored")
    for row in rows:
        if row["state"] == "remains":
            session.terminal.note(f"{row['source']} still has the {row['credential']}")
    document = _document(session, "rpctl.auth-logout/1")
    document["credentials"] = rows
    columns = [Column(name) for name in _LOGOUT]
    return View((document,), columns, many=False, rows=lambda document: document["credentials"], written=True)


@app.command(context_settings=_ANY_WORDS)
def token(
    ctx: typer.Context,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="SCOPE", help=f"By default {VIEW}; may be repeated.")
    ] = None,
    customer: Customer = False,
) -> View:
    """Print an access token, for a script that makes requests of its own.

    $ curl -H "Authorization: Bearer $(rpctl auth token)" https://api.emporix.io/reward-points/summaryBatch
    $ rpctl auth token --scope rewardspoints.rewardpoints_manage

    It is the token that commands use: a ready one, or one for the client id and secret. It is a secret as well.
    """
    session: Session = ctx.obj
    _refuse_words(ctx)
    credentials = session.credentials
    scopes = [_scope(one) for one in scope or ()]
    if customer:
        if scopes:
            raise UsageError("--scope says nothing about a customer's token.", "Leave it out.")
        return View((credentials.customer_token().reveal(),), many=False, bare=True)
    ready = credentials.ready_token()
    if ready is not None:
        if scopes:
            session.terminal.warn(f"the token from {ready.source} is used as it is; --scope changes nothing")
        return View((ready.reveal(),), many=False, bare=True)
    tokens = credentials.service_token(sorted(set(scopes or [VIEW])))
    good = tokens.held()
    if good is None:
        with tokens.turn():
            good = tokens.held() or logging_in.ask(session, tokens)
    return View((good.value,), many=False, bare=True)


# -- what was typed ---------------------------------------------------------------------------------------


def _refuse_words(ctx: typer.Context) -> None:
    if ctx.args:
        raise UsageError(
            f"`{ctx.command_path}` takes no arguments.",
            "If that was a secret, it stands in the shell's history now. Secrets come by --secret-stdin, --secret-file "
            "or --token-stdin.",
        )


def _scope(text: str) -> str:
    if re.fullmatch(r"[!#-\[\]-~]{1,256}", text):
        return text
    raise InvalidValue("--scope is one scope, without spaces.", f"Repeat the option for more; such as {VIEW}.")


# -- telling ----------------------------------------------------------------------------------------------


def _document(session: Session, schema: str) -> dict[str, Any]:
    account = session.credentials.account
    return {
        "schema": schema,
        "profile": session.settings.profile,
        "url": account.url,
        "tenant": session.settings.tenant,
        "clientId": account.client_id,
    }


def _told(kind: Kind, held: list[Held]) -> dict[str, Any]:
    first, *others = held
    shadowed = [f"{other.source} (unusable)" if other.problem else other.source for other in others]
    return {"credential": kind.value, "source": first.source, "shadowed": shadowed, "problem": first.problem}


def _status_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {
            "credential": one["credential"],
            "source": f"{one['source']}: {one['problem']}" if one["problem"] else one["source"],
            "shadowed": ", ".join(one["shadowed"]),
        }
        for one in document["credentials"]
    ]
    for one in document["tokens"]:
        rows.append(
            {
                "credential": "access token",
                "source": "cache",
                "validUntil": one["validUntil"],
                "scopes": ", ".join(one["scopes"]),
            }
        )
    return rows


def _lead(document: dict[str, Any]) -> str:
    client = f"client {document['clientId']}" if document["clientId"] else "no client id"
    if document["tenant"] is None:
        return f"{client[0].upper()}{client[1:]} at {document['url']}"
    return f"Tenant {document['tenant']} at {document['url']}, {client}"


def _row(kind: Kind, source: str, state: str) -> dict[str, str]:
    return {"credential": kind.value, "source": source, "state": state}


def _instant(moment: int) -> str:
    from rpctl.domain.values import format_instant

    return format_instant(moment)


def _raise_nothing(session: Session, found: dict[Kind, list[Held]]) -> None:
    for held in found.values():
        raise InvalidConfig(str(held[0].problem), "Correct it, or take it away.", source=held[0].source)
    credentials = session.credentials
    kinds = logging_in.kinds(session)
    looked = [place.name for kind in kinds for place in places(kind, session.environ, credentials.store)]
    looked = list(dict.fromkeys(looked))
    raise CredentialsMissing(
        f"There are no credentials for {credentials.account}.",
        profile=session.settings.profile,
        url=credentials.account.url,
        tenant=session.settings.tenant,
        clientId=credentials.account.client_id,
        lookedAt=looked,
    )
