"""rpctl sandbox: the documented API over a ledger on loopback."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from rpctl import __version__
from rpctl.config.paths import expand_home
from rpctl.domain.values import NEVER, Instant, parse_count, parse_decimal, parse_when
from rpctl.errors import InvalidInput, InvalidValue, Temporary
from rpctl.terminal import clean

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rpctl.cli.services import Session
    from rpctl.sandbox.assembly import Wishes

app = typer.Typer()

_LATENCY: Final = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)"
_LAST_PORT: Final = 65_535
_LONGEST_LATENCY_S: Final = 3_600
_MOST: Final = 1_000_000_000
_LIFETIME_S: Final = "14399"
_CODE: Final = r"([0-9]{2})(?::([A-Za-z][A-Za-z0-9]{0,63}))?"


@app.command(name="sandbox")
def sandbox_(
    ctx: typer.Context,
    port: Annotated[str, typer.Option(metavar="N", help="Listen there; 0 is any free one.")] = "0",
    load: Annotated[
        str | None, typer.Option(metavar="FILE", help="Begin with these summaries (JSON) or balances (CSV).")
    ] = None,
    clock: Annotated[
        str | None, typer.Option(metavar="WHEN", help="What its clock says at the start; it runs on from there.")
    ] = None,
    latency: Annotated[str, typer.Option(metavar="TIME", help="Answer no sooner than that, such as 20ms.")] = "0ms",
    fail_rate: Annotated[
        str, typer.Option(metavar="0-1", help="So many requests fail with 500, and nothing is done.")
    ] = "0",
    lose_answer_rate: Annotated[
        str, typer.Option(metavar="0-1", help="So many requests are done, and nobody gets the answer.")
    ] = "0",
    rate_limit: Annotated[
        str | None, typer.Option(metavar="N", help="More requests in a second are answered with 429.")
    ] = None,
    drop_marker: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Do not keep what is sent as id, description or reference-id."),
    ] = None,
    seed: Annotated[str, typer.Option(metavar="N", help="The same seed makes the same requests fail.")] = "0",
    backend: Annotated[
        Literal["emporix", "bonifiq"],
        typer.Option(metavar="NAME", help="Whose client is told how to find it: emporix or bonifiq."),
    ] = "emporix",
    key_used_code: Annotated[
        str,
        typer.Option(metavar="CODE[:NAME]", help="What BonifiQ's API answers a ChangeKey with that was used before."),
    ] = "17:ChangeKeyAlreadyUsed",
    warn_rate: Annotated[
        str, typer.Option(metavar="0-1", help="So many of BonifiQ's changes are done and come with a warning.")
    ] = "0",
    bare: Annotated[
        bool, typer.Option("--bare", help="BonifiQ's API leaves the envelope out where all went well.")
    ] = False,
    token_lifetime: Annotated[str, typer.Option(metavar="SECONDS", help="How long tokens are good for.")] = "14399",  # noqa: S107 - no password
) -> None:
    """Serve the documented APIs on loopback, to try things out.

    $ source <(rpctl sandbox)
    $ source <(rpctl sandbox --ledger trial.db --fail-rate 0.2 --lose-answer-rate 0.1 --seed 7)
    $ rpctl sandbox --port 8080 --load customers.json --clock 2026-03-01 --latency 20ms
    $ source <(rpctl sandbox --backend bonifiq --warn-rate 0.1)

    Its stdout says how a client finds it (export RPCTL_BACKEND, RPCTL_URL and so on) and is closed then; its log
    goes to stderr, until it is stopped with Ctrl-C or SIGTERM. The data is in the ledger --ledger FILE, which is made
    where there is none; without it the data is gone at the end. Only --ledger names that file, neither a profile nor
    the environment: what is tried out touches no real points by accident. -q leaves requests out of the log.

    --load takes an array of summaries as `rpctl points summary -o json` prints them, {"summaries": [...],
    "redeemOptions": [...]}, or a CSV with the columns customer_id and points. A customer's token:
    POST /sandbox/customer-token/ID. It needs the extra: pip install 'rpctl[sandbox]'.

    Emporix's API and BonifiQ's stand side by side on the same points, with the same client id and secret, which are
    BonifiQ's API token and key. What becomes of BonifiQ's next changes can be said before, one for each:
    POST /sandbox/bonifiq/next [null, {"Severity": 1}, {"Severity": 2, "Code": "42"}, {"status": 500}, {"lost": true}].
    """
    from rpctl.sandbox.assembly import Wishes

    session: Session = ctx.obj
    used, used_name = _code(key_used_code)
    wishes = Wishes(
        ledger=_path(session.flags.get("ledger"), session),
        load=_path(load, session),
        starts_at=None if clock is None else _moment(clock, session),
        latency_s=_seconds(latency),
        fail_rate=_rate(fail_rate, "--fail-rate"),
        lose_answer_rate=_rate(lose_answer_rate, "--lose-answer-rate"),
        rate_limit=0 if rate_limit is None else parse_count(rate_limit, "requests a second"),
        drop_markers=_markers(drop_marker or ()),
        seed=_whole(seed, "--seed", _MOST),
        token_lifetime_s=_whole(token_lifetime, "--token-lifetime", _MOST),
        backend=backend,
        key_used_code=used,
        key_used_name=used_name,
        warn_rate=_rate(warn_rate, "--warn-rate"),
        bare=bare,
    )
    _serve(session, wishes, _whole(port, "--port", _LAST_PORT))


def _serve(session: Session, wishes: Wishes, port: int) -> None:
    from rpctl.sandbox.assembly import Sandbox

    try:
        from rpctl.sandbox import serving
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"The sandbox needs the package {error.name}, which is not installed.", "pip install 'rpctl[sandbox]'"
        ) from error
    terminal = session.terminal

    def log(line: str) -> None:
        if not terminal.quiet:
            terminal.say_raw(clean(line))

    def announce(_: Callable[[], None]) -> None:
        address = f"http://{serving.HOST}:{listener.getsockname()[1]}"
        for name, value in sandbox.exports(address).items():
            terminal.write(f"export {name}={quote(value)}\n")
        terminal.flush()
        terminal.abandon()  # whoever reads our stdout waits for its end
        pid = os.getpid()
        loaded = f", {sandbox.loaded} customers loaded" if wishes.load else ""
        terminal.say_raw(f"sandbox: serving {address}{loaded} (pid {pid}); Ctrl-C or `kill {pid}` stops it")

    try:
        listener = serving.listen(port)
    except OSError as error:
        raise _not_listening(port, error) from error
    with closing(listener):
        sandbox = Sandbox(wishes, session.clock, session.random_bytes, log, __version__)
        with closing(sandbox):
            serving.serve(sandbox.application, listener, announce)


def _not_listening(port: int, error: OSError) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return Temporary(f"Something listens on port {port} already.", "Name another with --port, or 0 for a free one.")
    return InvalidInput(f"Port {port} cannot be used: {os.strerror(error.errno or 0)}.", "Name another with --port.")


# -- what the options say ---------------------------------------------------------------------------------


def _path(text: str | None, session: Session) -> Path | None:
    if text is None:
        return None
    if not text or "\0" in text:
        raise InvalidValue("--ledger and --load name a file.")
    return expand_home(text, session.environ)


def _moment(text: str, session: Session) -> Instant:
    from rpctl.config.settings import resolve

    flags = {name: value for name, value in session.flags.items() if name == "profile"}
    instant = parse_when(text, resolve(flags, session.environ).zone()).resolve(session.clock())
    if instant >= NEVER:
        raise InvalidValue("--clock never is no moment.", "Write a date, or +90d.")
    return instant


def _seconds(text: str) -> float:
    match = re.fullmatch(_LATENCY, text)
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1
    if not 0 <= seconds <= _LONGEST_LATENCY_S:
        raise InvalidValue(f"{text!r} is no latency.", "Write it like 20ms or 1.5s; an hour is the longest.")
    return seconds


def _rate(text: str, option: str) -> float:
    rate = parse_decimal(text, f"option {option}")
    if rate > 1:
        raise InvalidValue(f"{option} {text} is more than all requests.", "Write a part of 1: 0.2 is every fifth.")
    return float(rate)


def _whole(text: str, option: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > most:
        raise InvalidValue(f"{option} cannot be {text!r}.", f"Write a whole number from 0 to {most}.")
    return int(text)


def _markers(fields: Sequence[str]) -> frozenset[str]:
    from rpctl.sandbox.assembly import MARKERS

    for field in fields:
        if field not in MARKERS:
            raise InvalidValue(f"--drop-marker cannot be {field!r}.", f"Allowed: {', '.join(dict.fromkeys(MARKERS))}.")
    return frozenset(MARKERS[field] for field in fields)


def _code(text: str) -> tuple[str, str]:
    from rpctl.sandbox.bonifiq.codes import KEY_USED

    match = re.fullmatch(_CODE, text)
    if match is None:
        raise InvalidValue(
            f"--key-used-code cannot be {text!r}.",
            "Write two digits and, if you like, a name: 17:ChangeKeyAlreadyUsed.",
        )
    return match[1], match[2] or KEY_USED.name
