"""Whether the service is there: how long it has not been, and how long to wait before it is tried again. Pure: time is
passed in, in seconds of a clock that only runs on."""

from __future__ import annotations

from typing import Final

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
_FEWEST: Final = 8
LONGEST_LIMIT_S: Final = 300.0
"""So long a service may ask to slow down without a single clear answer between."""


class Reach:
    """What the answers of one pass tell of the service. ``patience_s``: how long it may be gone; ``width``: requests at
    a time."""

    def __init__(self, patience_s: float, width: int) -> None:
        self._patience_s = patience_s
        self._enough = max(_FEWEST, width)
        self._unclear = 0
        self._pauses = 0
        self._gone_since_s: float | None = None
        self._limited_since_s: float | None = None
        self._paused_s = float("-inf")

    @property
    def is_doubtful(self) -> bool:
        """Whether so many answers one after the other told nothing that only one at a time is to be tried: whatever
        answers there may lose all that it is sent."""
        return self._unclear >= self._enough

    def answered(self) -> None:
        """The answer to a change was clear."""
        self._unclear = self._pauses = 0
        self.is_there()

    def is_there(self) -> None:
        """It could be read from."""
        self._gone_since_s = self._limited_since_s = None

    def unclear(self, now_s: float, left_s: float) -> float | None:
        """An answer told nothing of a request that left at ``left_s``. How long nothing is to leave; None: too long
        already."""
        self._unclear += 1
        return self.gone(now_s, left_s) if self.is_doubtful else 0.0

    def gone(self, now_s: float, left_s: float) -> float | None:
        """A request could not even be sent; otherwise as `unclear`."""
        if self._gone_since_s is None:
            self._gone_since_s = now_s
        if now_s - self._gone_since_s >= self._patience_s:
            return None
        if left_s < self._paused_s:
            return 0.0  # it left before the last pause
        self._paused_s = now_s
        self._pauses += 1
        return float(min(_FIRST_PAUSE_S * 2 ** (self._pauses - 1), _LONGEST_PAUSE_S))

    def limited_for_s(self, now_s: float) -> float:
        """How long it has asked to slow down without a clear answer between."""
        return 0.0 if self._limited_since_s is None else now_s - self._limited_since_s

    def is_limited_for_too_long(self, now_s: float, asked_s: float | None) -> bool:
        """The service asks to slow down, and for so long: whether that is to end the run."""
        if self._limited_since_s is None:
            self._limited_since_s = now_s
        return (asked_s or 0.0) > LONGEST_LIMIT_S or self.limited_for_s(now_s) > LONGEST_LIMIT_S
