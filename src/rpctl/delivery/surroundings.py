"""The world that a delivery is told of: the time, how long to wait, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rpctl.backends.port import Unsettled
    from rpctl.domain.values import Instant

MAX_SENDINGS: Final = 6
"""So often a change that is proven not to be in is sent, each time only after that proof."""

AFTER_FAILURE_S: Final = 1.0
"""After a failure that the service itself owns up to, nothing is under way for longer."""


class Surroundings(NamedTuple):
    """The world of a delivery. ``clock``: now, in milliseconds since 1970; ``settle_s``: how long after it left a
    change may still arrive; ``note`` is told what takes long, ``warn`` what is to be looked at; ``reads_back``: whether
    the entry is wanted; ``ticks``: since when this machine runs, as text, and for how many milliseconds, whatever is
    done to its clock."""

    clock: Callable[[], Instant]
    sleep: Callable[[float], None]
    settle_s: float
    note: Callable[[str], None]
    warn: Callable[[str], None]
    reads_back: bool = True
    ticks: Callable[[], tuple[str, int]] = lambda: ("", 0)

    def stamp(self, ahead_ms: int = 0) -> tuple[Instant, str]:
        """Now, by the clock and by what no clock changes; ``ahead_ms``: what is stamped leaves up to so much later."""
        since, ran_ms = self.ticks()
        return self.clock() + ahead_ms, f"{since} {ran_ms + ahead_ms}" if since else ""

    def ago_s(self, at: Instant, ticks: str) -> float:
        """How long ago a stamp was made, rather too little than too much: clocks are set, and machines start anew."""
        ago_ms = self.clock() - at
        since, ran_ms = self.ticks()
        if since and ticks.startswith(f"{since} "):
            ago_ms = min(ago_ms, ran_ms - int(ticks.rpartition(" ")[2]))
        return max(ago_ms / 1000, 0.0)

    def left_s(self, lost: Unsettled) -> float:
        """How long what was sent may still arrive, when that was told; negative: no longer."""
        return (min(AFTER_FAILURE_S, self.settle_s) if lost.answered else self.settle_s) - lost.since_s

    def wait(self, lost: Unsettled) -> None:
        """Until what was sent can no longer arrive."""
        left_s = self.left_s(lost)
        if left_s > AFTER_FAILURE_S:
            self.note(f"{lost.message}; looking again in {left_s:.0f} s")
        if left_s > 0:
            self.sleep(left_s)
