"""The one boundary where errors become lines and exit statuses: usage, JSON, bugs, interruptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rpctl import __version__
from rpctl.backends.ledger.backend import LedgerBackend

if TYPE_CHECKING:
    from conftest import CommandLine

POINTS_RULE = "Points are whole numbers from 1 to 2147483647"


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (("point", "add"), "`rpctl` has no command 'point'.", "Did you mean `rpctl points`?"),
        (("points", "blance", "C1"), "`rpctl points` has no command 'blance'.", "Did you mean `rpctl points balance`?"),
        (("xyz",), "`rpctl` has no command 'xyz'.", "`rpctl --help` lists them."),
        (("points", "balance"), "Missing argument 'CUSTOMER'.", "`rpctl points balance --help` shows how it is used."),
        (("points", "add", "C1", "-5"), "'-5' is not a number of points.", f"{POINTS_RULE}, without a sign."),
        (("points", "add", "C1", "-12"), "'-12' is not a number of points.", f"{POINTS_RULE}, without a sign."),
        (("points", "redeem", "C1", "0"), "'0' is not a number of points.", f"{POINTS_RULE}."),
        (("points", "redeem", "C1", "1.5"), "'1.5' is not a number of points.", f"{POINTS_RULE}."),
        (("points", "add", "C1", "2147483648"), "'2147483648' is not a number of points.", f"{POINTS_RULE}."),
        (
            ("points", "add", "C1", "5", "--order-value", "5"),
            "Give either POINTS or --order-value.",
            "`rpctl points add C1 50`",
        ),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_wrong_command_line_says_what_is_wrong_and_what_would_be_right(
    rpctl: CommandLine, argv: tuple[str, ...], message: str, hint: str
) -> None:
    assert rpctl(*argv) == (2, "", f"error: {message}\nhint: {hint}\n")


@pytest.mark.parametrize(
    "argv",
    [
        ("points", "add", "C1", "5", "6"),
        ("points", "add", "C1", "5", "--nonsense"),
        ("points", "summary", "--limit", "0"),
        ("points", "summary", "--limit", "many"),
        ("points", "add", "C1", "5", "--key"),
        ("points", "add", "", "5"),
        ("points", "add", " C1", "5"),
        ("points", "add", "1.2E+11", "5"),
        ("points", "add", "C\x1b1", "5"),
        ("points", "add", "C1", "5", "--created-at", "2999-01-01"),
        ("points", "add", "C1", "5", "--valid-until", "2026-01-01", "--created-at", "2026-02-01"),
        ("points", "balance", "C1", "--as-of", "yesterday"),
    ],
    ids=" ".join,
)
def test_other_wrong_values_are_wrong_usage_too_and_change_nothing(rpctl: CommandLine, argv: tuple[str, ...]) -> None:
    status, out, err = rpctl(*argv)

    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert "\x1b" not in err
    assert rpctl.ok("customer", "list", "-o", "json") == "[]\n"


@pytest.mark.parametrize("argv", [(), ("points",), ("options",)])
def test_a_noun_alone_shows_its_help(rpctl: CommandLine, argv: tuple[str, ...]) -> None:
    assert rpctl(*argv) == rpctl(*argv, "--help")


@pytest.mark.parametrize("where", [0, 2, 4])
def test_the_version_is_told_wherever_it_is_asked_for(rpctl: CommandLine, where: int) -> None:
    argv = ["points", "balance", "C1", "-q"]
    argv.insert(where, "--version")

    assert rpctl(*argv) == (0, f"rpctl {version()}\n", "")


def version() -> str:
    return __version__


# -- JSON -------------------------------------------------------------------------------------------------

FIELDS = ["code", "message", "hint", "exitStatus", "httpStatus", "request", "retryable", "details"]


@pytest.mark.parametrize(
    "argv",
    [
        ("points", "balance", "C1", "-o", "json"),
        ("-o", "json", "points", "balance", "C1"),
        ("points", "-ojson", "balance", "C1"),
        ("points", "balance", "C1", "--output=json"),
        ("points", "balance", "C1", "--output", "jsonl"),
    ],
    ids=" ".join,
)
def test_an_error_is_an_object_where_json_was_asked_for(rpctl: CommandLine, argv: tuple[str, ...]) -> None:
    status, out, err = rpctl(*argv)

    error = json.loads(err)["error"]
    assert (status, out, FIELDS) == (5, "", list(error))
    assert (error["code"], error["exitStatus"], error["retryable"]) == ("customer_not_found", 5, False)
    assert error["details"] == {"customerId": "C1"}


@pytest.mark.parametrize(
    "argv",
    [
        ("points", "balance", "-o", "json"),
        ("-o", "json", "nonsense"),
        ("--output=jsonl", "points", "add", "C1", "-5"),
        ("points", "add", "C1", "5", "--nonsense", "-ojson"),
    ],
    ids=" ".join,
)
def test_a_usage_error_is_an_object_too(rpctl: CommandLine, argv: tuple[str, ...]) -> None:
    status, out, err = rpctl(*argv)

    assert (status, out) == (2, "")
    assert json.loads(err)["error"]["exitStatus"] == 2
    assert err.count("\n") == 1


def test_the_environment_may_ask_for_json(rpctl: CommandLine) -> None:
    assert json.loads(rpctl("points", "balance", "C1", RPCTL_OUTPUT="json").err)["error"]["exitStatus"] == 5


def test_notes_stand_before_the_object(rpctl: CommandLine) -> None:
    rpctl.ok("points", "add", "C1", "5", "--key", "k")

    err = rpctl("points", "redeem", "C1", "6", "-o", "json").err

    assert json.loads(err.splitlines()[-1])["error"]["details"] == {"customerId": "C1", "requested": 6, "available": 5}


def test_an_error_in_json_cannot_harm_a_terminal(rpctl: CommandLine) -> None:
    err = rpctl("options", "show", "\u4e2d", "-o", "json").err + rpctl("points", "\x9b31m", "-o", "json").err

    assert err.replace("\n", "").isprintable()


# -- bugs, interruptions -----------------------------------------------------------------------------------


def breaks(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: Any) -> int:
        raise error

    monkeypatch.setattr(LedgerBackend, "active_points", broken)


def test_a_bug_is_one_line_and_its_traceback_is_in_the_log(
    rpctl: CommandLine, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    breaks(monkeypatch, ZeroDivisionError("by\nzero"))

    status, out, err = rpctl("points", "balance", "C1")

    log = home / ".local/state/rpctl/rpctl.log"
    assert (status, out) == (1, "")
    assert err == f"error: Unexpected: ZeroDivisionError: by\\nzero\nhint: This is a bug in rpctl. The log is {log}.\n"
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_bug_is_told_even_where_no_log_can_be_written(rpctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, ZeroDivisionError("by zero"))

    status, out, err = rpctl("points", "balance", "C1", XDG_STATE_HOME="/proc/nowhere")

    assert (status, out) == (1, "")
    assert err.endswith("hint: This is a bug in rpctl; RPCTL_DEBUG=1 tells more.\n")


@pytest.mark.parametrize("output", ["json", "tsv"])
def test_a_traceback_is_shown_only_where_it_was_asked_for(rpctl: CommandLine, output: str) -> None:
    plain = rpctl("points", "balance", "C1", "-o", output)
    debug = rpctl("points", "balance", "C1", "-o", output, RPCTL_DEBUG="1")

    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert plain.status == debug.status == 5


def test_an_interruption_is_130_and_says_what_to_do(rpctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, KeyboardInterrupt())

    status, out, err = rpctl("points", "balance", "C1")

    assert (status, out) == (130, "")
    assert err.startswith("error: Interrupted.\nhint: ")


# -- quiet ------------------------------------------------------------------------------------------------


def test_quiet_drops_the_notes_and_the_entry_of_a_write(rpctl: CommandLine) -> None:
    assert rpctl("points", "add", "C1", "5", "-q") == (0, "", "")
    assert rpctl("-q", "points", "add", "C1", "5") == (0, "", "")
    assert rpctl("points", "balance", "C1", "-q") == (0, "10\n", "")


def test_quiet_drops_no_error(rpctl: CommandLine) -> None:
    assert rpctl("points", "balance", "C1", "-q") == rpctl("points", "balance", "C1")


# -- formats ----------------------------------------------------------------------------------------------


def test_a_terminal_gets_a_table_and_a_pipe_gets_tsv(rpctl: CommandLine) -> None:
    rpctl.ok("points", "add", "C1", "5")

    assert rpctl("customer", "list").out == "customerId\tactivePoints\nC1\t5\n"
    assert "───" in rpctl("customer", "list", tty=True).out
    assert rpctl("customer", "list", tty=True, piped=True).out == "customerId\tactivePoints\nC1\t5\n"


@pytest.mark.parametrize(
    ("argv", "environ", "colored"),
    [
        ((), {}, True),
        (("--no-color",), {}, False),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--no-color",), {"FORCE_COLOR": "1"}, False),
    ],
    ids=str,
)
def test_colours_on_a_terminal(
    rpctl: CommandLine, argv: tuple[str, ...], environ: dict[str, str], colored: bool
) -> None:
    rpctl.ok("points", "add", "C1", "5")

    assert colored == ("\x1b[" in rpctl("customer", "list", *argv, tty=True, **environ).out)
    assert colored == ("\x1b[" in rpctl("points", "balance", "X", *argv, tty=True, **environ).err)


def test_a_coloured_pipe_must_be_asked_for(rpctl: CommandLine) -> None:
    rpctl.ok("points", "add", "C1", "5")

    assert "\x1b[" not in rpctl("customer", "list", "-o", "table").out
    assert "\x1b[" in rpctl("customer", "list", "-o", "table", FORCE_COLOR="1").out


@pytest.mark.parametrize("output", ["tsv", "csv", "table"])
def test_the_header_may_be_left_out(rpctl: CommandLine, output: str) -> None:
    rpctl.ok("points", "add", "C1", "5")

    assert "customerId" not in rpctl.ok("customer", "list", "--no-header", "-o", output)


@pytest.mark.parametrize("output", ["table", "tsv", "csv", "json", "jsonl"])
def test_a_balance_is_a_bare_number_in_every_format(rpctl: CommandLine, output: str) -> None:
    rpctl.ok("points", "add", "C1", "5")

    assert rpctl.ok("points", "balance", "C1", "-o", output) == "5\n"


def test_raw_csv_leaves_formulas_as_they_are(rpctl: CommandLine) -> None:
    rpctl.ok("points", "add", "C1", "5", "--description", "=1+1")
    history = ("points", "history", "C1", "-o", "csv", "--no-header", "--fields", "description,points")

    assert rpctl.ok(*history) == "'=1+1,5\n"
    assert rpctl.ok(*history, "--raw-csv") == "=1+1,5\n"


def test_an_error_that_came_of_an_interruption_is_the_interruption(
    rpctl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_while_closing(*_: Any) -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("closed in the middle")  # noqa: B904 -- as a library would

    monkeypatch.setattr(LedgerBackend, "active_points", fails_while_closing)
    ended = rpctl("points", "balance", "C1")

    assert (ended.status, ended.err.splitlines()[0]) == (130, "error: Interrupted.")
