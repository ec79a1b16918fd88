"""What the manual says is what the program does: variables, options, commands, codes and columns that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import rpctl
from rpctl import errors
from rpctl.cli.tree import walk
from rpctl.config.settings import VARIABLES
from rpctl.domain import values
from rpctl.importing.columns import FIELDS
from rpctl.importing.plan import ADDING, REDEEMING
from rpctl.importing.products import ALIASES, WITHOUT_COUNTERPART
from rpctl.manual import prose
from rpctl.manual.blocks import Block, Heading, Lines, Paragraph, Term
from rpctl.manual.endings import endings
from rpctl.manual.topics import SUMMARIES, topic
from rpctl.render.table import SHOWN_ROWS
from rpctl.render.views import FORMATS

SOURCE: Final = Path(rpctl.__file__).parent
TREE: Final = walk()
CODES: Final = {
    one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.RpctlError)
}


def texts(block: Block) -> tuple[str, ...]:
    """Everything that a block says."""
    match block:
        case Heading(text) | Paragraph(text):
            return (text,)
        case Term(name, said):
            return (name, *said)
        case Lines(lines):
            return lines


def whole(name: str) -> str:
    """All that a topic says."""
    return "\n".join(text for block in topic(name).blocks for text in texts(block))


def terms(name: str) -> dict[str, str]:
    """The words that a topic explains."""
    return {block.name: "\n".join(block.texts) for block in topic(name).blocks if isinstance(block, Term)}


VARIABLE = r"RPCTL_[A-Z_]+|CREDENTIALS_DIRECTORY"


def read_variables() -> Iterator[str]:
    """The environment variables that the source reads: asked of ``environ``, or named as one (``RPCTL_*``, XDG)."""
    for module in SOURCE.rglob("*.py"):
        if module.is_relative_to(SOURCE / "manual"):
            continue
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.search(r"\benviron\.get$|\bgetenv$", ast.unparse(node.func)):
                yield from (one.value for one in node.args[:1] if isinstance(one, ast.Constant))
            elif isinstance(node, ast.Subscript) and re.search(r"\benviron$", ast.unparse(node.value)):
                yield from (one.value for one in (node.slice,) if isinstance(one, ast.Constant))
            elif isinstance(node, ast.Constant) and re.fullmatch(
                r"RPCTL_[A-Z_]+|CREDENTIALS_DIRECTORY", str(node.value)
            ):
                yield node.value


def used_folders() -> set[str]:
    """The XDG variables of those folders that something outside `config.paths` asks for."""
    paths = (SOURCE / "config/paths.py").read_text(encoding="utf-8")
    others = "".join(file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py") if file.name != "paths.py")
    functions = {f"XDG_{kind}_HOME": f"{kind.lower()}_dir" for kind in ("DATA", "STATE", "CACHE")}
    asked = {name: len(re.findall(rf"\b{function}\(", paths)) > 1 or function in others
             for name, function in functions.items()}  # fmt: skip
    return {"XDG_CONFIG_HOME"} | {name for name, is_asked in asked.items() if is_asked}


def test_every_variable_that_is_read_is_explained_and_no_other() -> None:
    assert set(read_variables()) | used_folders() == prose.ENVIRONMENT.keys()
    assert terms("environment") == prose.ENVIRONMENT
    assert set(VARIABLES.values()) < prose.ENVIRONMENT.keys()


def test_every_exit_status_and_every_code_is_explained() -> None:
    told = terms("exit-codes")

    assert told.keys() == CODES | {str(status) for status in endings()}
    assert all(told.values())


def test_every_name_of_a_column_is_told_with_its_field() -> None:
    told = terms("csv")

    assert tuple(told)[: len(FIELDS)] == FIELDS
    assert [name for name, field in ALIASES.items() if f"`{name}`" not in told[field]] == []
    assert [word for word in ADDING | REDEEMING if f"`{word}`" not in told["operation"]] == []
    assert [name for name in WITHOUT_COUNTERPART if f"`{name}`" not in whole("csv")] == []


def test_every_format_is_explained() -> None:
    assert terms("formats").keys() >= set(FORMATS)
    assert f"first {SHOWN_ROWS} rows" in terms("formats")["table"]


@pytest.mark.parametrize("name", SUMMARIES)
def test_what_a_topic_names_is_there(name: str) -> None:
    known = {flag for command in TREE.every_command() for option in command.options for flag in option.names}
    known |= {flag for option in TREE.common for flag in option.names}
    paths = {" ".join(command.path) for command in TREE.every_command()}
    said = whole(name)

    assert [flag for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", said) if flag not in known] == []
    named = re.findall(r"(?:`|\$ )rpctl ([a-z]+)(?: ([a-z]+))?", said)
    assert [words for words in named if words[0] not in paths] == []
    nouns = {command.name for command in TREE.root.commands if command.commands}
    assert [words for words in named if words[0] in nouns and " ".join(words).strip() not in paths] == []
    assert [words[1] for words in named if words[0] == "help" and words[1] not in ("", "exit", *SUMMARIES)] == []
    assert [
        code for code in re.findall(r"`([a-z]+_[a-z_]+)`", said) if code not in CODES | {*FIELDS, "error_code"}
    ] == []


@pytest.mark.parametrize("name", SUMMARIES)
def test_what_is_said_ends_like_a_sentence(name: str) -> None:
    prose_of = [text for block in topic(name).blocks for text in texts(block)[1:] if isinstance(block, Term)]
    prose_of += [block.text for block in topic(name).blocks if isinstance(block, Paragraph)]

    assert [text for text in prose_of if text[-1] not in ".:" or "  " in text] == []


def test_the_readme_tells_the_same_variables() -> None:
    readme = (SOURCE.parents[1] / "README.md").read_text(encoding="utf-8")

    assert [name for name in prose.ENVIRONMENT if name.startswith("RPCTL_") and f"`{name}`" not in readme] == []


def test_values_are_written_as_it_is_told() -> None:
    told = terms("values")
    when = re.findall(r"`([^`]+)`", told["WHEN"])

    assert f"to {values.MAX_POINTS}," in told["POINTS"]
    assert f"Up to {values.MAX_ID_LENGTH} characters" in told["CUSTOMER, ORDER, CODE, ID, KEY"]
    assert f"Up to {values.MAX_TEXT_LENGTH:,} characters" in told["TEXT"]
    assert len([values.parse_when(text) for text in when]) == 6
    assert values.parse_decimal("29.33", "amount")
    with pytest.raises(errors.InvalidValue):
        values.parse_id("1.2E+11")
