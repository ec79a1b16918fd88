"""The terminal: who decides about colours and width, what --quiet drops, progress, and questions."""

from __future__ import annotations

import io

import pytest

from rpctl.terminal import Terminal


class Stream(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, text: str = "", *, tty: bool) -> None:
        super().__init__(text)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


def terminal(tty: bool = True, answer: str = "", **environ: str) -> Terminal:
    return Terminal(Stream(answer, tty=tty), Stream(tty=tty), Stream(tty=tty), environ)


def said(of: Terminal) -> str:
    assert isinstance(of.stderr, Stream)
    return of.stderr.getvalue()


@pytest.mark.parametrize(
    ("environ", "tty", "flag", "expected"),
    [
        ({}, True, None, True),
        ({}, False, None, False),
        ({"NO_COLOR": "1"}, True, None, False),
        ({"NO_COLOR": ""}, True, None, True),
        ({"FORCE_COLOR": "1"}, False, None, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, None, False),
        ({"TERM": "dumb"}, True, None, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, None, True),
        ({"FORCE_COLOR": "1"}, True, False, False),
    ],
)
def test_colours_by_flag_then_environment_then_stream(
    environ: dict[str, str], tty: bool, flag: bool | None, expected: bool
) -> None:
    of = terminal(tty, **environ)
    of.color = flag

    assert expected == of.colors(of.stdout)
    of.error("what", "hint")
    assert expected == ("\x1b[" in said(of))


@pytest.mark.parametrize(("columns", "expected"), [("100", 100), ("", 80), ("0", 80), ("wide", 80), ("-5", 80)])
def test_the_width_is_that_of_the_environment_else_80(columns: str, expected: int) -> None:
    assert expected == terminal(COLUMNS=columns).width


def test_quiet_drops_notes_and_nothing_else() -> None:
    of = terminal(tty=False)
    of.quiet = True
    of.note("a note")
    of.warn("look")
    of.error("no", "do this")

    assert said(of) == "warning: look\nerror: no\nhint: do this\n"


def test_foreign_text_in_talk_is_cleaned_and_stays_in_its_line() -> None:
    of = terminal(tty=False)
    of.error("no customer \x1b[31m\nx", "\u202e")

    assert said(of) == "error: no customer \\x1b[31m\\nx\nhint: \\u202e\n"


def test_progress_is_for_people_only_and_wiped_before_anything_else() -> None:
    of = terminal()
    of.progress("applying 5 rows")
    of.write("data\n")
    of.write("more\n")

    assert said(of) == "\r\x1b[Kapplying 5 rows\r\x1b[K"


@pytest.mark.parametrize("of", [terminal(tty=False), terminal(TERM="dumb")])
def test_without_a_capable_terminal_there_is_no_progress(of: Terminal) -> None:
    of.progress("applying 5 rows")

    assert said(of) == ""


def test_progress_stays_in_one_line() -> None:
    of = terminal(COLUMNS="20")
    of.progress("x" * 50 + "\n")

    assert said(of) == "\r\x1b[K" + "x" * 19


@pytest.mark.parametrize(
    ("stdin", "stderr", "expected"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_question_needs_a_terminal_on_both_sides(stdin: bool, stderr: bool, expected: bool) -> None:
    assert expected == Terminal(Stream(tty=stdin), Stream(tty=False), Stream(tty=stderr), {}).can_ask


def test_a_closed_stdin_cannot_be_asked() -> None:
    assert Terminal(None, Stream(tty=True), Stream(tty=True), {}).can_ask is False


@pytest.mark.parametrize(("typed", "expected"), [("yes\n", "yes"), ("  C1 \n", "C1"), ("", ""), ("C1", "C1")])
def test_the_answer_is_what_was_typed(typed: str, expected: str) -> None:
    of = terminal(answer=typed)

    assert expected == of.ask("Really?")
    assert said(of).startswith("Really? ")


def test_nobody_listening_to_talk_harms_nothing() -> None:
    of = terminal()
    of.stderr.close()
    of.note("a note")
    of.error("an error")
