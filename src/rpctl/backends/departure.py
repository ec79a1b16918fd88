"""When a request left: what is waited for afterwards, where its answer is lost, is counted from then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_SOON_S: Final = 1.0

Leaving = Callable[[], None]


class Departure:
    """The last request's, of one client. Times are of `time.monotonic`."""

    def __init__(self) -> None:
        self.left_s = 0.0

    @property
    def since_s(self) -> float:
        """How long ago it left."""
        return time.monotonic() - self.left_s

    def begins(self, leaving: Leaving | None) -> None:
        """It is about to leave, which ``leaving`` is told."""
        self.left_s = time.monotonic()
        if leaving:
            leaving()

    def is_connected(self, leaving: Leaving | None) -> None:
        """There is a connection: it leaves only now where that took long, which ``leaving`` is told too."""
        waited_s, self.left_s = self.since_s, time.monotonic()
        if waited_s > _SOON_S and leaving:
            leaving()
