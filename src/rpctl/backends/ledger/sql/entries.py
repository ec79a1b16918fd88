"""Reading customers' entries, row by row and as the outside sees them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

from rpctl.backends.ledger.digests import KEY_SIZE, entry_id
from rpctl.backends.ledger.sql.balances import Balances
from rpctl.backends.ledger.sql.faults import translated
from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary, Use, description_of
from rpctl.domain.values import Instant

ERASED: Final = 0
ADDED: Final = 1
REDEEMED: Final = 2


class EntryRow(NamedTuple):
    """A row of ``entries``, its columns in their order, and what is left of it if it is a lot."""

    seq: int
    customer: int
    kind: int
    points: int
    created_at: Instant
    valid_until: Instant | None
    remaining: int | None
    balance_after: int
    id: str | None
    reference_id: str | None
    description: str | None
    reason: str | None
    site_code: str | None
    reverses: int | None
    origin: int
    recorded_at: Instant
    key: bytes
    fingerprint: bytes
    salt: bytes
    digest: bytes

    @property
    def entry_id(self) -> str:
        """The id that the outside knows."""
        return self.id or entry_id(self.key)


STORED: Final = ", ".join(name for name in EntryRow._fields if name != "remaining")
"""The columns of ``entries``, in their order."""

COLUMNS: Final = ", ".join(
    "CASE e.kind WHEN 1 THEN h.remaining END" if name == "remaining" else f"e.{name}" for name in EntryRow._fields
)
"""For a SELECT that makes an `EntryRow`, from one of the following."""

_FROM: Final = (
    "FROM entries e LEFT JOIN holdings h ON h.customer = e.customer AND h.spent IN (0, 1)"
    " AND h.valid_until = coalesce(e.valid_until, 0) AND h.created_at = coalesce(e.created_at, 0) AND h.entry = e.seq"
)
OF_CUSTOMER: Final = "FROM holdings h CROSS JOIN entries e ON e.seq = h.entry WHERE h.customer = ?"
_REDEEMED_BY: Final = "FROM holdings r CROSS JOIN {} WHERE r.customer = ? AND r.spent = 1 AND r.valid_until = 0"


class Entries(Balances):
    """The entries of one open ledger, for reading."""

    def meta(self, name: str) -> Any:
        """A fact about the ledger: ``ledger_id`` or ``key_secret``."""
        return self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]

    def entry_rows(self, customer: int) -> list[EntryRow]:
        """Every entry of a customer in recording order."""
        sql = f"SELECT {COLUMNS} {OF_CUSTOMER}"
        return sorted((EntryRow(*row) for row in self.connection.execute(sql, (customer,))), key=itemgetter(0))

    def entry_row(self, seq: int) -> EntryRow | None:
        """One entry by its place."""
        row = self.connection.execute(f"SELECT {COLUMNS} {_FROM} WHERE e.seq = ?", (seq,)).fetchone()
        return EntryRow(*row) if row else None

    def find_entry(self, customer: int, wanted: str) -> EntryRow | None:
        """A customer's entry by its id."""
        sql = f"SELECT {COLUMNS} {OF_CUSTOMER} AND e.id = ?"
        row = self.connection.execute(sql, (customer, wanted)).fetchone()
        if row is None:
            try:
                key = bytes.fromhex(wanted.replace("-", ""))
            except ValueError:
                return None
            if len(key) != KEY_SIZE or entry_id(key) != wanted:
                return None
            sql = (
                f"SELECT {COLUMNS} {_FROM} WHERE e.seq = (SELECT entry FROM keys WHERE key = ?)"
                " AND e.customer = ? AND e.id IS NULL"
            )
            row = self.connection.execute(sql, (key, customer)).fetchone()
        return EntryRow(*row) if row else None

    def allocations_of(self, redemption: int) -> list[tuple[int, int, Instant]]:
        """The lots that a redemption drew on: place, points, the lot's ``valid_until``."""
        return self.connection.execute(
            "SELECT a.lot, a.points, e.valid_until FROM allocations a JOIN entries e ON e.seq = a.lot"
            " WHERE a.redemption = ?",
            (redemption,),
        ).fetchall()

    def reversal_of(self, seq: int) -> int | None:
        """The place of the entry that reverses this one."""
        row = self.connection.execute("SELECT seq FROM entries WHERE reverses = ?", (seq,)).fetchone()
        return int(row[0]) if row else None

    def summary(self, customer_id: str, at: Instant) -> Summary | None:
        """Everything of one customer, or None."""
        row = self.connection.execute("SELECT seq FROM customers WHERE customer_id = ?", (customer_id,)).fetchone()
        return None if row is None else self._summary(int(row[0]), customer_id, at)

    def summaries(self, at: Instant, limit: int | None) -> Iterator[Summary]:
        """Everybody's summary in the order of the ids; one customer in memory at a time."""
        sql = "SELECT seq, customer_id FROM customers WHERE customer_id IS NOT NULL ORDER BY customer_id LIMIT ?"
        with self.transaction(write=False):
            for seq, customer_id in self.connection.execute(sql, (-1 if limit is None else limit,)):
                yield self._summary(seq, customer_id, at)

    def entry(self, seq: int) -> Entry | None:
        """One entry as the outside sees it."""
        row = self.entry_row(seq)
        if row is None or row.kind == ERASED:
            return None
        customer_id = self.connection.execute("SELECT customer_id FROM customers WHERE seq = ?", (row.customer,))
        return self._entries([row], customer_id.fetchone()[0])[0]

    def _summary(self, seq: int, customer_id: str, at: Instant) -> Summary:
        entries = self._entries(self.entry_rows(seq), customer_id)
        added = tuple(entry for entry in entries if isinstance(entry, AddedPoints))
        redeemed = tuple(entry for entry in entries if isinstance(entry, RedeemedPoints))
        return Summary(customer_id, self.active_points_of(seq, at), added, redeemed)

    def _entries(self, rows: list[EntryRow], customer_id: str) -> list[Entry]:
        names = {row.seq: row.entry_id for row in rows}
        uses: dict[int, list[Use]] = {}
        coupons: dict[int, str] = {}
        if any(row.kind == ADDED and row.points != row.remaining for row in rows):
            for lot, redemption, points in self.connection.execute(
                "SELECT a.lot, a.redemption, a.points"
                f" {_REDEEMED_BY.format('allocations a ON a.redemption = r.entry')} ORDER BY a.redemption",
                (rows[0].customer,),
            ):
                uses.setdefault(lot, []).append(Use(self._name(redemption, names), points))
        if any(row.kind == REDEEMED for row in rows):
            sql = f"SELECT c.redemption, c.code {_REDEEMED_BY.format('coupons c ON c.redemption = r.entry')}"
            coupons = dict(self.connection.execute(sql, (rows[0].customer,)))
        entries: list[Entry] = []
        for row in rows:
            reverses = None if row.reverses is None else self._name(row.reverses, names)
            if row.kind == ADDED:
                assert row.valid_until is not None and row.remaining is not None
                entries.append(
                    AddedPoints(
                        row.entry_id,
                        customer_id,
                        row.points,
                        row.created_at,
                        row.valid_until,
                        row.balance_after,
                        row.points - row.remaining,
                        tuple(uses.get(row.seq, ())),
                        row.reference_id,
                        row.description or describe(row),
                        row.site_code,
                        row.seq,
                        reverses,
                    )
                )
            else:
                entries.append(
                    RedeemedPoints(
                        row.entry_id,
                        customer_id,
                        row.points,
                        row.created_at,
                        row.balance_after,
                        row.description or describe(row),
                        row.seq,
                        reverses,
                        coupons.get(row.seq),
                    )
                )
        return entries

    def _name(self, seq: int, names: dict[int, str]) -> str:
        if seq not in names:
            row = self.entry_row(seq)
            names[seq] = row.entry_id if row else "?"
        return names[seq]

    def export(self) -> Iterator[tuple[str | None, str | None, str | None, str | None, EntryRow]]:
        """Every entry in recording order, as one moment's state: customer id, who recorded it, with which version
        and in which import run (all None for an erased one), and the row itself."""
        sql = (
            f"SELECT c.customer_id, o.who, o.rpctl_version, o.run, {COLUMNS} {_FROM}"
            " CROSS JOIN customers c ON c.seq = e.customer LEFT JOIN origins o ON o.seq = e.origin ORDER BY e.seq"
        )
        with translated(self.path):
            for customer_id, who, version, run, *row in self.connection.execute(sql):
                yield customer_id, who, version, run, EntryRow(*row)

    def counts(self) -> dict[str, Any]:
        """How much there is: entries, customers, deleted customers, when the last entry was recorded."""
        row = self.connection.execute(
            "SELECT (SELECT count(*) FROM keys), (SELECT count(customer_id) FROM customers),"
            " (SELECT count(*) FROM tombstones), (SELECT max(recorded_at) FROM entries WHERE seq >"
            " (SELECT coalesce(max(seq), 0) - 1000 FROM entries)), (SELECT value FROM meta WHERE name = 'ledger_id')"
        ).fetchone()
        return dict(zip(("entries", "customers", "deletedCustomers", "lastRecordedAt", "ledgerId"), row, strict=True))


def describe(row: EntryRow) -> str:
    """The description that the ledger makes up where none was given."""
    return description_of(
        redeemed=row.kind == REDEEMED, reference_id=row.reference_id, is_reversal=row.reverses is not None
    )
