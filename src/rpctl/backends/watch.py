"""Ends what takes too long: one thread for all clients of a service, which is there as long as something is watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_LOOKS_EVERY_S: Final = 0.5


class Watch:
    """Calls what it was given when its time is up. Its thread looks every half a second, and at once when something is
    due sooner; it ends when it finds nothing to watch."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._looks_at_s = 0.0
        self._is_there = False

    def begin(self, within_s: float, cut: Callable[[], None]) -> object:
        """Calls ``cut`` after so many seconds, on another thread, unless `end` is called with what is returned."""
        watched, due_s = object(), time.monotonic() + within_s
        with self._changed:
            self._due[watched] = (due_s, cut)
            if not self._is_there:
                self._is_there = True
                threading.Thread(target=self._look, name="watch", daemon=True).start()
            elif due_s < self._looks_at_s:
                self._changed.notify()
        return watched

    def end(self, watched: object) -> None:
        """It is done: nothing is called any more once this has returned."""
        with self._changed:
            self._due.pop(watched, None)

    def rest(self) -> None:
        """Ends the thread now where nothing is watched."""
        with self._changed:
            self._changed.notify()

    def _look(self) -> None:
        with self._changed:
            try:
                while self._due:
                    now_s = time.monotonic()
                    self._cut_what_is_due(now_s)
                    soonest_s = min((due_s for due_s, _ in self._due.values()), default=now_s)
                    self._looks_at_s = min(soonest_s, now_s + _LOOKS_EVERY_S)
                    self._changed.wait(self._looks_at_s - now_s)
            finally:
                self._is_there = False

    def _cut_what_is_due(self, now_s: float) -> None:
        for watched, (due_s, cut) in list(self._due.items()):
            if due_s <= now_s:
                del self._due[watched]
                cut()
