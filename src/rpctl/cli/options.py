"""What all commands share: the common options, and commands and groups that accept them anywhere and show help
with an example first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

EXAMPLE: Final = "$ "

_COMMON: Final[tuple[tuple[tuple[str, ...], str | None, str], ...]] = (
    (("-o", "--output"), "FORMAT", "table, tsv, csv, json or jsonl; by default table on a terminal, else tsv."),
    (("--fields",), "NAMES", "Only these fields, in this order, separated by commas."),
    (("--no-header",), None, "Leave out the header line of tsv, csv and tables."),
    (("--raw-csv",), None, "Leave CSV cells that look like formulas as they are."),
    (("--profile",), "NAME", "Work with this profile."),
    (("--ledger",), "FILE", "Work on this ledger file."),
    (("--offline",), None, "Without the service: record for `rpctl sync push`, answer by what was fetched last."),
    (("-q", "--quiet"), None, "No notes, and nothing of what a write made."),
    (("-v", "--verbose"), None, "Say on stderr what is used, and why; and each request to a service."),
    (("--no-color",), None, "No colours."),
    (("--no-input",), None, "Never ask; refuse what would have to be asked."),
    (("-V", "--version"), None, "Print the version and end."),
)


def common_options() -> list[TyperOption]:
    """Fresh parameters for the common options; their values never reach a command function."""
    return [
        TyperOption(
            param_decls=list(names),
            metavar=metavar,
            is_flag=metavar is None,
            default=None,
            type=str if metavar else None,
            help=text,
        )
        for names, metavar, text in _COMMON
    ]


COMMON_NAMES: Final = frozenset(max(names, key=len).lstrip("-").replace("-", "_") for names, _, _ in _COMMON)


class _Common:
    """Takes the common options out of what was parsed and gives them to the session; what stands later wins."""

    params: list[Any]
    help: str | None

    def take_common(self, ctx: typer.Context) -> None:
        ctx.obj.path = ctx.command_path
        for name in COMMON_NAMES & ctx.params.keys():
            value = ctx.params.pop(name)
            if value is not None and value is not False:
                ctx.obj.take(name, value)
        if ctx.obj.flags.get("version"):
            from rpctl import __version__

            ctx.obj.terminal.write(f"rpctl {__version__}\n")
            raise typer.Exit

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _show_help
        return option

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece[1:-1] if piece.startswith("{") else piece for piece in pieces]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        paragraphs, examples = split_help(self.help)
        formatter.write_text(paragraphs[0] if paragraphs else "")
        if examples:
            with formatter.section("Examples" if len(examples) > 1 else "Example"):
                formatter.write("".join(f"  {EXAMPLE}{example}\n" for example in examples))
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)  # type: ignore[attr-defined]
        for paragraph in paragraphs[1:]:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(paragraph)
        self._format_lists(ctx, formatter)

    def _format_lists(self, ctx: Any, formatter: Any) -> None:
        arguments: list[Any] = []
        own: list[Any] = []
        common: list[Any] = []
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                arguments.append(record)
            else:
                (common if param.name in COMMON_NAMES or param.name == "help" else own).append(record)
        if isinstance(self, TyperGroup):
            self.format_commands(ctx, formatter)
        for title, records in (("Arguments", arguments), ("Options", own), ("Common options", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _show_help(ctx: Any, param: Any, value: Any) -> None:
    if value and not ctx.resilient_parsing:
        ctx.obj.terminal.write(ctx.get_help() + "\n")
        raise typer.Exit


def split_help(text: str | None) -> tuple[list[str], list[str]]:
    """A command's docstring as paragraphs and examples (its lines that begin with ``$``)."""
    examples: list[str] = []
    kept: list[str] = []
    for line in (text or "").split("\n"):
        if line.strip().startswith(EXAMPLE):
            examples.append(line.strip()[len(EXAMPLE) :])
        else:
            kept.append(line)
    paragraphs = [" ".join(part.split()) for part in "\n".join(kept).split("\n\n")]
    return [paragraph for paragraph in paragraphs if paragraph], examples


class Command(_Common, TyperCommand):
    """A verb."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.params = [*self.params, *common_options()]
        self.options_metavar = "[OPTIONS]"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        self.take_common(ctx)
        return rest


class Group(_Common, TyperGroup):
    """A noun, or the root: its commands are built only when they are named."""

    def __init__(self, name: str, help: str, commands: dict[str, Callable[[], Any]], short: dict[str, str]) -> None:
        super().__init__(
            name=name, help=help, params=list(common_options()), no_args_is_help=True, rich_markup_mode=None
        )
        self._build = commands
        self._short = short
        self.subcommand_metavar = "COMMAND ..."

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        self.take_common(ctx)
        return rest

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self._build)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in self.commands:
            build = self._build.get(cmd_name)
            if build is None:
                return None
            self.commands[cmd_name] = build()
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self._build and not args[0].startswith("-"):
            from difflib import get_close_matches

            from rpctl.errors import UsageError

            where = ctx.command_path
            near = get_close_matches(args[0], self._build, n=1)
            hint = f"Did you mean `{where} {near[0]}`?" if near else f"`{where} --help` lists them."
            raise UsageError(f"`{where}` has no command {args[0]!r}.", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(self._short.items()))


def noun(name: str, app: typer.Typer, help: str) -> Group:
    """The group of a noun's verbs, each built from its function when it is named."""
    from inspect import getdoc

    build: dict[str, Callable[[], Any]] = {}
    short: dict[str, str] = {}
    for info in app.registered_commands:
        assert info.callback is not None
        verb = info.name or info.callback.__name__
        short[verb] = split_help(getdoc(info.callback))[0][0]
        build[verb] = _builder(info)
    return Group(name, help, build, short)


def lone(app: typer.Typer) -> Any:
    """The command of a module that has only one: it stands by itself, without a noun."""
    (info,) = app.registered_commands
    return _builder(info)()


def _builder(info: Any) -> Callable[[], Any]:
    def build() -> Any:
        one = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        one.registered_commands.append(info)
        info.cls = Command
        return typer.main.get_command(one)

    return build
