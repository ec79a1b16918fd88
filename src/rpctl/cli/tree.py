"""The command tree as plain values, for `rpctl commands` and whatever is generated; no other command loads it.

What is returned knows nothing of typer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import typer

from rpctl.cli.app import root
from rpctl.cli.offers import Values, argument_values, option_values
from rpctl.cli.options import COMMON_NAMES, split_help
from rpctl.config.settings import FLAGS, VARIABLES

PROGRAM: Final = "rpctl"
_HELP: Final = "help"
_HELP_TEXT: Final = "Show help, examples first, and end."
_KEPT_BY: Final = "profile"  # its options are what a profile is to hold, whatever the environment says now
_VARIABLES: Final = {FLAGS[name]: VARIABLES[name] for name in FLAGS.keys() & VARIABLES.keys()} | {
    "--no-color": "NO_COLOR"
}


@dataclass(frozen=True, slots=True)
class Argument:
    """A word that stands by itself, such as CUSTOMER."""

    name: str
    required: bool
    many: bool
    help: str
    values: Values


@dataclass(frozen=True, slots=True)
class Option:
    """An option. ``metavar`` is None for a switch, whose opposite (``--disable``) is in ``names`` too; ``variable``:
    the environment variable that says the same, where there is one."""

    names: tuple[str, ...]
    metavar: str | None
    repeatable: bool
    default: str | None
    help: str
    values: Values
    required: bool = False
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """The root, a noun or a verb. ``path`` is what is typed after ``rpctl``; ``options`` lack the common ones."""

    path: tuple[str, ...]
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """Its own word."""
        return self.path[-1] if self.path else PROGRAM

    @property
    def summary(self) -> str:
        """What it does, in a phrase without a full stop."""
        return self.paragraphs[0].rstrip(".") if self.paragraphs else ""

    @property
    def verbs(self) -> tuple[Command, ...]:
        """The commands below it; a command without any is its own and only verb."""
        return self.commands or (self,)


@dataclass(frozen=True, slots=True)
class Tree:
    """All commands, and the options that each of them takes."""

    root: Command
    common: tuple[Option, ...]

    def every_command(self) -> list[Command]:
        """The root, and every command followed by those below it."""
        return [self.root, *_below(self.root)]


def _below(command: Command) -> Iterator[Command]:
    for one in command.commands:
        yield one
        yield from _below(one)


def walk() -> Tree:
    """The command tree of this version."""
    top: Any = root()
    context = typer.Context(top, info_name=PROGRAM)
    common = [_option(param, ()) for param in top.get_params(context) if _is_common(param)]
    return Tree(_command(top, context, ()), tuple(common))


def _command(command: Any, context: typer.Context, path: tuple[str, ...]) -> Command:
    paragraphs, examples = split_help(command.help)
    params = [param for param in command.get_params(context) if not getattr(param, "hidden", False)]
    below = []
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if not child.hidden:
                below.append(_command(child, typer.Context(child, info_name=name, parent=context), (*path, name)))
    return Command(
        path=path,
        paragraphs=tuple(paragraphs),
        examples=tuple(examples),
        arguments=tuple(_argument(param, path) for param in params if param.param_type_name == "argument"),
        options=tuple(_option(param, path) for param in params if _is_own_option(param)),
        commands=tuple(below),
    )


def _is_common(param: Any) -> bool:
    return param.param_type_name == "option" and (param.name in COMMON_NAMES or param.name == _HELP)


def _is_own_option(param: Any) -> bool:
    return param.param_type_name == "option" and not _is_common(param)


def _argument(param: Any, path: tuple[str, ...]) -> Argument:
    name = (param.metavar or param.name.upper()).removesuffix("...").strip("[]")
    return Argument(
        name=name,
        required=param.required,
        many=param.nargs == -1,
        help=param.help or "",
        values=argument_values(path, name, param.type),
    )


def _option(param: Any, path: tuple[str, ...]) -> Option:
    is_switch = param.is_flag or param.count
    metavar = None if is_switch else param.metavar or param.type.name.upper()
    names = (*sorted(param.opts, key=len), *param.secondary_opts)
    longest = max(param.opts, key=len)
    shown = not is_switch and isinstance(param.default, str | int) and param.show_default is not False
    return Option(
        names=names,
        metavar=metavar,
        repeatable=bool(param.multiple or param.count),
        default=str(getattr(param.default, "value", param.default)) if shown else None,
        help=_HELP_TEXT if param.name == _HELP else param.help or "",
        values=option_values(longest, metavar or "", param.type),
        required=bool(param.required),
        variable=None if path[:1] == (_KEPT_BY,) else _VARIABLES.get(longest),
    )
