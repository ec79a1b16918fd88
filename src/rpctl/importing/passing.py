"""One way through a file's rows: planned, handed to the backend, counted in the file's order.

The backend may take rows long before it settles those before them; what is not settled yet waits here with its
line and cells, since a refused row goes to the rejects file as it stood.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from rpctl.backends.port import Applies, Batch
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Withheld, is_refusal
from rpctl.errors import InvalidFile, KeyReused
from rpctl.importing.journal import OwnRows
from rpctl.importing.plan import Planned, Planner, Reject
from rpctl.importing.reader import Source
from rpctl.importing.rejects import RejectsFile
from rpctl.importing.report import Report

if TYPE_CHECKING:
    from rpctl.domain.redeem_options import Document

BATCH_ROWS: Final = 1_000
"""Rows that are planned at a time. More of them at once only fall out of the processor's caches."""

_CHANGES: Final = {AddPoints, RedeemPoints}

LIMITED_ROWS: Final = 5_000
"""Rows of one transaction at most where the number of errors is limited."""


class Rows(NamedTuple):
    """Where the rows of a pass come from and what is left of them: ``total`` rows of ``source``; ``max_errors``:
    the pass ends when that many are refused, None: never."""

    source: Source
    planner: Planner
    total: int
    rejects: RejectsFile
    max_errors: int | None


@dataclass(slots=True)
class _Piece:
    """Some rows that were planned together: which row of the file the first is, their lines, cells and what becomes of
    them; ``settled``: so many of them are counted; ``are_changes``: all of them are."""

    ordinal: int
    lines: Sequence[int]
    rows: list[list[str]]
    planned: list[Planned]
    settled: int = 0
    are_changes: bool = False

    def __post_init__(self) -> None:
        self.are_changes = set(map(type, self.planned)) <= _CHANGES

    def add_to(self, batch: Batch) -> None:
        """Hands over those that the backend decides."""
        if self.are_changes:
            batch += cast("list[AddPoints | RedeemPoints]", self.planned)
            batch.lines += self.lines
            return
        for line, planned in zip(self.lines, self.planned, strict=True):
            if isinstance(planned, AddPoints | RedeemPoints):
                batch.append(planned)
                batch.lines.append(line)


