"""The completions of trees that the program does not have yet: commands without verbs, hard words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rpctl.cli.offers import FREE, Offer, Values
from rpctl.cli.tree import Argument, Command, Option, Tree
from rpctl.docgen import bash, fish, zsh

HARD = 'It\'s [this]: a\\b "c" $HOME `d`.'
OUTPUT = Option(("-o", "--output"), "FORMAT", False, None, HARD, Values(Offer.WORDS, ("json", "tsv")))
YES = Option(("-y", "--yes"), None, False, None, HARD, FREE)
SHELL = Argument("SHELL", True, False, HARD, Values(Offer.WORDS, ("bash", "fish")))
FILES = Argument("FILE", True, True, "Some.", Values(Offer.FILES))
TREE = Tree(
    Command(
        (), (HARD,), (), (), (),
        (
            Command(("completion",), (HARD,), (), (SHELL,), (YES,), ()),
            Command(("join",), ("Join.",), (), (FILES,), (), ()),
        ),
    ),
    (OUTPUT,),
)  # fmt: skip
CASES = {
    "rpctl ": "completion join",
    "rpctl completion ": "bash fish",
    "rpctl -o json completion f": "fish",
    "rpctl completion bash f": "",
    "rpctl completion --y": "--yes",
    "rpctl join a.csv b.csv c": "c.csv",
}


def offered(argv: list[str], folder: Path) -> set[str]:
    """The first words of what a shell prints."""
    (folder / "c.csv").touch()
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {line.partition("\t")[0] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("line", CASES)
def test_bash_completes_commands_without_verbs(line: str, tmp_path: Path) -> None:
    words = " ".join(f"'{word}'" for word in line.split(" "))
    call = f"COMP_WORDS=({words}); COMP_CWORD={line.count(' ')}; _rpctl"
    script = f'{bash.completion(TREE)}\n{call}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    assert offered(["bash", "-c", script], tmp_path) == set(CASES[line].split())


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish (Debian package fish)")
@pytest.mark.parametrize("line", CASES)
def test_fish_completes_commands_without_verbs(line: str, tmp_path: Path) -> None:
    script = f"{fish.completion(TREE)}\ncomplete -C '{line}'"
    assert offered(["fish", "--no-config", "-c", script], tmp_path) == set(CASES[line].split())


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh (Debian package zsh)")
def test_zsh_reads_hard_words(tmp_path: Path) -> None:
    script = zsh.completion(TREE)
    (tmp_path / "_rpctl").write_text(script)
    subprocess.run(["zsh", "-n", str(tmp_path / "_rpctl")], check=True)
    assert """'(-y --yes)--yes[It'\\''s \\[this\\]\\: a\\\\b "c" $HOME `d`]'""" in script
    assert "'*:FILE:_files'" in script
    assert "':SHELL:(bash fish)'" in script
