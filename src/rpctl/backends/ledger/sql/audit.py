"""What the audit reads: customers with their tombstones, allocations, keys that stand twice. The SQL of `audit`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

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


def runs_of_origins(connection: sqlite3.Connection) -> dict[int, str]:
    """The import runs by the origins of their entries."""
    return dict(connection.execute("SELECT seq, run FROM origins WHERE run IS NOT NULL").fetchall())


def draws(connection: sqlite3.Connection, customer: int) -> list[Draw]:
    """The allocations of all entries of a customer, in recording order."""
    rows = connection.execute(
        "SELECT a.redemption, a.lot, a.points, l.customer"
        " FROM entries r CROSS JOIN allocations a ON a.redemption = r.seq LEFT JOIN entries l ON l.seq = a.lot"
        " WHERE r.customer = ? ORDER BY a.redemption, a.lot",
        (customer,),
    )
    return [Draw(*row) for row in rows]


def repeated_keys(connection: sqlite3.Connection) -> Iterator[tuple[str | None, bytes, int]]:
    """Keys that stand more than once: the customer and the place of every entry but the first that has them."""
    return connection.execute(
        "SELECT c.customer_id, e.key, e.seq FROM (SELECT key, min(seq) AS first FROM entries GROUP BY key"
        " HAVING count(*) > 1) twice JOIN entries e ON e.key = twice.key AND e.seq > twice.first"
        " LEFT JOIN customers c ON c.seq = e.customer ORDER BY e.seq"
    )
