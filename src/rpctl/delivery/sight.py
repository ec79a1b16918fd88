"""What a service has already of many changes: found in its summaries by their marks, and kept out of memory.

Of everything that a summary tells only what could belong to the changes that were announced is kept, in a file without
a name that goes with the process. For the changes themselves three bits each are remembered.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from rpctl.domain.points import RedeemedPoints
from rpctl.errors import StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rpctl.backends.port import Sending
    from rpctl.domain.points import Entry, Summary

_BITS_A_ROW: Final = 32
_FEWEST_BITS: Final = 1 << 16
_MOST_BITS: Final = 1 << 32
_AT_ONCE: Final = 500
_SEEN: Final = "SELECT kind, points, reference_id, customer_id FROM seen WHERE"
_PART: Final = "\x1f"  # in no id, token or reference


class Seen(NamedTuple):
    """An entry under a change's mark, whoever's it is: ``kind`` is ``add`` or ``redeem``."""

    kind: str
    points: int
    reference_id: str | None
    customer_id: str


class Sight:
    """What was seen at a service before the first of ``rows`` changes leaves. May raise `StorageFull`."""

    def __init__(self, rows: int) -> None:
        size = max(_FEWEST_BITS, min(1 << (rows * _BITS_A_ROW).bit_length(), _MOST_BITS))
        self._mask = size - 1
        self._bits = bytearray(size >> 3)
        self._kept: list[tuple[str, str, str, str, int, str | None]] = []
        self._is_empty = True
        self.copies = 0
        """How many marks are carried by more than one entry of a customer."""
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute(
            "CREATE TABLE seen (mark TEXT, customer_id TEXT, entry_id TEXT, kind TEXT, points INTEGER,"
            " reference_id TEXT, PRIMARY KEY (mark, customer_id, entry_id, kind, points)) WITHOUT ROWID"
        )
        self._connection.execute(
            "CREATE TABLE balances (customer_id TEXT PRIMARY KEY, points INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._connection.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) WITHOUT ROWID")
        self._connection.execute("BEGIN")  # nothing of it is to last

    # -- announced -------------------------------------------------------------------------------------

    def announce(self, probe: Sending, key: str) -> None:
        """A change that is to be looked for; see `rpctl.delivery.requests.probe_of`."""
        self._remember(probe.customer_id)
        self._remember(probe.entry_id)
        self._remember(probe.token)
        if probe.reference_id == key:
            self._remember(_reference(probe.customer_id, key))

    def _remember(self, text: str) -> None:
        at = crc32(text.encode()) & self._mask
        self._bits[at >> 3] |= 1 << (at & 7)

    def _may_know(self, text: str) -> bool:
        at = crc32(text.encode()) & self._mask
        return bool(self._bits[at >> 3] & 1 << (at & 7))

    # -- seen ------------------------------------------------------------------------------------------

    def see(self, summary: Summary) -> None:
        """What the service has of one customer."""
        customer_id = summary.customer_id
        if self._may_know(customer_id):
            self._execute("INSERT OR REPLACE INTO balances VALUES (?, ?)", (customer_id, summary.active_points))
        entries = summary.entries()
        for entry in entries:
            for mark in _marks(entry, customer_id):
                if self._may_know(mark):
                    self._keep(mark, entry, customer_id)
        ids = Counter(entry.id for entry in entries if entry.id and self._may_know(entry.id))
        tokens = Counter(entry.token for entry in entries if entry.token and self._may_know(entry.token))
        self.copies += max(sum(count > 1 for count in found.values()) for found in (ids, tokens))

    def _keep(self, mark: str, entry: Entry, customer_id: str) -> None:
        kind = "redeem" if isinstance(entry, RedeemedPoints) else "add"
        reference = getattr(entry, "reference_id", None)
        self._kept.append((mark, customer_id, entry.id, kind, entry.points, reference))
        if len(self._kept) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        for one in self._kept:
            self._is_empty = False
            self._execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?, ?)", one)
        self._kept = []

    def find(self, probe: Sending, key: str) -> Seen | None:
        """The entry that carries the marks of a change, or its key as its reference."""
        self._flush()
        if self._is_empty:
            return None
        # One of another customer tells as much: it was sent with this key.
        by_mark = f"{_SEEN} mark IN (?, ?) ORDER BY customer_id = ? DESC"
        row = self._one(by_mark, probe.entry_id, probe.token, probe.customer_id)
        if row is None and probe.reference_id == key:
            # The service books orders under the same references by itself: all the rest has to be the same.
            mark = _reference(probe.customer_id, key)
            row = self._one(f"{_SEEN} mark = ? AND kind = ? AND points = ?", mark, probe.kind, probe.points)
        return None if row is None else Seen(*row)

    # -- rehearsed -------------------------------------------------------------------------------------

    def active_points(self, customer_id: str) -> int | None:
        """What a customer has, after what was booked here; None: there is no such customer."""
        row = self._one("SELECT points FROM balances WHERE customer_id = ?", customer_id)
        return None if row is None else int(row[0])

    def book(self, customer_id: str, points: int) -> None:
        """A customer has so many points more, or fewer; it is made where there is none."""
        self._execute(
            "INSERT INTO balances VALUES (?, ?)"
            " ON CONFLICT (customer_id) DO UPDATE SET points = points + excluded.points",
            (customer_id, points),
        )

    def asked_under(self, key: str) -> str | None:
        """The fingerprint of the change that was rehearsed with a key."""
        row = self._one("SELECT fingerprint FROM keys WHERE key = ?", key)
        return None if row is None else str(row[0])

    def ask_under(self, key: str, fingerprint: str) -> None:
        """A change was rehearsed with a key."""
        self._execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (key, fingerprint))

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Until the end of the context everything can be booked, and nothing of that is left after it."""
        self._flush()
        self._execute("SAVEPOINT rehearsal")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK TO rehearsal")
            self._connection.execute("RELEASE rehearsal")

    def close(self) -> None:
        """Forgets everything."""
        self._connection.close()

    def _execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.OperationalError as error:
            raise _full(error) from error

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._execute(sql, values).fetchone()
        return row


def _marks(entry: Entry, customer_id: str) -> list[str]:
    marks = [mark for mark in (entry.id, entry.token) if mark]
    reference = getattr(entry, "reference_id", None)
    return [*marks, _reference(customer_id, reference)] if reference else marks


def _reference(customer_id: str, reference: str) -> str:
    return f"{customer_id}{_PART}{reference}"


def _full(error: sqlite3.OperationalError) -> StorageFull:
    return StorageFull(f"What the service has could not be noted for comparison: {error}. Is the disk full?")
