"""The mirror: what was last known of the customers, options and programs of a service.

It knows when something was read, not what it says: that is text here. Every method belongs inside a transaction, and
the writing ones inside a writing one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from rpctl.backends.ledger.offline import MirrorRow, Pulls
from rpctl.domain.values import Instant

_PARAMETERS: Final = 900  # how many values one statement takes at most: below every SQLite's own limit


_STORE: Final = """
INSERT INTO mirror (service, customer_id, active_points, no_expiry_before, read_at, pull, summary)
  VALUES (:service, :customer_id, :active_points, :no_expiry_before, :read_at, :pull, :summary)
  ON CONFLICT (service, customer_id) DO UPDATE SET active_points = excluded.active_points,
    no_expiry_before = excluded.no_expiry_before, read_at = excluded.read_at, pull = max(pull, excluded.pull),
    summary = excluded.summary
"""


class MirrorTable:
    """What is mirrored of one service in an open ledger file; ``service`` None: the file knows nothing of it."""

    def __init__(self, connection: sqlite3.Connection, service: int | None) -> None:
        self._connection = connection
        self._service = service

    # -- customers -------------------------------------------------------------------------------------

    def truths(self, ids: Sequence[str]) -> dict[str, MirrorRow]:
        """Those of the customers who are mirrored."""
        found = {}
        for start in range(0, len(ids), _PARAMETERS):
            some = ids[start : start + _PARAMETERS]
            sql = (
                "SELECT customer_id, active_points, no_expiry_before, read_at, summary FROM mirror"
                f" WHERE service = ? AND customer_id IN ({', '.join('?' * len(some))})"
            )
            for row in self._connection.execute(sql, (self._service, *some)):
                found[row[0]] = MirrorRow._make(row)
        return found

    def read_at(self, ids: Sequence[str]) -> dict[str, Instant]:
        """When those of the customers who are mirrored were read."""
        found: dict[str, Instant] = {}
        for start in range(0, len(ids), _PARAMETERS):
            some = ids[start : start + _PARAMETERS]
            sql = (
                "SELECT customer_id, read_at FROM mirror"
                f" WHERE service = ? AND customer_id IN ({', '.join('?' * len(some))})"
            )
            found.update(self._connection.execute(sql, (self._service, *some)))
        return found

    def balances(self, after: str, limit: int) -> list[tuple[str, int, Instant]]:
        """The customers behind an id in the order of the ids: active points, and until when none of these ends."""
        sql = (
            "SELECT customer_id, active_points, no_expiry_before FROM mirror"
            " WHERE service = ? AND customer_id > ? ORDER BY customer_id LIMIT ?"
        )
        return self._connection.execute(sql, (self._service, after, limit)).fetchall()

    def count(self) -> int:
        """How many customers are mirrored."""
        sql = "SELECT count(*) FROM mirror WHERE service = ?"
        return int(self._connection.execute(sql, (self._service,)).fetchone()[0])

    def store(self, rows: Iterable[MirrorRow], pull: int) -> None:
        """Customers as they are now; ``pull``: the last reading of everybody that saw them."""
        self._connection.executemany(
            _STORE, ({**row._asdict(), "service": self._service, "pull": pull} for row in rows)
        )

    def seen(self, ids: Iterable[str], pull: int) -> None:
        """A reading of everybody saw customers of whom more is known already."""
        sql = "UPDATE mirror SET pull = max(pull, ?) WHERE service = ? AND customer_id = ?"
        self._connection.executemany(sql, ((pull, self._service, one) for one in ids))

    def remove(self, ids: Iterable[str]) -> None:
        """Customers whom the service does not have."""
        sql = "DELETE FROM mirror WHERE service = ? AND customer_id = ?"
        self._connection.executemany(sql, ((self._service, one) for one in ids))

    def remove_unseen(self, pull: int) -> int:
        """Removes whom neither this reading of everybody nor anything later saw: how many."""
        sql = "DELETE FROM mirror WHERE service = ? AND pull < ?"
        return self._connection.execute(sql, (self._service, pull)).rowcount

    # -- readings of everybody -------------------------------------------------------------------------

    def pulls(self) -> Pulls:
        """What is known of them."""
        sql = "SELECT pull, pull_begun_at, pulled, pulled_at FROM services WHERE seq = ?"
        row = self._connection.execute(sql, (self._service,)).fetchone()
        return Pulls() if row is None else Pulls._make(row)

    def save_pulls(self, pulls: Pulls) -> None:
        """What is known of them now."""
        sql = "UPDATE services SET pull = ?, pull_begun_at = ?, pulled = ?, pulled_at = ? WHERE seq = ?"
        self._connection.execute(sql, (*pulls, self._service))

    # -- options and programs --------------------------------------------------------------------------

    def options(self) -> str | None:
        """The redeem options; None: they were never read."""
        row = self._connection.execute("SELECT options FROM services WHERE seq = ?", (self._service,)).fetchone()
        return None if row is None else row[0]

    def save_options(self, text: str) -> None:
        """All of them anew."""
        self._connection.execute("UPDATE services SET options = ? WHERE seq = ?", (text, self._service))

    def program(self, site_code: str) -> str | None:
        """A site's program; None: it was never read."""
        sql = "SELECT document FROM mirror_programs WHERE service = ? AND site_code = ?"
        row = self._connection.execute(sql, (self._service, site_code)).fetchone()
        return None if row is None else str(row[0])

    def save_program(self, site_code: str, text: str) -> None:
        """A site's program anew."""
        sql = "INSERT OR REPLACE INTO mirror_programs VALUES (?, ?, ?)"
        self._connection.execute(sql, (self._service, site_code, text))


def service_number(connection: sqlite3.Connection, target: str, *, make: bool) -> int | None:
    """The number of a service in this file; ``make``: of a new one where it has none, inside a writing transaction."""
    row = connection.execute("SELECT seq FROM services WHERE target = ?", (target,)).fetchone()
    if row is None and make:
        sql = "INSERT INTO services (target) VALUES (?) RETURNING seq"
        row = connection.execute(sql, (target,)).fetchone()
    return None if row is None else int(row[0])
