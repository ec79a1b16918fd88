"""Stories: scripts that are read as documentation and run as tests, each in an empty home with the real program.

A ``.story`` file holds

- prose: lines that begin with ``#``;
- commands: lines that begin with ``$ ``, gone on with in lines that begin with ``> ``; one bash runs them all;
- below each command what it prints, stdout and stderr together, line by line. ``<word>`` stands for anything
  within a line (ids, times), a line ``...`` for any number of lines, and ``[6]`` as the last line is an exit
  status other than 0.

``data/`` beside the script holds the files of ``tests/data``; the home directory is shown as ``~``, the script's
own as ``<folder>``. After a wanted change ``pytest tests/stories --golden-write`` writes anew what commands print;
lines that still match stay as they are. Read the diff.
"""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
DATA: Final = HERE.parent / "data"
STORIES: Final = sorted(HERE.glob("*.story"))
_MARK: Final = "--- status "
_ANYTHING: Final = re.compile(r"<[a-z][a-z -]*>")


@dataclass
class Step:
    """A command with the prose before it and what it is to print."""

    prose: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def text(self) -> list[str]:
        """The lines of the story."""
        first, *more = self.command or [None]
        typed = [] if first is None else [f"$ {first}", *(f"> {line}".rstrip() for line in more)]
        return [*self.prose, *typed, *self.expected]


def steps(text: str) -> list[Step]:
    """A story's commands; prose after the last one makes a step without a command."""
    found = [Step()]
    for line in text.splitlines():
        step = found[-1]
        if line.startswith("$ "):
            if step.command:
                found.append(step := Step())
            step.command.append(line[2:])
        elif step.command and not step.expected and (line.startswith("> ") or line == ">"):
            step.command.append(line[2:])
        elif line.startswith("#") or (not line and not step.command):
            if step.command:
                found.append(step := Step())
            step.prose.append(line)
        else:
            step.expected.append(line)
    for step, following in pairwise(found):  # empty lines before prose belong to it
        while step.expected and not step.expected[-1]:
            following.prose.insert(0, step.expected.pop())
    while found[-1].expected and not found[-1].expected[-1]:
        found[-1].expected.pop()
    return found


def run(shell: Callable[..., object], folder: Path, home: Path, script: Sequence[Step]) -> Iterator[list[str]]:
    """What each command printed, its exit status in the last line where it is not 0."""
    told = folder / ".story"
    told.mkdir()
    lines = ["exec 2>&1 </dev/null"]
    for at, step in enumerate(script):
        (told / str(at)).write_text("\n".join(step.command) + "\n", encoding="utf-8")
        lines.append(f". .story/{at}; printf '\\n%s%s\\n' '{_MARK}' $?")
    (told / "all").write_text("\n".join(lines) + "\n", encoding="utf-8")
    printed = shell(". .story/all").out  # type: ignore[attr-defined]
    for _ in script:
        output, mark, printed = printed.partition(f"\n{_MARK}")
        status, _, printed = printed.partition("\n")
        output = output.replace(str(home), "~").replace(str(folder), "<folder>")
        yield [*output.splitlines(), *([] if status == "0" else [f"[{status}]" if mark else "[the shell ended]"])]


def matches(expected: str, actual: str) -> bool:
    """Whether a printed line is what the story says."""
    if expected == actual:
        return True
    parts = [re.escape(part) for part in _ANYTHING.split(expected)]
    return len(parts) > 1 and re.fullmatch(".*?".join(parts), actual) is not None


def told(expected: Sequence[str], actual: Sequence[str]) -> list[str]:
    """What was printed in the story's own words: lines that match as the story has them, the others as they came."""
    if "..." in expected:
        at = expected.index("...")
        head, tail = expected[:at], expected[at + 1 :]
        rest = actual[len(actual) - len(tail) :] if tail else []
        whole = [*told(head, actual[:at]), "...", *told(tail, rest)]
        return whole if whole == list(expected) and len(actual) >= len(head) + len(tail) else list(actual)
    if len(expected) == len(actual):
        return [line if matches(line, came) else came for line, came in zip(expected, actual, strict=True)]
    unused = list(expected)
    words = []
    for came in actual:
        line = next((line for line in unused if matches(line, came)), came)
        words.append(line)
        if line in unused:
            unused.remove(line)
    return words


def blurred(line: str) -> str:
    """A printed line with what differs from run to run (ids, keys, today) as placeholders of the same width."""
    if line.startswith(("$", ">", "#")):
        return line
    day = rf"\b\d{{4}}{datetime.now(UTC):-%m-%d}"
    for pattern, name in (
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
        (rf"{day}T\d\d:\d\d:\d\d\.\d{{3}}Z", "<when>"),
        (rf"{day} \d\d:\d\d\b", "<a day and time>"),
        (r"(?<=SPRING-)[A-Z2-9]{10}\b", "<code>"),
        (r"(?<=  )[0-9a-f]{8}\b", "<its id>"),
        (r"\b[0-9a-f]{8}:", "<its id>:"),
        (r"(?<=key )[0-9a-f]{24}\b", "<key>"),
        (r"\b[0-9a-f]{24}\b", "<id>"),
        (r"(?<=\"run\": \")[0-9a-f]{12}\b", "<run>"),
        (r"(?<=S\": )[\d.]+", "<number>"),
    ):
        line = re.sub(pattern, name, line)
    return line


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_story(
    story: Path, shell: Callable[..., object], tmp_path: Path, home: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    text = story.read_text(encoding="utf-8")
    script = steps(text)

    outputs = list(run(shell, tmp_path, home, [step for step in script if step.command]))
    for step, output in zip((step for step in script if step.command), outputs, strict=True):
        step.expected = told(step.expected, output)
    came = "".join(f"{line}\n" for step in script for line in step.text())

    if request.config.getoption("--golden-write"):
        story.write_text("".join(map(blurred, came.splitlines(keepends=True))), encoding="utf-8")
    elif came != text:
        difference = difflib.unified_diff(
            text.splitlines(), came.splitlines(), story.name, "what was printed", n=4, lineterm=""
        )
        pytest.fail("\n".join(difference), pytrace=False)


def test_there_are_stories() -> None:
    assert len(STORIES) >= 9


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a <id> c"], ["a 12-34 c"], True),
        (["a <id> c"], ["a 12-34 d"], False),
        (["1", "...", "9"], ["1", "2", "3", "9"], True),
        (["1", "..."], ["2", "3"], False),
        (["1", "...", "2"], ["1"], False),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["a"], ["a", "[6]"], False),
        (["a", "[6]"], ["a"], False),
        ([], [], True),
    ],
)
def test_a_story_notices_every_difference(expected: list[str], actual: list[str], same: bool) -> None:
    assert same == (told(expected, actual) == expected)


def test_a_story_is_written_as_it_was_read() -> None:
    for story in STORIES:
        text = story.read_text(encoding="utf-8")
        assert text.splitlines() == [line for step in steps(text) for line in step.text()], story.name
