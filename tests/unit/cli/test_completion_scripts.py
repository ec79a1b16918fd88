"""`rpctl completion`: the generated scripts, byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from rpctl.cli.completion import SCRIPTS

if TYPE_CHECKING:
    from conftest import CommandLine

COMPLETIONS: Final = Path(__file__).parents[3] / "completions"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_printed_as_it_lies_there(shell: str, rpctl: CommandLine) -> None:
    script = (COMPLETIONS / SCRIPTS[shell]).read_bytes()

    assert script.isascii()  # it is printed the same in every locale
    assert rpctl.ok("completion", shell).encode() == script
    assert rpctl.ok("completion", shell, RPCTL_OUTPUT="json").encode() == script


def test_every_script_has_a_shell() -> None:
    assert {file.name for file in COMPLETIONS.iterdir()} == set(SCRIPTS.values())


@pytest.mark.parametrize(("words", "said"), [(("tcsh",), "no completion for 'tcsh'"), ((), "SHELL")])
def test_an_unknown_shell_is_a_usage_error(words: tuple[str, ...], said: str, rpctl: CommandLine) -> None:
    ended = rpctl("completion", *words)

    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 2)
    assert said in ended.err


def test_help_shows_how_each_shell_gets_it(rpctl: CommandLine) -> None:
    examples = [line for line in rpctl.ok("completion", "--help").splitlines() if line.startswith("  $ ")]

    assert [shell for shell in SCRIPTS if not any(f"rpctl completion {shell}" in line for line in examples)] == []
