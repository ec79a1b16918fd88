"""`rpctl help`: topics and the help of commands, as text and as JSON, even where the settings are broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rpctl.cli.app import ALONE, NOUNS
from rpctl.manual.blocks import Lines
from rpctl.manual.topics import SUMMARIES
from rpctl.manual.topics import topic as told

if TYPE_CHECKING:
    from conftest import CommandLine


def test_alone_it_lists_the_topics(rpctl: CommandLine) -> None:
    lines = rpctl.ok("help").splitlines()

    assert [line.split()[0] for line in lines if line.startswith("  ")][: len(SUMMARIES)] == list(SUMMARIES)


@pytest.mark.parametrize("topic", SUMMARIES)
@pytest.mark.parametrize("columns", [50, 80, 120])
def test_a_topic_is_as_wide_as_the_terminal(topic: str, columns: int, rpctl: CommandLine) -> None:
    printed = rpctl.ok("help", topic, COLUMNS=str(columns))

    copied = {line for block in told(topic).blocks if isinstance(block, Lines) for line in block.lines}
    prose = [line for line in printed.splitlines() if line.strip() not in copied]
    assert printed.isascii()
    assert printed.endswith("\n")
    assert not printed.endswith("\n\n")
    assert columns - 12 < max(map(len, prose)) <= columns
    assert copied <= {line.strip() for line in printed.splitlines()}


def test_in_a_pipe_it_is_80_columns_wide(rpctl: CommandLine) -> None:
    assert rpctl.ok("help", "keys") == rpctl.ok("help", "keys", COLUMNS="80")


@pytest.mark.parametrize("topic", SUMMARIES)
def test_json_has_the_topic_and_its_text(topic: str, rpctl: CommandLine) -> None:
    document = json.loads(rpctl.ok("help", topic, "-o", "json"))

    assert document == {"schema": "rpctl.help/1", "topic": topic, "text": rpctl.ok("help", topic)}


def test_json_has_the_list_of_topics(rpctl: CommandLine) -> None:
    document = json.loads(rpctl.ok("help", "-o", "json"))

    assert document["schema"] == "rpctl.help-topics/1"
    assert [topic["topic"] for topic in document["topics"]] == list(SUMMARIES)


@pytest.mark.parametrize("words", ["points", "points add", "points import", "config", "help", "completion"])
def test_a_command_s_help_is_the_one_that_it_shows_itself(words: str, rpctl: CommandLine) -> None:
    shown = rpctl.ok(*words.split(), "--help")

    assert rpctl.ok("help", *words.split()) == shown
    document = json.loads(rpctl.ok("help", *words.split(), "-o", "json"))
    assert document == {"schema": "rpctl.help/1", "topic": words, "text": shown}


def test_no_topic_is_called_like_a_command() -> None:
    assert SUMMARIES.keys() & (NOUNS.keys() | ALONE.keys()) == set()


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("tea", "There is no topic and no command 'tea'.", ", ".join(SUMMARIES)),
        ("points brew", "`rpctl points` has no command 'brew'.", "`rpctl points --help`"),
        ("points add C1", "`rpctl points add` has nothing below it, so no 'C1'.", "Leave that out."),
        ("csv points", "The topic csv has nothing below it, so no 'points'.", "Leave that out."),
    ],
)
def test_what_is_not_there_is_a_usage_error(words: str, message: str, hint: str, rpctl: CommandLine) -> None:
    ended = rpctl("help", *words.split())

    first, second = ended.err.splitlines()
    assert (ended.status, ended.out) == (2, "")
    assert first == f"error: {message}"
    assert hint in second


def test_help_is_there_where_the_configuration_is_broken(rpctl: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[[", encoding="utf-8")

    assert rpctl("points", "balance", "C1", RPCTL_CONFIG="broken.toml").status == 7
    for words in ((), ("environment",), ("profile", "create")):
        assert rpctl("help", *words, RPCTL_CONFIG="broken.toml").status == 0


def test_help_touches_no_ledger(rpctl: CommandLine, home: Path) -> None:
    for words in (("help",), ("help", "csv"), ("help", "points", "add"), ("commands",), ("completion", "zsh")):
        rpctl.ok(*words)

    assert list(home.rglob("*")) == []
