"""The outbox: changes that were recorded for a service while it was out of reach, and the import runs among them.

It knows the rows and their states, not what is sent: that is text here. Every method belongs inside a transaction, and
the writing ones inside a writing one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from rpctl.backends.import_runs import RunRecords
from rpctl.backends.ledger.offline import NewRow, OutboxRow, SentRow
from rpctl.backends.port import FileContent, SoFar
from rpctl.domain.redeem_options import Document
from rpctl.domain.values import Instant

_PARAMETERS: Final = 900  # how many values one statement takes at most: below every SQLite's own limit
_OPEN: Final = "o.state IN ('waiting', 'conflict')"  # as the index has it
_COUNTS: Final = "o.state IN ('waiting', 'sent')"  # on top of what the mirror has
_MINE: Final = "o.service = :service"
_KEPT: Final = "o.state IN ('waiting', 'sent', 'done', 'conflict')"
_IN_CONFLICT: Final = (
    "EXISTS (SELECT 1 FROM outbox c WHERE c.service = o.service AND c.state = 'conflict'"
    " AND c.customer_id = o.customer_id)"
)


_SELECT: Final = (
    "SELECT o.position, o.key, o.fingerprint, o.state, o.recorded_at, o.customer_id, o.sending, o.told, o.line,"
    " o.is_known, g.run, g.who FROM outbox o CROSS JOIN origins g ON g.seq = o.origin WHERE o.service = :service"
)


_INSERT: Final = (
    "INSERT INTO outbox (state, service, origin, recorded_at, position, key, fingerprint, customer_id, created_at,"
    " line, is_known, reverses, sending) VALUES ('waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class OutboxTable:
    """The outbox of one service in an open ledger file; ``service`` None: the file knows nothing of that service.
    ``origin_of`` makes the row that says who records, in which import run."""

    def __init__(
        self, connection: sqlite3.Connection, service: int | None, origin_of: Callable[[str | None], int]
    ) -> None:
        self._connection = connection
        self._service = service
        self._origin_of = origin_of

    # -- reading ---------------------------------------------------------------------------------------

    def known(self, keys: Sequence[str]) -> dict[str, OutboxRow]:
        """The rows of those of the keys that are in, dropped ones aside."""
        found = {}
        for names, values in _in_parts(keys):
            for row in self._rows(f"{_SELECT} AND o.state <> 'dropped' AND o.key IN ({names})", **values):
                found[row.key] = row
        return found

    def waiting(self, after: int, limit: int) -> list[OutboxRow]:
        """What waits behind a position and may be sent, in recording order: nothing of customers with a conflict."""
        sql = f"{_SELECT} AND {_OPEN} AND o.state = 'waiting' AND o.position > :after AND NOT {_IN_CONFLICT}"
        return list(self._rows(f"{sql} ORDER BY o.position LIMIT :limit", after=after, limit=limit))

    def open_rows(self, after: int, limit: int) -> list[OutboxRow]:
        """What waits and what is in conflict, in recording order."""
        sql = f"{_SELECT} AND {_OPEN} AND o.position > :after ORDER BY o.position LIMIT :limit"
        return list(self._rows(sql, after=after, limit=limit))

    def conflicts(self) -> list[OutboxRow]:
        """What the service refused, in recording order."""
        return list(self._rows(f"{_SELECT} AND o.state = 'conflict' ORDER BY o.position"))

    def held_back(self) -> int:
        """How many wait behind a conflict of their customer."""
        return int(
            self._value(f"SELECT count(*) FROM outbox o WHERE {_MINE} AND o.state = 'waiting' AND {_IN_CONFLICT}")
        )

    def counts(self) -> tuple[int, int, int, int, Instant | None]:
        """How many wait, are in conflict and are sent; how many customers the first two belong to, and when the oldest
        of them was recorded."""
        numbers = [
            self._value(f"SELECT count(*) FROM outbox o WHERE {_MINE} AND o.state = '{state}'")
            for state in ("waiting", "conflict", "sent")
        ]
        customers = self._value(
            "SELECT count(*) FROM (SELECT o.customer_id FROM outbox o"
            f" WHERE {_MINE} AND o.state = 'waiting' UNION SELECT o.customer_id FROM outbox o"
            f" WHERE {_MINE} AND o.state = 'conflict')"
        )
        since = self._value(f"SELECT o.recorded_at FROM outbox o WHERE {_MINE} AND {_OPEN} ORDER BY o.position LIMIT 1")
        return numbers[0], numbers[1], numbers[2], customers, since

    def elsewhere(self) -> list[tuple[str, int]]:
        """The other services with rows that wait or are in conflict, and how many."""
        sql = (
            f"SELECT s.target, count(*) FROM outbox o JOIN services s ON s.seq = o.service WHERE {_OPEN}"
            " AND o.service IS NOT :service GROUP BY s.target ORDER BY s.target"
        )
        return self._connection.execute(sql, {"service": self._service}).fetchall()

    def touched(self) -> list[str]:
        """The customers with rows that were sent and that the mirror may not show."""
        sql = f"SELECT DISTINCT o.customer_id FROM outbox o WHERE {_MINE} AND o.state = 'sent' ORDER BY o.customer_id"
        return [row[0] for row in self._connection.execute(sql, {"service": self._service})]

    def customers(self, ids: Sequence[str]) -> dict[str, tuple[Instant | None, bool]]:
        """Which of the customers have rows that count on top of the mirror: the latest business date of these, and
        whether any of them was sent."""
        found: dict[str, tuple[Instant | None, bool]] = {}
        for names, values in _in_parts(ids):
            sql = (
                f"SELECT o.customer_id, max(o.created_at), max(o.state = 'sent') FROM outbox o WHERE {_MINE}"
                f" AND {_COUNTS} AND o.customer_id IN ({names}) GROUP BY o.customer_id"
            )
            for customer_id, latest, is_sent in self._connection.execute(sql, {"service": self._service, **values}):
                found[customer_id] = latest, bool(is_sent)
        return found

    def of_known(self, ids: Sequence[str]) -> set[str]:
        """Which of the customers have rows that are not sent, and were there when these were recorded."""
        found: set[str] = set()
        for names, values in _in_parts(ids):
            sql = (
                f"SELECT DISTINCT o.customer_id FROM outbox o WHERE {_MINE} AND {_OPEN} AND o.is_known"
                f" AND o.customer_id IN ({names})"
            )
            found.update(row[0] for row in self._connection.execute(sql, {"service": self._service, **values}))
        return found

    def on_top(self, ids: Sequence[str]) -> Iterator[OutboxRow]:
        """The rows of the customers that count on top of the mirror, in recording order."""
        for names, values in _in_parts(ids):
            yield from self._rows(
                f"{_SELECT} AND {_COUNTS} AND o.customer_id IN ({names}) ORDER BY o.position", **values
            )

    def who_counts(self, after: str, limit: int) -> list[str]:
        """The customers behind an id who have such rows, in the order of the ids."""
        found: set[str] = set()
        for state in ("waiting", "sent"):
            sql = (
                f"SELECT DISTINCT o.customer_id FROM outbox o WHERE {_MINE} AND o.state = '{state}'"
                " AND o.customer_id > :after ORDER BY o.customer_id LIMIT :limit"
            )
            values = {"service": self._service, "after": after, "limit": limit}
            found.update(row[0] for row in self._connection.execute(sql, values))
        return sorted(found)[:limit]

    def recorded_for(self, customer_id: str) -> Iterator[OutboxRow]:
        """What was recorded for a customer and not given up, whatever became of it."""
        sql = f"{_SELECT} AND {_KEPT} AND o.customer_id = :customer_id"
        return self._rows(sql, customer_id=customer_id)

    def by_entry(self, customer_id: str, entry_id: str) -> OutboxRow | None:
        """The customer's row, not given up, that makes the entry with this id."""
        sql = (
            f"{_SELECT} AND {_KEPT} AND o.customer_id = :customer_id"
            " AND json_extract(o.sending, '$.entry_id') = :entry_id"
        )
        return next(self._rows(sql, customer_id=customer_id, entry_id=entry_id), None)

    def sent(self, ids: Sequence[str]) -> Iterator[SentRow]:
        """The rows of the customers that were sent and that the mirror may not show."""
        for names, values in _in_parts(ids):
            sql = (
                f"SELECT o.position, o.key, o.customer_id, o.marked_at, o.sending FROM outbox o WHERE {_MINE}"
                f" AND o.state = 'sent' AND o.customer_id IN ({names})"
            )
            yield from map(SentRow._make, self._connection.execute(sql, {"service": self._service, **values}))

    def next_position(self) -> int:
        """The next free place in recording order."""
        return int(self._connection.execute("SELECT coalesce(max(position), 0) + 1 FROM outbox").fetchone()[0])

    def version(self) -> tuple[int, int]:
        """Differs from an earlier one where anything was written since, here or by another process."""
        (others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return others, self._connection.total_changes

    # -- writing ---------------------------------------------------------------------------------------

    def insert(self, rows: Sequence[NewRow], run: str | None, recorded_at: Instant) -> None:
        """New rows, which wait. Raises `RunNotFound`."""
        if not rows:
            return
        origin = self._origin_of(run)
        self._connection.executemany(_INSERT, ((self._service, origin, recorded_at, *row) for row in rows))

    def mark(self, changes: Iterable[tuple[int, str, str | None]], at: Instant) -> None:
        """What became of rows that waited: position, state, and why; others stay as they are."""
        self._connection.executemany(
            "UPDATE outbox SET state = ?, told = ?, marked_at = ? WHERE position = ? AND service = ?"
            " AND state = 'waiting'",
            ((state, told, at, position, self._service) for position, state, told in changes),
        )

    def finish(self, positions: Iterable[int]) -> None:
        """The mirror shows what was sent."""
        self._connection.executemany(
            "UPDATE outbox SET state = 'done' WHERE position = ? AND state = 'sent'", ((one,) for one in positions)
        )

    def wait_again(self, positions: Iterable[int]) -> None:
        """Conflicts are to be sent once more."""
        self._connection.executemany(
            "UPDATE outbox SET state = 'waiting', told = NULL, marked_at = NULL WHERE position = ?"
            " AND state = 'conflict'",
            ((one,) for one in positions),
        )

    def drop(self, positions: Iterable[int], at: Instant) -> None:
        """Rows that are not sent any more."""
        self._connection.executemany(
            "UPDATE outbox SET state = 'dropped', marked_at = ? WHERE position = ?"
            " AND state IN ('waiting', 'conflict')",
            ((at, one) for one in positions),
        )

    def reversals_of(self, customer_id: str, entry_id: str) -> Iterator[OutboxRow]:
        """The rows that would take an entry back and are not sent."""
        sql = f"{_SELECT} AND {_OPEN} AND o.customer_id = :customer_id AND o.reverses = :entry_id"
        return self._rows(sql, customer_id=customer_id, entry_id=entry_id)

    def forget(self, customer_id: str) -> None:
        """Takes a deleted customer's id and text out; nothing is sent any more, and the keys stay, so that none of them
        counts again."""
        sql = (
            "UPDATE outbox SET customer_id = '', state = iif(state = 'dropped', state, 'done'), reverses = NULL,"
            " told = NULL, sending = '{}' WHERE service = ? AND customer_id = ?"
            " AND state IN ('waiting', 'sent', 'done', 'conflict', 'dropped')"
        )
        self._connection.execute(sql, (self._service, customer_id))

    def _rows(self, sql: str, **values: object) -> Iterator[OutboxRow]:
        return map(OutboxRow._make, self._connection.execute(sql, {"service": self._service, **values}))

    def _value(self, sql: str) -> Any:
        row = self._connection.execute(sql, {"service": self._service}).fetchone()
        return None if row is None else row[0]


class OutboxRuns(RunRecords):
    """The import runs whose rows are in the outbox of one service."""

    def begin(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """A new run, without entries in the ledger's own books."""
        self.start(run, now, file, content, report, request, first_entry=0, last_entry=0)

    def go_on(self, run: str, request: Document) -> SoFar:
        """The run as it is asked for now. Raises `RunNotFound`."""
        self.renew(run, request)
        (rows,) = self.connection.execute(f"SELECT count(*) {_OF_RUN}", (run,)).fetchone()
        (last,) = self.connection.execute("SELECT coalesce(max(position), 0) FROM outbox").fetchone()
        return SoFar(last, rows)

    def has_entries(self, run: str) -> bool:
        """Whether rows of the run are there."""
        (found,) = self.connection.execute(f"SELECT EXISTS (SELECT 1 {_OF_RUN})", (run,)).fetchone()
        return bool(found)

    def forget_request(self, run: str) -> None:
        """Removes paths and options, and the text of what is not to be sent any more."""
        super().forget_request(run)
        self.connection.execute(
            "UPDATE outbox SET told = NULL, sending = json_remove(sending, '$.description', '$.reason',"
            " iif(json_extract(sending, '$.reference_id') = key, '$.none', '$.reference_id'))"
            " WHERE position IN (SELECT position FROM outbox WHERE origin IN (SELECT seq FROM origins WHERE run = ?)"
            " AND state IN ('done', 'dropped'))",
            (run,),
        )


_OF_RUN: Final = "FROM outbox WHERE origin IN (SELECT seq FROM origins WHERE run = ?) AND state <> 'dropped'"


def _in_parts(values: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for start in range(0, len(values), _PARAMETERS):
        some = {f"v{at}": value for at, value in enumerate(values[start : start + _PARAMETERS])}
        yield ", ".join(f":{name}" for name in some), some
