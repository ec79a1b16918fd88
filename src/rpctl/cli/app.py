"""The root of the command line, and the one boundary where errors become lines and exit statuses."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import typer

from rpctl.cli.options import Group, lone, noun
from rpctl.cli.services import Session
from rpctl.errors import (
    CustomerNotFound,
    InsufficientPoints,
    Interrupted,
    InvalidFile,
    InvalidValue,
    OutputLost,
    RpctlError,
    StorageFull,
    Temporary,
    Terminated,
    UsageError,
)
from rpctl.terminal import Terminal

NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "points": ("points", "Add, redeem, show, reverse and import points."),
    "customer": ("customer", "Create, show, list and delete customers."),
    "me": ("me", "The signed-in customer: balance, summary, coupons for points."),
    "options": ("redeem_options", "Redeem options: what points can be exchanged for."),
    "program": ("program", "How orders become points, and how long they live."),
    "imports": ("imports", "Earlier import runs: show, resume, undo, prune."),
    "sync": ("sync", "Work recorded offline: what waits, send it, fetch what is known."),
    "ledger": ("ledger", "The local ledger file: verify, back up, restore, export."),
    "auth": ("auth", "Log in to a service; who one is there, and where that comes from."),
    "profile": ("profile", "Named settings."),
    "config": ("config", "What is in force, and who decided."),
}
"""Each noun: its module in this package, and its line of help."""

ALONE: Final[Mapping[str, tuple[str, str]]] = {
    "doctor": ("doctor", "Check the profile, credentials, the service, the journal, the ledger and shell completion."),
    "api": ("api", "Send a request as it is, with the profile's credentials, and print what the service answers."),
    "help": ("help", "Explain a topic, or show the help of a command."),
    "commands": ("commands", "List all commands; as JSON with their arguments and options."),
    "completion": ("completion", "Print the completion script for bash, zsh or fish."),
    "sandbox": ("sandbox", "Serve the documented APIs on loopback, to try things out."),
}
"""The commands that are no noun and have no verbs, in the same way."""

_HELP: Final = """Administer customers' reward points: every change exactly once.

$ rpctl points add C1 50 --reference order-9
$ rpctl points balance C1
$ rpctl points import orders.csv --dry-run

With no profile at all rpctl works on a local ledger, so everything here runs on a fresh machine. `rpctl NOUN
--help` lists a noun's commands, `rpctl NOUN VERB --help` tells all about one, `rpctl help` lists further topics."""

_CLICK_USAGE: Final[Any] = typer.BadParameter.__bases__[0]


class _Root(Group):
    """Typer would turn an interruption into a bare status; the boundary has more to say."""

    def make_context(self, *words: Any, **settings: Any) -> Any:
        try:
            return super().make_context(*words, **settings)
        except KeyboardInterrupt as error:
            raise _interrupted(error) from error

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _interrupted(error) from error


def _interrupted(error: KeyboardInterrupt) -> Interrupted:
    return Terminated("Stopped by the system.") if isinstance(error, _Termination) else Interrupted("Interrupted.")


def _stop_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interruption that an error came of: what was being closed then may fail in ways of its own."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen


class _Termination(KeyboardInterrupt):
    """SIGTERM: ends the command the way Ctrl-C does, so that everything open is closed."""


def _terminate(*_: Any) -> None:
    raise _Termination


def root() -> Group:
    """The command tree; a noun's module is imported when the noun is named."""
    commands: dict[str, Callable[[], Any]] = {}
    commands |= {name: _noun_builder(name, module, text) for name, (module, text) in NOUNS.items()}
    commands |= {name: _lone_builder(module) for name, (module, _) in ALONE.items()}
    return _Root("rpctl", _HELP, commands, {name: text for name, (_, text) in {**NOUNS, **ALONE}.items()})


def _noun_builder(name: str, module: str, text: str) -> Callable[[], Group]:
    return lambda: noun(name, import_module(f"rpctl.cli.{module}").app, text)


def _lone_builder(module: str) -> Callable[[], Any]:
    return lambda: lone(import_module(f"rpctl.cli.{module}").app)


def run(argv: Sequence[str], session: Session) -> int:
    """Runs one command line to its end and returns the exit status. Nothing escapes but SystemExit."""
    session.argv = argv
    try:
        return _bounded(argv, session)
    finally:
        session.close()  # only now: what still streamed when an error came is gone with its frames


