"""Rows on their way into the ledger: laid out in memory, then stored with a few statements.

A row that is handed over by itself costs SQLite's Python more than storing it. Rows that lie in another database
of the same process are stored by one statement for all, and while that runs Python is free to lay out the next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final

from rpctl.backends.ledger.sql.books import BOOKED, Booked, CustomerRow, Drawn
from rpctl.domain.values import Instant

_TABLES: Final = """
CREATE TABLE additions (ordinal INTEGER PRIMARY KEY, customer_id, points, later, earliest, valid_until, reference_id,
  description, digests, latest, site_code, reason, created_at);
CREATE TABLE asked (ordinal INTEGER PRIMARY KEY, key, fingerprint);
"""
_SHORT: Final = "ordinal, customer_id, points, later, earliest, valid_until, reference_id, description, digests"
_LONG: Final = _SHORT + ", latest, site_code, reason, created_at"
_AT_ONCE: Final = 100
"""Rows of one statement: each statement asks for Python's lock and for SQLite's, which the other thread uses too."""
_PLACED: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS placed (ordinal INTEGER PRIMARY KEY, customer INTEGER, balance_after INTEGER,"
    " late INTEGER)"
)
_NEW_POINTS: Final = """
INSERT INTO main.customers (customer_id, latest_created_at, open_points, no_expiry_before)
  SELECT customer_id, coalesce(latest, :now), points + later, earliest FROM {stage}.additions
    WHERE earliest IS NOT NULL ORDER BY customer_id
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
    p.balance_after, a.reference_id, a.description, a.reason, coalesce(a.site_code, :site_code), :origin, :now,
    substr(a.digests, 1, 16), substr(a.digests, 17, 16), substr(a.digests, 33, 16), substr(a.digests, 49)
  FROM {stage}.additions a CROSS JOIN temp.placed p ON p.ordinal = a.ordinal ORDER BY a.ordinal
"""
_HOLDINGS: Final = """
INSERT INTO main.holdings (customer, spent, valid_until, created_at, entry, remaining)
  SELECT p.customer, 0, a.valid_until, coalesce(a.created_at, :now), :place + a.ordinal, a.points
  FROM {stage}.additions a CROSS JOIN temp.placed p ON p.ordinal = a.ordinal ORDER BY p.customer, a.valid_until
"""
_BOOKED_TABLES: Final = """
CREATE TABLE customers (seq INTEGER PRIMARY KEY, customer_id, latest_created_at, open_points, no_expiry_before);
CREATE TABLE entries (seq INTEGER PRIMARY KEY, customer, kind, points, created_at, valid_until, remaining,
  balance_after, reference_id, description, reason, site_code, reverses, digests);
CREATE TABLE draws (redemption, lot, points, customer, valid_until, created_at, remaining);
"""
_BOOKED: Final = (
    """
INSERT INTO main.customers (seq, customer_id, latest_created_at, open_points, no_expiry_before)
  SELECT seq, customer_id, latest_created_at, open_points, no_expiry_before
  FROM {stage}.customers WHERE customer_id IS NOT NULL
""",
    """
UPDATE main.customers AS c SET latest_created_at = s.latest_created_at, open_points = s.open_points,
    no_expiry_before = s.no_expiry_before
  FROM {stage}.customers s WHERE s.customer_id IS NULL AND c.seq = +s.seq
""",
    """
INSERT INTO main.entries (seq, customer, kind, points, created_at, valid_until, balance_after,
    reference_id, description, reason, site_code, reverses, origin, recorded_at, key, fingerprint, salt, digest)
  SELECT seq, customer, kind, points, created_at, valid_until, balance_after,
    reference_id, description, reason, site_code, reverses, :origin, :now,
    substr(digests, 1, 16), substr(digests, 17, 16), substr(digests, 33, 16), substr(digests, 49)
  FROM {stage}.entries ORDER BY seq
""",
    """
UPDATE main.holdings AS h SET remaining = d.remaining, spent = d.remaining = 0 FROM {stage}.draws d
  WHERE h.customer = d.customer AND h.spent = 0 AND h.valid_until = d.valid_until AND h.created_at = d.created_at
    AND h.entry = d.lot
""",
    """
INSERT INTO main.holdings (customer, spent, valid_until, created_at, entry, remaining)
  SELECT customer, coalesce(remaining, 0) = 0, coalesce(valid_until, 0), created_at, seq, coalesce(remaining, 0)
  FROM {stage}.entries ORDER BY 1, 2, 3
""",
    """
INSERT INTO main.allocations (redemption, lot, points)
  SELECT redemption, lot, points FROM {stage}.draws ORDER BY redemption, lot
