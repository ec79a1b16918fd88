"""Undoes an import run: reverses what it applied, from the latest entry back, and tells what could not be had back.

What it came to is read from the ledger at the end, added up by customer and reason: memory grows with the number of
customers, not with the rows, and a kill and the same command leave the same report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rpctl.domain.values import Instant
from rpctl.errors import RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import KeptRun, RunEntries, UndoableRuns, Undone
    from rpctl.importing.options import Listener

SCHEMA: Final = "rpctl.undo-report/1"
TAKEN_BACK: Final = "taken_back"
GIVEN_BACK: Final = "given_back"
SPENT: Final = "spent"
EXPIRED: Final = "expired"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"


@dataclass(slots=True)
class UndoReport:
    """What an undo came to. Each of the buckets ``reversed``, ``kept`` and ``failed`` is a list of customers with
    points and a reason: ``taken_back`` or ``given_back``; ``spent`` or ``expired``; ``refused`` or ``unknown``.

    ``entries``: those of the run that are there; ``reversed_before``: those among them that something else had
    reversed; ``deleted``: those that went with deleted customers, where that is known; instants in milliseconds.
    """

    run: str
    file: str
    started_at: Instant
    dry_run: bool
    there: RunEntries
    deleted: int
    reversed: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    ended_at: Instant | None = None

    @property
    def exit_status(self) -> int:
        """0, 3 where something could not be had back, 8 where that is not known of something."""
        if self.unknown:
            return 8
        return 3 if self.kept or self.failed else 0

    @property
    def unknown(self) -> int:
        """Points of which cannot be told whether they are reversed: the undoing has not ended."""
        return _points(self.failed, UNKNOWN)

    def counts(self) -> dict[str, Any]:
        """``rpctl.undo-report/1`` without its buckets."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "file": self.file,
            "dryRun": self.dry_run,
            "entries": self.there.entries,
            "entriesReversed": self.there.reversed,
            "entriesReversedBefore": self.there.reversed_before,
            "entriesDeleted": self.deleted,
            "pointsTakenBack": _points(self.reversed, TAKEN_BACK),
            "pointsGivenBack": _points(self.reversed, GIVEN_BACK),
            "pointsSpent": _points(self.kept, SPENT),
            "pointsExpired": _points(self.kept, EXPIRED),
            "durationS": max((self.ended_at or self.started_at) - self.started_at, 0) / 1000,
        }

    def document(self) -> dict[str, Any]:
        """``rpctl.undo-report/1``: JSON values; ``durationS`` in seconds."""
        return {**self.counts(), "reversed": self.reversed, "kept": self.kept, "failed": self.failed}

    def sort(self, undone: Iterable[Undone]) -> None:
        """Fills the buckets, in the customers' order."""
        for one in undone:
            for bucket, points, reason in (
                (self.reversed, one.taken_back, TAKEN_BACK),
                (self.reversed, one.given_back, GIVEN_BACK),
                (self.kept, one.spent, SPENT),
                (self.kept, one.expired, EXPIRED),
                (self.failed, one.refused, REFUSED),
                (self.failed, one.unknown, UNKNOWN),
            ):
                if points:
                    bucket.append({"customerId": one.customer_id, "points": points, "reason": reason})


def report_of(kept: KeptRun, runs: UndoableRuns, clock: Callable[[], Instant], *, dry_run: bool = False) -> UndoReport:
    """How far the undoing of a run has come, before and after it: without buckets."""
    there = runs.run_entries(kept.run)
    deleted = 0 if kept.finished_at is None else max(kept.report["applied"] - there.entries, 0)
    return UndoReport(kept.run, kept.file, clock(), dry_run, there, deleted)


def undo_run(
    kept: KeptRun, runs: UndoableRuns, clock: Callable[[], Instant], listener: Listener, *, dry_run: bool = False
) -> UndoReport:
    """Reverses what is not reversed yet of all that the run applied. The caller holds the claim on its file.

    ``runs``: with ``dry_run`` those of a rehearsal. An entry that something else reversed is left alone. Raises the
    backend's errors, and KeyboardInterrupt: the same again goes on.
    """
    report = report_of(kept, runs, clock, dry_run=dry_run)
    total = report.there.entries - report.there.reversed - report.there.reversed_before
    done = 0
    try:
        for looked_at in runs.undo(kept.run, clock()):
            done += looked_at
            listener.on_progress("undoing", done, total)
    except RpctlError as error:
        error.details |= {"run": kept.run, "entries": done}
        raise
    except KeyboardInterrupt:
        if done:
            listener.on_note(f"At least {done:,} entries of run {kept.run} were looked at and reversed.")
        raise
    report.there = runs.run_entries(kept.run)
    report.sort(runs.undone(kept.run))
    report.ended_at = clock()
    if not report.unknown:
        runs.finish_undo(kept.run, report.ended_at, report.counts())
    return report


def _points(bucket: list[dict[str, Any]], reason: str) -> int:
    return sum(one["points"] for one in bucket if one["reason"] == reason)
