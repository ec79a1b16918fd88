"""How fast requests may leave: a limit that was asked for, and one that the service teaches. Pure: time is passed in.

A service that asks to slow down slows the whole run, not a row (``import.md``, Exactly once, 6): all requests stop for
as long as it asks, and go on at a lower rate. That rises again, soon to a little below the rate that was refused, and
after a while beyond it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_SPAN_S: Final = 1.0  # over which the rate is measured
_BURST_S: Final = 0.02  # as much may leave at once as in so long
_SOON_S: Final = 2.0  # refused again so soon after a pause: it is far too fast
_FAR_SLOWER: Final = 0.7
_SLOWER: Final = 0.92
_BELOW: Final = 0.9  # of the rate that was refused: up to there it rises fast
_FAST: Final = 1.1  # a second
_HELD_S: Final = 20.0  # so long it stays below
_SLOW: Final = 1.02  # a second
_FORGOTTEN: Final = 4.0  # a rate so much above the one that was refused is no limit any more
_SLOWEST: Final = 1.0
_PAUSE_S: Final = 1.0
_UNLIMITED: Final = 1_000_000


class Pace:
    """The rate of one run. ``limit``: requests a second at most, None: as many as the service takes; moments are in
    seconds of a clock that only runs on."""

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._taught: float | None = None
        self._refused_rate = 0.0
        self._left: deque[tuple[float, int]] = deque()
        self._left_count = 0
        self._next_s = 0.0
        self._paused_until_s = float("-inf")
        self._slowed_s = float("-inf")
        self._grown_s = 0.0

    @property
    def rate(self) -> float | None:
        """Requests a second at present, None: no limit is known."""
        known = [rate for rate in (self._limit, self._taught) if rate is not None]
        return min(known, default=None)

    def allows(self, now_s: float) -> int:
        """How many may leave now."""
        if now_s < self._paused_until_s:
            return 0
        rate = self.rate
        if rate is None:
            return _UNLIMITED
        self._next_s = max(self._next_s, now_s - _BURST_S)
        return max(int((now_s - self._next_s) * rate + 1 + 1e-9), 0)

    def wait_s(self, now_s: float) -> float:
        """How long until one more may leave."""
        return max(self._paused_until_s - now_s, 0.0 if self.rate is None else self._next_s - now_s, 0.0)

    def left(self, now_s: float, count: int) -> None:
        """So many have left."""
        self._left.append((now_s, count))
        self._left_count += count
        while self._left[0][0] < now_s - _SPAN_S:
            self._left_count -= self._left.popleft()[1]
        rate = self.rate
        if rate is not None:
            self._next_s += count / rate
        if self._taught is not None and now_s - self._grown_s >= 1:
            self._grow(now_s)

    def _grow(self, now_s: float) -> None:
        assert self._taught is not None
        self._grown_s = now_s
        if self._taught < self._refused_rate * _BELOW:
            self._taught = min(self._taught * _FAST, self._refused_rate * _BELOW)
        elif now_s - self._slowed_s > _HELD_S:
            self._taught *= _SLOW
            if self._taught > self._refused_rate * _FORGOTTEN:
                self._taught = None

    def slow_down(self, now_s: float, left_s: float, retry_after_s: float | None) -> None:
        """A request that left at ``left_s`` was one too many; ``retry_after_s``: how long the service asks to wait."""
        is_soon = now_s - self._paused_until_s < _SOON_S
        self.pause(now_s, _PAUSE_S if retry_after_s is None else retry_after_s)
        if left_s <= self._slowed_s:
            return  # it left before this was known
        span_s = max(now_s - self._left[0][0], 0.01) if self._left else _SPAN_S
        measured = self._left_count / span_s
        is_first = self._taught is None
        self._slowed_s = now_s
        self._refused_rate = measured if self.rate is None else min(measured, self.rate)
        factor = _FAR_SLOWER if is_first or is_soon else _SLOWER
        self._taught = max(self._refused_rate * factor, _SLOWEST)
        self._grown_s = self._paused_until_s

    def pause(self, now_s: float, seconds: float) -> None:
        """Nothing leaves for so long."""
        self._paused_until_s = max(self._paused_until_s, now_s + seconds)
        self._next_s = max(self._next_s, self._paused_until_s)