""",
    "INSERT INTO main.keys (key, entry) SELECT substr(digests, 1, 16), seq FROM {stage}.entries ORDER BY 1",
)
_KNOWN: Final = (
    "SELECT count(*), coalesce(sum(e.fingerprint = a.fingerprint), 0) FROM {stage}.asked a"
    " CROSS JOIN main.keys k ON k.key = a.key CROSS JOIN main.entries e ON e.seq = k.entry"
)


Addition = tuple[Any, ...]
"""An addition without anything to decide about it, as a row of ``additions``: its place among those that are stored
together, from 0; customer; points; how many points the customer gets by those after it; the customer's earliest
``validUntil`` among them, where it is the customer's first, else None; ``validUntil``; reference; description; key,
fingerprint, salt and digest in a row. Where they are not the same for all, also the customer's latest ``createdAt``
among them, site, reason and ``createdAt`` (None where it is when it is recorded). A bare tuple, and as short as can be:
millions are made."""


class CannotStore(Exception):
    """The additions are not as simple as they were taken to be: a key is in, somebody's latest change is later than
    they are, or points that are given a past date would count beside others that have expired since."""


class _Stage:
    """One database in memory, seen by a connection of its own and, under ``name``, by that of the ledger. Made outside
    a transaction; to be closed so too. ``unique``: part of a name that no other has."""

    def __init__(self, ledger: sqlite3.Connection, name: str, unique: str, tables: str) -> None:
        self.name = name
        self._ledger = ledger
        uri = f"file:/{unique}-{name}?vfs=memdb"
        self._own = sqlite3.connect(uri, uri=True, isolation_level=None)
        self._own.execute("PRAGMA journal_mode = OFF")
        self._own.executescript(tables)
        ledger.execute(f"ATTACH ? AS {name}", (uri,))

    def close(self) -> None:
        """Lets go of the memory."""
        self._ledger.execute(f"DETACH {self.name}")
        self._own.close()

    def _sql(self, template: str) -> str:
        return template.replace("{stage}", self.name)


class Stage(_Stage):
    """Where simple additions lie. It is filled while the ledger's connection stores another one."""

    def __init__(self, ledger: sqlite3.Connection, name: str, unique: str) -> None:
        super().__init__(ledger, name, unique, _TABLES)
        self._site_code: str | None = None
        ledger.execute(_PLACED)

    def fill(
        self,
        additions: Iterable[Addition],
        site_code: str | None = None,
        asked: Iterable[tuple[int, bytes, bytes]] = (),
    ) -> None:
        """Lays out what comes next in place of what lay here: the additions, ``site_code`` being the one of all where
        they tell none; ``asked``: ordinals, keys and fingerprints that are to be looked up."""
        self._site_code = site_code
        with _refilled(self._own, "additions", "asked") as own:
            _insert(own, "additions", _LONG if site_code is None else _SHORT, additions)
            _insert(own, "asked", "ordinal, key, fingerprint", asked)

    def known(self) -> tuple[int, int]:
        """How many of the keys are in, and how many of those for the very change."""
        count, same = self._ledger.execute(self._sql(_KNOWN)).fetchone()
        return count, same

    def store(self, place: int, origin: int, now: Instant, on_customers: Callable[[], None]) -> None:
        """Puts the additions into the ledger, inside its transaction. ``place``: of the first in recording order;
        ``now``: when they are recorded, in milliseconds since 1970; ``on_customers``: is told when the customers are
        in. Raises `CannotStore`, and what SQLite does."""
        constants = {"place": place, "origin": origin, "now": now, "site_code": self._site_code}
        self._ledger.execute("DELETE FROM temp.placed")
        self._ledger.execute(self._sql(_NEW_POINTS), constants)
        on_customers()
        self._ledger.execute(self._sql(_PLACES), constants)
        if self._ledger.execute("SELECT max(late) FROM temp.placed").fetchone()[0]:
            raise CannotStore
        self._ledger.execute(self._sql(_ENTRIES), constants)
        self._ledger.execute(self._sql(_HOLDINGS), constants)
        with _free_keys():
            self._ledger.execute(self._sql(_KEYS), constants)


class BookedStage(_Stage):
    """Where the entries of a booking lie, and what else it leaves."""

    def __init__(self, ledger: sqlite3.Connection, name: str, unique: str) -> None:
        super().__init__(ledger, name, unique, _BOOKED_TABLES)

    def fill(
        self,
        new: Sequence[CustomerRow],
        customers: Iterable[CustomerRow],
        entries: Iterable[Booked],
        draws: Iterable[Drawn],
    ) -> None:
        """Lays out what comes next in place of what lay here: the customers, and who of them is new; new entries;
        which redemption drew on which lot."""
        with _refilled(self._own, "customers", "entries", "draws") as own:
            names = {customer.seq: customer.customer_id for customer in new}
            _insert(
                own,
                "customers",
                "seq, customer_id, latest_created_at, open_points, no_expiry_before",
                (
                    (seq, names.get(seq), account.latest_created_at, account.open_points, account.no_expiry_before)
                    for seq, account in ((customer.seq, customer.account) for customer in customers)
                ),
            )
            _insert(own, "entries", f"{BOOKED}, digests", entries)
            _insert(own, "draws", "redemption, lot, points, customer, valid_until, created_at, remaining", draws)

    def store(self, origin: int, now: Instant) -> None:
        """Puts it all into the ledger, inside its transaction. Raises `CannotStore` where a key is in."""
        with _free_keys():
            for statement in _BOOKED:
                self._ledger.execute(self._sql(statement), {"origin": origin, "now": now})


def _insert(own: sqlite3.Connection, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    one = f"({', '.join('?' * (columns.count(',') + 1))})"
    into = f"INSERT INTO {table} ({columns}) VALUES "
    many = into + ", ".join([one] * _AT_ONCE)
    left = iter(rows)
    while len(some := list(islice(left, _AT_ONCE))) == _AT_ONCE:
        own.execute(many, tuple(chain.from_iterable(some)))
    own.executemany(into + one, some)


@contextmanager
def _refilled(own: sqlite3.Connection, *tables: str) -> Iterator[sqlite3.Connection]:
    if own.in_transaction:  # it ended in an error
        own.execute("ROLLBACK")
    own.execute("BEGIN")
    for name in tables:
        own.execute(f"DELETE FROM {name}")
    yield own
    own.execute("COMMIT")


@contextmanager
def _free_keys() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "keys.key" in str(error):
            raise CannotStore from error
        raise
