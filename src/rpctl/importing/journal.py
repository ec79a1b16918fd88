"""Which run an import is: a new one, or an unfinished one that it goes on with; and which rows are that run's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

from rpctl.backends.port import EarlierRun, ImportRuns
from rpctl.domain.outcomes import Recorded
from rpctl.domain.values import format_instant
from rpctl.errors import AlreadyImported, ImportUnderWay
from rpctl.importing.content import Content
from rpctl.importing.overlap import share_of

MOST_ROWS: Final = 0.5
"""If a larger share of a file's rows is in from an earlier run under other keys, the import is refused."""

_PAGE: Final = 1 << 15  # places in one page of the marks below: 4 KiB


class Chosen(NamedTuple):
    """The generation of the file's keys, and the unfinished run to go on with (None: a new one)."""

    generation: int
    run: EarlierRun | None


def choose_run(content: Content, keys: str, *, again: bool, runs: ImportRuns, name: str) -> Chosen:
    """What the import of a file is to be, in view of the runs so far. Raises `AlreadyImported`.

    A stopped run of the same file is gone on with first, even with ``again``: or what it applied would count twice.
    What was undone counts anew only with ``again``. ``keys``: where the keys come from, `Columns.keys`. Rows that
    are in under keys of another origin count for rows of another file, even in the same one; rows under keys that
    were given or taken from the same columns are told by their keys, however many of them are in.
    """
    same: list[EarlierRun] = []
    others: list[EarlierRun] = []
    for earlier in runs.earlier_runs():
        known = earlier.content
        if (known.digest, known.keys) == (content.digest, keys):
            same.append(earlier)
        elif earlier.undone_at is None and (not keys or known.keys != keys):
            others.append(earlier)
    if same:
        return _of_same_file(same, again=again, name=name)
    if not again:
        for earlier in others:
            if earlier.finished and not earlier.applied:
                continue
            share = share_of(content.sample, earlier.content.sample)
            # What a killed run applied last is not in its report.
            if share > MOST_ROWS and (earlier.applied or runs.has_entries(earlier.run)):
                raise _in_already(share, earlier, name)
    return Chosen(0, None)


def _in_already(share: float, earlier: EarlierRun, name: str) -> AlreadyImported:
    """``share``: of the rows of the file, 0 to 1, those that are in the file of the earlier run too."""
    details: dict[str, Any] = {"run": earlier.run, "share": round(share, 4)}
    if earlier.finished:
        return AlreadyImported(
            f"{share:.0%} of the rows of {name} are in already, from import run {earlier.run} of {earlier.file}, under "
            "other keys; they would count twice.",
            **details,
        )
    return AlreadyImported(
        f"{share:.0%} of the rows of {name} are in {earlier.file} too, of which import run {earlier.run} applied some "
        "under other keys and has not finished; these would count twice.",
        f"`rpctl imports resume {earlier.run}` goes on with it; `rpctl imports undo {earlier.run}` takes back what it "
        "applied, and then this file counts.",
        **details,
    )


def _of_same_file(same: list[EarlierRun], *, again: bool, name: str) -> Chosen:
    latest = max(run.content.generation for run in same)
    current = [run for run in same if run.content.generation == latest]
    undone = next((run for run in current if run.undone_at is not None), None)
    if undone is not None and not again:
        raise _was_undone(undone, [run for run in current if run.undone_at is None and run.own], name)
    undoing = next((run for run in current if run.is_undoing), None)
    if again and undoing is not None:
        raise AlreadyImported(
            f"The undoing of import run {undoing.run} of {name} has not finished, so some of its rows still count.",
            f"`rpctl imports undo {undoing.run}` goes on with it; then --again takes every row for a new change.",
            run=undoing.run,
        )
    if again and (undone is not None or any(run.finished for run in current)):
        return Chosen(latest + 1, None)
    return Chosen(latest, next((run for run in current if not run.finished), None))


def _was_undone(undone: EarlierRun, still_counting: list[EarlierRun], name: str) -> AlreadyImported:
    assert undone.undone_at is not None
    hint = "--again takes every row for a new change."
    if still_counting:
        hint += f" Import run {still_counting[0].run} of the same file still counts: undo it first."
    at = format_instant(undone.undone_at)
    message = f"Import run {undone.run} of {name} was undone on {at[:10]}; nothing was applied."
    if undone.is_undoing:
        message = f"Import run {undone.run} of {name} is being undone since {at[:10]}; nothing was applied."
        hint = f"`rpctl imports undo {undone.run}` goes on with that. After it {hint}"
    return AlreadyImported(message, hint, run=undone.run, undoneAt=at)


@contextmanager
def claimed(
    runs: ImportRuns, content: bytes, name: str, *, wait: bool, on_note: Callable[[str], None]
) -> Iterator[None]:
    """Nobody else works on the file with this digest until the end of the context. ``name``: what it is called;
    ``wait``: for who does so now. Raises `ImportUnderWay`, which names the run."""
    with ExitStack() as claim:
        try:
            claim.enter_context(runs.claim(content, wait=False))
        except ImportUnderWay as error:
            latest = next((run.run for run in runs.earlier_runs() if run.content.digest == content), None)
            which = f"Import run {latest} of {name}" if latest else f"An import of {name}"
            by = f"another process (pid {error.details['pid']})" if "pid" in error.details else "another process"
            error.message = f"{which} is under way in {by}."
            error.details["run"] = latest
            if not wait:
                raise
            on_note(f"{error.message} Waiting for it.")
            claim.enter_context(runs.claim(content, wait=True))
        yield


class OwnRows:
    """The rows that a run had applied before it was gone on with. Each counts once, although a file may name a key
    twice; for that a bit is kept for every place in recording order among them.

    ``last_position``: the last place there was when the run was gone on with.
    """

    def __init__(self, run: str, last_position: int) -> None:
        self._run = run
        self._last_position = last_position
        self._pages: dict[int, bytearray] = {}

    def count(self, recorded: Recorded | None) -> bool:
        """Whether what is recorded is such a row, and counted for the first time."""
        if recorded is None or recorded.run != self._run or recorded.position > self._last_position:
            return False
        number, at = divmod(recorded.position, _PAGE)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(_PAGE // 8)
        byte, bit = at >> 3, 1 << (at & 7)
        if page[byte] & bit:
            return False
        page[byte] |= bit
        return True
