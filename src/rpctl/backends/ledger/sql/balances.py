"""What a customer can redeem: the SQL of balances, which most commands need and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rpctl.backends.ledger.sql.faults import translated
from rpctl.backends.ledger.sql.file import begin_writing

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from rpctl.domain.values import Instant

_ACTIVE: Final = (
    "CASE WHEN c.no_expiry_before > :at THEN c.open_points ELSE coalesce((SELECT sum(h.remaining) FROM holdings h"
    " WHERE h.customer = c.seq AND h.spent = 0 AND h.valid_until > :at), 0) END"
)


class Balances:
    """One open ledger's connection, its transactions and its balances."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @contextmanager
    def transaction(self, *, write: bool, at_once: bool = False) -> Iterator[None]:
        """All or nothing; a writing one holds the write lock from its start, ``at_once``: without waiting for those
        who hold it now. Raises the errors of the file."""
        with translated(self.path):
            if write:
                begin_writing(self.connection, at_once=at_once)
            else:
                self.connection.execute("BEGIN")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def active_points(self, customer_id: str, at: Instant) -> int | None:
        """What can be redeemed at that moment; None where there is no such customer."""
        row = self.connection.execute(
            f"SELECT {_ACTIVE} FROM customers c WHERE c.customer_id = :id",
            {"at": at, "id": customer_id},
        ).fetchone()
        return None if row is None else int(row[0])

    def active_points_of(self, place: int, at: Instant) -> int:
        """The same for a customer by place."""
        row = self.connection.execute(
            f"SELECT {_ACTIVE} FROM customers c WHERE c.seq = :seq",
            {"at": at, "seq": place},
        ).fetchone()
        return int(row[0])

    def customer_list(self, at: Instant, search: str | None, limit: int | None) -> Iterator[tuple[str, int]]:
        """Ids and active points in the order of the ids; ``search`` is part of the id, letter case aside."""
        pattern = None
        if search:
            escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            pattern = f"%{escaped}%"
        sql = (
            f"SELECT c.customer_id, {_ACTIVE} FROM customers c WHERE c.customer_id IS NOT NULL"
            " AND (:pattern IS NULL OR c.customer_id LIKE :pattern ESCAPE '\\') ORDER BY c.customer_id LIMIT :limit"
        )
        rows = self.connection.execute(sql, {"at": at, "pattern": pattern, "limit": -1 if limit is None else limit})
        with translated(self.path):
            yield from rows
