"""What the undoing of an import run reads: its entries from the latest back, lots it gave back, what it came to.

The undo's own entries belong to the run too; they are told by what they reverse, which no entry of an import does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from rpctl.backends.port import RunEntries, Undone
from rpctl.domain.values import Instant

_OF_RUN: Final = "(SELECT seq FROM origins WHERE run = :run)"
_LOTS_UNTIL: Final = (
    "(SELECT max(l.valid_until) FROM allocations a JOIN entries l ON l.seq = a.lot WHERE a.redemption = e.seq)"
)


_REMAINING: Final = (
    "(SELECT h.remaining FROM holdings h WHERE e.kind = 1 AND h.customer = e.customer AND h.spent IN (0, 1)"
    " AND h.valid_until = e.valid_until AND h.created_at = e.created_at AND h.entry = e.seq)"
)


class UndoRow(NamedTuple):
    """An entry of the run that nothing reverses yet, with its customer; ``lots_until``: up to when the longest-lived
    lot that a redemption drew on is valid."""

    seq: int
    kind: int
    points: int
    created_at: Instant
    valid_until: Instant | None
    remaining: int | None
    id: str | None
    key: bytes
    lots_until: Instant | None
    customer: int
    customer_id: str
    latest_created_at: Instant | None
    open_points: int
    no_expiry_before: Instant


class GivenBack(NamedTuple):
    """A lot with points left that an undo made: its fields in the order in which lots are used."""

    valid_until: Instant
    created_at: Instant
    seq: int
    left: int


def span(connection: sqlite3.Connection, run: str) -> tuple[int, int]:
    """The places between which the entries of the import lie, both included."""
    first, last = connection.execute(
        "SELECT first_entry, coalesce(last_entry, (SELECT coalesce(max(seq), 0) FROM entries)) FROM import_runs"
        " WHERE run = ?",
        (run,),
    ).fetchone()
    return int(first), int(last)


def entries(connection: sqlite3.Connection, run: str, first: int, below: int, limit: int) -> list[UndoRow]:
    """At most ``limit`` entries of the run from ``first`` on and before ``below``, the latest first."""
    rows = connection.execute(
        f"SELECT e.seq, e.kind, e.points, e.created_at, e.valid_until, {_REMAINING}, e.id, e.key,"
        f" CASE e.kind WHEN 2 THEN {_LOTS_UNTIL} END,"
        " c.seq, c.customer_id, c.latest_created_at, c.open_points, c.no_expiry_before"
        " FROM entries e CROSS JOIN customers c ON c.seq = e.customer"
        f" WHERE e.seq >= :first AND e.seq < :below AND e.origin IN {_OF_RUN} AND e.reverses IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM entries r WHERE r.reverses = e.seq) ORDER BY e.seq DESC LIMIT :limit",
        {"run": run, "first": first, "below": below, "limit": limit},
    )
    return [UndoRow(*row) for row in rows]


def given_back(connection: sqlite3.Connection, run: str, customer: int, at: Instant) -> list[GivenBack]:
    """The lots of a customer that the undo of this run gave back, with points left that are valid at that moment, in
    their order of use."""
    rows = connection.execute(
        "SELECT h.valid_until, h.created_at, h.entry, h.remaining FROM holdings h CROSS JOIN entries e"
        " ON e.seq = h.entry WHERE h.customer = :customer AND h.spent = 0 AND h.valid_until > :at"
        f" AND e.reverses IS NOT NULL AND e.origin IN {_OF_RUN} ORDER BY h.valid_until, h.created_at, h.entry",
        {"run": run, "customer": customer, "at": at},
    )
    return [GivenBack(*row) for row in rows]


def run_entries(connection: sqlite3.Connection, run: str) -> RunEntries:
    """How many entries the run has, and how many of them were reversed, by its undo and otherwise."""
    first, last = span(connection, run)
    row = connection.execute(
        f"SELECT count(*), count(r.seq) FILTER (WHERE r.origin IN {_OF_RUN}),"
        f" count(r.seq) FILTER (WHERE r.origin NOT IN {_OF_RUN})"
        " FROM entries e LEFT JOIN entries r ON r.reverses = e.seq"
        f" WHERE e.seq BETWEEN :first AND :last AND e.origin IN {_OF_RUN} AND e.reverses IS NULL",
        {"run": run, "first": first, "last": last},
    ).fetchone()
    return RunEntries(*row)


def undone(connection: sqlite3.Connection, run: str, at: Instant) -> Iterator[Undone]:
    """What became of the run's entries, a customer at a time in the order of the ids; entries that something else
    reversed are left out. ``at``: which lots count as expired."""
    first, last = span(connection, run)
    rows = connection.execute(
        "SELECT customer_id, sum(back) FILTER (WHERE kind = 1), sum(back) FILTER (WHERE kind = 2),"
        " sum(points - remaining - coalesce(back, 0)), sum(left) FILTER (WHERE until <= :at),"
        " sum(left) FILTER (WHERE until > :at) FROM ("
        f"SELECT c.customer_id, e.kind, e.points, {_REMAINING} AS remaining, r.points AS back,"
        f" CASE WHEN e.kind = 1 THEN {_REMAINING} WHEN r.seq IS NULL THEN e.points END AS left,"
        f" CASE WHEN e.kind = 1 THEN e.valid_until WHEN r.seq IS NULL THEN {_LOTS_UNTIL} END AS until"
        " FROM entries e CROSS JOIN customers c ON c.seq = e.customer LEFT JOIN entries r ON r.reverses = e.seq"
        f" WHERE e.seq BETWEEN :first AND :last AND e.origin IN {_OF_RUN} AND e.reverses IS NULL"
        f" AND (r.origin IS NULL OR r.origin IN {_OF_RUN})"
        ") GROUP BY customer_id ORDER BY customer_id",
        {"run": run, "first": first, "last": last, "at": at},
    )
    return (Undone(customer_id, *(points or 0 for points in sums)) for customer_id, *sums in rows)
