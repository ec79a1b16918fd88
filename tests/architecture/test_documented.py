"""Everything public says what it is for: code by docstrings, commands by help with an example, errors by the tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import typer

import rpctl
from rpctl import errors
from rpctl.cli.app import ALONE, NOUNS, root
from rpctl.cli.options import COMMON_NAMES, split_help

PROJECT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(rpctl.__file__).parent
CONTEXT: Final = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))


def undocumented(module: Path) -> Iterator[str]:
    """The module's public classes, functions and methods without a docstring, and itself."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is None and tree.body:
        yield str(module.relative_to(SOURCE))
    for owner, node in definitions(tree):
        if not ast.get_docstring(node) and not node.name.startswith("_") and not is_stub(node):
            yield f"{module.relative_to(SOURCE)}: {owner}{node.name}"


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(tree: ast.Module | ast.ClassDef, owner: str = "") -> Iterator[tuple[str, Definition]]:
    """Public definitions of a module and of its public classes; what overrides a foreign class is documented there."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield owner, node
            foreign = any(base.startswith(("Typer", "_Common", "io.")) for base in map(ast.unparse, node.bases))
            if not node.name.startswith("_") and not foreign:
                yield from definitions(node, f"{owner}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner, node


def is_stub(node: Definition) -> bool:
    """A body of ``...``: a protocol's member or an overload."""
    return isinstance(node.body[-1], ast.Expr) and ast.unparse(node.body[-1]) == "..."


def test_everything_public_has_a_docstring() -> None:
    assert [name for module in sorted(SOURCE.rglob("*.py")) for name in undocumented(module)] == []


# -- commands ---------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Every verb, and every command without verbs, by its path."""
    tree = root()
    found = {name: tree.get_command(CONTEXT, name) for name in ALONE}
    for noun in NOUNS:
        group = tree.get_command(CONTEXT, noun)
        for verb in group.list_commands(CONTEXT):
            found[f"{noun} {verb}"] = group.get_command(CONTEXT, verb)
    return found


COMMANDS: Final = commands()


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_says_what_it_does_and_shows_an_example_of_itself(path: str) -> None:
    paragraphs, examples = split_help(COMMANDS[path].help)

    assert paragraphs
    assert paragraphs[0].endswith(".")
    assert examples
    assert f"rpctl {path}" in examples[0]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_parameter_of_a_command_is_explained(path: str) -> None:
    assert [param.name for param in COMMANDS[path].params if not getattr(param, "help", None)] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_no_parameter_takes_the_name_of_a_common_option(path: str) -> None:
    """Common options are taken out by name: a command's own parameter of that name would never reach it."""
    noun, _, verb = path.rpartition(" ")
    module = import_module(f"rpctl.cli.{NOUNS[noun][0] if noun else ALONE[verb][0]}")
    (callback,) = [
        info.callback for info in module.app.registered_commands if (info.name or info.callback.__name__) == verb
    ]

    assert COMMON_NAMES & set(callback.__code__.co_varnames[: callback.__code__.co_argcount]) == set()


def test_an_example_uses_options_that_there_are() -> None:
    for path, command in COMMANDS.items():
        known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
        for example in split_help(command.help)[1]:
            own = example.split("|")[0] if example.startswith(f"rpctl {path}") else ""
            assert set(re.findall(r"(?<= )--[a-z-]+", own)) - known == set(), example


def test_the_readme_names_every_noun() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")

    assert [noun for noun in (*NOUNS, *ALONE) if not re.search(rf"`(rpctl )?{noun}\b|rpctl {noun} ", readme)] == []


def test_a_command_without_verbs_says_the_same_in_the_list_of_commands() -> None:
    assert {name: split_help(COMMANDS[name].help)[0][0] for name in ALONE} == {name: ALONE[name][1] for name in ALONE}


def test_the_map_names_every_room() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if not path.stem.startswith("__")}

    assert [room for room in rooms if not re.search(rf"^    {room}/? ", rpctl.__doc__ or "", re.MULTILINE)] == []


# -- errors -----------------------------------------------------------------------------------------------

ERRORS: Final = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.RpctlError) and error is not errors.RpctlError
]


def drawn() -> dict[str, tuple[str, int | None]]:
    """The tree of the docstring: each error's parent, and the exit status that stands beside it."""
    found: dict[str, tuple[str, int | None]] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"(    [ |`-]*)([A-Z][A-Za-z]+(?:, [A-Z][A-Za-z]+)*)(?:\s+(\d+)\b)?", line)
        if not match:
            continue
        indent, names, status = match.groups()
        above = [(depth, name) for depth, name in above if depth < len(indent)]
        parent = above[-1][1] if above else ""
        for name in names.split(", "):
            found[name] = (parent, int(status) if status else None)
        above.append((len(indent), names.split(", ")[-1]))
    return found


def test_the_tree_shows_every_error_under_its_parent() -> None:
    tree = {name: parent for name, (parent, _) in drawn().items()}
    assert tree.pop("RpctlError") == ""

    assert tree == {error.__name__: error.__bases__[0].__name__ for error in ERRORS}


def test_the_tree_shows_the_exit_status_that_an_error_has() -> None:
    tree = drawn()

    def status(name: str) -> int | None:
        parent, own = tree[name]
        return own if own is not None else status(parent) if parent else None

    assert {error.__name__: status(error.__name__) for error in ERRORS} == {
        error.__name__: error.exit_status for error in ERRORS
    }


def test_every_error_has_a_code_of_its_own() -> None:
    codes: dict[str, list[str]] = {}
    for error in ERRORS:
        codes.setdefault(error.code, []).append(error.__name__)

    assert {code: names for code, names in codes.items() if len(names) > 1} == {}
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []


def test_only_documented_exit_statuses_are_used() -> None:
    assert {error.exit_status for error in ERRORS} <= {2, 3, 4, 5, 6, 7, 8, 75, 130, 143}


def test_only_what_may_be_tried_again_says_so() -> None:
    retryable = {error.__name__ for error in ERRORS if error.retryable}

    assert retryable == {error.__name__ for error in ERRORS if error.exit_status in (75, 130, 143)}
