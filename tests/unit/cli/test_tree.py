"""The walk through the command tree, on a tree with one of each."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import pytest
import typer

from rpctl.cli import tree
from rpctl.cli.offers import FREE, Offer, Values
from rpctl.cli.options import Group, noun
from rpctl.cli.tree import Argument, Command, Option

app = typer.Typer()


class Colour(str, Enum):  # noqa: UP042 - typer users write either
    RED = "red"
    BLUE = "blue"


@app.command()
def paint(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What to paint.")],
    site: Annotated[str, typer.Option("--site", metavar="CODE", help="Where.")],
    more: Annotated[list[str] | None, typer.Argument(metavar="[MORE]...", help="And what else.")] = None,
    colour: Annotated[Colour, typer.Option("--colour", "-c", help="In this colour.")] = Colour.RED,
    layers: Annotated[int | None, typer.Option(help="How many times.")] = None,
    brush: Annotated[list[str] | None, typer.Option(metavar="NAME", help="With these.")] = None,
    dry: Annotated[bool, typer.Option("--dry/--wet", help="Dry or wet.")] = True,
    secret: Annotated[bool, typer.Option("--secret", hidden=True)] = False,
) -> None:
    """Paint something.

    $ rpctl house paint door

    Takes a day.
    """


@app.command(hidden=True)
def demolish() -> None:
    """Nobody should know."""


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> tree.Tree:
    top = Group("rpctl", "Build.\n\n$ rpctl house", {"house": lambda: noun("house", app, "A house.")}, {})
    monkeypatch.setattr(tree, "root", lambda: top)
    return tree.walk()


def test_nouns_and_verbs_are_found(walked: tree.Tree) -> None:
    assert [command.path for command in walked.every_command()] == [(), ("house",), ("house", "paint")]
    assert (walked.root.summary, walked.root.examples) == ("Build", ("rpctl house",))


def test_a_verb_becomes_plain_values(walked: tree.Tree) -> None:
    assert walked.root.commands[0].commands[0] == Command(
        path=("house", "paint"),
        paragraphs=("Paint something.", "Takes a day."),
        examples=("rpctl house paint door",),
        arguments=(
            Argument("WHAT", True, False, "What to paint.", FREE),
            Argument("MORE", False, True, "And what else.", FREE),
        ),
        options=(
            Option(("--site",), "CODE", False, None, "Where.", FREE, required=True, variable="RPCTL_SITE"),
            Option(("-c", "--colour"), "CHOICE", False, "red", "In this colour.", Values(Offer.WORDS, ("red", "blue"))),
            Option(("--layers",), "INT", False, None, "How many times.", FREE),
            Option(("--brush",), "NAME", True, None, "With these.", FREE),
            Option(("--dry", "--wet"), None, False, None, "Dry or wet.", FREE),
        ),
        commands=(),
    )


def test_common_options_stand_apart(walked: tree.Tree) -> None:
    names = [option.names for option in walked.common]
    assert names[0] == ("-o", "--output")
    assert names[-1] == ("--help",)
    assert [option for command in walked.every_command() for option in command.options if option.names in names] == []
