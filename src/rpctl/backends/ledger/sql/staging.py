"""Rows on their way into the ledger: laid out in memory, then stored with a few statements.

A row that is handed over by itself costs SQLite's Python more than storing it. Rows that lie in another database
of the same process are stored by one statement for all, and while that runs Python is free to lay out the next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from rpctl.domain.values import Instant

_TABLES: Final = """
CREATE TABLE additions (ordinal INTEGER PRIMARY KEY, customer_id, points, later, created_at, valid_until,
  reference_id, description, reason, site_code, digests);
CREATE TABLE asked (ordinal INTEGER PRIMARY KEY, key, fingerprint);
"""
_NAMES: Final = ("additions", "asked")
_PLACED: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS placed (ordinal INTEGER PRIMARY KEY, customer INTEGER, balance_after INTEGER,"
    " late INTEGER)"
)
_NEW_POINTS: Final = """
INSERT INTO main.customers (customer_id, latest_created_at, open_points, no_expiry_before)
  SELECT customer_id, max(coalesce(created_at, :now)), sum(points), min(valid_until) FROM {stage}.additions
    WHERE true GROUP BY customer_id
  ON CONFLICT (customer_id) DO UPDATE SET
    latest_created_at = max(coalesce(latest_created_at, excluded.latest_created_at), excluded.latest_created_at),
    open_points = open_points + excluded.open_points,
    no_expiry_before = min(no_expiry_before, excluded.no_expiry_before)
"""
# The customer's points are there by now, so that each balance is the sum without what comes later.
_PLACES: Final = """
INSERT INTO temp.placed (ordinal, customer, balance_after, late)
  SELECT a.ordinal, c.seq,
    c.open_points - a.later - CASE WHEN c.no_expiry_before > :now THEN 0 ELSE
      (SELECT coalesce(sum(h.remaining), 0) FROM main.holdings h
        WHERE h.customer = c.seq AND h.spent = 0 AND h.valid_until <= :now) END,
    c.latest_created_at > :now OR (a.created_at IS NOT NULL AND c.no_expiry_before <= :now)
  FROM {stage}.additions a CROSS JOIN main.customers c ON c.customer_id = a.customer_id
"""
# Each tree takes the rows in its own order: what lies together is written together.
_KEYS: Final = """
INSERT INTO main.keys (key, entry)
  SELECT substr(digests, 1, 16) AS key, :place + ordinal FROM {stage}.additions ORDER BY key
"""
_ENTRIES: Final = """
INSERT INTO main.entries (seq, customer, kind, points, created_at, valid_until, balance_after,
    reference_id, description, reason, site_code, origin, recorded_at, key, fingerprint, salt, digest)
  SELECT :place + a.ordinal, p.customer, 1, a.points, coalesce(a.created_at, :now), a.valid_until,
    p.balance_after, a.reference_id, a.description, a.reason, a.site_code, :origin, :now,
    substr(a.digests, 1, 16), substr(a.digests, 17, 16), substr(a.digests, 33, 16), substr(a.digests, 49)
  FROM {stage}.additions a CROSS JOIN temp.placed p ON p.ordinal = a.ordinal ORDER BY a.ordinal
"""
_HOLDINGS: Final = """
INSERT INTO main.holdings (customer, spent, valid_until, created_at, entry, remaining)
  SELECT p.customer, 0, a.valid_until, coalesce(a.created_at, :now), :place + a.ordinal, a.points
  FROM {stage}.additions a CROSS JOIN temp.placed p ON p.ordinal = a.ordinal ORDER BY p.customer, a.valid_until
"""
_KNOWN: Final = (
    "SELECT count(*), coalesce(sum(e.fingerprint = a.fingerprint), 0) FROM {stage}.asked a"
    " CROSS JOIN main.keys k ON k.key = a.key CROSS JOIN main.entries e ON e.seq = k.entry"
)


Addition = tuple[
    int, str, int, int, Instant | None, Instant, str | None, str | None, str | None, str, bytes
]  # fmt: skip
"""An addition without anything to decide about it, as a row of ``additions``: its place among those that are stored
together, from 0; customer; points; how many points the customer gets by those after it; ``createdAt``, None where it
is when it is recorded; ``validUntil``; reference, description, reason and site; key, fingerprint, salt and digest in
a row. A bare tuple: millions are made."""


class CannotStore(Exception):
    """The additions are not as simple as they were taken to be: a key is in, somebody's latest change is later than
    they are, or points that are given a past date would count beside others that have expired since."""


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
        ledger.execute(_PLACED)

    def fill(self, additions: Iterable[Addition], asked: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Lays out what comes next in place of what lay here: the additions; the keys and fingerprints that are
        to be looked up."""
        own = self._own
        if own.in_transaction:  # it ended in an error
            own.execute("ROLLBACK")
        own.execute("BEGIN")
        for name in _NAMES:
            own.execute(f"DELETE FROM {name}")
        own.executemany("INSERT INTO additions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", additions)
        own.executemany("INSERT INTO asked VALUES (?, ?, ?)", asked)
        own.execute("COMMIT")

    def known(self) -> tuple[int, int]:
        """How many of the keys are in, and how many of those for the very change."""
        count, same = self._ledger.execute(self._sql(_KNOWN)).fetchone()
        return count, same

    def store(self, place: int, origin: int, now: Instant) -> None:
        """Puts the additions into the ledger, inside its transaction. ``place``: of the first in recording order;
        ``now``: when they are recorded, in milliseconds since 1970. Raises `CannotStore`, and what SQLite does."""
        constants = {"place": place, "origin": origin, "now": now}
        self._ledger.execute("DELETE FROM temp.placed")
        self._ledger.execute(self._sql(_NEW_POINTS), constants)
        self._ledger.execute(self._sql(_PLACES), constants)
        if self._ledger.execute("SELECT max(late) FROM temp.placed").fetchone()[0]:
            raise CannotStore
        self._ledger.execute(self._sql(_ENTRIES), constants)
        self._ledger.execute(self._sql(_HOLDINGS), constants)
        try:
            self._ledger.execute(self._sql(_KEYS), constants)
        except sqlite3.IntegrityError as error:
            if "keys.key" in str(error):
                raise CannotStore from error
            raise

    def close(self) -> None:
        """Lets go of the memory."""
        self._ledger.execute(f"DETACH {self.name}")
        self._own.close()

    def _sql(self, template: str) -> str:
        return template.replace("{stage}", self.name)