class Pass:
    """One way through the rows, on the backend itself or on a rehearsal. ``report`` is what it counts in.

    ``own``: what the run had applied before it goes on; ``strict``: the pass ends where a row is refused, and what the
    backend settles together with it is not applied; ``record``: the report to be kept with what is applied next,
    None: not yet; ``on_progress``: how many rows are settled.
    """

    def __init__(
        self,
        rows: Rows,
        report: Report,
        on_progress: Callable[[int], None],
        *,
        own: OwnRows | None = None,
        strict: bool = False,
        record: Callable[[], Document | None] | None = None,
    ) -> None:
        self._rows = rows
        self._report = report
        self._on_progress = on_progress
        self._own = own
        self._strict = strict
        self._record = record
        self._is_atomic = True
        self._waiting: deque[_Piece] = deque()
        self._rejects_waiting = 0

    def go(self, backend: Applies) -> None:
        """Every row in the file's order, until there are too many errors, or in a strict pass one."""
        self._is_atomic = backend.is_atomic
        quick = _no_search_for_garbage() if backend.is_atomic else nullcontext()
        with quick, closing(self._settled(backend)) as settled:
            for outcomes in settled:
                self._settle(outcomes)
            if self._report.overtaken_at_line is None:
                self._settle(())

    def _settled(self, backend: Applies) -> Generator[Sequence[Outcome]]:
        if self._rows.max_errors is None:
            batches = self._batches(BATCH_ROWS)
            yield from backend.apply_batches(
                batches, run=self._report.run, all_or_nothing=self._strict, record=self._record
            )
            return
        for changes in self._batches(LIMITED_ROWS):  # each settled before the next is planned: it may be the last
            run = self._report.run
            if changes:
                yield backend.apply(changes, run=run, entries=False, all_or_nothing=self._strict, record=self._record)

    def _batches(self, most: int) -> Iterator[Batch]:
        rows, limited = self._rows, self._rows.max_errors is not None
        changes = Batch()
        ordinal, planned_rows, size = 1, 0, self._size(most)
        for lines, cells in rows.source.blocks():
            at = 0
            while at < len(cells):
                end = at + size - planned_rows
                if limited:  # no more than could reach the limit, so that the last of them is the one that does
                    end = min(end, at + self._errors_left())
                piece = self._plan(ordinal, lines[at:end], cells[at:end])
                if piece.ordinal + len(piece.rows) - 1 > rows.total:
                    raise InvalidFile(f"{rows.source.name} grew while it was read.", "Run the command again.")
                piece.add_to(changes)
                at, ordinal, planned_rows = end, ordinal + len(piece.rows), planned_rows + len(piece.rows)
                if planned_rows >= size or (limited and not self._errors_left()):
                    self._settle(())  # what waits for nothing: a file may be all wrong
                    yield changes
                    if limited and not self._errors_left():
                        self._report.stopped_at_line = piece.lines[-1] if ordinal <= rows.total else None
                        return
                    changes, planned_rows, size = Batch(), 0, self._size(most)
        if changes:
            yield changes

    def _plan(self, ordinal: int, lines: Sequence[int], cells: list[list[str]]) -> _Piece:
        rows = self._rows
        piece = _Piece(ordinal, lines, cells, rows.planner.plan_all(cells, ordinal))
        if not piece.are_changes:
            rejects = sum(type(planned) is Reject for planned in piece.planned)
            self._rejects_waiting += rejects
            if rejects and self._strict:  # the rehearsal found none
                raise InvalidFile(f"{rows.source.name} was changed while it was read.", "Run the command again.")
        self._waiting.append(piece)
        return piece

    def _size(self, most: int) -> int:
        # With a limit on errors a batch is at most as long as refusals are left, so that the run stops at the
        # very row; in a longer file it may overshoot by a tenth of what is done, or one row a time would crawl.
        limit = self._rows.max_errors
        return most if limit is None else min(most, max(limit - self._report.refused, self._report.rows // 10))

    def _errors_left(self) -> int:
        """How many more rows may be refused; only where there is a limit."""
        assert self._rows.max_errors is not None
        return max(self._rows.max_errors - self._report.refused - self._rejects_waiting, 0)

    # -- counting --------------------------------------------------------------------------------------

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Counts the rows up to the last of the outcomes, and those after it that needed none."""
        report, waiting = self._report, self._waiting
        if self._strict and self._is_atomic and any(map(is_refusal, outcomes)):
            report.overtaken_at_line = waiting[0].lines[waiting[0].settled]
        decided = 0
        while waiting:
            piece = waiting[0]
            before = piece.settled
            some = outcomes[decided : decided + len(piece.rows) - before]
            if self._all_applied(piece, some):
                decided += len(some)
            else:
                decided += self._settle_singly(piece, some)
            report.rows += piece.settled - before
            if piece.settled < len(piece.rows):
                break
            waiting.popleft()
        self._on_progress(report.rows)

    @property
    def _is_void(self) -> bool:
        """Whether what is settled now would have been applied, had nothing of it been refused."""
        return self._is_atomic and self._report.overtaken_at_line is not None

    def _settle_singly(self, piece: _Piece, outcomes: Sequence[Outcome]) -> int:
        """Counts rows of a piece as far as outcomes are there for them: how many of these it took."""
        decided = 0
        for at in range(piece.settled, len(piece.rows)):
            planned = piece.planned[at]
            if isinstance(planned, AddPoints | RedeemPoints):
                if decided == len(outcomes):
                    break
                self._count(piece, at, planned, outcomes[decided])
                decided += 1
            elif isinstance(planned, Reject):
                self._rejects_waiting -= 1
                self._refuse(piece, at, planned.code, planned.message)
            else:
                self._report.skipped += 1
            piece.settled = at + 1
        return decided

    def _all_applied(self, piece: _Piece, outcomes: Sequence[Outcome]) -> bool:
        """Counts outcomes that are all the same for rows that are all changes, as most are; False: they are not."""
        if not piece.are_changes or self._is_void:
            return False
        if set(map(type, outcomes)) != {Applied}:
            return False
        applied = cast("Sequence[Applied]", outcomes)
        planned = piece.planned[piece.settled : piece.settled + len(applied)]
        redeemed = 0
        if RedeemPoints in map(type, planned):
            redeemed = sum(
                one.points for one, change in zip(applied, planned, strict=True) if type(change) is RedeemPoints
            )
        self._report.applied += len(applied)
        self._report.expired_on_arrival += sum([one.expired_on_arrival for one in applied])
        self._report.points_redeemed += redeemed
        self._report.points_added += sum([one.points for one in applied]) - redeemed
        piece.settled += len(applied)
        return True

    def _count(self, piece: _Piece, at: int, change: AddPoints | RedeemPoints, outcome: Outcome) -> None:
        report = self._report
        if isinstance(outcome, Applied):
            if self._is_void:
                return  # it would have been
            report.applied += 1
            report.expired_on_arrival += outcome.expired_on_arrival
            self._sum(change, outcome.points)
        elif isinstance(outcome, AlreadyApplied):
            recorded = outcome.recorded
            # Over a service what is recorded may be of this very pass: only the row's own record is from before.
            is_own = recorded is not None and (self._is_atomic or recorded.position == piece.lines[at])
            if recorded is not None and is_own and self._own is not None and self._own.count(recorded):
                report.applied += 1
                report.expired_on_arrival += recorded.expired_on_arrival
                self._sum(change, recorded.points)
            else:
                report.already_applied += 1
        elif isinstance(outcome, Withheld):
            report.waiting += 1
        elif not isinstance(outcome, Refused):
            report.unknown += 1
        elif is_refusal(outcome):
            reused = None
            if isinstance(outcome.error, KeyReused) and not outcome.error.is_elsewhere:
                reused = self._rows.planner.reused(piece.rows[at], change.key, piece.ordinal + at)
            self._refuse(piece, at, outcome.error.code, reused or outcome.error.message)
            if self._strict and report.overtaken_at_line is None:
                report.overtaken_at_line = piece.lines[at]
        else:
            report.skipped += 1

    def _sum(self, change: AddPoints | RedeemPoints, points: int) -> None:
        if isinstance(change, AddPoints):
            self._report.points_added += points
        else:
            self._report.points_redeemed += points

    def _refuse(self, piece: _Piece, at: int, code: str, message: str) -> None:
        self._report.refused += 1
        row = piece.rows[at]
        key, _ = self._rows.planner.plan(row, piece.ordinal + at)
        self._rows.rejects.write(piece.lines[at], row, key, code, message)


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """Millions of rows come and go and none of them refers to itself: looking for such doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
