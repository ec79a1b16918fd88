"""Questions: only where someone can answer; elsewhere a refusal that names the command that goes through."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

OPTION = '{"id": "o1", "name": "Ten", "points": 5, "coupon": {"discountType": "PERCENT", "discountPercentage": 10}}'
QUESTIONS = [
    (("customer", "delete", "C1"), "C1"),
    (("customer", "delete", "-x"), "-x"),
    (("options", "delete", "o1"), "yes"),
    (("profile", "delete", "shop"), "yes"),
    (("ledger", "restore", "copy.db"), "yes"),
]


@pytest.fixture
def books(rpctl: CommandLine) -> CommandLine:
    rpctl.ok("points", "add", "C1", "5")
    rpctl.ok("points", "add", "5", "5", "--key=k")
    assert rpctl("points", "add", "--key", "x", "--", "-x", "5").status == 0
    rpctl.ok("options", "create", "--from", "-", stdin=OPTION.replace('"discountP', '"name": "Ten", "discountP'))
    rpctl.ok("profile", "create", "shop")
    rpctl.ok("ledger", "backup", "copy.db")
    return rpctl


def argv_of(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[:2], "--", *words[2:]) if words[-1].startswith("-") else words


@pytest.mark.parametrize(("words", "answer"), QUESTIONS, ids=str)
def test_without_a_terminal_the_command_that_goes_through_is_named(
    books: CommandLine, words: tuple[str, ...], answer: str
) -> None:
    before = books.ok("ledger", "export", "-o", "json")

    status, out, err = books(*argv_of(words))

    assert (status, out) == (6, "")
    assert before == books.ok("ledger", "export", "-o", "json")
    command = err.splitlines()[-1].removeprefix("hint: If that is meant: ")
    program, *argv = shlex.split(command)
    assert program == "rpctl"
    assert books(*argv).status == 0


@pytest.mark.parametrize(("words", "answer"), QUESTIONS, ids=str)
@pytest.mark.parametrize("flag", ["--no-input", "RPCTL_NO_INPUT"])
def test_nobody_is_asked_who_does_not_want_to_be(
    books: CommandLine, words: tuple[str, ...], answer: str, flag: str
) -> None:
    argv, environ = argv_of(words), {}
    if flag.startswith("-"):
        argv = (flag, *argv)
    else:
        environ = {flag: "1"}

    assert books(*argv, tty=True, stdin=f"{answer}\n", **environ).status == 6


@pytest.mark.parametrize(("words", "answer"), QUESTIONS, ids=str)
def test_on_a_terminal_the_right_answer_goes_on(books: CommandLine, words: tuple[str, ...], answer: str) -> None:
    ended = books(*argv_of(words), tty=True, stdin=f"{answer}\n")

    assert ended.status == 0, ended
    assert f"Type {answer} to go on:" in ended.err


@pytest.mark.parametrize(("words", "answer"), QUESTIONS, ids=str)
@pytest.mark.parametrize("typed", ["no\n", "", "y\n", "c1\n"])
def test_any_other_answer_does_nothing(books: CommandLine, words: tuple[str, ...], answer: str, typed: str) -> None:
    before = books.ok("ledger", "export", "-o", "json")

    status, out, err = books(*argv_of(words), tty=True, stdin=typed)

    assert (status, out) == (6, "")
    assert "Nothing was done." in err
    assert before == books.ok("ledger", "export", "-o", "json")


def test_the_question_says_that_it_is_the_real_thing(rpctl: CommandLine) -> None:
    rpctl.ok("profile", "create", "live", "--production")
    rpctl.ok("points", "add", "C1", "5", "--profile", "live")

    assert "(production)" in rpctl("customer", "delete", "C1", "--profile", "live", tty=True, stdin="C1\n").err


def test_the_named_command_is_about_the_same_ledger(books: CommandLine) -> None:
    err = books("customer", "delete", "C1", "--ledger", "copy.db").err

    books.ok(*shlex.split(err.splitlines()[-1].removeprefix("hint: If that is meant: "))[1:])
    assert books.ok("points", "balance", "C1") == "5\n"
    assert books("points", "balance", "C1", "--ledger", "copy.db").status == 5
