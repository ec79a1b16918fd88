"""What an import run came to: counts, and the document made of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rpctl.domain.values import Instant

SCHEMA: Final = "rpctl.import-report/1"


def name_as_text(path: str | Path) -> str:
    """A file's name as text that can be written anywhere: bytes in it that are no UTF-8 as ``\\x`` escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


@dataclass(slots=True)
class Report:
    """The counts of a run. Every row that was looked at is in one of ``applied``, ``already_applied``,
    ``skipped``, ``refused``, ``unknown`` and ``waiting``, unless a strict run did not apply it for another row's sake.

    ``run``: its id, None where nothing was recorded (a dry run, a strict run that applied nothing);
    ``unknown``: sent, and no answer settles whether they are in; ``waiting``: not sent, because an earlier row of the
    customer is unknown or the run was stopped;
    ``skipped``: order values that earn no whole point, and balances of 0; ``expired_on_arrival``: those of the
    applied whose validity was over already; ``stopped_at_line``: the line after which ``max_errors`` ended the run;
    ``overtaken_at_line``: the line from which on a strict run applied nothing, or on a service sent nothing more,
    because others changed the points after its rehearsal and a row was refused that had passed;
    ``started_at``, ``ended_at``: milliseconds since 1970; ``rejects_file``: None where nothing was refused;
    ``applied_before``: rows that the run had applied when it was gone on with (they are among ``applied`` once they
    are looked at again), ``worked_before_ms``: how long it had taken for that.
    """

    file: str
    started_at: Instant
    run: str | None = None
    dry_run: bool = False
    rows: int = 0
    applied: int = 0
    already_applied: int = 0
    skipped: int = 0
    expired_on_arrival: int = 0
    refused: int = 0
    unknown: int = 0
    waiting: int = 0
    points_added: int = 0
    points_redeemed: int = 0
    ended_at: Instant | None = None
    rejects_file: Path | None = None
    stopped_at_line: int | None = None
    overtaken_at_line: int | None = None
    applied_before: int = 0
    worked_before_ms: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every row was looked at and is settled."""
        is_stopped = self.stopped_at_line is not None or self.overtaken_at_line is not None
        return not (is_stopped or self.unknown or self.waiting)

    @property
    def applied_at_least(self) -> int:
        """How many rows are in from this run, as far as it knows in its middle."""
        return max(self.applied, self.applied_before)

    @property
    def exit_status(self) -> int:
        """0, 3 where rows were refused, 8 where the outcome of some is unknown."""
        if self.unknown:
            return 8
        return 3 if self.refused else 0

    def document(self) -> dict[str, Any]:
        """``rpctl.import-report/1``: JSON values; ``durationS`` in seconds, ``rowsPerS`` whole rows a second."""
        duration_ms = max((self.ended_at or self.started_at) - self.started_at, 0) + self.worked_before_ms
        return {
            "schema": SCHEMA,
            "run": self.run,
            "file": self.file,
            "dryRun": self.dry_run,
            "rows": self.rows,
            "applied": self.applied,
            "alreadyApplied": self.already_applied,
            "skipped": self.skipped,
            "expiredOnArrival": self.expired_on_arrival,
            "refused": self.refused,
            "unknown": self.unknown,
            "waiting": self.waiting,
            "pointsAdded": self.points_added,
            "pointsRedeemed": self.points_redeemed,
            "durationS": duration_ms / 1000,
            "rowsPerS": self.rows * 1000 // max(duration_ms, 1),
            "rejectsFile": None if self.rejects_file is None else name_as_text(self.rejects_file),
        }

    def nothing_applied(self) -> None:
        """Takes back the counts of what a rehearsal applied."""
        self.applied = self.expired_on_arrival = self.points_added = self.points_redeemed = 0
