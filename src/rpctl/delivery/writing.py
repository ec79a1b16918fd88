"""What one process has to write of many changes: collected, and written some at a time in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from rpctl.delivery.claims import Claims

if TYPE_CHECKING:
    from rpctl.delivery.journal import Delivery, Journal

_REPORT_EVERY_S: Final = 1.0


class Writing:
    """The journal's rows to come, and the claims on their keys, which are held until they are written. ``report`` is
    asked now and then for that of ``run``, as JSON; None: not now."""

    def __init__(self, journal: Journal, run: str | None, report: Callable[[], str | None]) -> None:
        self._journal = journal
        self._run = run
        self._report = report
        self._claims = Claims(journal)
        self._whole: dict[str, Delivery] = {}
        self._settled: dict[str, Delivery] = {}
        self._released: list[str] = []
        self._reported_s = time.monotonic()
        self.took_s = 0.0
        """How long the last transaction took."""

    def __len__(self) -> int:
        return len(self._whole) + len(self._settled)

    def claim(self, key: str) -> None:
        """Only this process works on the key from now on. Raises `DeliveryUnderWay`."""
        self._claims.take(key)

    def release(self, key: str) -> None:
        """It is done with the key, as soon as that is written."""
        self._released.append(key)

    def find(self, keys: Sequence[str]) -> dict[str, Delivery]:
        """The rows of those of the keys that have one, as they will be."""
        written = self._journal.find_all(keys)
        waiting = (self._settled.get(key) or self._whole.get(key) for key in keys)
        return written | {row.key: row for row in waiting if row is not None}

    def add(self, row: Delivery) -> None:
        """A row that is not there yet."""
        self._whole[row.key] = row

    def settle(self, row: Delivery) -> None:
        """What became of a row that is there."""
        self._settled[row.key] = row

    def commit(self, leaving: Sequence[Delivery] = ()) -> set[str]:
        """Writes what is to be written, and lets go of what is done with; ``leaving``: rows that are about to be sent,
        whatever else became of their keys before. Answers with the keys of those whose customer was deleted."""
        gone: set[str] = set()
        for row in leaving:
            self._whole.pop(row.key, None)
            self._settled.pop(row.key, None)
        began_s = time.monotonic()
        report = None
        if self._run is not None and began_s - self._reported_s >= _REPORT_EVERY_S:
            self._reported_s = began_s
            text = self._report()
            report = None if text is None else (self._run, text)
        if leaving or self._whole or self._settled or report:
            gone = self._journal.write_all([*self._whole.values(), *leaving], self._settled.values(), report)
            self.took_s = time.monotonic() - began_s
        self._whole.clear()
        self._settled.clear()
        while self._released:
            self._claims.release(self._released.pop())
        return gone

    def close(self) -> None:
        """Lets go of every key."""
        self._claims.close()