def _bounded(argv: Sequence[str], session: Session) -> int:
    try:
        status = _run(argv, session)
        session.terminal.flush()
    except BrokenPipeError:
        session.terminal.abandon()
        return 0
    except KeyboardInterrupt as error:
        return _report(_interrupted(error), argv, session)
    except RpctlError as error:
        return _report(error, argv, session)
    except OSError as error:
        return _report(_system(error), argv, session)
    except Exception as error:  # the boundary: whatever is left is our bug
        stop = _stop_behind(error)
        return _report(_interrupted(stop), argv, session) if stop else _bug(error, argv, session)
    return status


def _run(argv: Sequence[str], session: Session) -> int:
    try:
        answer = root().main(args=list(argv), prog_name="rpctl", standalone_mode=False, obj=session)
    except _CLICK_USAGE as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            session.terminal.write(error.format_message() + "\n")
            return 0
        raise _usage(error, argv) from error
    except SystemExit:  # typer's answer where help was written and the reader had gone
        raise BrokenPipeError from None
    if answer is None or isinstance(answer, int):
        return answer or 0
    from rpctl.render.output import show, show_bare

    if answer.bare and session.flags.get("fields"):
        raise UsageError("--fields is of no use here: the answer is a bare value.", "Leave it out.")
    if answer.bare:
        show_bare(answer, session.terminal)
    elif not (answer.written and session.terminal.quiet):
        show(answer, session.format, session.terminal)
    return int(answer.exit_status)


def _usage(error: Any, argv: Sequence[str]) -> RpctlError:
    option = getattr(error, "option_name", "")
    if re.fullmatch(r"-\d.*", option):
        number = next((word for word in argv if word.startswith(option)), option)
        return InvalidValue(
            f"{number!r} is not a number of points.", "Points are whole numbers from 1 to 2147483647, without a sign."
        )
    where = error.ctx.command_path if getattr(error, "ctx", None) else "rpctl"
    hint = f"`{where} --help` shows how it is used."
    if type(error).__name__ != "NoSuchOption":
        return UsageError(" ".join(error.format_message().split()), hint)
    from difflib import get_close_matches

    known = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts] if error.ctx else []
    near = get_close_matches(option, known, n=1, cutoff=0.7)
    return UsageError(f"`{where}` has no option {option}.", f"Did you mean {near[0]}?" if near else hint)


def _system(error: OSError) -> RpctlError:
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A file"
    why = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"{where} cannot be written: {why}.")
    return InvalidFile(f"{where} cannot be used: {why}.", "Check the name, and the permissions of it and its folder.")


def _hint(error: RpctlError, session: Session) -> str | None:
    if isinstance(error, Interrupted | Temporary) and session.repeat_hint:
        return session.repeat_hint
    if isinstance(error, Interrupted | OutputLost) and session.fresh_key:
        return f"Run it again with --key {session.fresh_key}: it counts once, whether it was done already or not."
    if error.hint is None and isinstance(error, UsageError):
        return "Nothing was changed; the command's --help tells what is allowed."
    if isinstance(error, InsufficientPoints | CustomerNotFound):
        from rpctl.cli.worlds import hint_of

        return hint_of(session, error)
    return error.hint


def _report(error: RpctlError, argv: Sequence[str], session: Session) -> int:
    hint = _hint(error, session)
    if session.wants_json(argv):
        import json

        session.terminal.say_raw(
            json.dumps(
                {
                    "error": {
                        "code": error.code,
                        "message": error.message,
                        "hint": hint,
                        "exitStatus": error.exit_status,
                        "httpStatus": error.http_status,
                        "request": error.request,
                        "retryable": error.retryable,
                        "details": error.details,
                    }
                }
            )
        )
    else:
        session.terminal.error(error.message, hint)
    if session.environ.get("RPCTL_DEBUG"):
        _traceback(session)
    return error.exit_status


def _bug(error: Exception, argv: Sequence[str], session: Session) -> int:
    import traceback

    text = "".join(traceback.format_exception(error))
    where = session.log(text)
    hint = (
        f"This is a bug in rpctl. The log is {where}." if where else "This is a bug in rpctl; RPCTL_DEBUG=1 tells more."
    )
    return _report(RpctlError(f"Unexpected: {type(error).__name__}: {error}", hint), argv, session)


def _traceback(session: Session) -> None:
    import traceback

    session.terminal.say_raw(traceback.format_exc().rstrip())


def main() -> int:
    """The process's own streams, environment and clock."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell ignores it for what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    session = Session(Terminal.of_process(), os.environ)
    try:
        status = run(sys.argv[1:], session)
    except KeyboardInterrupt as error:  # another one, while the first was being reported
        status = _interrupted(error).exit_status
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        session.terminal.abandon()
    return status
