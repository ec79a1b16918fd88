"""A booking's rows on their way into the ledger: laid out in memory, then stored with a few statements.

A row that is handed over by itself costs SQLite's Python more than storing it. Rows that lie in another database
of the same process already are stored by one statement for all, and while that runs Python is free for the next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rpctl.backends.ledger.sql.books import BOOKED, DIGESTS

if TYPE_CHECKING:
    from rpctl.backends.ledger.sql.books import CustomerRow
    from rpctl.domain.lots import OpenLot

_TABLES: Final = f"""
CREATE TABLE entries ({BOOKED.replace("seq", "seq INTEGER PRIMARY KEY", 1)}, digests);
CREATE TABLE allocations (redemption, lot, points);
CREATE TABLE customers (seq INTEGER PRIMARY KEY, customer_id, latest_created_at, open_points, no_expiry_before);
CREATE TABLE remaining (seq INTEGER PRIMARY KEY, points);
"""
_NAMES: Final = ("entries", "allocations", "customers", "remaining")
_ENTRY: Final = f"INSERT INTO entries VALUES ({', '.join('?' * (BOOKED.count(',') + 2))})"
_STORE: Final = (
    "INSERT INTO main.customers (seq, customer_id, latest_created_at, open_points, no_expiry_before)"
    " SELECT seq, customer_id, latest_created_at, open_points, no_expiry_before FROM {stage}.customers WHERE true"
    " ON CONFLICT (seq) DO UPDATE SET latest_created_at = excluded.latest_created_at,"
    " open_points = excluded.open_points, no_expiry_before = excluded.no_expiry_before",
    f"INSERT INTO main.entries ({BOOKED}, origin, recorded_at, {DIGESTS}) SELECT {BOOKED}, :origin, :recorded_at,"
    " substr(digests, 1, 16), substr(digests, 17, 16), substr(digests, 33, 16), substr(digests, 49)"
    " FROM {stage}.entries ORDER BY seq",
    # Not UPDATE FROM: that may go through all entries to find a few.
    "UPDATE main.entries SET remaining = (SELECT points FROM {stage}.remaining s WHERE s.seq = main.entries.seq)"
    " WHERE seq IN (SELECT seq FROM {stage}.remaining)",
    "INSERT INTO main.allocations (redemption, lot, points) SELECT redemption, lot, points FROM {stage}.allocations"
    " ORDER BY redemption, lot",
)


class KeyIsIn(Exception):
    """A key that was taken to be new is in the ledger."""


class Stage:
    """One database in memory, seen by a connection of its own and, under ``name``, by that of the ledger.

    It is filled while the ledger's connection stores another one. Made outside a transaction; to be closed so too.
    """

    def __init__(self, ledger: sqlite3.Connection, name: str, unique: str) -> None:
        self.name = name
        self._ledger = ledger
        uri = f"file:/{unique}-{name}?vfs=memdb"
        self._own = sqlite3.connect(uri, uri=True, isolation_level=None)
        self._own.execute("PRAGMA journal_mode = OFF")
        self._own.executescript(_TABLES)
        ledger.execute(f"ATTACH ? AS {name}", (uri,))

    def clear(self) -> None:
        """What lay here is stored, or never will be."""
        if self._own.in_transaction:
            self._own.execute("ROLLBACK")
        self._own.execute("BEGIN")
        for name in _NAMES:
            self._own.execute(f"DELETE FROM {name}")

    def add_entries(self, rows: Iterable[Sequence[Any]], allocations: Iterable[tuple[int, int, int]]) -> None:
        """New entries, each `BOOKED` and its digests in a row; which redemption drew on which lot, and how much."""
        self._own.executemany(_ENTRY, rows)
        self._own.executemany("INSERT INTO allocations VALUES (?, ?, ?)", allocations)

    def add_states(self, customers: Iterable[CustomerRow], lots: Iterable[OpenLot]) -> None:
        """What customers' accounts came to, and what is left of lots whose entries are stored or were added
        before. Ends what `clear` began."""
        self._own.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?)",
            [
                (c.seq, c.customer_id, a.latest_created_at, a.open_points, a.no_expiry_before)
                for c in customers
                for a in (c.account,)
            ],
        )
        self._own.executemany("INSERT INTO remaining VALUES (?, ?)", [(lot.position, lot.left) for lot in lots])
        self._own.execute("COMMIT")

    def store(self, origin: int, recorded_at: int) -> None:
        """Puts everything into the ledger, inside its transaction. Raises `KeyIsIn`, and what SQLite does."""
        constants = {"origin": origin, "recorded_at": recorded_at}
        for sql in _STORE:
            try:
                self._ledger.execute(sql.replace("{stage}", self.name), constants)
            except sqlite3.IntegrityError as error:
                if "entries.key" in str(error):
                    raise KeyIsIn from error
                raise

    def close(self) -> None:
        """Lets go of the memory."""
        self._ledger.execute(f"DETACH {self.name}")
        self._own.close()
