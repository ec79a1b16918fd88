"""Writing: what a booking has to know, and the rows that it leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rpctl.backends.ledger.digests import digests_of
from rpctl.backends.ledger.sql.entries import ERASED, STORED, Entries, EntryRow
from rpctl.backends.ledger.sql.file import patience
from rpctl.domain.lots import Account, OpenLot
from rpctl.domain.outcomes import Recorded
from rpctl.domain.values import Instant
from rpctl.errors import RunNotFound

_LOG_PATIENCE_MS: Final = 1000
_REMAINING: Final = EntryRow._fields.index("remaining")
_LOTS_EACH: Final = 16
_PARAMETERS: Final = 900  # how many values one statement takes at most: below every SQLite's own limit
BOOKED: Final = (
    "seq, customer, kind, points, created_at, valid_until, remaining, balance_after, reference_id, description, reason,"
    " site_code, reverses"
)
Booked = tuple[Any, ...]
"""A new entry as a booking decides it: `BOOKED`, and its key, fingerprint, salt and digest in a row. A bare tuple:
millions are made."""

Drawn = tuple[int, int, int, Any, Any, Any, Any]
"""A redemption's place, a lot's place, how many points the one took of the other. Once for every lot that was there
before also the customer's place, the lot's ``validUntil`` and ``createdAt``, and what is left of it now; else None four
times. A bare tuple: millions are made."""

_ENTRY: Final = f"INSERT INTO entries ({STORED}) VALUES ({', '.join('?' * (STORED.count(',') + 1))})"
_KEY: Final = "INSERT INTO keys (key, entry) VALUES (?, ?)"
_HOLDING: Final = (
    "INSERT INTO holdings (customer, spent, valid_until, created_at, entry, remaining) VALUES (?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that is in: where, with which fingerprint, and whether its customer was deleted since; ``recorded`` is
    what else is known of its change, None where it came in by the same booking or was erased."""

    seq: int
    fingerprint: bytes | None
    erased: bool
    recorded: Recorded | None = None


@dataclass(slots=True)
class CustomerRow:
    """A customer and the account that follows what is left."""

    seq: int
    customer_id: str
    account: Account
    is_new: bool = False


