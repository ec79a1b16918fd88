"""rpctl commands: the command tree, for programs and for people who look for a command."""

from __future__ import annotations

from typing import Any

import typer

from rpctl.render.views import Column, View

app = typer.Typer()


@app.command()
def commands(ctx: typer.Context) -> View:
    """List all commands; as JSON with their arguments and options.

    $ rpctl commands
    $ rpctl commands -o json | jq -r '.commands[] | select(.path == "points add").options[].flags[0]'

    The JSON has the options that every command takes (commonOptions) and, for each command, its path, summary,
    description, examples, arguments and options. An argument or option has a type: switch (takes no value), text,
    choice, pair (FIELD=VALUE), file or profile; choices are the words that it takes, of a pair its fields.
    """
    from rpctl import __version__
    from rpctl.cli.tree import walk

    tree = walk()
    document = {
        "schema": "rpctl.commands/1",
        "version": __version__,
        "commonOptions": [_option(option) for option in tree.common],
        "commands": [_command(command) for command in tree.every_command() if command.path and not command.commands],
    }
    columns = (Column("command", lambda command: f"rpctl {command['path']}"), Column("summary"))
    return View((document,), columns, many=False, rows=lambda document: document["commands"])


def _command(command: Any) -> dict[str, Any]:
    return {
        "path": " ".join(command.path),
        "summary": command.paragraphs[0],
        "description": list(command.paragraphs[1:]),
        "examples": list(command.examples),
        "arguments": [_argument(argument) for argument in command.arguments],
        "options": [_option(option) for option in command.options],
    }


def _argument(argument: Any) -> dict[str, Any]:
    return {
        "name": argument.name,
        "help": argument.help,
        **_values(argument.values),
        "required": argument.required,
        "repeatable": argument.many,
    }


def _option(option: Any) -> dict[str, Any]:
    return {
        "flags": list(option.names),
        "metavar": option.metavar,
        "help": option.help,
        **(_values(option.values) if option.metavar else {"type": "switch", "choices": None}),
        "default": option.default,
        "required": option.required,
        "repeatable": option.repeatable,
        "envVar": option.variable,
    }


def _values(values: Any) -> dict[str, Any]:
    from rpctl.cli.offers import Offer

    names = {Offer.NOTHING: "text", Offer.WORDS: "choice", Offer.PAIRS: "pair", Offer.FILES: "file"}
    return {"type": names.get(values.offer, "profile"), "choices": list(values.words) or None}
