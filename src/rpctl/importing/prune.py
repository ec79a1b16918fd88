"""Removes the personal text that import runs keep: copies of what was piped in, paths, options, undo reports.

The digests, generations and counts of a run stay: they are what keeps its file from counting twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpctl.domain.values import Instant, format_instant
from rpctl.errors import ImportUnderWay
from rpctl.importing.request import request_of

if TYPE_CHECKING:
    from rpctl.backends.port import ImportRuns, KeptRun


@dataclass(frozen=True, slots=True)
class Pruned:
    """A run with something to remove; ``copy``: our copy of what was piped into it, ``copy_bytes`` its size."""

    run: KeptRun
    copy: Path | None
    copy_bytes: int

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "run": self.run.run,
            "file": self.run.file,
            "startedAt": format_instant(self.run.started_at),
            "finishedAt": None if self.run.finished_at is None else format_instant(self.run.finished_at),
            "copyBytes": self.copy_bytes,
        }


def prunable(runs: ImportRuns, before: Instant, *, unfinished: bool) -> list[Pruned]:
    """The runs that ended by that moment and keep something; with ``unfinished`` also those that began by it and were
    stopped."""
    found = []
    for earlier in runs.earlier_runs():
        kept = runs.kept_run(earlier.run)
        ends = [at for at in (kept.finished_at, kept.undo_begun_at, kept.undone_at) if at is not None]
        stopped = kept.undone_at is None and (kept.finished_at is None or kept.undo_begun_at is not None)
        if (kept.request is None and kept.undo is None) or max(ends, default=kept.started_at) > before:
            continue
        if unfinished or not stopped:
            found.append(_pruned(kept))
    return found


def remove(runs: ImportRuns, pruned: Pruned) -> bool:
    """Removes what is kept of one; False where a process is at work on it. Raises `OSError`."""
    try:
        with runs.claim(pruned.run.content.digest, wait=False):
            if pruned.copy is not None:
                pruned.copy.unlink(missing_ok=True)
            runs.forget_request(pruned.run.run)
    except ImportUnderWay:
        return False
    return True


def _pruned(kept: KeptRun) -> Pruned:
    request = None if kept.request is None else request_of(kept.request)
    if request is None or not request.spooled or request.path is None or not request.path.exists():
        return Pruned(kept, None, 0)
    return Pruned(kept, request.path, request.path.stat().st_size)