class Books(Entries):
    """The points tables of one open ledger, for writing. Every method belongs inside a writing transaction."""

    def secret(self) -> bytes:
        """The ledger's own secret for digests of keys. Not to be kept beyond a transaction: a restore may put
        another ledger in its place."""
        return bytes(self.meta("key_secret"))

    def known_keys(self, digests: Sequence[bytes]) -> dict[bytes, KnownKey]:
        """Those of the keys that are in."""
        known = {}
        for marks, some in _in_parts(digests):
            sql = (
                "SELECT e.key, e.seq, e.fingerprint, e.points, o.run, e.valid_until <= e.recorded_at, e.kind"
                " FROM keys k CROSS JOIN entries e ON e.seq = k.entry LEFT JOIN origins o ON o.seq = e.origin"
                f" WHERE k.key IN ({marks})"
            )
            for key, seq, fingerprint, points, run, expired, kind in self.connection.execute(sql, some):
                recorded = None if kind == ERASED else Recorded(seq, points, run, bool(expired))
                known[key] = KnownKey(seq, fingerprint, kind == ERASED, recorded)
        return known

    def origin(self, who: str, version: str, run: str | None) -> int:
        """The row that says who wrote an entry, with which program, in which import run."""
        row = self.connection.execute(
            "SELECT seq FROM origins WHERE run IS ? AND who = ? AND rpctl_version = ?", (run, who, version)
        ).fetchone()
        if row is None:
            if run is not None and not self._has_run(run):
                raise RunNotFound(
                    f"Import run {run} is no longer in the ledger, which was restored meanwhile.",
                    "Run the import again; what is in already counts once.",
                )
            row = self.connection.execute(
                "INSERT INTO origins (who, rpctl_version, run) VALUES (?, ?, ?) RETURNING seq", (who, version, run)
            ).fetchone()
        return int(row[0])

    def has_origin(self, run: str) -> bool:
        """Whether anything was recorded in that import run."""
        return self.connection.execute("SELECT 1 FROM origins WHERE run = ?", (run,)).fetchone() is not None

    def _has_run(self, run: str) -> bool:
        return self.connection.execute("SELECT 1 FROM import_runs WHERE run = ?", (run,)).fetchone() is not None

    # -- customers -------------------------------------------------------------------------------------

    def customers_by_id(self, ids: Iterable[str]) -> dict[str, CustomerRow]:
        """Those of the customers that exist, each with an account that loads its lots when it has to."""
        found = {}
        for marks, some in _in_parts(sorted(ids)):  # neighbours lie together
            sql = (
                "SELECT seq, customer_id, latest_created_at, open_points, no_expiry_before FROM customers"
                f" WHERE customer_id IN ({marks})"
            )
            for seq, customer_id, latest, open_points, no_expiry_before in self.connection.execute(sql, some):
                account = Account(open_points, no_expiry_before, latest, seq, self)
                found[customer_id] = CustomerRow(seq, customer_id, account)
        return found

    def open_lots(self, place: int) -> Iterator[OpenLot]:
        """A customer's lots with points left, in their order of use."""
        rows = self.connection.execute(
            "SELECT valid_until, created_at, entry, remaining FROM holdings"
            " WHERE customer = ? AND spent = 0 ORDER BY valid_until, created_at, entry",
            (place,),
        )
        return (OpenLot(*row) for row in rows)

    def read_lots(self, customers: Iterable[CustomerRow]) -> None:
        """Hands their open lots to many customers' accounts at once, but for those who have very many."""
        by_place = {customer.seq: customer for customer in customers}
        for marks, places in _in_parts(sorted(by_place)):
            most = _LOTS_EACH * len(places)
            lots: dict[int, list[OpenLot]] = {}
            seq = count = 0
            for seq, *lot in self.connection.execute(
                "SELECT customer, valid_until, created_at, entry, remaining FROM holdings WHERE spent = 0"
                f" AND customer IN ({marks}) ORDER BY customer, valid_until, created_at, entry LIMIT {most}",
                places,
            ):
                count += 1
                lots.setdefault(seq, []).append(OpenLot(*lot))
            if count == most:
                del lots[seq]  # who may have more
            for seq, some in lots.items():
                by_place[seq].account.has_lots(some)

    def next_seq(self, table: str) -> int:
        """The next free place in recording order; only meaningful inside a writing transaction."""
        row = self.connection.execute(f"SELECT coalesce(max(seq), 0) + 1 FROM {table}").fetchone()
        return int(row[0])

    # -- writing ---------------------------------------------------------------------------------------

    def insert_customers(self, customers: Iterable[CustomerRow]) -> None:
        """New customers, under the places they were given."""
        self.connection.executemany(
            "INSERT INTO customers (seq, customer_id) VALUES (?, ?)", [(c.seq, c.customer_id) for c in customers]
        )

    def save_accounts(self, customers: Iterable[CustomerRow]) -> None:
        """What the accounts came to."""
        self.connection.executemany(
            "UPDATE customers SET latest_created_at = ?, open_points = ?, no_expiry_before = ? WHERE seq = ?",
            [
                (c.account.latest_created_at, c.account.open_points, c.account.no_expiry_before, c.seq)
                for c in customers
            ],
        )

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """New entries."""
        self.connection.executemany(_ENTRY, [(*row[:_REMAINING], *row[_REMAINING + 1 :]) for row in rows])
        self.connection.executemany(_KEY, [(row.key, row.seq) for row in rows])
        self.connection.executemany(
            _HOLDING,
            [
                (row.customer, not row.remaining, row.valid_until or 0, row.created_at, row.seq, row.remaining or 0)
                for row in rows
            ],
        )

    def insert_booked(self, rows: Iterable[Booked], origin: int, recorded_at: Instant) -> None:
        """New entries of one origin and moment."""
        self.insert_entries(
            [EntryRow._make((*row[:8], None, *row[8:13], origin, recorded_at, *digests_of(row[13]))) for row in rows]
        )

    def save_remaining(self, lots: Iterable[tuple[int, OpenLot]]) -> None:
        """What is left of lots, each after its customer's place."""
        self.connection.executemany(
            "UPDATE holdings SET remaining = ?1, spent = ?1 = 0"
            " WHERE customer = ?2 AND spent = 0 AND valid_until = ?3 AND created_at = ?4 AND entry = ?5",
            [(lot.left, customer, lot.valid_until, lot.created_at, lot.position) for customer, lot in lots],
        )

    def save_draws(self, draws: Sequence[Drawn]) -> None:
        """Which redemption drew on which lot, and what that left."""
        self.insert_allocations(draw[:3] for draw in draws)
        self.save_remaining(
            (customer, OpenLot(valid_until, created_at, lot, left))
            for _, lot, _, customer, valid_until, created_at, left in draws
            if customer is not None
        )

    def insert_allocations(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Which redemption drew on which lot, and how much."""
        self.connection.executemany("INSERT INTO allocations (redemption, lot, points) VALUES (?, ?, ?)", rows)

    def erase_customer(self, seq: int, at: Instant, origin: int) -> tuple[int, int, int, int]:
        """Removes a customer's points and text; keys, entry digests and a tombstone stay.

        Returns how many entries there were, and the points added, redeemed and left.
        """
        counts = self.connection.execute(
            "SELECT count(*), coalesce(sum(points) FILTER (WHERE kind = 1), 0),"
            " coalesce(sum(points) FILTER (WHERE kind = 2), 0), coalesce(sum(h.remaining), 0)"
            " FROM holdings h CROSS JOIN entries e ON e.seq = h.entry WHERE h.customer = ?",
            (seq,),
        ).fetchone()
        mine = "(SELECT entry FROM holdings WHERE customer = ?)"
        self.connection.execute(f"DELETE FROM allocations WHERE redemption IN {mine}", (seq,))
        self.connection.execute(
            "UPDATE entries SET kind = 0, points = NULL, created_at = NULL, valid_until = NULL,"
            " balance_after = NULL, id = NULL, reference_id = NULL, description = NULL, reason = NULL,"
            " site_code = NULL, reverses = NULL, origin = NULL, recorded_at = NULL, fingerprint = NULL, salt = NULL"
            f" WHERE seq IN {mine}",
            (seq,),
        )
        self.connection.execute(
            "UPDATE holdings SET spent = 1, valid_until = 0, created_at = 0, remaining = 0 WHERE customer = ?", (seq,)
        )
        self.connection.execute(
            "UPDATE customers SET customer_id = NULL, latest_created_at = NULL, open_points = 0,"
            " no_expiry_before = 4611686018427387904 WHERE seq = ?",
            (seq,),
        )
        self.connection.execute("INSERT INTO tombstones VALUES (?, ?, ?, ?, ?, ?, ?)", (seq, at, origin, *counts))
        entries, added, redeemed, left = counts
        return entries, added, redeemed, left

    def truncate_log(self) -> bool:
        """Writes the log back into the file and empties it, so that erased text is in neither. Outside a
        transaction.

        False where others read what was before for longer than a moment, or the system does not let us write: the
        log then goes with a later call, or when the last process closes the ledger.
        """
        with patience(self.connection, _LOG_PATIENCE_MS):
            try:
                busy, *_ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.DatabaseError:  # what was committed before is safe
                return False
        return not busy


def _in_parts(values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    for start in range(0, len(values), _PARAMETERS):
        some = values[start : start + _PARAMETERS]
        yield ", ".join("?" * len(some)), some
