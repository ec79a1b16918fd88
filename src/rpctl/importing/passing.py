"""One way through a file's rows: planned, handed to the backend, counted in the file's order.

The backend may take rows long before it settles those before them; what is not settled yet waits here with its
line and cells, since a refused row goes to the rejects file as it stood.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from rpctl.backends.port import Backend
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, is_refusal
from rpctl.errors import InvalidFile, KeyReused, RpctlError
from rpctl.importing.journal import OwnRows
from rpctl.importing.plan import Nothing, Planner, Reject
from rpctl.importing.reader import Source
from rpctl.importing.rejects import RejectsFile
from rpctl.importing.report import Report

if TYPE_CHECKING:
    from rpctl.domain.redeem_options import Document

BATCH_ROWS: Final = 1_000
"""Rows that are planned at a time. More of them at once only fall out of the processor's caches."""

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


class _Row(NamedTuple):
    line: int
    ordinal: int
    cells: list[str]
    key: str
    planned: AddPoints | RedeemPoints | Nothing | Reject


class Pass:
    """One way through the rows, on the backend itself or on a rehearsal. ``report`` is what it counts in.

    ``own``: what the run had applied before it goes on; ``strict``: of rows that are settled together none is
    applied where one is refused, and the pass ends; ``record``: the report to be kept with what is applied next,
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
        self._waiting: deque[_Row] = deque()
        self._rejects_waiting = 0

    def go(self, backend: Backend) -> None:
        """Every row in the file's order, until there are too many errors, or in a strict pass one."""
        with _no_search_for_garbage(), closing(self._settled(backend)) as settled:
            for outcomes in settled:
                self._settle(outcomes)
            if self._report.overtaken_at_line is None:
                self._settle(())

    def _settled(self, backend: Backend) -> Generator[Sequence[Outcome]]:
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

    def _batches(self, most: int) -> Iterator[list[AddPoints | RedeemPoints]]:
        rows, waiting, limited = self._rows, self._waiting, self._rows.max_errors is not None
        plan, total = rows.planner.plan, rows.total
        changes: list[AddPoints | RedeemPoints] = []
        planned_rows, size = 0, self._size(most)
        for ordinal, (line, cells) in enumerate(rows.source.rows(), 1):
            key, planned = plan(cells, ordinal)
            waiting.append(_Row(line, ordinal, cells, key, planned))
            planned_rows += 1
            kind = type(planned)
            if kind is AddPoints or kind is RedeemPoints:
                changes.append(planned)  # type: ignore[arg-type]  # isinstance would tell, in thrice the time
            elif isinstance(planned, Reject):
                self._rejects_waiting += 1
                if self._strict:  # the rehearsal found none
                    raise InvalidFile(f"{rows.source.name} was changed while it was read.", "Run the command again.")
            if planned_rows >= size or (limited and self._too_many_errors()):
                if ordinal > total:
                    break
                self._settle(())  # what waits for nothing: a file may be all wrong
                yield changes
                if self._too_many_errors():
                    self._report.stopped_at_line = line if ordinal < total else None
                    return
                changes, planned_rows, size = [], 0, self._size(most)
        if planned_rows and waiting[-1].ordinal > total:
            raise InvalidFile(f"{rows.source.name} grew while it was read.", "Run the command again.")
        if changes:
            yield changes

    def _size(self, most: int) -> int:
        # With a limit on errors a batch is at most as long as refusals are left, so that the run stops at the
        # very row; in a longer file it may overshoot by a tenth of what is done, or one row a time would crawl.
        limit = self._rows.max_errors
        return most if limit is None else min(most, max(limit - self._report.refused, self._report.rows // 10))

    def _too_many_errors(self) -> bool:
        limit = self._rows.max_errors
        return limit is not None and self._report.refused + self._rejects_waiting >= limit

    # -- counting --------------------------------------------------------------------------------------

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Counts the rows up to the last of the outcomes, and those after it that needed none."""
        report, waiting = self._report, self._waiting
        if self._strict and any(map(is_refusal, outcomes)):
            report.overtaken_at_line = waiting[0].line
        before = len(waiting)
        decided = iter(() if self._all_applied(outcomes) else outcomes)
        while waiting:
            planned = waiting[0].planned
            if isinstance(planned, AddPoints | RedeemPoints):
                outcome = next(decided, None)
                if outcome is None:
                    break
                self._count(waiting.popleft(), planned, outcome)
            elif isinstance(planned, Reject):
                self._rejects_waiting -= 1
                self._refuse(waiting.popleft(), planned.code, planned.message)
            else:
                waiting.popleft()
                report.skipped += 1
        report.rows += before - len(waiting)
        self._on_progress(report.rows)

    def _all_applied(self, outcomes: Sequence[Outcome]) -> bool:
        """Counts outcomes that are all the same for rows that are all changes, as most are; False: they are not."""
        if self._report.overtaken_at_line is not None or set(map(type, outcomes)) != {Applied}:
            return False
        rows = list(islice(self._waiting, len(outcomes)))
        kinds = {type(row.planned) for row in rows}
        if not kinds <= {AddPoints, RedeemPoints}:
            return False
        applied = cast("Sequence[Applied]", outcomes)
        redeemed = 0
        if RedeemPoints in kinds:
            redeemed = sum(
                one.points for one, row in zip(applied, rows, strict=True) if type(row.planned) is RedeemPoints
            )
        self._report.applied += len(applied)
        self._report.expired_on_arrival += sum([one.expired_on_arrival for one in applied])
        self._report.points_redeemed += redeemed
        self._report.points_added += sum([one.points for one in applied]) - redeemed
        for _ in rows:
            self._waiting.popleft()
        return True

    def _count(self, row: _Row, change: AddPoints | RedeemPoints, outcome: Outcome) -> None:
        report = self._report
        if isinstance(outcome, Applied):
            if report.overtaken_at_line is not None:
                return  # it would have been
            report.applied += 1
            report.expired_on_arrival += outcome.expired_on_arrival
            self._sum(change, outcome.points)
        elif isinstance(outcome, AlreadyApplied):
            recorded = outcome.recorded
            if recorded is not None and self._own is not None and self._own.count(recorded):
                report.applied += 1
                report.expired_on_arrival += recorded.expired_on_arrival
                self._sum(change, recorded.points)
            else:
                report.already_applied += 1
        elif not isinstance(outcome, Refused):
            report.unknown += 1
        elif is_refusal(outcome):
            self._refuse(row, outcome.error.code, self._explained(row, outcome.error))
        else:
            report.skipped += 1

    def _sum(self, change: AddPoints | RedeemPoints, points: int) -> None:
        if isinstance(change, AddPoints):
            self._report.points_added += points
        else:
            self._report.points_redeemed += points

    def _explained(self, row: _Row, error: RpctlError) -> str:
        reused = self._rows.planner.reused(row.cells, row.key, row.ordinal) if isinstance(error, KeyReused) else None
        return reused or error.message

    def _refuse(self, row: _Row, code: str, message: str) -> None:
        self._report.refused += 1
        self._rows.rejects.write(row.line, row.cells, row.key, code, message)


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
