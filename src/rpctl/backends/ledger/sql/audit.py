"""What the audit reads: customers with their tombstones, what they hold, allocations, keys. The SQL of `audit`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from rpctl.backends.ledger.sql.entries import COLUMNS, OF_CUSTOMER, EntryRow
from rpctl.domain.values import Instant


class CustomerFacts(NamedTuple):
    """A row of ``customers`` and of its tombstone, if there is one (``deleted_at`` is None otherwise)."""

    seq: int
    customer_id: str | None
    latest_created_at: Instant | None
    open_points: int
    no_expiry_before: Instant
    deleted_at: Instant | None
    entries: int
    points_added: int
    points_redeemed: int
    points_left: int


class Held(NamedTuple):
    """A row of ``holdings`` and the entry it stands for; ``left``: 0 where that is no lot."""

    valid_until: Instant
    created_at: Instant
    left: int
    row: EntryRow


class Draw(NamedTuple):
    """A row of ``allocations``, with the customer of its lot (None where there is no such entry)."""

    redemption: int
    lot: int
    points: int
    lot_customer: int | None


def customers(connection: sqlite3.Connection) -> Iterator[CustomerFacts]:
    """Every customer, deleted ones included, in the order they were made."""
    rows = connection.execute(
        "SELECT c.seq, c.customer_id, c.latest_created_at, c.open_points, c.no_expiry_before,"
        " t.deleted_at, t.entries, t.points_added, t.points_redeemed, t.points_left"
        " FROM customers c LEFT JOIN tombstones t ON t.customer = c.seq ORDER BY c.seq"
    )
    return map(CustomerFacts._make, rows)


def held(connection: sqlite3.Connection, customer: int) -> list[Held]:
    """What a customer holds by ``holdings``, in recording order. An entry that is not there is left out: SQLite's own
    check names it."""
    rows = connection.execute(f"SELECT h.valid_until, h.created_at, h.remaining, {COLUMNS} {OF_CUSTOMER}", (customer,))
    return sorted(
        (Held(until, at, left, EntryRow(*row)) for until, at, left, *row in rows), key=lambda held: held.row.seq
    )


def number_of_entries(connection: sqlite3.Connection) -> int:
    """How many there are, held by somebody or not."""
    return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


def not_held(connection: sqlite3.Connection) -> Iterator[tuple[str | None, bytes, int]]:
    """Entries that nobody holds: customer, key and place."""
    return connection.execute(
        "SELECT c.customer_id, e.key, e.seq FROM entries e LEFT JOIN customers c ON c.seq = e.customer"
        " WHERE e.seq NOT IN (SELECT entry FROM holdings) ORDER BY e.seq"
    )


def runs_of_origins(connection: sqlite3.Connection) -> dict[int, str]:
    """The import runs by the origins of their entries."""
    return dict(connection.execute("SELECT seq, run FROM origins WHERE run IS NOT NULL").fetchall())


def draws(connection: sqlite3.Connection, customer: int) -> list[Draw]:
    """The allocations of all entries of a customer, in recording order."""
    rows = connection.execute(
        "SELECT a.redemption, a.lot, a.points, l.customer"
        " FROM holdings h CROSS JOIN allocations a ON a.redemption = h.entry LEFT JOIN entries l ON l.seq = a.lot"
        " WHERE h.customer = ? ORDER BY a.redemption, a.lot",
        (customer,),
    )
    return [Draw(*row) for row in rows]


def misled_keys(connection: sqlite3.Connection) -> Iterator[tuple[str | None, bytes, int, int | None]]:
    """Entries to which their key does not lead: customer, key, place, and the place it leads to, if there is one."""
    return connection.execute(
        "SELECT c.customer_id, e.key, e.seq, k.entry FROM entries e LEFT JOIN keys k ON k.key = e.key"
        " LEFT JOIN customers c ON c.seq = e.customer WHERE k.entry IS NOT e.seq ORDER BY e.seq"
    )


def stray_keys(connection: sqlite3.Connection) -> Iterator[tuple[bytes, int]]:
    """Keys that lead to an entry that has another one: the key, and the place of the entry."""
    counts = "(SELECT count(*) FROM keys) <> (SELECT count(*) FROM entries)"  # else the others are all there can be
    return connection.execute(
        f"SELECT k.key, k.entry FROM keys k CROSS JOIN entries e ON e.seq = k.entry WHERE {counts} AND e.key <> k.key"
    )
