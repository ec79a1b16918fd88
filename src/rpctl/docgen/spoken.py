"""The tree as the shells complete it: what may follow `rpctl help` is a topic or the words of any command."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rpctl.cli.tree import Command, Tree
from rpctl.manual.topics import SUMMARIES

_HELP: Final = "help"


def spoken(tree: Tree) -> Tree:
    """The tree with the topics and all commands once more below `help`, without their options and arguments."""
    topics = [_word((_HELP, name), summary) for name, summary in SUMMARIES.items()]
    known = [_below_help(command) for command in tree.root.commands]
    nouns = [
        replace(command, arguments=(), commands=(*topics, *known)) if command.path == (_HELP,) else command
        for command in tree.root.commands
    ]
    return replace(tree, root=replace(tree.root, commands=tuple(nouns)))


def _below_help(command: Command) -> Command:
    return replace(
        _word((_HELP, *command.path), command.summary), commands=tuple(_below_help(one) for one in command.commands)
    )


def _word(path: tuple[str, ...], summary: str) -> Command:
    return Command(path, (f"{summary[:1].upper()}{summary[1:]}.",), (), (), (), ())
