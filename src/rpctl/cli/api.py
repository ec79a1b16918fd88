"""rpctl api: the raw call with our authentication."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rpctl.cli.worlds import check_options
from rpctl.errors import InvalidFile, InvalidValue, OutcomeUnknown, ReadOnlyProfile, UsageError
from rpctl.render.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rpctl.cli.services import Session

app = typer.Typer()

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_READING: Final = "GET"


@app.command(name="api")
def api(
    ctx: typer.Context,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="From the root of the service, its ids encoded.")],
    input_: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-", help="The JSON body: a file, or - for standard input.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="A scope to ask for in place of the usual; repeatable."),
    ] = None,
    customer: Annotated[bool, typer.Option("--customer", help="With the customer's token.")] = False,
) -> View:
    """Send a request as it is, with the profile's credentials, and print what the service answers.

    $ rpctl api GET /reward-points/customer/C1/summary
    $ rpctl api PUT /reward-points/mytenant/redeemOptions/6650a1 --input option.json

    {tenant} in PATH stands for the profile's tenant. The answer's body goes to stdout as it came, whatever its status;
    an error status ends as the commands' own do, and so does a refusal that BonifiQ answers with 200. A GET is tried
    again where that helps, anything else is sent once: where no answer comes, the exit status is 8.
    """
    from rpctl.auth.credentials import MANAGE, VIEW
    from rpctl.backends import error_in
    from rpctl.backends.port import Unsettled
    from rpctl.backends.problems import is_unclear

    session: Session = ctx.obj
    verb = _method(method)
    if verb != _READING and session.settings.read_only:
        raise ReadOnlyProfile(f"{session.whose} is read-only.")
    connection = session.connect()
    check_options(session, {"--customer": customer, "--scope": scope})
    where, params = _place(path, connection.tenant)
    body = None if input_ is None else _body(session, input_)
    usual = [VIEW] if verb == _READING else [VIEW, MANAGE]
    auth = connection.credentials.customer() if customer else connection.credentials.service(scope or usual)
    headers = None if body is None else {"Content-Type": "application/json"}
    try:
        answer = connection.http.request(
            verb, where, auth=auth, params=params, content=body, headers=headers, safe=verb == _READING,
            once_only=verb != _READING,
        )  # fmt: skip
    except Unsettled as lost:
        raise _unknown(verb, where, lost.message) from lost
    session.terminal.write(_shown(answer.body))
    if verb != _READING and is_unclear(answer):
        raise _unknown(verb, where, f"it was answered with {answer.status}")
    if (error := error_in(session.settings, answer)) is not None:
        raise error
    return View((), many=True, bare=True)


def _unknown(verb: str, where: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"Whether {verb} {where} was done cannot be told: {why}.",
        "Read what it would have changed before it is sent again.",
    )


def _method(text: str) -> str:
    if text.upper() in METHODS:
        return text.upper()
    raise InvalidValue(f"{text!r} is no method.", f"Allowed: {', '.join(METHODS)}.")


def _place(path: str, tenant: str) -> tuple[str, dict[str, str] | None]:
    from urllib.parse import parse_qsl, quote

    path = path.replace("{tenant}", quote(tenant, safe=""))
    place, _, query = path.partition("?")
    if not place.startswith("/") or place.startswith("//"):
        raise UsageError(f"{path!r} is no path of the service.", "It begins with one slash: /reward-points/...")
    if not place.isascii() or not place.isprintable() or set(place) & set(' #"<>\\^`{|}'):
        raise UsageError(f"{path!r} has characters that a path cannot have.", "Write them as %XX.")
    pairs = parse_qsl(query, keep_blank_values=True)
    if len({name for name, _ in pairs}) != len(pairs):
        raise UsageError("A name stands twice in the query.", "Give each once.")
    return place, dict(pairs) or None


def _body(session: Session, name: str) -> bytes:
    where = "standard input" if name == "-" else name
    try:
        if name == "-":
            stdin = session.terminal.stdin
            content = stdin.buffer.read() if stdin is not None else b""
        else:
            content = Path(name).read_bytes()
        json.loads(content)
    except OSError as error:
        raise InvalidFile(
            f"{where} cannot be read: {error.strerror}.", "Check the name and its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{where} is not JSON: {error}.", "Nothing was sent.") from None
    return content


def _shown(body: bytes) -> str:
    from rpctl.terminal import clean_json

    lines: Sequence[str] = body.decode("utf-8", "replace").split("\n")
    text: Any = "\n".join(map(clean_json, lines))
    return f"{text}\n" if text and not text.endswith("\n") else str(text)
