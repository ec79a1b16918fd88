"""What goes wrong on demand: which requests fail, which answers are lost, and how many a second are too many.

The same seed and the same place in the order of requests meet the same fault, whatever the request is.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from hashlib import blake2b
from typing import Final

_SPAN: Final = 2**32


class Fault(Enum):
    """What happens to a request, in the word that the log has for it."""

    NONE = ""
    FAILED = "failed"
    ANSWER_LOST = "answer lost"


class Faults:
    """The fault of one request after another; rates are parts of 1: 0.2 is every fifth."""

    def __init__(self, fail_rate: float = 0, lose_answer_rate: float = 0, seed: int = 0) -> None:
        self._fail_below = fail_rate * _SPAN
        self._lose_below = lose_answer_rate * _SPAN
        self._seed = str(seed).encode()
        self._ordinal = 0

    def next(self) -> Fault:
        """The next request's: failed with nothing done, or done with the answer lost."""
        self._ordinal += 1
        if not self._fail_below and not self._lose_below:
            return Fault.NONE
        drawn = blake2b(b"%s/%d" % (self._seed, self._ordinal), digest_size=8).digest()
        if int.from_bytes(drawn[:4], "big") < self._fail_below:
            return Fault.FAILED
        if int.from_bytes(drawn[4:], "big") < self._lose_below:
            return Fault.ANSWER_LOST
        return Fault.NONE


class Chance:
    """Which of a row of things are met: ``rate`` of them (a part of 1), the same ones for the same seed."""

    def __init__(self, rate: float = 0, seed: int = 0) -> None:
        self._below = rate * _SPAN
        self._seed = str(seed).encode()
        self._ordinal = 0

    def next(self) -> bool:
        """Whether the next one is met."""
        self._ordinal += 1
        drawn = blake2b(b"%s/%d" % (self._seed, self._ordinal), digest_size=4, person=b"chance").digest()
        return int.from_bytes(drawn, "big") < self._below


class RateLimit:
    """A bucket that fills with ``per_second`` requests and holds a tenth of a second's, at least one."""

    def __init__(self, per_second: float, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._holds = max(1.0, per_second / 10)
        self._monotonic = monotonic
        self._left = self._holds
        self._filled_at = monotonic()

    def take(self) -> float | None:
        """Lets one request through (None), or tells in how many seconds there is room again."""
        now = self._monotonic()
        self._left = min(self._holds, self._left + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return None
