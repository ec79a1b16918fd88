"""`rpctl commands`: the command tree as a program reads it, held against the commands themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rpctl.cli.app import ALONE, NOUNS
from rpctl.importing.columns import FIELDS
from rpctl.render.views import FORMATS

if TYPE_CHECKING:
    from conftest import CommandLine


@pytest.fixture
def tree(rpctl: CommandLine) -> Any:
    """The document."""
    return json.loads(rpctl.ok("commands", "-o", "json"))


def option(options: list[dict[str, Any]], flag: str) -> dict[str, Any]:
    """The option with this flag."""
    (found,) = [one for one in options if flag in one["flags"]]
    return found


def command(tree: Any, path: str) -> dict[str, Any]:
    """The command with this path."""
    (found,) = [one for one in tree["commands"] if one["path"] == path]
    return found


def test_every_command_is_there_and_every_path_is_one(tree: Any, rpctl: CommandLine) -> None:
    paths = [one["path"] for one in tree["commands"]]

    assert tree["schema"] == "rpctl.commands/1"
    assert list(dict.fromkeys(path.split()[0] for path in paths)) == [*NOUNS, *ALONE]
    for one in tree["commands"]:
        assert rpctl.ok(*one["path"].split(), "--help").startswith(one["summary"][:60])


def test_every_flag_is_in_the_command_s_help(tree: Any, rpctl: CommandLine) -> None:
    for one in tree["commands"]:
        words = rpctl.ok(*one["path"].split(), "--help").replace(",", " ").replace("/", " ").split()
        flags = [flag for each in (*one["options"], *tree["commonOptions"]) for flag in each["flags"]]
        assert [flag for flag in flags if flag not in words] == [], one["path"]


def test_options_say_what_they_take(tree: Any) -> None:
    imported = command(tree, "points import")["options"]

    assert option(tree["commonOptions"], "-o") == {
        "flags": ["-o", "--output"],
        "metavar": "FORMAT",
        "help": "table, tsv, csv, json or jsonl; by default table on a terminal, else tsv.",
        "type": "choice",
        "choices": list(FORMATS),
        "default": None,
        "required": False,
        "repeatable": False,
        "envVar": "RPCTL_OUTPUT",
    }
    assert option(imported, "--map") | {"help": ""} == {
        "flags": ["--map"],
        "metavar": "FIELD=COLUMN",
        "help": "",
        "type": "pair",
        "choices": list(FIELDS),
        "default": None,
        "required": False,
        "repeatable": True,
        "envVar": None,
    }
    assert option(imported, "--dry-run")["type"] == "switch"
    assert option(imported, "--rejects")["type"] == "file"
    assert option(command(tree, "program set")["options"], "--enable")["flags"] == ["--enable", "--disable"]


def test_required_options_and_arguments_are_those_that_are_missed(tree: Any, rpctl: CommandLine) -> None:
    for one in tree["commands"]:
        required = [each for each in (*one["arguments"], *one["options"]) if each["required"]]
        ended = rpctl(*one["path"].split())
        assert ("Missing" in ended.err) == bool(required), one["path"]


def test_arguments_say_what_they_take(tree: Any) -> None:
    assert command(tree, "completion")["arguments"] == [
        {
            "name": "SHELL",
            "help": "One of bash, zsh, fish.",
            "type": "choice",
            "choices": ["bash", "zsh", "fish"],
            "required": True,
            "repeatable": False,
        }
    ]
    assert [one["required"] for one in command(tree, "points add")["arguments"]] == [True, False]
    assert command(tree, "points import")["arguments"][0]["type"] == "file"
    assert command(tree, "profile use")["arguments"][0]["type"] == "profile"
    assert command(tree, "help")["arguments"][0]["repeatable"]


def test_a_variable_that_is_named_does_what_the_flag_does(tree: Any, rpctl: CommandLine) -> None:
    named = {flag: one["envVar"] for one in tree["commonOptions"] if one["envVar"] for flag in one["flags"][-1:]}

    assert named == {
        "--output": "RPCTL_OUTPUT",
        "--profile": "RPCTL_PROFILE",
        "--ledger": "RPCTL_LEDGER",
        "--no-color": "NO_COLOR",
        "--no-input": "RPCTL_NO_INPUT",
    }
    rpctl.ok("program", "set", "--factor", "3", "--site", "shop-2")
    sites = [one["path"] for one in tree["commands"] for each in one["options"] if each["envVar"] == "RPCTL_SITE"]
    assert "program show" in sites
    assert rpctl.ok("program", "show", "-o", "json", RPCTL_SITE="shop-2") == rpctl.ok(
        "program", "show", "-o", "json", "--site", "shop-2"
    )


def test_what_a_profile_keeps_comes_from_no_variable(tree: Any, rpctl: CommandLine) -> None:
    assert [one["envVar"] for one in command(tree, "profile create")["options"] if one["envVar"]] == []
    rpctl.ok("profile", "create", "till", RPCTL_SITE="shop-2")
    assert "shop-2" not in rpctl.ok("profile", "show", "till")


def test_a_line_for_each_command(tree: Any, rpctl: CommandLine) -> None:
    lines = rpctl.ok("commands").splitlines()

    assert lines[0] == "command\tsummary"
    assert lines[1:] == [f"rpctl {one['path']}\t{one['summary']}" for one in tree["commands"]]
